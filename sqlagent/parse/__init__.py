"""SQL text → tokens → tree. Nothing here imports an engine; only `tree` imports sqlglot, lazily."""
