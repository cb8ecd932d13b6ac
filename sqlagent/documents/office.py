"""DOCX, PPTX and XLSX as Markdown, by python-docx, python-pptx and openpyxl (extra [documents])."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlagent.documents.text import Text

_HEADING = re.compile(r"Heading ([1-9])")
ROWS_MAX = 200_000  # of a sheet


def docx(path: Path) -> Text:
    """Headings, paragraphs, lists and tables, in their order."""
    import docx as library
    from docx.table import Table

    document = library.Document(str(path))
    title = (document.core_properties.title or "").strip()
    parts = []
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            parts.append(table([cell.text for cell in row.cells] for row in block.rows))
            continue
        text = block.text.strip()
        if not text:
            continue
        style = (block.style.name if block.style is not None else "") or ""
        match = _HEADING.match(style)
        if style == "Title":
            title = title or text
            parts.append(f"# {text}")
        elif match:
            parts.append(f"{'#' * min(6, int(match[1]))} {text}")
        elif style.startswith("List"):
            parts.append(f"- {text}")
        else:
            parts.append(text)
    return Text(title, "\n\n".join(parts))


def pptx(path: Path) -> Text:
    """A section for each slide: its title, texts and tables in their order, and the notes."""
    import pptx as library

    deck = library.Presentation(str(path))
    parts = []
    for number, slide in enumerate(deck.slides, 1):
        head = slide.shapes.title
        name = head.text_frame.text.strip() if head is not None else ""
        parts.append(f"## Slide {number}: {name}" if name else f"## Slide {number}")
        for shape in _shapes(slide.shapes):
            if head is not None and shape.shape_id == head.shape_id:
                continue
            if getattr(shape, "has_table", False):
                parts.append(table([c.text for c in row.cells] for row in shape.table.rows))
            elif shape.has_text_frame and shape.text_frame.text.strip():
                parts.append(shape.text_frame.text.strip())
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = slide.notes_slide.notes_text_frame.text.strip()
            if notes:
                parts.append(f"Notes: {notes}")
    text = "\n\n".join(parts).replace("\v", "\n")
    return Text((deck.core_properties.title or "").strip(), text)


def _shapes(shapes: Any) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):  # a group
            yield from _shapes(shape.shapes)
        else:
            yield shape


def xlsx(path: Path) -> Text:
    """A section for each sheet, a line for each row: `column: value; column: value`."""
    import openpyxl

    book = openpyxl.load_workbook(str(path), read_only=True, data_only=True)
    try:
        parts = []
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True, max_row=min(sheet.max_row or 1, ROWS_MAX))
            lines = "\n".join(records([str(c) if c is not None else "" for c in r] for r in rows))
            if lines:
                parts.append(f"## {sheet.title}\n\n{lines}")
        title = (book.properties.title or "").strip()
    finally:
        book.close()
    return Text(title, "\n\n".join(parts))


def table(rows: Iterable[list[str]]) -> str:
    """A table as Markdown writes it; the first row is its head."""
    lines = []
    for number, row in enumerate(rows):
        cells = [" ".join(cell.split()).replace("|", "\\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
        if number == 0:
            lines.append("|" + "---|" * len(cells))
    return "\n".join(lines)


def records(rows: Iterable[list[str]]) -> Iterator[str]:
    """Rows under a head, as lines that say of each value what it is: a line is understood alone."""
    names: list[str] | None = None
    told = False
    for row in rows:
        cells = [" ".join(cell.split()) for cell in row]
        if not any(cells):
            continue
        if names is None:
            names = cells
            continue
        named = [
            f"{names[n]}: {cell}" if n < len(names) and names[n] else cell
            for n, cell in enumerate(cells)
            if cell
        ]
        told = True
        yield "; ".join(named)
    if names is not None and not told:
        yield "; ".join(filter(None, names))
