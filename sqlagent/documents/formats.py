"""Which reader a file has, by the end of its name."""

from __future__ import annotations

import stat
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from sqlagent.chunking.code import LINE_SUFFIXES
from sqlagent.documents.text import Text, Unreadable, decode

BYTES_MAX = 128 << 20
HEADING_WITHIN = 4000  # characters from the start, for the title of a Markdown file

_TEXT = ".md .markdown .mdx .txt .text .rst .adoc .org .tex"
_HTML = frozenset((".html", ".htm", ".xhtml"))
_DATA = {".csv": "delimited", ".tsv": "delimited", ".json": "json_text", ".jsonl": "json_text",
         ".ndjson": "json_text"}  # fmt: skip
# (module, function, the package that the extra [documents] installs)
_FILES = {
    ".pdf": ("pdf", "pdf", "pypdf"),
    ".docx": ("office", "docx", "python-docx"),
    ".pptx": ("office", "pptx", "python-pptx"),
    ".xlsx": ("office", "xlsx", "openpyxl"),
    ".eml": ("mail", "mail", ""),
}
TEXT_SUFFIXES = (LINE_SUFFIXES - frozenset(_DATA)) | frozenset(_TEXT.split()) | _HTML
SUFFIXES = TEXT_SUFFIXES | frozenset(_DATA) | frozenset(_FILES)


def check_file(path: Path) -> None:
    """Raises Unreadable for what is no file (a pipe would be waited for) or is too large to be a
    document, before any of it is read; OSError where it cannot be looked at."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise Unreadable("a folder, not a file" if stat.S_ISDIR(about.st_mode) else "not a file")
    if about.st_size > BYTES_MAX:
        size = about.st_size
        raise Unreadable(f"{size:,} bytes are more than the {BYTES_MAX:,} of a document")


def read_file(path: Path, encoding: str | None = None) -> Text:
    """The title and text of a file; a file of an unknown kind is read as text.

    The title is the document's own, else its first heading (Markdown), else the file's name.
    Raises Unreadable with the reason, whatever is wrong with the file.
    """
    suffix = path.suffix.lower()
    try:
        check_file(path)
        text = _by_library(path, suffix) if suffix in _FILES else _as_text(path, suffix, encoding)
    except OSError as error:
        raise Unreadable((error.strerror or "cannot be read").lower()) from error
    content = text.content.encode("utf-8", "replace").decode("utf-8")  # no half of a pair
    if not content.strip():
        raise Unreadable("no text in it")
    title = " ".join(text.title.split()) or heading(suffix, content) or path.stem
    return Text(title, content)


def _as_text(path: Path, suffix: str, encoding: str | None) -> Text:
    content = decode(path.read_bytes(), encoding).replace("\r\n", "\n")
    if suffix in _HTML:
        from sqlagent.documents.html import html_text

        return html_text(content)
    if suffix in _DATA:
        reader: Callable[[str], Text] = getattr(
            import_module("sqlagent.documents.data"), _DATA[suffix]
        )
        return reader(content)
    return Text("", content)


def _by_library(path: Path, suffix: str) -> Text:
    module, name, package = _FILES[suffix]
    reader: Callable[[Path], Text] = getattr(import_module(f"sqlagent.documents.{module}"), name)
    try:
        return reader(path)
    except (Unreadable, OSError, MemoryError):
        raise
    except ImportError as error:
        raise Unreadable(
            f"{suffix} files need {package}, which is not installed: "
            "pip install 'sqlagent[documents]'"
        ) from error
    except Exception as error:  # whatever a library raises at a broken file
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unreadable(
            f"not a {suffix[1:].upper()} file that can be read: {what:.200}"
        ) from error


def heading(suffix: str, content: str) -> str:
    """The first heading of a Markdown file."""
    if suffix not in (".md", ".markdown", ".mdx"):
        return ""
    for line in content[:HEADING_WITHIN].split("\n"):
        if line.startswith("# "):
            return line[2:].strip().rstrip("#").strip()
    return ""
