"""Chunks: a text cut into pieces of a bounded size, at the places where a reader would cut it.

Every way of cutting keeps the same laws: a chunk's `content` is exactly `text[position : position +
len(content)]`; the chunks less their `overlap_prev` are the text again; none is longer than `size`.
White space belongs to the piece before it. All of it takes time linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from sqlagent.errors import DataError, nearest

SIZE_MAX = 1_000_000
# A chunk ends with its paragraph where that fills so much of it. With .5 more chunks held parts of
# two paragraphs: R@1 of short paragraphs was .846 instead of .866.
FILL = 0.3
WAYS = ("chars", "sentences", "markdown", "code", "tokens")


class Chunk(NamedTuple):
    """A piece of a text. `position` and the overlaps count characters (code points)."""

    ordinal: int
    position: int
    content: str
    overlap_prev: int
    overlap_next: int
    heading: str | None


class Level(NamedTuple):
    """Places where a text may be cut: a piece ends at `ends[i]`, the next begins at `starts[i]`.

    Between the two is white space. Such a place is taken only where it fills at least `fill` of the
    chunk's size: a strong place is not worth a tiny chunk.
    """

    ends: list[int]
    starts: list[int]
    fill: float


class Places(NamedTuple):
    """Where to cut one text: levels from the strongest, then where it must be cut.

    `levels[unit]` are the units that an overlap is made of; `forced` are starts of sections, whose
    headings are in `paths`; no chunk and no overlap crosses them.
    """

    levels: list[Level]
    unit: int
    forced: list[int]
    paths: list[str]


def chunks(text: str, size: int = 512, overlap: int = 50, by: str = "chars") -> list[Chunk]:
    """The chunks of `text`; none for ''.

    `size` (1..1,000,000) bounds a chunk in characters, by 'tokens' in tokens of the embedding
    model. Consecutive chunks share `overlap` characters (tokens), or, where the way cuts at
    sentences or lines, the whole ones that fit in so many. Raises DataError for what cannot be.
    """
    return list(each(text, size, overlap, by))


def each(text: str, size: int, overlap: int, by: str) -> Iterator[Chunk]:
    """As `chunks`, one at a time."""
    if by not in WAYS:
        raise DataError(
            f"by is 'chars', 'sentences', 'markdown', 'code' or 'tokens', not {by!r:.60}",
            hint=nearest(by, WAYS),
        )
    if not 1 <= size <= SIZE_MAX:
        raise DataError(f"size is from 1 to {SIZE_MAX:,}, not {size}")
    if not 0 <= overlap < size:
        raise DataError(
            f"overlap is from 0 and less than the size of {size}, not {overlap}",
            hint="Give both: size => 200, overlap => 20",
        )
    if by == "chars":
        spans = _windows(len(text), size, overlap)
    elif by == "tokens":
        spans = _token_windows(text, size, overlap)
    else:
        places = {"sentences": _prose, "markdown": _markdown, "code": _code}[by](text, size)
        return _numbered(text, _pack(text, size, overlap, places), places)
    return _numbered(text, spans, None)


def sentences(text: str) -> list[tuple[int, int]]:
    """The sentences of a text as half-open intervals, the white space between them left out; items
    of lists and lines after a blank one are sentences too."""
    level = _prose(text, SIZE_MAX).levels[1]
    ends = [*level.ends, len(text)]
    starts = [0, *level.starts]
    found = []
    for start, end in zip(starts, ends, strict=True):
        part = text[start:end]
        if part.strip():
            left = start + len(part) - len(part.lstrip())
            found.append((left, start + len(part.rstrip())))
    return found


def best(text: str) -> str:
    """The way that suits a document: 'markdown' where it looks like Markdown, else 'sentences'.

    Paragraphs and headings, then sentences, found the most of what fixed windows cut in two.
    """
    return "markdown" if _LOOKS_MARKDOWN.search(text[:100_000]) else "sentences"


def _numbered(
    text: str, spans: Iterator[tuple[int, int]], places: Places | None
) -> Iterator[Chunk]:
    """Chunks of half-open intervals; one is held back until its successor tells the overlap."""
    held: tuple[int, int] | None = None
    shared = ordinal = 0
    for span in spans:
        if held is not None:
            next_shared = held[1] - span[0]
            yield _chunk(text, ordinal, held, shared, next_shared, places)
            shared, ordinal = next_shared, ordinal + 1
        held = span
    if held is not None:
        yield _chunk(text, ordinal, held, shared, 0, places)


def _chunk(
    text: str, ordinal: int, span: tuple[int, int], before: int, after: int, places: Places | None
) -> Chunk:
    heading = None
    if places is not None and places.paths:
        at = bisect_right(places.forced, span[0]) - 1
        heading = places.paths[at] if at >= 0 else None
    return Chunk(ordinal, span[0], text[span[0] : span[1]], before, after, heading or None)


# Windows ------------------------------------------------------------------------------------------


def _windows(length: int, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """The sliding window; the last one is the first that reaches the end."""
    for start in range(0, length, size - overlap):
        yield start, min(start + size, length)
        if start + size >= length:
            return


def _token_windows(text: str, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """The sliding window over tokens, moved to the starts of words.

    A part of a word may have more tokens by itself than it had within the word, so a window that
    has to begin or end within one (of more than `size` tokens) is counted again.
    """
    from sqlagent.embedding import load

    model = load()
    starts = sorted({start for start, _ in model.token_spans(text)})
    if starts:
        starts[0] = 0
    elif text:
        starts = [0]
    count = len(starts)
    starts.append(len(text))
    first = done = 0
    while first < count:
        last = min(first + size, count)
        cut = last
        while cut > first and cut < count and _within_word(text, starts[cut]):
            cut -= 1
        if cut <= first:
            cut = last
        while cut > first + 1 and (
            (cut < count and _within_word(text, starts[cut])) or _within_word(text, starts[first])
        ):
            if model.count_tokens(text[starts[first] : starts[cut]]) <= size:
                break
            cut -= 1
        if cut <= done:  # nothing new fits beside the overlap
            first = done
            continue
        yield starts[first], starts[cut]
        if cut == count:
            return
        done = cut
        begin = max(cut - overlap, first + 1)
        while begin < cut and _within_word(text, starts[begin]):
            begin += 1
        first = begin


def _within_word(text: str, at: int) -> bool:
    """Whether a cut at `at` parts a word that is written with spaces around it."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return before.isalnum() and after.isalnum() and not (_is_cjk(before) or _is_cjk(after))


