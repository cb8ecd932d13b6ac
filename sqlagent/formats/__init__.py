"""Results as text: a value, and rows as CSV, JSON, Markdown or lines."""
