"""What every store must say about many builds, and which words it finds: compared with the store in memory."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from ...core.model import BuildState
from ..contract import Batch, Store
from ..memory import MemoryStore
from ..query import Filter, Operator, Query
from ..statistics import DAY_MS
from .records import T0, attempt, batch, build, spec, task

S = BuildState
STATES = (S.SUCCEEDED, S.SUCCEEDED, S.FAILED, S.LOST, S.RUNNING, S.PENDING)
REASONS = ("", "exit code 3", "Timeout after 5 s", "its agent was LOST", "Größe überschritten")


def history() -> list[Batch]:
    """Return batches in which builds come, change and end."""
    random = Random(11)
    batches: list[Batch] = []
    for index in range(1, 6):
        builds: list[Any] = []
        for serial in range(1 + 30 * (index - 1), 1 + 30 * index):
            started = T0 + serial * 3_600_000
            ended = random.choice(STATES)
            builds.append(
                build(
                    serial,
                    job=random.choice(("test", "lint")),
                    state=ended,
                    reason=random.choice(REASONS),
                    attempt=1,
                    created=started - 5,
                    started=started,
                    finished=started + random.randrange(DAY_MS) if ended not in {S.RUNNING, S.PENDING} else None,
                )
            )
        tries = [
            attempt(one, state=one.state, agent=random.choice("ab"), started=one.started, finished=one.finished)
            for one in builds
        ]
        batches.append(
            batch(index, builds=builds, attempts=tries, tasks=[task(index, target="shop/test")], specs=[spec()])
        )
    later = [
        build(
            one, job="test", number=one, state=S.CANCELLED, reason="stopped", created=T0 + one * 3_600_000 - 5
        )  # never earlier than those before it
        for one in (3, 40, 77)
    ]
    return [*batches, batch(6, builds=later)]


@pytest.fixture(scope="module")
def pair(make: Callable[[], Store]) -> tuple[Store, MemoryStore]:
    """Return a store and the model, with the same history, of which some was taken out again."""
    store, model = make(), MemoryStore()
    gone = [one.id for one in history()[0].records["builds"]][:20]
    for one in (store, model):
        for each in history():
            assert one.write(each)
        one.remove("builds", gone)
    return store, model


def test_tallies(pair: tuple[Store, MemoryStore]) -> None:
    store, model = pair
    assert store.tallies() == model.tallies()
    assert store.tallies("shop", "lint") == model.tallies("shop", "lint")
    assert store.tallies("nobody") == []


def test_durations(pair: tuple[Store, MemoryStore]) -> None:
    store, model = pair
    for job in ("test", "lint", "nope"):
        assert store.durations("shop", job) == model.durations("shop", job)


def test_failing_jobs(pair: tuple[Store, MemoryStore]) -> None:
    store, model = pair
    assert store.failing() == model.failing()


def test_usage_of_agents_remembers_what_was_taken_out(pair: tuple[Store, MemoryStore]) -> None:
    store, model = pair
    first = T0 - T0 % DAY_MS
    assert store.usage(0, T0 + 30 * DAY_MS) == model.usage(0, T0 + 30 * DAY_MS)
    assert store.usage(first + DAY_MS, first + 2 * DAY_MS) == model.usage(first + DAY_MS, first + 2 * DAY_MS)


QUERIES = {
    "all": Query("builds"),
    "a state": Query("builds", (Filter("state", Operator.EQ, "failed"),)),
    "two states of a job": Query(
        "builds", (Filter("job", Operator.EQ, "lint"), Filter("state", Operator.IN, ("lost", "failed")))
    ),
    "an agent": Query("attempts", (Filter("agent", Operator.EQ, "a"),)),
    "since": Query("builds", (Filter("created", Operator.GE, T0 + 50 * 3_600_000),)),
    "a word": Query("builds", search="timeout"),
    "its beginning": Query("builds", search="time"),
    "two words": Query("builds", search="LOST agent"),
    "a word and a state": Query("builds", (Filter("state", Operator.EQ, "failed"),), search="exit"),
    "letters of any script": Query("builds", search="größe"),
    "no such word": Query("builds", search="nowhere"),
    "a word of tasks": Query("tasks", search="shop"),
    "a word that is gone": Query("builds", (Filter("serial", Operator.LE, 20),), search="stopped"),
}


@pytest.mark.parametrize("which", QUERIES)
def test_counts_and_words(pair: tuple[Store, MemoryStore], which: str) -> None:
    store, model = pair
    query = QUERIES[which]
    assert store.find(query).rows == model.find(query).rows
    assert store.count(query) == model.count(query)