def _is_cjk(char: str) -> bool:
    return "\u2e80" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or char >= "\U00020000"


# Packing ------------------------------------------------------------------------------------------


def _pack(text: str, size: int, overlap: int, places: Places) -> Iterator[tuple[int, int]]:
    """As much as fits into each chunk, cut at the strongest place that fills it enough."""
    length = len(text)
    start = done = 0
    while done < length:
        limit = start + size
        at = bisect_right(places.forced, done)
        border = places.forced[at] if at < len(places.forced) else length
        whole = border <= limit
        cut, unit = (border, True) if whole else _cut(text, start, done, limit, places)
        yield start, cut
        if whole or overlap == 0:
            start = cut
        elif unit:
            start = _unit_overlap(start, cut, size, overlap, places)
        else:
            start = _word_overlap(text, start, cut, overlap)
        done = cut


def _cut(text: str, start: int, done: int, limit: int, places: Places) -> tuple[int, bool]:
    """Where the chunk from `start` ends, after `done`; and whether whole units end there."""
    for number, level in enumerate(places.levels):
        at = bisect_right(level.ends, limit) - 1
        if at >= 0 and level.ends[at] > done:
            cut = min(level.starts[at], limit)
            if cut > level.ends[at] and _joined(text, cut):
                cut -= 1
            if cut - start >= level.fill * (limit - start):
                return cut, number <= places.unit
    floor = max(done, start + (limit - start) // 2)
    clauses = [match.end() for match in _CLAUSE.finditer(text, floor, limit)]
    if clauses:
        return clauses[-1], False
    for cut in range(limit, floor, -1):
        if text[cut - 1].isspace() and not text[cut].isspace():
            return cut, False
    for cut in range(limit, max(floor, limit - 40), -1):
        if not _joined(text, cut):
            return cut, False
    return limit, False


def _unit_overlap(start: int, cut: int, size: int, overlap: int, places: Places) -> int:
    """The start of the first whole unit in the overlap, less what would push the next unit out."""
    level = places.levels[places.unit]
    at = bisect_right(level.ends, cut)
    following = level.ends[at] if at < len(level.ends) else cut
    earliest = max(cut - overlap, min(cut, following - size), start + 1)
    at = bisect_left(level.starts, earliest)
    return min(level.starts[at], cut) if at < len(level.starts) else cut


def _word_overlap(text: str, start: int, cut: int, overlap: int) -> int:
    """The start of the first word in the overlap, or of the overlap where no word begins in it."""
    earliest = max(cut - overlap, start + 1)
    for begin in range(earliest, cut):
        if text[begin - 1].isspace() and not text[begin].isspace():
            return begin
    for begin in range(earliest, min(cut, earliest + 40)):
        if not _joined(text, begin):
            return begin
    return earliest


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and after `at` are one to a reader: marks, emoji, CRLF."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return (
        (before == "\r" and after == "\n")
        or before == "\u200d"
        or after in "\u200d\ufe0e\ufe0f"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or (after > "\u02ff" and unicodedata.category(after)[0] == "M")
    )


