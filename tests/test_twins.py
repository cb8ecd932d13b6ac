"""Near-duplicates: the same said again is one, another fact never is; in every language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlagent.search.twins import Twins

SAME = [
    ("The passport of Ada expires in June 2031", "the passport of ada expires in june 2031!"),
    ("The passport of Ada expires in June 2031", "The passport of Ada will expire in June 2031."),
    ("Ada likes green tea without sugar", "Ada really likes green tea, without sugar"),
    ("The gate code is 4410", "  The gate  code is 4410 … "),
    ("Mina works at the library on Tuesdays", "Mina also works at the library on Tuesdays"),
    ("She doesn't eat nuts", "She does not eat nuts."),
    ("I have booked the hotel for three nights", "I booked the hotel for three nights"),
    ("客户王芳喜欢喝龙井茶", "客户王芳喜欢喝龙井茶。"),
    ("护照在六月到期", "护照在六月到期了"),
    ("会议改到星期三下午", "会议 改到 星期三下午！"),
    ("カメラは青い箱の中にある", "カメラは、青い箱の中にある。"),
    ("민수는 녹차를 좋아한다", "민수는 녹차를 좋아한다!"),
    ("!!!", "!!!"),
]
OTHER = [
    ("We booked the hotel for three nights", "We booked the hotel for four nights"),
    ("a note about the boiler number 3", "a note about the boiler number 4"),
    ("Ada lives in Paris with her two cats now", "Ada lives in Berlin with her two cats now"),
    ("Ada likes green tea without sugar", "Ada likes green tea with sugar"),
    ("She does eat nuts", "She does not eat nuts"),
    ("Ann owes Bob some money", "Bob owes Ann some money"),
    ("My passport expires in June", "Your passport expires in June"),
    ("The shop opens before the bank on Monday", "The shop opens after the bank on Monday"),
    ("Ada likes tea", "Ada likes iced tea"),
    ("The train to Riga leaves at 9:15", "The train to Riga leaves at 9:45"),
    ("客户王芳喜欢喝龙井茶", "客户李芳喜欢喝龙井茶"),
    ("去上海的机票是八百元", "去上海的机票是九百元"),
    ("他喜欢喝茶", "他不喜欢喝茶"),
    ("猫追狗", "狗追猫"),
    ("会议改到星期三下午", "会议改到星期四下午"),
    ("민수는 녹차를 좋아한다", "민수는 홍차를 좋아한다"),
    ("민수는 고기를 먹는다", "민수는 고기를 안 먹는다"),
    ("彼は行く", "彼は行かない"),
    ("彼は昨日駅前の店で寿司を食べた", "彼は昨日駅前の店で寿司を食べなかった"),
    ("!!!", "???"),
]


def twin(one: str, other: str) -> bool:
    twins = Twins()
    twins.add(one, 1)
    return twins.of(other) == 1


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_said_again(one: str, other: str) -> None:
    assert twin(one, other) and twin(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_fact(one: str, other: str) -> None:
    assert not twin(one, other) and not twin(other, one)


@given(st.text(min_size=1), st.text(min_size=1))
def test_it_holds_both_ways_and_for_itself(one: str, other: str) -> None:
    assert twin(one, one)
    assert twin(one, other) == twin(other, one)
