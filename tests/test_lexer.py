"""The lexer: kinds of tokens, positions, statements, parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import lex, quote, quote_name, statements, unquote
from sqlagent.parse.literals import literal
from sqlagent.parse.parameters import Numbering, edited

NUMBERS = ("1", "2.5", ".5", "1e-3", "0xFF", "1_000")
PARAMETERS = ("?", "?1", "$1", ":name", "$name", "@name")


def kinds(sql):
    return [(t.kind, t.text) for t in lex(sql)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("'it''s'", [("string", "'it''s'")]),
        ("E'a\\'b'", [("string", "E'a\\'b'")]),
        ("$$a'b$$ $t$x$$y$t$", [("string", "$$a'b$$"), ("string", "$t$x$$y$t$")]),
        ("x'00FF'", [("blob", "x'00FF'")]),
        ('"a""b" `c`', [("quoted", '"a""b"'), ("quoted", "`c`")]),
        ("1 2.5 .5 1e-3 0xFF 1_000", [("number", n) for n in NUMBERS]),
        ("? ?1 $1 :name $name @name", [("param", p) for p in PARAMETERS]),
        ("a::int", [("word", "a"), ("op", "::"), ("word", "int")]),
        ("k => 3", [("word", "k"), ("op", "=>"), ("number", "3")]),
        ("k := 3", [("word", "k"), ("op", ":="), ("number", "3")]),
        ("x[1:n]", [("word", "x"), ("op", "["), ("number", "1"), ("op", ":"), ("word", "n"),
                    ("op", "]")]),
        ("{'a':b}", [("op", "{"), ("string", "'a'"), ("op", ":"), ("word", "b"), ("op", "}")]),
        ("a->>'$.x'", [("word", "a"), ("op", "->>"), ("string", "'$.x'")]),
        ("a -- x ' y\n/* ? ' */ b", [("word", "a"), ("word", "b")]),
        ("名前 = 'é'", [("word", "名前"), ("op", "="), ("string", "'é'")]),
    ],
)  # fmt: skip
def test_kinds(sql, expected):
    assert kinds(sql) == expected


@pytest.mark.parametrize(
    ("sql", "what"),
    [("SELECT 'a", "string"), ('SELECT "a', "quoted identifier"), ("SELECT /* a", "comment")],
)
def test_what_does_not_end_is_an_error_with_its_place(sql, what):
    with pytest.raises(ProgrammingError, match=f"unterminated {what}") as caught:
        lex(sql)
    assert caught.value.position == 7


def test_statements_are_cut_outside_triggers():
    trigger = (
        "CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 2; END"
    )
    parts = statements(lex(f"SELECT ';'; {trigger}; SELECT 3;;"))
    assert len(parts) == 3
    assert parts[1][-1].text == "END"


@given(st.text())
def test_a_quoted_text_is_one_token(text):
    text = text.replace("\0", "")
    (token,) = lex(quote(text))
    assert unquote(token) == text
    (token,) = lex(quote_name(text))
    assert token.name == text


@given(st.text(alphabet="abc'\"`$?:1 -/*\n;()[]E\\"))
def test_positions_hold_the_text(text):
    try:
        tokens = lex(text)
    except ProgrammingError:
        return
    for token in tokens:
        assert text.startswith(token.text, token.start)


def test_escapes():
    assert unquote(lex(r"E'a\n\x41\u00e9\\'")[0]) == "a\nAé\\"


@pytest.mark.parametrize(
    ("sql", "slots"),
    [
        ("? ? ?", (0, 1, 2)),
        ("?2 ?1 ?2", (1, 0)),
        ("$2 $1", (1, 0)),
        (":a $b @a", ("a", "b")),
        ("? ?3 ?", (0, 2, 3)),
    ],
)
def test_slots(sql, slots):
    assert tuple(Numbering(sql, lex(sql)).slots) == slots


@pytest.mark.parametrize("sql", ["? :a", ":a $1"])
def test_styles_do_not_mix(sql):
    with pytest.raises(ProgrammingError, match="cannot be mixed"):
        Numbering(sql, lex(sql))


@pytest.mark.parametrize(
    ("sql", "value"),
    [("-5", -5), ("2.5", 2.5), ("'a'", "a"), ("NULL", None), ("true", True), ("x'01'", b"\1")],
)
def test_literals(sql, value):
    tokens = lex(sql)
    assert literal(tokens, 0) == (value, len(tokens))


def test_edits():
    assert edited("abcdef", [(4, 5, ""), (0, 1, "xy")]) == "xybcdf"
