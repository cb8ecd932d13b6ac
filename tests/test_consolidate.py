"""consolidate: what says the same, what recurs, and that no memory is lost over it."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent
from sqlagent.memory.consolidate import apply, extract
from sqlagent.memory.consolidate.episodes import clusters
from sqlagent.memory.consolidate.merges import merges
from sqlagent.memory.consolidate.rows import Memory
from sqlagent.memory.consolidate.steps import plan
from sqlagent.memory.consolidate.texts import sentences


def memory(number: int, content: str, day: int = 1, **more: Any) -> Memory:
    values = {
        "memory_id": number, "content": content, "kind": "episodic", "user_id": None,
        "speaker": None, "session_id": None, "created_at": f"2026-01-{day:02} 12:00:00.000",
        "valid_to": None, "expires_at": None, "pinned": False, "importance": 0.5, "emotion": 0.0,
        "stability_days": 3.0, "access_count": 0, "massed": 0.0, "last_access_at": None,
        "source": None, "rests": False, "told": None,
    }  # fmt: skip
    return Memory(**(values | more))


def pairs(*texts: str, similarity: float = 0.9) -> list[tuple[int, int]]:
    """(gone, stays) of memories with these texts, numbered from 1."""
    found = merges([memory(n, text) for n, text in enumerate(texts, 1)], similarity)
    return [(m.gone.memory_id, m.stays.memory_id) for m in found]


SAME = [
    ("The key is under the mat.", "the key is under the mat"),
    ("The key is under the mat.", "THE KEY IS UNDER THE MAT!!!"),
    ("The key is under the mat.", "The key  is under\nthe mat"),
    ("The key is under the mat.", "Well, the key is under the mat."),
    ("Ann doesn't eat fish.", "Ann does not eat fish"),
    ("I'm allergic to nuts.", "I am allergic to nuts"),
    ("On Sundays I swim in the lake.", "I swim in the lake on Sundays."),
    ("钥匙在门垫下面。", "钥匙在门垫下面"),
    ("钥匙在门垫下面。", "钥匙 在 门垫 下面！"),
    ("我的钥匙在红色的盒子里", "我的钥匙在红色盒子里。"),
    ("電話番号は変わりました。", "電話番号は変わりましたよ"),
    ("Wi-Fi 密码是 4711", "wi-fi密码是4711。"),
    ("ＡＢＣ公司在北京", "ABC公司在北京"),
    ("Bo keeps the old camera in the white cupboard of the upper hall near the stairs",
     "Bo keeps the old brown camera in the white cupboard of the upper hall near the stairs"),
]  # fmt: skip
OTHER = [
    ("The key is under the mat.", "The key is on the mat."),
    ("The key is under the mat.", "The key was under the mat."),
    ("The key is under the mat.", "The key is not under the mat."),
    ("The key is under the mat.", "Is the key under the mat?"),
    ("The key is under the mat.", "The key is under the mat?"),
    ("We meet on Monday.", "We meet on Friday."),
    ("We meet in March.", "We meet in May."),
    ("The code is 17.", "The code is 71."),
    ("It costs 3.5 euros", "It costs 35 euros"),
    ("It was -5 degrees", "It was 5 degrees"),
    ("Rent is due on 2026-01-05", "Rent is due on 2026-01-06"),
    ("Ann likes tea", "Bob likes tea"),
    ("Ann paid Bob", "Bob paid Ann"),
    ("The flight from Rome to Paris", "The flight from Paris to Rome"),
    ("She lives in Ghent", "He lives in Ghent"),
    ("I never drink coffee", "I drink coffee"),
    ("Tea without sugar", "Tea with sugar"),
    ("Call before noon", "Call after noon"),
    ("我喜欢喝茶", "我不喜欢喝茶"),
    ("会议在周一", "会议在周五"),
    ("密码是17", "密码是71"),
    ("小王喜欢小李", "小李喜欢小王"),
    ("我在北京工作", "我在上海工作"),
    ("他三岁", "他四岁"),
    ("会议是十点", "会议是十一点"),
    ("明日は休みです", "明日は休みではありません"),
    ("彼は東京に行く", "彼は京都に行く"),
    ("Bo keeps the old camera in the white cupboard of the upper hall near the stairs",
     "Bo never keeps the old camera in the white cupboard of the upper hall near the stairs"),
    ("Bo keeps the old camera in the white cupboard of the upper hall near the stairs",
     "Bo keeps the old camera in the white cupboard of the upper hall near the Ghent stairs"),
    ("Bo keeps the old camera in the white cupboard of the upper hall near the stairs",
     "Bo keeps the old camera in the white cupboard of the upper hall near the 2 stairs"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two"), SAME)
def test_the_same_in_other_words_is_merged(one: str, two: str) -> None:
    assert len(pairs(one, two)) == len(pairs(two, one)) == 1


@pytest.mark.parametrize(("one", "two"), OTHER)
def test_another_fact_is_not(one: str, two: str) -> None:
    for similarity in (0.5, 0.9, 1.0):
        assert pairs(one, two, similarity=similarity) == []


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "semantic"}, {"user_id": "u"}, {"speaker": "Bob"},
        {"valid_to": "2030-01-01 00:00:00.000"}, {"expires_at": "2030-01-01 00:00:00.000"},
    ],
)  # fmt: skip
def test_what_is_somebody_elses_or_of_another_time_is_not_merged(more: dict[str, Any]) -> None:
    assert merges([memory(1, "Tea at four"), memory(2, "tea at four", **more)], 0.9) == []


def test_this_morning_is_another_one_each_day() -> None:
    for text in ("I swam this morning.", "昨天我去游泳了。"):
        assert merges([memory(1, text, 1), memory(2, text, 2)], 0.9) == []
        assert len(merges([memory(1, text, 1), memory(2, text, 1)], 0.9)) == 1


def test_which_one_stays() -> None:
    def stays(*memories: Memory) -> set[int]:
        return {m.stays.memory_id for m in merges(memories, 0.9)}

    assert stays(memory(1, "tea at four"), memory(2, "Tea at four.")) == {2}
    assert stays(memory(1, "Tea at four.", access_count=2), memory(2, "Tea at four.")) == {1}
    assert stays(memory(1, "Tea at four."), memory(2, "Tea at four.", day=2)) == {2}
    assert stays(memory(1, "tea  at four", pinned=True), memory(2, "Tea at four.")) == {1}
    assert stays(memory(1, "tea  at four", rests=True), memory(2, "Tea at four.")) == {1}
    assert not stays(memory(1, "Tea at four", pinned=True), memory(2, "Tea at four", rests=True))


WORDS = st.lists(
    st.sampled_from(
        ["key", "blue", "not", "Ann", "Bob", "17", "71", "on", "Monday", "茶", "不", "the"]
    ),
    min_size=1,
    max_size=12,
).map(" ".join)


@given(st.lists(st.tuples(WORDS, st.integers(1, 3), st.booleans()), max_size=25))
def test_a_plan_of_merges_is_sound(rows: list[tuple[str, int, bool]]) -> None:
    memories = [memory(n, t, d, pinned=p) for n, (t, d, p) in enumerate(rows, 1)]
    found = merges(memories, 0.5)
    gone = [m.gone.memory_id for m in found]
    assert len(gone) == len(set(gone))
    assert not set(gone) & {m.stays.memory_id for m in found}  # nothing goes into what goes
    for m in found:
        assert not m.gone.pinned and m.gone.key == m.stays.key
        assert 0.49 <= m.similarity <= 1.0
        numbers = [{w for w in t.content.split() if w.isdigit()} for t in (m.gone, m.stays)]
        assert numbers[0] == numbers[1]
        assert ("not" in m.gone.content.split()) == ("not" in m.stays.content.split())
    assert found == merges(list(reversed(memories)), 0.5)


@given(st.text(alphabet=string.ascii_letters + ".!?。！ \n茶在,", max_size=80))
def test_sentences_are_slices_that_do_not_overlap(text: str) -> None:
    end = 0
    for start, length in sentences(text):
        assert start >= end and length > 0
        end = start + length
        piece = text[start:end]
        assert piece == piece.strip() and any(c.isalnum() for c in piece)
    assert end <= len(text)


RUN = [
    "I ran along the river with Tom on Monday.",
    "Yesterday I ran along the river with Tom. It rained a lot.",
    "Ran along the river with Tom, 40 minutes.",
]


def told(*texts: str, days: tuple[int, ...] | None = None) -> list[str]:
    """The texts that are distilled from episodes with these texts, on a day each."""
    chosen = days or tuple(range(1, len(texts) + 1))
    found = clusters([memory(n, t, d) for n, (t, d) in enumerate(zip(texts, chosen, strict=True))])
    return [sentence.text for c in found for _, sentence in extract.told(c)]


def test_what_recurs_is_told_by_a_sentence_of_its_own() -> None:
    assert told(*RUN) == ["I ran along the river with Tom."]
    assert told(
        "昨天在公园打太极拳。", "今天早上在公园打太极拳", "周六在公园打太极拳，人很多。"
    ) == ["在公园打太极拳"]


def test_what_does_not_recur_is_not_told() -> None:
    assert told(*RUN[:2]) == []
    assert told(*RUN, days=(1, 1, 2)) == []
    thanks = "Thanks, Bob! Take care, talk soon."
    assert told(thanks, "Bye Bob, take care!", "Thanks Bob, talk to you soon!") == []
    assert told("谢谢你，再见！", "好的，谢谢，晚安", "谢谢！保重") == []
    assert told(*(f"Where is the {w} of the tram?" for w in ("stop", "depot", "stop"))) == []


def test_sessions_count_as_days_do() -> None:
    rows = [memory(n, t, 1, session_id=f"s{n}") for n, t in enumerate(RUN)]
    assert len(clusters(rows)) == 1
    assert clusters([m._replace(session_id="s") for m in rows]) == []


def add(con: sqlagent.Connection, *texts: str, kind: str = "episodic") -> None:
    for day, text in enumerate(texts, 1):
        con.execute(
            "INSERT INTO memories (agent_id, content, kind, created_at) VALUES ('ada', ?, ?, ?)",
            (text, kind, f"2026-01-{day:02}"),
        )


def rows(con: sqlagent.Connection) -> list[Any]:
    return con.execute("SELECT * FROM memories ORDER BY memory_id").fetchall()


def test_the_plan_is_what_is_done(words: sqlagent.Connection) -> None:
    add(words, *RUN, "Tea at four", "tea at four.", "护照在抽屉里", "护照在抽屉里。")
    plan_ = words.execute("SELECT action, memory_id FROM consolidation_plan('ada')").fetchall()
    before = rows(words)
    (dry,) = words.execute("SELECT consolidate('ada', dry_run => true)").fetchone()
    assert rows(words) == before
    (done,) = words.execute("SELECT consolidate('ada')").fetchone()
    assert dry == done == len(plan_) == 5
    archived = words.execute("SELECT memory_id FROM memories WHERE archived_at IS NOT NULL")
    assert {("merge", n) for (n,) in archived.fetchall()} == {p for p in plan_ if p[0] == "merge"}
    sources = words.execute(
        "SELECT s.source_memory_id FROM memory_sources s JOIN memories m "
        "ON m.memory_id = s.memory_id WHERE m.source = 'consolidation'"
    )
    assert {("distil", n) for (n,) in sources.fetchall()} == {p for p in plan_ if p[0] == "distil"}


def test_no_content_is_ever_changed_and_undo_is_exact(words: sqlagent.Connection) -> None:
    add(words, *RUN, "Tea at four", "tea at four.", "TEA AT FOUR!")
    words.execute("UPDATE memories SET importance = memory_id / 10.0, access_count = memory_id")
    before = rows(words)
    words.execute("SELECT consolidate('ada')").fetchall()
    assert [r[:5] for r in rows(words)][: len(before)] == [r[:5] for r in before]
    words.execute("SELECT unconsolidate('ada')").fetchall()
    assert rows(words)[: len(before)] == before
    for table in ("memory_links",):
        assert words.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    # What was made is archived, and still tells what it was made from: erasing finds it.
    made = words.execute(
        "SELECT count(*), count(m.archived_at) FROM memory_sources s "
        "JOIN memories m ON m.memory_id = s.memory_id"
    )
    assert made.fetchone() == (3, 3)


def test_what_is_known_already_gets_the_sources(words: sqlagent.Connection) -> None:
    add(words, "I ran along the river with Tom", kind="semantic")
    add(words, *RUN)
    assert words.execute("SELECT consolidate('ada')").fetchone() == (3,)
    sources = words.execute("SELECT memory_id, source_memory_id FROM memory_sources").fetchall()
    assert sorted(sources) == [(1, 2), (1, 3), (1, 4)]
    assert words.execute("SELECT consolidate('ada')").fetchone() == (0,)


def test_what_changed_since_the_plan_is_left_alone(words: sqlagent.Connection) -> None:
    add(words, *RUN, "Tea at four", "tea at four.", "Fish on Friday", "fish on friday")
    database = words.database
    with database.snapshot() as handle:
        steps = plan(handle, "ada", 0.9, None)
    assert sum(len(s.parts) for s in steps) == 5
    words.execute("UPDATE memories SET content = 'tea at five' WHERE content LIKE 'tea at four%'")
    words.execute("UPDATE memories SET pinned = 1 WHERE content LIKE 'fish%'")
    words.execute("DELETE FROM memories WHERE content LIKE 'Yesterday%'")
    before = rows(words)
    done = database.write(lambda handle: apply.apply(handle, "ada", steps, {}))
    assert done == apply.Done(None, 0, 0, 5)
    assert rows(words) == before


def test_a_large_agent_is_done_in_batches_of_one_run(
    words: sqlagent.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "BATCH_PARTS", 4)
    add(words, *(t for n in range(10) for t in (f"Locker {n}", f"locker {n}.")))
    before = rows(words)
    heard: list[tuple[str, int]] = []
    words.progress = lambda what, done: heard.append((what, done))
    found = words.execute("CALL consolidate('ada')").fetchall()
    assert [r[:2] for r in found] == [
        ("planned", 10),
        ("merged", 10),
        ("distilled", 0),
        ("skipped", 0),
    ]
    assert heard == [("consolidate", n) for n in (2, 4, 6, 8, 10)]
    runs = words.execute(
        "SELECT detail ->> '$.run' FROM sqlagent_operations ORDER BY 1 NULLS FIRST"
    )
    assert [r for (r,) in runs.fetchall()] == [None, "1", "1", "1", "1"]
    assert words.execute("SELECT unconsolidate('ada')").fetchone() == (10,)
    assert rows(words) == before


def test_writers_go_on_while_a_plan_is_made(
    words: sqlagent.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlagent.memory.consolidate import run

    add(words, "Tea at four", "tea at four.")
    plan_ = run.plan

    def slow(*arguments: Any) -> Any:
        steps = plan_(*arguments)
        other = sqlagent.connect(words.database.path, timeout=0.5)
        other.execute("SELECT remember('ada', 'said meanwhile')").fetchall()
        other.close()
        return steps

    monkeypatch.setattr(run, "plan", slow)
    assert words.execute("SELECT consolidate('ada')").fetchone() == (1,)
    assert words.execute("CALL consolidate('ada')").fetchall()
    assert words.execute("SELECT count(*) FROM memories").fetchone() == (3,)


def test_a_long_text_and_a_working_memory_are_left_alone(words: sqlagent.Connection) -> None:
    for text in ("word " * 5000, "Tea at four"):
        for tier in ("working", "short_term" if text[0] == "w" else "working"):
            words.execute(
                "INSERT INTO memories (agent_id, content, tier) VALUES ('ada', ?, ?)", (text, tier)
            )
    assert words.execute("SELECT consolidate('ada')").fetchone() == (0,)


@given(
    st.lists(st.tuples(WORDS, st.booleans()), max_size=20), st.sampled_from([0.5, 0.8, 0.9, 1.0])
)
def test_merging_what_is_left_finds_nothing(
    rows: list[tuple[str, bool]], similarity: float
) -> None:
    memories = [memory(n, t, pinned=p) for n, (t, p) in enumerate(rows, 1)]
    gone = {m.gone.memory_id for m in merges(memories, similarity)}
    assert merges([m for m in memories if m.memory_id not in gone], similarity) == []


def test_what_names_somebody_tells_only_what_names_him(words: sqlagent.Connection) -> None:
    friends = ("Ann", "Bob", "Ann", "Bob", "Ann", "Bob", "Cleo")
    add(words, *(f"Played badminton with {f} in the park, game {n}" for n, f in enumerate(friends)))
    assert told(*(f"Played badminton with {f} in the park." for f in friends)) == [
        "Played badminton with Ann in the park.", "Played badminton with Bob in the park.",
    ]  # fmt: skip
    add(words, *(f"Today we played badminton with {f} in the park" for f in friends))
    assert words.execute("SELECT consolidate('ada')").fetchone()[0] == 12
    texts = "SELECT content FROM memories WHERE kind = 'semantic' ORDER BY 1"
    made = [t for (t,) in words.execute(texts).fetchall()]
    assert made == [f"we played badminton with {f} in the park" for f in ("Ann", "Bob")]
    assert words.execute("SELECT consolidate('ada')").fetchone() == (0,)
    add(
        words,
        "Tomorrow we play badminton with Ann in the park",
        "We play badminton with Cleo there",
    )
    assert words.execute("SELECT consolidate('ada')").fetchone() == (1,)


def test_a_day_that_most_share_is_kept() -> None:
    assert told(*(f"Choir practice on Monday in the old hall, song {n}." for n in "ABC")) == []
    assert told(
        "On Monday we had choir practice in the old hall.",
        "On Monday choir practice in the old hall.",
        "On Monday choir practice in the old hall with guests.",
    ) == ["On Monday choir practice in the old hall."]  # fmt: skip


def test_what_leans_on_something_else_is_not_told() -> None:
    assert told(*("It was great fun at the opera premiere!",) * 3) == []
    assert told(*(f"Yeah, the opera premiere was fun {w}" for w in ("now", "then", "again"))) == []


PARAPHRASES = (
    "Went for a run along the river with Tom before work",
    "Tom and I jogged by the riverside today",
    "Another morning jog on the river path, Tom came too",
    "The invoice of the plumber was paid",
)


def test_other_words_for_the_same_are_found_by_their_vectors(con: sqlagent.Connection) -> None:
    add(con, *PARAPHRASES)
    con.execute("CALL sync()").fetchall()
    found = con.execute("SELECT memory_id, content FROM consolidation_plan('ada')").fetchall()
    assert found == [(n, "Tom and I jogged by the riverside") for n in (1, 2, 3)]


def test_vectors_that_are_none_do_no_harm(con: sqlagent.Connection) -> None:
    import struct

    add(con, *PARAPHRASES)
    vectors = [struct.pack("<2f", *v) for v in ((float("nan"), 1), (0, 0), (1, float("inf")))]
    for number, vector in enumerate([*vectors, struct.pack("<3f", 1, 2, 3)], 1):
        con.execute("INSERT INTO memory_vectors VALUES (?, 'user', ?)", (number, vector))
    assert con.execute("SELECT consolidate('ada')").fetchone() == (0,)


def test_episodes_in_cells_are_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from sqlagent.memory.consolidate import vectors as module

    monkeypatch.setattr(module, "CELL", 50)
    random = np.random.default_rng(3)
    themes = random.standard_normal((8, 32))
    rows = {
        n: (themes[n % 8] + 0.2 * random.standard_normal(32)).astype(np.float16) for n in range(160)
    }
    part = module.Vectors(rows, "user", 32).of([memory(n, "x") for n in range(160)])
    assert part is not None
    cells = part.cells()
    assert len(set(cells.cell)) > 4
    right = 0
    for n in range(160):
        leader, cosine = cells.nearest(n)
        right += cosine > 0.5 and leader % 8 == n % 8
        if cosine <= 0.5:
            cells.add(n, n)
    assert right > 100
