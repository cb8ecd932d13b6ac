"""PDF by pypdf, of the extra [documents]."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlagent.documents.text import Text, Unreadable


def pdf(path: Path) -> Text:
    """The text of the pages, with an empty line between them."""
    import pypdf
    from pypdf.errors import PyPdfError

    # It tells of every oddity of a file; what cannot be read is an error of ours.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(str(path))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("the PDF needs a password")
        pages = [page.extract_text().strip() for page in reader.pages]
        title = (reader.metadata.title if reader.metadata is not None else None) or ""
    except PyPdfError as error:
        raise Unreadable(f"not a PDF that can be read: {error}") from error
    text = "\n\n".join(page for page in pages if page).replace("\x00", "")
    if not text:
        raise Unreadable(f"no text in its {len(pages)} pages: they are pictures, perhaps a scan")
    return Text(str(title).strip(), text)
