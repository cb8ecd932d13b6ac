"""Real documents that every installation has: the READMEs of the packages it brought along."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

PACKAGES = (
    "apsw", "duckdb", "lancedb", "numpy", "onnxruntime", "prompt_toolkit", "pyarrow", "rich",
    "sqlglot", "tokenizers", "wcwidth",
)  # fmt: skip
SUFFIXES = {"text/markdown": ".md", "text/x-rst": ".rst"}


def write_readmes(folder: Path) -> int:
    """Writes each package's README as a file of `folder`; returns how many there were."""
    folder.mkdir()
    count = 0
    for package in PACKAGES:
        try:
            about = metadata.metadata(package).json
        except metadata.PackageNotFoundError:  # an installation may leave one out
            continue
        text = str(about.get("description", ""))
        if text.strip():
            kind = str(about.get("description_content_type", "")).partition(";")[0]
            path = folder / (package + SUFFIXES.get(kind, ".txt"))
            path.write_text(text, encoding="utf-8", errors="replace")
            count += 1
    return count
