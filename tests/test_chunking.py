"""Chunks: the laws for every text and every way, and where each way cuts."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.chunking import SIZE_MAX, WAYS, Chunk, best, chunks
from sqlagent.errors import DataError

PIECES = [
    *(
        "A sentence. ",
        "Another! ",
        "Is it? ",
        "Mr. Hale of the U.S. Navy, e.g. at 3.14 p.m. ",
        "no. ",
    ),
    *(
        "这是第一句话。",
        "还有一句！",
        "对吗？",
        "，中文没有空格",
        "「引用。」",
        "你好吗?我很好!",
        "日本語です。",
    ),
    *("\n", "\n\n", "\r\n", "\r\n\r\n", "   ", "\t", "\r", "\u3000"),
    *("# Title\n", "## Part\n\n", "Setext\n======\n", "- item\n", "1. first\n", "| a |\n|---|\n"),
    *("```python\ndef f():\n\n    return 1\n```\n", "~~~\n# no heading\n~~~\n", "```\n", "---\n"),
    *("def f(x):\n    return x\n\n\n", "class A:\n    pass\n", "x" * 40, "\0", "é", "\ud800"),
    *("| 城市 | n |\n|:--|--:|\n| 奥斯陆 | 7 |\n", "---\ntitle: 渡船\n---\n", "+++\nx = 1\n+++\n"),
    *(
        "a = 1; b = 2; ",
        '{"k": [1, 2, {"j": null}]}\n',
        "col;col\n1;2\n",
        "-- no function\n",
        "\x85",
    ),
    *("e\u0301", "👩‍👩‍👧‍👦", "🚀", "👍🏽", "नमस्ते। ", "สวัสดี", "……", "…"),
    *("and so it went on, ", "no space,but;commas:"),
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    st.text(max_size=300),
)


def laws(text: str, size: int, overlap: int, by: str) -> list[Chunk]:
    found = chunks(text, size, overlap, by)
    assert [c.ordinal for c in found] == list(range(len(found)))
    assert "".join(c.content[c.overlap_prev :] for c in found) == text
    for c in found:
        assert c.content and text[c.position : c.position + len(c.content)] == c.content
        assert by == "tokens" or len(c.content) <= size
    for a, b in pairwise(found):
        assert a.overlap_next == b.overlap_prev <= (overlap if by != "tokens" else len(a.content))
        assert a.position < b.position
        assert b.position + len(b.content) > a.position + len(a.content)
    if found:
        assert found[0].overlap_prev == found[-1].overlap_next == 0
    return found


@settings(max_examples=250, deadline=None)
@given(TEXTS, st.integers(1, 120), st.data(), st.sampled_from([w for w in WAYS if w != "tokens"]))
def test_laws(text: str, size: int, data: st.DataObject, by: str) -> None:
    laws(text, size, data.draw(st.integers(0, size - 1)), by)


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize(
    "unit",
    [
        "x", "渡", "a ", "。", "é", "e\u0301", "👩‍👩‍👧‍👦", "\r\n", "\n", "| a ", "#", "`", "\0",
        ". ", "x = 1; ", "\ud800", "\u200d",
    ],
)  # fmt: skip
def test_laws_of_long_lines(unit: str, by: str) -> None:
    count = 20_000 if by == "tokens" else 200_000
    laws(unit * (count // len(unit)), 512, 50, by)


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.integers(1, 40), st.data())
def test_laws_of_tokens(text: str, size: int, data: st.DataObject) -> None:
    from sqlagent.embedding import count_tokens

    for c in laws(text, size, data.draw(st.integers(0, size - 1)), "tokens"):
        assert count_tokens(c.content) <= size or " " not in c.content.strip()


def test_tokens_go_on_where_an_overlap_leaves_no_room() -> None:
    laws("A sentence. " + "x" * 40, 2, 1, "tokens")


def contents(text: str, size: int, by: str, overlap: int = 0) -> list[str]:
    return [c.content for c in laws(text, size, overlap, by)]


def test_window() -> None:
    text = "abcdefghij" * 200
    found = chunks(text)
    assert [(c.position, len(c.content)) for c in found] == [
        (0, 512), (462, 512), (924, 512), (1386, 512), (1848, 152)
    ]  # fmt: skip
    assert found[1].overlap_prev == found[1].overlap_next == 50
    # What is left lies within the overlap: no chunk of its own.
    assert len(chunks("x" * 512)) == 1 and len(chunks("x" * 513)) == 2


def test_empty() -> None:
    assert [chunks("", by=by) for by in WAYS] == [[]] * 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is. Two is? Three!", ["One is. ", "Two is? ", "Three!"]),
        ("I met Mr. Hale. He left.", ["I met Mr. Hale. ", "He left."]),
        ("It costs 3.14 now. Fine.", ["It costs 3.14 now. ", "Fine."]),
        ("See e.g. the map. Go on.", ["See e.g. the map. ", "Go on."]),
        ("He said “No.” She went.", ["He said “No.” ", "She went."]),
        ("J. R. Hale came. It rained.", ["J. R. Hale came. ", "It rained."]),
        ("in the U.S. The end came.", ["in the U.S. ", "The end came."]),
        ("so it was. then it ended.", ["so it was. ", "then it ended."]),
        ("Wait... and see. Good.", ["Wait... and see. ", "Good."]),
        (
            "这是第一句话。这里有第二句！对吗？是的",
            ["这是第一句话。", "这里有第二句！", "对吗？", "是的"],
        ),
        ("他说：“走吧。”她走了。", ["他说：“走吧。”", "她走了。"]),
        ("你好吗?我很好!", ["你好吗?", "我很好!"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    size = max(map(len, expected))
    found = contents(text, size, "sentences")
    ends = {sum(map(len, found[:n])) for n in range(1, len(found) + 1)}
    assert ends <= {sum(map(len, expected[:n])) for n in range(1, len(expected) + 1)}
    assert "".join(found) == "".join(expected)


def test_sentence_overlap_is_whole_sentences() -> None:
    text = "One two three. Four five. Six seven eight nine. Ten eleven twelve. " * 3
    for c in laws(text, 60, 30, "sentences")[1:]:
        assert c.content[0] in "OFST" and c.overlap_prev > 0


def test_long_sentence_is_cut_at_commas_then_words() -> None:
    found = contents("and so it went on, " * 10, 64, "sentences")
    assert all(c.endswith("on, ") for c in found)
    found = contents("word " * 50, 64, "sentences", 20)
    assert all(c.startswith("word") and c.endswith("word ") for c in found)


def test_marks_and_emoji_stay_whole() -> None:
    for c in contents("👩‍👩‍👧‍👦" * 20, 16, "sentences"):
        assert not c.startswith("\u200d") and not c.endswith("\u200d")
    assert all(not c.startswith("\u0301") for c in contents("e\u0301" * 50, 7, "sentences", 3))
    assert all(not c.startswith("\n") for c in contents("ab\r\n" * 40, 7, "markdown"))


MARKDOWN = """Before.

