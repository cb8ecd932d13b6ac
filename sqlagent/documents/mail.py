"""E-mail (.eml) by Python's own library."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

from sqlagent.documents.html import html_text
from sqlagent.documents.text import Text, Unreadable

_HEADERS = ("From", "To", "Cc", "Date")


def mail(path: Path) -> Text:
    """The subject as title; who wrote to whom and when, the text, the names of what is attached."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    if not message.keys():
        raise Unreadable("not an e-mail: it has no headers")
    title = str(message.get("Subject", "")).strip()
    head = [f"{name}: {message[name]}" for name in _HEADERS if message[name]]
    parts = [f"# {title}"] if title else []
    parts.append("\n".join(head))
    body = message.get_body(("plain", "html"))
    if body is not None:
        try:
            text = body.get_content()
        except LookupError as error:
            raise Unreadable(f"unknown encoding of its text: {error}") from error
        if body.get_content_subtype() == "html":
            text = html_text(text).content
        parts.append(text.strip())
    names = [part.get_filename() for part in message.iter_attachments()]
    if any(names):
        parts.append("Attached: " + ", ".join(filter(None, names)))
    return Text(title, "\n\n".join(filter(None, parts)).replace("\r\n", "\n").replace("\0", ""))
