"""Contradictions: labelled pairs, the cost, and what policies make of a new one."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent
from sqlagent.memory.claims import claims
from sqlagent.memory.contradictions import Memory, pairs

LABELLED = Path(__file__).parent / "data" / "contradictions.tsv"


def labelled() -> list[tuple[bool, str, str]]:
    with LABELLED.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [(row["label"] == "yes", row["first"], row["second"]) for row in rows]


def contradict(first: str, second: str) -> bool:
    return bool(pairs([Memory(1, first, None, None), Memory(2, second, None, None)]))


def test_the_labelled_pairs() -> None:
    right = wrong = missed = 0
    for label, first, second in labelled():
        found = contradict(first, second)
        assert found == contradict(second, first)
        right += found and label
        wrong += found and not label
        missed += label and not found
    assert right + missed >= 100
    assert right / (right + wrong) >= 0.95
    assert right / (right + missed) >= 0.9


@given(st.text(max_size=80), st.sampled_from(["I", "Ada", "小李", "用户", ""]))
def test_any_text_is_read(text: str, start: str) -> None:
    said = f"{start} {text}"
    assert claims(said) == claims(said)
    assert not contradict(said, said)


def test_who_says_i_is_the_speaker() -> None:
    paris = Memory(1, "I live in Paris", "Ada", None)
    assert pairs([paris, Memory(2, "Ada lives in Berlin", "Bob", None)])
    assert pairs([paris, Memory(2, "Ada: I live in Berlin", None, None)])
    assert not pairs([paris, Memory(2, "I live in Berlin", "Bob", None)])


def test_the_user_is_the_one_of_its_id() -> None:
    paris = Memory(1, "The user lives in Paris", None, "u1")
    assert pairs([paris, Memory(2, "I live in Berlin", "user", "u1")])
    assert not pairs([paris, Memory(2, "The user lives in Berlin", None, "u2")])


def test_the_cost_grows_with_the_number() -> None:
    texts = [text for _, *both in labelled() for text in both]

    def cpu(count: int) -> float:
        memories = [
            Memory(n, texts[n % len(texts)].replace("Ada", f"Person{n // 7}"), None, None)
            for n in range(count)
        ]
        start = time.process_time()
        pairs(memories)
        return time.process_time() - start

    cpu(500)
    small = min(cpu(1000) for _ in range(3))
    assert min(cpu(4000) for _ in range(2)) < 8 * small


def test_a_log_of_values_is_compared_with_the_next(words: sqlagent.Connection) -> None:
    memories = [Memory(n, f"The temperature is {n} degrees", None, None) for n in range(100)]
    assert [(p.old.memory_id, p.new.memory_id) for p in pairs(memories)] == [
        (n, n + 1) for n in range(99)
    ]


# Policies ----------------------------------------------------------------------------------------


def say(con: sqlagent.Connection, text: str, **named: Any) -> int:
    """A new memory; its id."""
    more = "".join(f", {name} => ?" for name in named)
    (memory_id,) = con.execute(
        f"SELECT remember('ada', ?{more})", (text, *named.values())
    ).fetchone()
    return int(memory_id)


def policy(con: sqlagent.Connection, action: str, **more: Any) -> None:
    named = {"name": f"{action}s", "event": "contradiction", "action": action, **more}
    marks = ", ".join("?" * len(named))
    con.execute(
        f"INSERT INTO memory_policies ({', '.join(named)}) VALUES ({marks})", tuple(named.values())
    )


def listed(con: sqlagent.Connection) -> list[tuple[Any, ...]]:
    sql = "SELECT memory_id, other_id, status FROM contradictions('ada') ORDER BY ALL"
    return con.execute(sql).fetchall()


def test_without_a_policy_both_stay(words: sqlagent.Connection) -> None:
    say(words, "Ada lives in Paris")
    say(words, "Ada lives in Berlin")
    assert listed(words) == [(1, 2, "open")]
    assert words.execute("SELECT count(*) FROM sqlagent_claims").fetchone() == (0,)
    policy(words, "keep")
    say(words, "Ada lives in Rome")
    assert len(listed(words)) == 3
    assert words.execute("SELECT count(*) FROM sqlagent_claims").fetchone() == (0,)


def test_the_newer_one_supersedes(words: sqlagent.Connection) -> None:
    say(words, "小李住在北京")
    policy(words, "supersede")
    say(words, "小李住在上海")
    assert listed(words) == [(1, 2, "superseded")]
    assert words.execute("SELECT content FROM recall('ada', '小李住在哪')").fetchall() == [
        ("小李住在上海",)
    ]
    why = words.execute("SELECT reason FROM sqlagent_operation_rows").fetchall()
    assert why == [("policy supersedes: relation: 住在: 北京 or 上海",)]
    # Undone, it stays so: whoever looks again does not decide again.
    words.execute("SELECT unsupersede(1)")
    assert listed(words) == [(1, 2, "asked")]
    words.execute("CALL sync()")
    assert listed(words) == [(1, 2, "asked")]


def test_asked_until_somebody_decides(words: sqlagent.Connection) -> None:
    policy(words, "ask")
    say(words, "My boss is Carol")
    say(words, "My boss is Dave")
    say(words, "Ada likes tea")
    say(words, "Ada does not like tea")
    assert listed(words) == [(1, 2, "asked"), (3, 4, "asked")]
    words.execute("SELECT keep_both(2, 1)")
    words.execute("SELECT supersede(3, 'Ada likes green tea only')")
    assert listed(words) == [(1, 2, "kept"), (3, 4, "superseded")]
    words.execute("SELECT unlink(1, 2, 'compatible')")
    assert listed(words) == [(1, 2, "open"), (3, 4, "superseded")]


def test_the_highest_priority_that_holds_decides(words: sqlagent.Connection) -> None:
    policy(words, "supersede", condition="importance > 0.6", priority=2)
    policy(words, "ask", priority=1, kind="semantic")
    say(words, "Ada lives in Paris")
    say(words, "Ada lives in Rome")  # of neither
    say(words, "Ada lives in Oslo", kind="semantic")
    assert listed(words) == [(1, 2, "open"), (1, 3, "asked"), (2, 3, "asked")]
    say(words, "Ada lives in Bonn", kind="semantic", importance=0.9)
    assert {row for row in listed(words) if row[1] == 4} == {
        (n, 4, "superseded") for n in (1, 2, 3)
    }


def test_a_pinned_one_is_asked_about(words: sqlagent.Connection) -> None:
    policy(words, "supersede")
    say(words, "The door is open")
    words.execute("UPDATE memories SET pinned = true")
    say(words, "The door is closed")
    assert listed(words) == [(1, 2, "asked")]


def test_what_was_true_later_supersedes_though_it_was_said_first(
    words: sqlagent.Connection,
) -> None:
    policy(words, "supersede")
    say(words, "Ada works at Acme")
    say(words, "Ada works at Beta", created_at="2020-01-01")
    sql = "SELECT memory_id, superseded_by FROM memories ORDER BY 1"
    assert words.execute(sql).fetchall() == [(1, None), (2, 1)]


def test_what_was_there_before_the_policy_stays(words: sqlagent.Connection) -> None:
    for place in ("Paris", "Rome"):
        sql = "INSERT INTO memories (agent_id, content, created_at) VALUES ('ada', ?, '2024-01-01')"
        words.execute(sql, (f"Ada lives in {place}",))
    policy(words, "supersede")
    words.execute("CALL sync()")
    assert listed(words) == [(1, 2, "open")]
    say(words, "Ada lives in Oslo")
    assert listed(words) == [(1, 3, "superseded"), (2, 3, "superseded")]


def test_a_plain_client_is_judged_by_sync(
    words: sqlagent.Connection, fresh_db: Path, shell: Callable[[object, str], str]
) -> None:
    policy(words, "supersede")
    say(words, "Ada lives in Paris")
    insert = "INSERT INTO memories (agent_id, content) VALUES ('ada', "
    shell(fresh_db, f"{insert}'Ada lives in Berlin'); {insert}'Ada likes tea');")
    assert listed(words) == [(1, 2, "open")]
    words.execute("CALL sync()")
    assert listed(words) == [(1, 2, "superseded")]
    # What it says becomes another, and is read again; what goes leaves nothing.
    shell(fresh_db, "UPDATE memories SET content = 'Ada does not live in Berlin' WHERE memory_id=3")
    words.execute("CALL sync()")
    assert listed(words) == [(1, 2, "superseded"), (2, 3, "superseded")]
    shell(fresh_db, "DELETE FROM memories;")
    assert words.execute("SELECT count(*) FROM sqlagent_claims").fetchone() == (0,)


def test_a_condition_that_is_none_says_whose(words: sqlagent.Connection) -> None:
    policy(words, "ask", condition="importanc > 0.5")
    say(words, "Ada lives in Paris")
    with pytest.raises(sqlagent.Error, match='the condition of policy "asks"'):
        say(words, "Ada lives in Berlin")


def test_of_another_agent_nothing_is_compared(words: sqlagent.Connection) -> None:
    policy(words, "supersede")
    say(words, "Ada lives in Paris")
    words.execute("SELECT remember('bob', 'Ada lives in Berlin')")
    words.execute("CALL sync()")
    assert listed(words) == []
    assert words.execute("SELECT * FROM contradictions('bob')").fetchall() == []


JUDGE = """
import sys, sqlagent
con = sqlagent.connect(sys.argv[1], embedding_model="none")
sys.stdin.readline()
for n in range(10):
    con.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', ?)",
                (f"Person{n} lives in {sys.argv[2]}",))
    con.execute("CALL sync()")
print("done")
"""


def test_two_processes_judge_each_pair_once(
    words: sqlagent.Connection, fresh_db: Path, child: Callable[..., Popen[str]]
) -> None:
    policy(words, "supersede")
    judges = [child(JUDGE, str(fresh_db), place) for place in ("Paris", "Rome")]
    for judge in judges:
        assert judge.stdin is not None
        judge.stdin.write("\n")
        judge.stdin.flush()
    for judge in judges:
        assert judge.stdout is not None
        assert judge.stdout.readline() == "done\n"
    words.execute("CALL sync()")
    sql = "SELECT count(*), count(superseded_by) FROM memories"
    assert words.execute(sql).fetchone() == (20, 10)
    assert words.execute("SELECT count(*) FROM sqlagent_operations").fetchone() == (10,)
    assert {row[2] for row in listed(words)} == {"superseded"}
