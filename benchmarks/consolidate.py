"""Consolidating an agent: time, memory, and what was merged and distilled against the truth."""

from __future__ import annotations

import datetime
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from statistics import median
from typing import Any, NamedTuple

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import PEOPLE, TOWNS
from benchmarks.measure import child

INSERT = """
INSERT INTO memories (memory_id, agent_id, content, created_at, session_id, kind)
VALUES (?, 'ada', ?, ?, ?, ?)
"""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
DAYS_ZH = "一二三四五六"
ROOMS = ("kitchen", "cellar", "attic", "garage", "study", "hall", "studio", "pantry")
COLOURS = ("blue", "red", "green", "white", "black", "yellow")
PLACES = ("drawer", "cupboard", "basket", "chest", "suitcase", "locker")
ITEMS = (
    "passport", "spare key", "camera", "ladder", "projector", "tent", "kettle", "violin", "atlas",
    "drill", "radio", "umbrella", "router", "blender", "stapler", "compass",
)  # fmt: skip
ITEMS_ZH = ("护照", "钥匙", "相机", "梯子", "帐篷", "水壶", "小提琴", "地图", "收音机", "雨伞")
ROOMS_ZH = ("厨房", "地下室", "阁楼", "车库", "书房", "客厅", "画室", "储藏室")
COLOURS_ZH = ("蓝色", "红色", "绿色", "白色", "黑色", "黄色")
PLACES_ZH = ("抽屉", "柜子", "篮子", "箱子", "行李箱", "盒子")
DEEDS = (
    "went swimming in the city pool", "practised the cello with the quartet",
    "had coffee with {who} at the harbour café", "walked the dog along the canal",
    "baked sourdough bread for the neighbours", "took the night train to {town}",
    "watered the orchids on the balcony", "played chess with {who} in the park",
    "cleaned the aquarium of the office", "called grandmother about her garden",
    "repaired an old bicycle in the workshop", "studied Portuguese with the tutor",
)  # fmt: skip
DEEDS_ZH = (
    "和同事在河边跑步", "去游泳馆游泳", "给阳台的兰花浇水", "在公园和{who}下象棋",
    "给奶奶打电话聊花园", "跟老师学葡萄牙语", "在家烤面包送邻居", "带狗沿着运河散步",
)  # fmt: skip
WHO_ZH = ("小王", "小李", "阿强", "美玲", "老张", "小陈")


# Consolidating in a process of its own, so that its memory is its own.
MEASURE = """
import json, resource, sys, time
import sqlagent
con = sqlagent.connect(sys.argv[1], embedding_model="none")
con.execute("SELECT count(*), sum(length(content)) FROM memories").fetchall()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
base, cpu, wall = peak(), time.process_time(), time.perf_counter()
rows = con.execute(sys.argv[2]).fetchall()
print(json.dumps([time.process_time() - cpu, time.perf_counter() - wall, peak() - base, rows]))
"""


class Planted(NamedTuple):
    """A memory and its truth: the fact that it states, or the theme that it is an episode of."""

    content: str
    fact: int | None
    theme: str | None
    day: int


def run(bench: Bench) -> None:
    """An agent of 10,000 memories, a fifth of them said twice and a fifth episodes that recur."""
    path = bench.folder / "agent.db"
    rows = planted(bench.size(10_000, 1_000))
    con = sqlagent.connect(path, embedding_model="none")
    fill(con, rows)
    before = con.execute("SELECT * FROM memories ORDER BY memory_id").fetchall()
    took = []
    for _ in range(bench.size(3, 1)):
        seconds, _wall, grown, done = child(
            MEASURE, path, "SELECT consolidate('ada')", folder=bench.folder
        )
        took.append((seconds, grown))
        bench.check("something is consolidated", done[0][0] > 0, done)
        again = con.execute("SELECT consolidate('ada')").fetchall()
        bench.check("a second time nothing is", again == [(0,)], again)
        judge(bench, con, rows)
        con.execute("SELECT unconsolidate('ada')").fetchall()
        after = con.execute(
            "SELECT * FROM memories WHERE memory_id <= ? ORDER BY memory_id", (len(rows),)
        ).fetchall()
        bench.check("undone, every memory is as it was", after == before)
    size = f"{len(rows):,} memories"
    bench.report(f"CPU of {size}", median(t for t, _ in took), "s", reach=10.0)
    bench.report(f"memory of {size}", max(m for _, m in took), "MB", reach=200.0)
    precision, recall, purity, found = truth(con, rows)
    bench.report("merges that are right", precision, "", reach=0.99, at_least=True)
    bench.report("repeats that are merged", recall, "", reach=0.95, at_least=True)
    bench.report("sources of the theme told", purity, "", reach=0.95, at_least=True)
    bench.report("themes that are told", found, "", reach=0.95, at_least=True)
    con.close()


def truth(con: Any, rows: list[Planted]) -> tuple[float, float, float, float]:
    """What the plan has right: see `judged`."""
    plan = con.execute("SELECT step, action, memory_id, into_id FROM consolidation_plan('ada')")
    return judged(plan.fetchall(), rows)


def judge(bench: Bench, con: Any, rows: list[Planted]) -> None:
    """No fact is lost: of each one that was said, one memory that says it is live."""
    live = {m for (m,) in con.execute("SELECT memory_id FROM memories WHERE archived_at IS NULL")}
    said = {row.fact for row in rows if row.fact is not None}
    kept = {row.fact for number, row in enumerate(rows, 1) if number in live}
    bench.check("every fact is still there", said <= kept, len(said - kept))


