"""Counting looks at few rows: what an index tells alone up to a number, others only so many."""

from collections.abc import Iterator

import pytest

from job_orchestra.core.model import BuildState
from job_orchestra.store import counting
from job_orchestra.store.collections import COLLECTIONS
from job_orchestra.store.counting import sieves
from job_orchestra.store.query import Count, Counted, Filter, Operator, Query
from job_orchestra.store.sql.store import SqlStore
from job_orchestra.store.stretches import Stretch
from tests.kit.builders import T0, batch, build
from tests.kit.offered import asked

EQ, IN, GE = Operator.EQ, Operator.IN, Operator.GE
BUILDS = COLLECTIONS["builds"]
AGENT, PERSON = Filter("agent", EQ, "a1"), Filter("requester", EQ, "ann")
LATE, BAD = Filter("serial", GE, 7), Filter("state", IN, ("failed", "lost"))


def of(*conditions: Filter, word: str = "", also: tuple[tuple[str, ...], ...] = ()) -> Stretch:
    return Stretch(BUILDS, conditions, (), word, also)


@pytest.mark.parametrize(
    ("whole", "found", "rest"),
    [
        (of(AGENT), of(AGENT), None),
        (of(AGENT, LATE), of(AGENT, LATE), None),
        (of(LATE), of(LATE), None),
        (of(BAD), of(BAD), None),
        (of(AGENT, BAD), of(AGENT), of(BAD)),
        (of(Filter("priority", EQ, 5)), of(), of(Filter("priority", EQ, 5))),
        (of(Filter("agent", Operator.NE, "a1")), of(), of(Filter("agent", Operator.NE, "a1"))),
        (of(PERSON, AGENT, LATE), of(AGENT, LATE), of(PERSON)),
        (of(LATE, AGENT, word="timeout"), of(LATE, word="timeout"), of(AGENT)),
        (of(word="timeout", also=(("shop",),)), of(word="timeout"), of(also=(("shop",),))),
        (of(Filter("pipeline", EQ, "p-1")), of(Filter("pipeline", EQ, "p-1")), None),
        (of(Filter("pipeline", EQ, "")), of(), of(Filter("pipeline", EQ, ""))),
    ],
)
def test_an_index_tells_some_conditions_and_the_others_are_seen(
    whole: Stretch, found: Stretch, rest: Stretch | None
) -> None:
    assert sieves(whole)[0] == (found, rest)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    made = SqlStore.sqlite(tmp_path_factory.mktemp("counting") / "history.db")
    states = (BuildState.SUCCEEDED, BuildState.SUCCEEDED, BuildState.FAILED)
    builds = [
        build(
            one,
            job=f"j{one % 3}",
            number=one // 3 + 1,
            agent="a1",
            requester="ann",
            state=states[one % 3],
            reason="time out",
            created=T0,
        )
        for one in range(1, 61)
    ]
    assert made.write(batch(1, builds=builds))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (asked(agent="a1"), Count(30, Counted.AT_LEAST)),
        (asked(agent="a1", state="failed"), Count(12, Counted.AT_LEAST)),
        (asked(agent="a1", state="lost"), Count(0)),  # there are few of one of both
        (asked(agent="a1", requester="ann"), Count(12, Counted.AT_LEAST)),
        (asked(agent="a1", requester="nobody"), Count(0)),
        (asked(number=7), Count(3)),
        (asked(agent="a1", number=7), Count(3)),  # whatever else is asked for
        (asked(agent="a1", log_bytes={"ge": 1}), Count(0, Counted.AT_LEAST)),
        (asked(search="out"), Count(30, Counted.AT_LEAST)),
        (asked(search="tim", agent="a1"), Count(12, Counted.AT_LEAST)),
        (asked(state="failed"), Count(20)),
        (asked(), Count(60)),
    ],
)
def test_so_many_there_are_at_least(
    store: SqlStore, query: Query, wanted: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MAX_COUNT", 30)
    monkeypatch.setattr(counting, "MAX_LOOKED", 11)
    asked_for: list[str] = []
    connection = store._db.connection()
    connection.set_trace_callback(asked_for.append)
    assert store.count(query) == wanted
    connection.set_trace_callback(None)
    for one in asked_for:
        if "COUNT(*)" in one:
            steps = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {one}")]
            assert not any(step.startswith("SCAN t1") for step in steps), (one, steps)


def test_the_index_of_words_ends_a_time_range(store: SqlStore) -> None:
    """A bound on the record's own number would have all records of the word looked at, from the first on."""
    for steps in (
        store.plan(asked(search="out", serial={"lt": 9})),
        store.plan(asked(search="out", serial={"ge": 50})),
    ):
        assert any("SEARCH lead USING PRIMARY KEY (word=? AND serial" in step for step in steps), steps
