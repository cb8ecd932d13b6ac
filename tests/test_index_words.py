"""Terms are those of SQLite's FTS5, and Chinese is found by its words of two characters."""

import re

import apsw
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sqlagent.index.porter import stem
from sqlagent.index.words import (
    forms,
    names_in,
    query_forms,
    query_terms,
    stem_of,
    strip_names,
    terms,
)

SUFFIX_WORDS = """
    s es ies sses ed ing eed ational tional enci anci izer logi bli alli entli eli ousli ization
    ation ator alism iveness fulness ousness aliti iviti biliti icate ative alize iciti ical ful
    ness al ance ence er ic able ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize y
    ly e l ll ss us"""
STEM_WORDS = """
    r tr rel hop cre y sky by toy control feel oxyg pl st tt liv abil x ow yy aye syzyg at bl iz
    fizz fall hiss a ee conflat troubl siz fail fil happ general"""
SUFFIXES, STEMS = SUFFIX_WORDS.split(), STEM_WORDS.split()
TEXTS = (
    "Don't stop: the user's e-mail (a@b.co) said 3.14 — or 42%?",
    "Café Zürich, naïve façade; ÅNGSTRÖM and Øresund",
    "snake_case, kebab-case, CamelCase, x²+y³ ½ Ⅷ",
    "Привет, мир! Ёлка и йод",
    "Ελληνικά ΛΟΓΟΣ",
    "tabs\tand\nlines\u00a0and nul-free text " + "a" * 70 + "ing",
    "",
    "!!!",
)


def fts_terms(texts: list[str]) -> list[list[str]]:
    """The terms of each text, in order, as FTS5's porter unicode61 keeps them."""
    con = apsw.Connection(":memory:")
    con.execute("CREATE VIRTUAL TABLE f USING fts5(t, tokenize = 'porter unicode61')")
    con.execute("CREATE VIRTUAL TABLE v USING fts5vocab(f, 'instance')")
    con.executemany("INSERT INTO f (rowid, t) VALUES (?, ?)", enumerate(texts))
    found: list[list[str]] = [[] for _ in texts]
    for term, row in con.execute("SELECT term, doc FROM v ORDER BY doc, offset"):
        found[row].append(term)
    return found


def test_stems_are_those_of_fts5() -> None:
    twice = {b + s + t for b in STEMS[::3] for s in SUFFIXES[::2] for t in SUFFIXES}
    made = twice | {b + s for b in STEMS for s in ("", *SUFFIXES)}
    english = re.findall(r"[a-z0-9]+", (apsw.__doc__ or "").lower() + str(apsw.Connection.__doc__))
    words = sorted(made | set(english))
    expected = [found[0] for found in fts_terms(words)]
    wrong = [(w, stem(w), e) for w, e in zip(words, expected, strict=True) if stem(w) != e]
    assert not wrong, wrong[:10]


def test_texts_are_cut_as_by_fts5() -> None:
    assert [terms(text) for text in TEXTS] == fts_terms(list(TEXTS))


@settings(max_examples=150, deadline=None)
@example("²S")
@given(st.text(st.characters(codec="latin-1", exclude_characters="\0"), max_size=60))
def test_latin_texts_are_cut_as_by_fts5(text: str) -> None:
    assert terms(text) == fts_terms([text])[0]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_every_text_has_terms_that_its_own_query_finds(text: str) -> None:
    assert set(query_terms(text)) <= set(terms(text))
    assert bool(query_terms(text)) == bool(terms(text))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_terms_are_the_stems_of_forms(text: str) -> None:
    assert sorted(map(stem_of, forms(text))) == sorted(terms(text))
    asked = query_forms(text)
    assert list(asked) == query_terms(text) and all(asked.values())
    assert all(stem_of(form) == term for term, own in asked.items() for form in own)


def test_forms_stand_as_they_are_written() -> None:
    assert forms("Boats and a boat") == ["boats", "and", "a", "boat"]
    assert forms("北京大 3 boats") == ["北", "北京", "京", "京大", "大", "3", "boats"]
    assert query_forms("boating with boats, a boat") == {"boat": ["boating", "boats", "boat"]}


def test_each_cjk_character_and_pair_is_a_term() -> None:
    assert terms("北京大学") == ["北", "京", "大", "学", "北京", "京大", "大学"]
    assert terms("我在 Paris 吃饭2024年") == [
        "我",
        "在",
        "我在",
        "pari",
        "吃",
        "饭",
        "吃饭",
        "2024",
        "年",
    ]
    assert terms("東京。大阪")[-2:] == ["阪", "大阪"] and "京大" not in terms("東京。大阪")
    assert terms("がか한국") != terms("かか한국") and "한국" in terms("한국어")


def test_full_width_letters_are_letters() -> None:
    assert terms("\uff12\uff10\uff12\uff14 \uff21\uff22\uff23") == ["2024", "abc"]


def test_stop_words_go_unless_nothing_else_is_there() -> None:
    assert query_terms("What did the user say about boats and boats?") == ["user", "sai", "boat"]
    assert query_terms("to be or not to be") == ["to", "be", "or", "not"]
    assert "什么" not in query_terms("你喜欢什么颜色") and "颜色" in query_terms("你喜欢什么颜色")
    assert query_terms("什么") == ["什", "么", "什么"]


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("When did Caroline's dog go?", ["Caroline", "Mel"], "When did dog go?"),
        ("Is caroline here ?", ["Caroline"], "Is here?"),
        ("Caroline", ["Caroline"], "Caroline"),
        ("What does the user like?", ["user", "assistant"], "What does the user like?"),
        ("Carolines are ships", ["Caroline"], "Carolines are ships"),
        ("小明喜欢什么", ["小明"], "喜欢什么"),
        ("nobody", [], "nobody"),
        ("a (b) c", ["(b)", ""], "a (b) c"),
    ],
)
def test_names_are_stripped_as_whole_words(text: str, names: list[str], expected: str) -> None:
    assert strip_names(text, names) == expected


def test_names_are_found_as_whole_words() -> None:
    assert names_in("did Ann-Marie call Bob?", ["ann marie", "bob", "marie curie"]) == {
        "ann marie",
        "bob",
    }
    assert names_in("小明喜欢什么", ["小明"]) == {"小明"}