def judged(plan: list[Any], rows: list[Planted]) -> tuple[float, float, float, float]:
    """Precision and recall of the merges of facts; the share of sources that are of their step's
    theme; the share of themes that some step tells."""
    merged = [(rows[gone - 1], rows[into - 1]) for _, a, gone, into in plan if a == "merge"]
    of_facts = [(g, i) for g, i in merged if g.fact is not None or i.fact is not None]
    right = sum(g.fact == i.fact for g, i in of_facts)
    repeats = [row.fact for row in rows if row.fact is not None]
    themes: dict[int, list[str | None]] = defaultdict(list)
    for step, action, source, _ in plan:
        if action == "distil":
            themes[step].append(rows[source - 1].theme)
    most = {step: Counter(told).most_common(1)[0] for step, told in themes.items()}
    sources = sum(map(len, themes.values()))
    known = {row.theme for row in rows if row.theme is not None}
    return (
        right / max(1, len(of_facts)),
        right / max(1, len(repeats) - len(set(repeats))),
        sum(n for _, n in most.values()) / max(1, sources),
        len({theme for theme, _ in most.values()} & known) / max(1, len(known)),
    )


def planted(count: int, seed: int = 11) -> list[Planted]:
    """Facts, a fifth of all said again in other words; near misses of them; recurring episodes."""
    random_ = random.Random(seed)
    out: list[Planted] = []
    repeats, episodes = count // 5, count // 5
    facts: list[str] = []
    for number, text in zip(range(count - repeats - episodes), fact(random_), strict=False):
        facts.append(text)
        out.append(Planted(text, number, None, random_.randrange(300)))
    for _ in range(repeats):
        number = random_.randrange(len(facts))
        out.append(Planted(again(facts[number], random_), number, None, random_.randrange(300)))
    for _ in range(episodes):
        out.append(episode(random_))
    random_.shuffle(out)
    return out


def fact(random_: random.Random) -> Iterator[str]:
    """Facts without end, no two the same; many differ in one word, number or name alone."""
    seen: set[str] = set()
    while True:
        n = random_.randrange(4)
        if n == 0:
            text = (
                f"{random_.choice(PEOPLE)} keeps the {random_.choice(ITEMS)} in the "
                f"{random_.choice(COLOURS)} {random_.choice(PLACES)} of the {random_.choice(ROOMS)}"
            )
        elif n == 1:
            at = f"{random_.randrange(5, 23)}:{random_.randrange(60):02}"
            platform = random_.randrange(1, 30)
            text = f"The train to {random_.choice(TOWNS)} leaves from platform {platform} at {at}"
        elif n == 2:
            neither = random_.choice(("", "does not "))
            verb = "likes" if not neither else "like"
            text = (
                f"{random_.choice(PEOPLE)} {neither}{verb} to meet {random_.choice(PEOPLE)} on "
                f"{random_.choice(DAYS)} in {random_.choice(TOWNS)} at the {random_.choice(ROOMS)}"
            )
        else:
            text = (
                f"{random_.choice(WHO_ZH)}的{random_.choice(ITEMS_ZH)}"
                f"{random_.choice(('', '不'))}在{random_.choice(ROOMS_ZH)}的"
                f"{random_.choice(COLOURS_ZH)}{random_.choice(PLACES_ZH)}里，编号{random_.randrange(99)}"
            )
        if text not in seen:
            seen.add(text)
            yield text


def again(text: str, random_: random.Random) -> str:
    """A fact said again: case, marks, spaces, a filler, a piece of it moved; one in twenty with a
    letter wrong, which nothing here forgives."""
    if random_.random() < 0.05:
        at = random_.randrange(1, len(text) - 1)
        return text[:at] + text[at] + text[at:]
    if text[0] > "\u2e80":
        changed = (text + "。", text.replace("，", ", "), text + "啊", " " + text, text + "！")
    else:
        changed = (
            text + ".", text.lower(), text.replace(" the ", " the  ") + "!", "Well, " + text,
            text.replace("does not", "doesn't") + "...", text.upper(), "Please, " + text + ".",
        )  # fmt: skip
        begin, end = text.rpartition(" at the ")[::2]
        if begin:
            changed += (f"At the {end} {begin}",)
    return random_.choice([one for one in changed if one != text])


def episode(random_: random.Random) -> Planted:
    """One of a few dozen things that are done again and again, on some day, in some company."""
    day = random_.randrange(300)
    if random_.random() < 0.3:
        at = random_.randrange(len(DEEDS_ZH))
        begin = random_.choice(("今天", "昨天", "早上", f"周{random_.choice(DAYS_ZH)}"))
        end = random_.choice(
            ("。", "，很开心。", "，有点累。", f"，用了{random_.randrange(20, 90)}分钟。")
        )
        text = begin + DEEDS_ZH[at].format(who=random_.choice(WHO_ZH)) + end
        return Planted(text, None, f"zh{at}", day)
    at = random_.randrange(len(DEEDS))
    deed = DEEDS[at].format(who=random_.choice(PEOPLE), town=random_.choice(TOWNS))
    text = random_.choice((
        f"I {deed} on {random_.choice(DAYS)}.", f"This morning I {deed}. It was lovely.",
        f"Yesterday I {deed} for {random_.randrange(20, 90)} minutes.", f"I {deed} again today.",
    ))  # fmt: skip
    return Planted(text, None, f"en{at}", day)


def fill(con: sqlagent.Connection, rows: list[Planted]) -> None:
    """The agent ada with these memories, by memory_id from 1 on."""
    values = (
        (n, row.content, time_of(row.day), f"s{row.day}", "episodic" if row.theme else "semantic")
        for n, row in enumerate(rows, 1)
    )
    con.executemany(INSERT, values)


def time_of(day: int) -> str:
    """Noon of a day of the made-up year."""
    noon = datetime.datetime(2025, 1, 1, 12) + datetime.timedelta(days=day)
    return noon.isoformat(" ", "milliseconds")