# Guide

Intro. More of it.

## Setup

```sh
# not a heading

make all
```

Run it.

### Details
#### Deep

Text.

Other
=====

中文段落。
"""


def test_markdown_sections_and_headings() -> None:
    found = laws(MARKDOWN, 200, 50, "markdown")
    assert [c.heading for c in found] == [
        None,
        "Guide",
        "Guide > Setup",
        "Guide > Setup > Details > Deep",
        "Other",
    ]
    assert found[3].content.startswith("### Details\n#### Deep")
    assert all(c.overlap_prev == 0 for c in found)
    assert all(c.heading is None for c in laws(MARKDOWN, 200, 50, "sentences"))


def test_markdown_heading_is_of_the_section_in_every_chunk() -> None:
    text = (
        "# A\n\n" + "A sentence of some length. " * 30 + "\n\n## B\n\n" + "Another one here. " * 30
    )
    found = laws(text, 120, 30, "markdown")
    at = text.index("## B")
    assert all(c.heading == ("A" if c.position < at else "A > B") for c in found)
    assert all(c.position + len(c.content) <= at for c in found if c.position < at)


def test_fenced_code_is_kept_whole_where_it_fits() -> None:
    code = "```\n" + "line of code. Or so.\n\n" * 4 + "```\n"
    text = "A sentence before it. " * 3 + "\n\n" + code + "\nAfter it. " * 5
    assert any(code in c for c in contents(text, 110, "markdown"))
    for c in contents(text, 50, "markdown")[1:4]:
        assert c.endswith("\n")


def test_front_matter_and_crlf() -> None:
    text = "---\r\ntitle: x\r\n---\r\n\r\n# One #\r\n\r\nText.\r\n\r\n## Two\r\n\r\nMore.\r\n"
    assert [c.heading for c in laws(text, 100, 0, "markdown")] == [None, "One", "One > Two"]


def test_code_is_cut_between_definitions() -> None:
    one = "def f{}(x):\n    y = x + 1\n\n    return y\n\n\n"
    text = "".join(one.format(n) for n in range(8))
    assert all(c.startswith("def f") for c in contents(text, 100, "code"))
    assert all(c.endswith("\n") for c in contents(text, 30, "code"))


def test_best() -> None:
    assert best(MARKDOWN) == best("```\nx\n```\n") == "markdown"
    assert best("Plain text. #1 is not a heading.\n\nMore - of it.") == "sentences"
    assert best("") == best("这是一段文字。") == "sentences"


@pytest.mark.parametrize(
    ("uri", "way"),
    [
        *((f"src/main{end}", "code") for end in (".py", ".js", ".c", ".go", ".rs", ".java", ".ts")),
        *((f"a b/x{end}", "code") for end in (".sql", ".sh", ".PY", ".csv", ".jsonl", ".yaml")),
        ("https://x.org/a/main.go?raw=1#L3", "code"),
        ("https://x.org/a.py/readme", "markdown"),
        ("notes.md", "markdown"), ("main.py.txt", "markdown"), ("", "markdown"), (None, "markdown"),
        ("what?.py", "code"),
    ],
)  # fmt: skip
def test_the_uri_tells_source_code(uri: str | None, way: str) -> None:
    assert best("# a comment\n\nx = 1\n", uri) == way


def test_documents_of_source_code_are_cut_between_definitions(words: sqlagent.Connection) -> None:
    text = "".join(
        f"def f{n}(x):\n    # It adds. And more.\n    return x + {n}\n\n\n" for n in range(40)
    )
    words.execute(
        "SELECT index_document(?, uri => 'm.py', chunk_size => 130, overlap => 0)", (text,)
    ).fetchall()
    rows = words.execute("SELECT content FROM chunks ORDER BY ordinal").fetchall()
    assert len(rows) > 10 and all(content.startswith("def f") for (content,) in rows)
    words.execute("UPDATE documents SET content = content || 'y = 2' WHERE uri = 'm.py'")
    assert words.execute("SELECT count(*) FROM search('adds')").fetchone() != (0,)
    again = words.execute("SELECT content FROM chunks ORDER BY ordinal").fetchall()
    assert all(content.startswith("def f") or content == "y = 2" for (content,) in again)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, "chars"), "size is from 1 to 1,000,000, not 0"),
        ((SIZE_MAX + 1, 0, "chars"), "size is from 1 to 1,000,000, not 1000001"),
        ((40, 50, "code"), "overlap is from 0 and less than the size of 40, not 50"),
        ((40, -1, "tokens"), "overlap is from 0 and less than the size of 40, not -1"),
        (
            (40, 0, "words"),
            "by is 'chars', 'sentences', 'markdown', 'code' or 'tokens', not 'words'",
        ),
    ],
)
def test_errors(arguments: tuple[int, int, str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        chunks("text", *arguments)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "unit",
    [
        ".",
        "\n",
        " ",
        "\n ",
        "#\n",
        "```\n",
        ",",
        ". ",
        "中",
        "e\u0301",
        "x\n---\n",
        "1. ",
        '"',
        "`",
    ],
)
def test_time_is_linear_for_hostile_texts(unit: str) -> None:
    text = unit * (200_000 // len(unit)) + "x"
    started = time.process_time()
    for by in ("sentences", "markdown", "code"):
        laws(text, 512, 50, by)
    # 3 ways of under half a second each here; anything quadratic takes minutes.
    assert time.process_time() - started < 15