# Prose --------------------------------------------------------------------------------------------

_CLAUSE = re.compile(r"(?<![,;:])[,;:]+[\"'”’)\]]*\s+|[—–]\s*|[，；：、]+[”’」』）]*")
_PARAGRAPH = re.compile(r"(?<!\n)(?:\r?\n)[ \t\r]*\n\s*")
_ITEM = re.compile(r"\r?\n(?=[ \t]*(?:[-*+•>|]|\d{1,3}[.)])[ \t]?\S)")
_LINE = re.compile(r"\r?\n")
_END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*|[。！？｡．।॥؟۔།]+[\"'”’」』）》】)\]]*")
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[^\s(\[\"'“‘«*_]*\Z")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NO_END = _words("""
    mr mrs ms dr prof rev hon gen col capt lt sgt st sr jr mt ft no nos nr fig figs eq eqs ref refs
    vs cf al ed eds vol vols pp ch sec art approx ca viz resp dept univ inc ltd co corp bros etc
    e.g i.e u.s u.k a.m p.m ph.d jan feb mar apr jun jul aug sep sept oct nov dec
""")
# Of these, those that end a sentence as often: the word after them tells.
_ENDS_OFTEN = _words("inc ltd co corp bros etc jr sr a.m p.m u.s u.k ph.d no al dec st")
_STARTERS = _words("""
    the a an it he she they we you this that these those there in on at but and however when
""")


def _prose(text: str, size: int) -> Places:
    paragraphs = [m.span() for m in _PARAGRAPH.finditer(text)]
    sentences = set(paragraphs)
    sentences.update(m.span() for m in _ITEM.finditer(text))
    sentences.update(_sentence_ends(text))
    lines = [m.span() for m in _LINE.finditer(text)]
    return Places([_level(paragraphs, FILL), _level(sentences, 0), _level(lines, 0.5)], 1, [], [])


def _level(spans: list[tuple[int, int]] | set[tuple[int, int]], fill: float) -> Level:
    """A level of (end, start) places; of several with one end the last start counts."""
    ends: list[int] = []
    starts: list[int] = []
    for end, start in sorted(spans):
        if ends and end <= starts[-1]:
            starts[-1] = max(start, starts[-1])
        else:
            ends.append(end)
            starts.append(start)
    return Level(ends, starts, fill)


def _sentence_ends(text: str) -> Iterator[tuple[int, int]]:
    """Where sentences end, and where the next ones begin."""
    for match in _END.finditer(text):
        end = match.end()
        mark = match[0][0]
        gap = _SPACE.match(text, end)
        start = gap.end() if gap else end
        if mark in ".!?…":
            if end < len(text) and start == end:
                # Without a space after it, only a Chinese or Japanese sentence ends in ! or ?.
                if not (mark in "!?" and match.start() and _is_cjk(text[match.start() - 1])):
                    continue
            elif mark in ".…" and not _ends_sentence(text, match, start):
                continue
        elif mark == "．" and text[end : end + 1].isdigit():
            continue
        yield end, start


def _ends_sentence(text: str, match: re.Match[str], start: int) -> bool:
    """Whether a full stop with white space after it ends a sentence of English."""
    after = text[start : start + 1]
    if len(match[0].rstrip("\"'”’»)]*_")) > 1 or match[0][0] == "…":
        return not after.islower()
    found = _WORD.search(text, max(0, match.start() - 20), match.start())
    raw = found[0] if found else ""
    word = raw.lower()
    if after.islower():
        return len(word) > 3 and word not in _NO_END and "." not in word
    first = match.start() - len(raw)
    if word.isdigit() and len(word) <= 3 and (first == 0 or text[first - 1] == "\n"):
        return False  # the number of a list's item
    initial = len(raw) == 1 and raw.isupper() and raw != "I"
    if initial or word in _NO_END or re.fullmatch(r"(\w\.)+\w", word):
        following = re.match(r"[A-Za-z]+", text[start : start + 12])
        often = initial or word in _ENDS_OFTEN or "." in word
        return often and following is not None and following[0].lower() in _STARTERS
    return True


# Markdown -----------------------------------------------------------------------------------------

_MARKS = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$"
    r"|^[ ]{0,3}(?P<level>#{1,6})(?:[ \t]+(?P<title>[^\n]*))?\r?$"
    r"|^(?P<text>[ ]{0,3}[^\s\-=>|*+#][^\n]*)\n[ ]{0,3}(?P<rule>={2,}|-{3,})[ \t]*\r?$",
    re.MULTILINE,
)
_FRONT = re.compile(r"---[ \t]*\r?\n(?:[^\n]*\n)*?---[ \t]*\r?(?:\n|\Z)")
_LOOKS_MARKDOWN = re.compile(
    r"^(?:[ ]{0,3}#{1,6}[ \t]+\S[^\n]*\r?$|(?:```|~~~)[\w+-]*\r?$|={3,}\r?$"
    r"|\|?[ ]*:?-{3,}:?[ ]*\|)",
    re.MULTILINE,
)


class _Block(NamedTuple):
    start: int
    end: int


def _markdown(text: str, size: int) -> Places:
    """Sections at headings, then paragraphs and blocks, then sentences; a fence is one sentence."""
    headings, fences = _structure(text)
    forced: list[int] = []
    paths: list[str] = []
    path: list[tuple[int, str]] = []
    previous = -1
    for start, end, depth, title in headings:
        while path and path[-1][0] >= depth:
            path.pop()
        path.append((depth, title))
        name = " > ".join(t for _, t in path if t)
        if previous >= 0 and not text[previous:start].strip():
            paths[-1] = name  # a heading right under another one goes with it
        else:
            forced.append(start)
            paths.append(name)
        previous = end
    kept = sorted(fences + [_Block(start, end) for start, end, _, _ in headings])
    prose = _prose(text, size)
    levels = [_outside(level, kept) for level in prose.levels]
    blocks = set(zip(levels[0].ends, levels[0].starts, strict=True))
    sentences = set(zip(levels[1].ends, levels[1].starts, strict=True))
    for fence in fences:
        edges = {(_before(text, fence.start), fence.start), (_before(text, fence.end), fence.end)}
        blocks |= edges
        sentences |= edges
        if fence.end - fence.start > size:
            inside = {(m.start(), m.end()) for m in _LINE.finditer(text, *fence)}
            sentences |= inside
    return Places([_level(blocks, FILL), _level(sentences, 0), levels[2]], 1, forced, paths)


def _before(text: str, at: int) -> int:
    """The end of what is written before `at`, within a line or two of white space."""
    start = max(0, at - 8)
    return start + len(text[start:at].rstrip()) if text[start:at].strip() else at


def _outside(level: Level, kept: list[_Block]) -> Level:
    """A level less its places within blocks that stay whole, or right after a heading."""
    starts = [block.start for block in kept]
    ends, begins = [], []
    for end, begin in zip(level.ends, level.starts, strict=True):
        at = bisect_right(starts, end) - 1
        if at < 0 or end >= kept[at].end:
            ends.append(end)
            begins.append(begin)
    return Level(ends, begins, level.fill)


def _structure(text: str) -> tuple[list[tuple[int, int, int, str]], list[_Block]]:
    """The headings (start, end with the white space after it, depth, title) and the fences."""
    headings = []
    fences = []
    front = _FRONT.match(text)
    at = front.end() if front else 0
    while (match := _MARKS.search(text, at)) is not None:
        at = match.end()
        if match["fence"]:
            mark = match["fence"]
            if mark[0] == "`" and "`" in match["info"]:
                continue  # code within a line
            close = re.compile(rf"^[ \t]*{mark[0]}{{{len(mark)},}}[ \t]*\r?$", re.MULTILINE)
            closed = close.search(text, at)
            at = closed.end() if closed else len(text)
            fences.append(_Block(match.start(), _after_space(text, at)))
        elif match["level"]:
            title = (match["title"] or "").strip().strip("#").strip()
            headings.append((match.start(), _after_space(text, at), len(match["level"]), title))
        else:
            depth = 1 if match["rule"][0] == "=" else 2
            headings.append((match.start(), _after_space(text, at), depth, match["text"].strip()))
    return headings, fences


def _after_space(text: str, at: int) -> int:
    gap = _SPACE.match(text, at)
    return gap.end() if gap else at


# Code ---------------------------------------------------------------------------------------------

_BLANK = re.compile(r"\r?\n(?:[ \t]*\r?\n)++")

_INNER = frozenset(["", " ", "\t", ")", "]", "}"])


def _code(text: str, size: int) -> Places:
    """Before what stands at the margin after a blank line, then at blank lines, then at lines."""
    blank = [m.span() for m in _BLANK.finditer(text)]
    top = [(end, start) for end, start in blank if text[start : start + 1] not in _INNER]
    lines = {m.span() for m in _LINE.finditer(text)}
    return Places([_level(top, 0.25), _level(blank, 0.5), _level(lines, 0)], 2, [], [])
