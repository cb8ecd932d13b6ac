"""Generated queries: any two routes agree, or one refuses; and a DuckDB of its own is the judge."""

from __future__ import annotations

import random

import pytest
from generated import World, statement
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    found = World(tmp_path_factory.mktemp("generated"))
    yield found
    found.close()


def run(world, seeds):
    """The statements on which the routes disagree, and the share that SQLite alone refuses."""
    wrong, refused, unanswered = [], 0, 0
    for seed in seeds:
        sql = statement(random.Random(seed))
        found, by = world.differences(sql)
        wrong += [f"seed {seed}: {sql}\n  " + "\n  ".join(found)] if found else []
        refused += "sqlite" in by
        unanswered += "auto" in by
    return wrong, refused / len(seeds), unanswered / len(seeds)


def test_routes_agree(world):
    wrong, refused, unanswered = run(world, range(400))
    assert not wrong, "\n".join(wrong)
    assert refused < 0.2
    assert unanswered < 0.03


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_routes_agree_on_what_shrinks(world, source):
    sql = statement(source)
    found, _ = world.differences(sql)
    assert not found, f"{sql}\n{found}"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_routes_agree_on_tens_of_thousands(world, part):
    wrong, _, _ = run(world, range(1000 + part * 2500, 1000 + (part + 1) * 2500))
    assert not wrong, "\n".join(wrong)
