"""A value as a person types it, in a shell or a URL."""

import json
import re

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,18})(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")


def scalar(text: str) -> bool | int | float | str | None:
    """A value typed in the shell: a number, true, false, null, or a quoted or plain text.

    `7` is a number, `007` and `"7"` (with its double quotes) are texts.
    """
    if text in ("null", "true", "false") or _NUMBER.fullmatch(text):
        value: bool | int | float | None = json.loads(text)
        too_big = isinstance(value, int) and not -(2**63) <= value < 2**63
        return text if too_big else value
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text
