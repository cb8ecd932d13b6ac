"""Whether two texts say the same: folded-equal, nearly the same, and near misses held apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlagent.memory.duplicates import (
    differs,
    features,
    fold,
    folded_equal,
    same,
    similarity,
)

FOLDED = [
    ("The passport is in the drawer", "the passport is in the drawer!"),
    ("  The  parcel\nis here ", "The parcel is here."),
    ("It's a well-known café", "it’s a well known CAFÉ"),
    ("Ｔｈｅ　ｐａｒｃｅｌ　１７", "the parcel 17"),
    ("护照放在书房的抽屉里。", "护照放在书房的抽屉里"),
    ("我用 Python 写代码", "我用Python写代码！"),
    ("会议在10：30开始", "会议在10:30开始"),
    ("パスポートは「引き出し」の中", "パスポートは引き出しの中。"),
    ("김치를 좋아해요", "김치를 좋아해요!"),
    ("Straße 5", "STRASSE 5"),
]
APART_FOLDED = [
    ("version 1.5", "version 15"),
    ("room 3 4", "room 34"),
    ("it is -5 outside", "it is 5 outside"),
    ("he is not able", "he is notable"),
    ("C++ is fun", "C is fun"),
    ("it costs $5", "it costs €5"),
    ("the code is aB3x", "the code is Ab3X"),
    ("Ada lives in Paris?", "Ada lives in Paris."),
    ("की बात", "का बात"),
]
SAME = [
    ("Ada really likes green tea", "Ada likes green tea."),
    ("I'm allergic to peanuts", "I am allergic to peanuts"),
    ("I don't like the new office", "I do not like the new office!"),
    ("my favourite colour is blue", "My favorite color is blue"),
    ("The meeting is on Monday at ten", "Meeting is on Monday at 10"),
    ("I have parked the car on level 3 of the garage", "I parked the car on level 3 of the garage"),
    ("The user prefers dark mode", "User prefers dark mode."),
    ("Please remember that Ada is allergic to nuts", "Remember: Ada is allergic to nuts"),
    ("Budget is 3,000 dollars", "the budget is 3000 dollars"),
    ("我喜欢喝绿茶", "我很喜欢喝绿茶"),
    ("护照放在书房左边的抽屉里", "护照放在书房左边抽屉里了。"),
    ("会议在周三下午三点", "会议在周三下午3点"),
    ("我真的对花生过敏", "我对花生过敏"),
    ("パスポートは引き出しの中にあります", "パスポートは引き出しの中にありますよ。"),
    ("猫がとても好きです", "猫が好きだ"),
]
APART = [
    ("Ada likes green tea", "Ada likes black tea"),
    ("Ada likes green tea", "Ada likes tea"),
    ("Ada bought the book at the old market", "Ada bought the cook book at the old market"),
    ("Ada will call Bob about the new flat", "Ada might call Bob about the new flat"),
    ("Ada calls Bob about the flat in Bonn", "Ada must call Bob about the flat in Bonn"),
    ("Ada likes tea", "Ada does not like tea"),
    ("Ada lives in Paris", "Bob lives in Paris"),
    ("Ada lives in Paris", "Ada lived in Paris"),
    ("The parcel is in locker 17 of the hall", "The parcel is in locker 71 of the hall"),
    (
        "I parked the car on level three of the garage",
        "I parked the car on level four of the garage",
    ),
    (
        "The dentist is on Tuesday at 10 in the morning",
        "The dentist is on Monday at 10 in the morning",
    ),
    ("The dentist is on 3 May at the old place", "The dentist is on 3 March at the old place"),
    ("Bob pays Ada for the lunch on Monday", "Ada pays Bob for the lunch on Monday"),
    ("We flew from Oslo to Rome with the children", "We flew from Rome to Oslo with the children"),
    ("She can eat nuts, milk and eggs at lunch", "She can't eat nuts, milk and eggs at lunch"),
    ("He no longer works at the bank in the city", "He works at the bank in the city"),
    ("The key is on the left side of the desk", "The key is on the right side of the desk"),
    ("Does Ada live near the station in Bonn?", "Ada does live near the station in Bonn."),
    ("We meet at 10:30 in the small room today", "We meet at 10:45 in the small room today"),
    ("Call Ada and Bob about the flat in Bonn", "Call Ada about the flat in Bonn"),
    ("我喜欢喝绿茶", "我不喜欢喝绿茶"),
    ("我喜欢喝绿茶", "我喜欢喝红茶"),
    ("护照放在书房左边的抽屉里", "护照放在书房右边的抽屉里"),
    ("会议在周三下午三点", "会议在周四下午三点"),
    ("包裹在17号柜子里请尽快去取", "包裹在71号柜子里请尽快去取"),
    ("昨天我们去了北京看望外婆和外公", "明天我们去了北京看望外婆和外公"),
    ("她已经结婚了有两个孩子", "她还没结婚有两个孩子"),
    ("小王借给小李一百块钱去买书", "小王借给小李两百块钱去买书"),
    ("パスポートは引き出しの中にあります", "パスポートは引き出しの中にありません"),
    ("会議は月曜日の午後3時です", "会議は火曜日の午後3時です"),
    ("猫が好きです", "犬が好きです"),
    ("나는 고기를 먹어요", "나는 고기를 안 먹어요"),
]


@pytest.mark.parametrize(("a", "b"), FOLDED)
def test_case_punctuation_width_and_spaces_do_not_count(a: str, b: str) -> None:
    assert fold(a) == fold(b)
    assert folded_equal(a, b) and same(a, b) and not differs(a, b) and similarity(a, b) == 1


@pytest.mark.parametrize(("a", "b"), APART_FOLDED)
def test_what_looks_like_punctuation_and_is_not(a: str, b: str) -> None:
    assert not folded_equal(a, b) and not same(a, b)


@pytest.mark.parametrize(("a", "b"), SAME)
def test_nearly_the_same(a: str, b: str) -> None:
    assert same(a, b) and same(b, a) and not differs(a, b)


@pytest.mark.parametrize(("a", "b"), APART)
def test_near_misses(a: str, b: str) -> None:
    assert not same(a, b) and not same(b, a) and not folded_equal(a, b)


def test_a_text_without_words_is_like_none() -> None:
    assert fold(" ... !") == "" and not folded_equal("...", "!!!") and features("—") == frozenset()
    assert fold("🙂") != fold("🙁")


def test_thresholds_and_shingles() -> None:
    assert features("green tea") == {"green", "tea", "green tea"}
    assert features("喝绿茶") == {"喝绿", "绿茶"}
    assert similarity("red wine", "绿茶") == 0
    assert same("my own small red boat", "this is my own small red boat", 0.5)
    assert not same("my own small red boat", "this is my own small red boat", 0.9)


TEXTS = st.text(alphabet=st.sampled_from("aA bB1 2,.!?'不茶九のéßＡ-\n$"), max_size=24)


@given(TEXTS, TEXTS)
def test_properties(a: str, b: str) -> None:
    assert fold(fold(a)) == fold(a)
    assert 0 <= similarity(a, b) <= 1 and similarity(a, b) == similarity(b, a)
    assert similarity(a, a) == 1 and same(a, a) and not differs(a, a)
    assert differs(a, b) == differs(b, a) and same(a, b) == same(b, a)
    assert not (same(a, b) and differs(a, b))


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_can_be_read(a: str, b: str) -> None:
    same(a, b)
    fold(fold(a))
