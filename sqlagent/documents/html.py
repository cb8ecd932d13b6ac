"""The title and the visible text of HTML."""

from __future__ import annotations

from html.parser import HTMLParser

from sqlagent.documents.text import Text

_KEPT_SPACE = "\x00"  # stands for a space inside <pre>: no text that is read holds a zero byte
_SILENT = {"script", "style", "template", "noscript"}
_BLOCK_TAGS = """
    p div br li ul ol tr table section article header footer main h1 h2 h3 h4 h5 h6 pre blockquote
    dt dd hr title
"""
_BLOCKS = frozenset(_BLOCK_TAGS.split())


def html_text(page: str) -> Text:
    """The title and the visible text of an HTML page, blocks on lines of their own, headings as in
    Markdown."""
    reader = _Html()
    reader.feed(page)
    reader.close()
    lines = (_tidy(line) for line in "".join(reader.parts).split("\n"))
    kept: list[str] = []
    for line in lines:
        if line.strip("# ") or (not line and kept and kept[-1]):
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
            # A heading or paragraph stands apart, so that chunks can be cut there; a heading is
            # written as in Markdown, so that it travels with them.
            apart = tag == "p" or (len(tag) == 2 and tag[0] == "h" and tag[1].isdigit())
            mark = f"\n\n{'#' * int(tag[1])} " if begins and apart and tag != "p" else "\n\n"
            self.parts.append(mark if apart else "\n")
