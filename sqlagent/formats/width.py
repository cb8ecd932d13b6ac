"""How many columns of a terminal a text takes, and cutting it to fit."""

ELLIPSIS = "…"


def width_of(text: str) -> int:
    """The columns that `text` (no control characters) takes: 喝茶 takes four."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth, wcwidth

    width: int = wcswidth(text)
    return width if width >= 0 else sum(max(0, wcwidth(character)) for character in text)


def cut(text: str, width: int) -> str:
    """`text`, or as much of it as fits with an ellipsis into `width` columns (1 or more)."""
    if len(text) * 2 <= width or width_of(text) <= width:
        return text
    if text.isascii():
        return text[: width - 1] + ELLIPSIS
    # Bisection, because the width of a prefix grows with its length, joined emoji included.
    low, high = 0, min(len(text), width * 8)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(text[:middle]) <= width - 1:
            low = middle
        else:
            high = middle - 1
    return text[:low] + ELLIPSIS


def pad(text: str, width: int, right: bool = False) -> str:
    """`text` with spaces after it (or before it, with `right`) to `width` columns."""
    spaces = " " * (width - width_of(text))
    return spaces + text if right else text + spaces
