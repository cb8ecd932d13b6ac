"""Files as documents: which files hold text, and the title and text of one."""

import codecs
import os
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

BYTES_MAX = 64 * 1024 * 1024

_SUFFIXES = """
    .md .markdown .txt .text .rst .adoc .org .tex .html .htm .log .sql .py .js .ts .java .c .h .cpp
    .hpp .go .rs .rb .sh .css .toml .yaml .yml .ini .cfg
"""
TEXT_SUFFIXES = frozenset(_SUFFIXES.split())
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_KEPT_SPACE = "\x00"  # stands for a space inside <pre>: no text that is read holds a zero byte
_SILENT = {"script", "style", "template", "noscript"}
_BLOCK_TAGS = """
    p div br li ul ol tr table section article header footer main h1 h2 h3 h4 h5 h6 pre blockquote
    dt dd hr title
"""
_BLOCKS = frozenset(_BLOCK_TAGS.split())


class Unreadable(Exception):
    """The file is not text that can be indexed; the message is the reason."""


class Text(NamedTuple):
    """What a file says: its title and its text."""

    title: str
    content: str


def walk(folder: Path) -> Iterator[Path]:
    """Text files under a folder, in order; hidden ones and links to folders are passed over."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in TEXT_SUFFIXES:
                yield Path(place, name)


def read_text(path: Path, encoding: str | None = None) -> Text:
    """The title and text of a file; HTML gives its visible text.

    `encoding` None: UTF-8, or what a byte order mark says. Errors: Unreadable with the reason.
    """
    try:
        size = path.stat().st_size
        if size > BYTES_MAX:
            raise Unreadable(f"{size:,} bytes are more than the {BYTES_MAX:,} of a document")
        raw = path.read_bytes()
    except OSError as error:
        raise Unreadable((error.strerror or "cannot be read").lower()) from error
    content = _decode(raw, encoding).replace("\r\n", "\n")
    title = ""
    if path.suffix.lower() in (".html", ".htm"):
        title, content = html_text(content)
    if not content.strip():
        raise Unreadable("no text in it")
    return Text(title or _heading(path, content) or path.stem, content)


def html_text(page: str) -> Text:
    """The title and the visible text of an HTML page, blocks on lines of their own."""
    reader = _Html()
    reader.feed(page)
    reader.close()
    lines = (_tidy(line) for line in "".join(reader.parts).split("\n"))
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return Text(" ".join("".join(reader.title).split()), "\n".join(kept).strip() + "\n")


def _tidy(line: str) -> str:
    """The line with single spaces, but those of a <pre> as they were typed."""
    return " ".join(line.split()).replace(_KEPT_SPACE, " ").rstrip()


class _Html(HTMLParser):
    """Gathers text between tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title: list[str] = []
        self._silent = 0
        self._in_title = False
        self._as_typed = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._mark(tag, True)

    def handle_endtag(self, tag: str) -> None:
        self._mark(tag, False)

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._silent:
            typed = data.replace(" ", _KEPT_SPACE).replace("\t", _KEPT_SPACE * 4)
            self.parts.append(typed if self._as_typed else data.replace("\n", " "))

    def _mark(self, tag: str, begins: bool) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent + (1 if begins else -1))
        elif tag == "title":
            self._in_title = begins
        elif tag in _BLOCKS:
            self._as_typed = begins if tag == "pre" else self._as_typed
            # A heading or paragraph stands apart, so that chunks can be cut there.
            apart = tag == "p" or (len(tag) == 2 and tag[0] == "h" and tag[1].isdigit())
            self.parts.append("\n\n" if apart else "\n")


def _decode(raw: bytes, encoding: str | None) -> str:
    marked = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    name = encoding or marked
    try:
        text = raw.decode(name)
    except UnicodeDecodeError as error:
        raise Unreadable(f"not {name} text: byte {error.start} ({error.reason})") from error
    except LookupError as error:
        raise Unreadable(f'unknown encoding "{name}"') from error
    if "\x00" in text:
        raise Unreadable("not text: it holds zero bytes")
    return text


def _heading(path: Path, content: str) -> str:
    """The first heading of a Markdown file."""
    if path.suffix.lower() not in (".md", ".markdown"):
        return ""
    for line in content[:4000].split("\n"):
        if line.startswith("# "):
            return line[2:].strip().rstrip("#").strip()
    return ""
