"""A history as lines and back, between all kinds of stores."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from itertools import product
from random import Random

import pytest

from job_orchestra.core.errors import InvalidInput, NewerSchema, StorageError, Unfinished
from job_orchestra.core.model import BuildState
from job_orchestra.store import transfer
from job_orchestra.store.collections import COLLECTIONS
from job_orchestra.store.contract import Store
from job_orchestra.store.opening import open_store
from job_orchestra.store.query import Query
from job_orchestra.store.suite.everything import EVERYTHING
from tests.kit.builders import agent, attempt, batch, build, job, spec, task
from tests.kit.databases import SERVERS
from tests.store.conftest import FILES

KINDS = (*FILES, *(one for one in SERVERS if one != "mongodb-alone"))
"""Kinds of stores between which a history moves."""


@pytest.fixture
def make(opened: Callable[[str], Store]) -> Callable[[str], Store]:
    return opened


def history(store: Store, builds: int = 300) -> list[bytes]:
    """Fill a store with a made-up history, and return its lines."""
    random = Random(5)
    states = (BuildState.SUCCEEDED, BuildState.FAILED, BuildState.LOST, BuildState.PENDING)
    made = [build(one, state=random.choice(states), attempt=1, reason="ünï 'quoted' \n") for one in range(1, builds)]
    tries = [attempt(one, state=one.state) for one in made]
    store.write(batch(7, builds=made, attempts=tries, tasks=[task(3)], jobs=[job()], specs=[spec()], agents=[agent()]))
    return list(transfer.lines_of(store))


@pytest.fixture(scope="module")
def sources(opened: Callable[[str], Store]) -> Callable[[str], Store]:
    """Return a function that gives a store of a kind with the made-up history."""

    @cache
    def filled(kind: str) -> Store:
        store = opened(kind)
        history(store)
        return store

    return filled


@pytest.mark.parametrize(("source", "target"), list(product(KINDS, KINDS)))
def test_a_history_is_the_same_whatever_it_went_through(
    source: str, target: str, make: Callable[[str], Store], sources: Callable[[str], Store]
) -> None:
    lines = list(transfer.lines_of(sources(source)))
    there = make(target)
    told: list[int] = []
    counts = transfer.fill(there, lines, told.append)
    assert counts["builds"] == 299
    assert sum(told) == sum(counts.values()) == len(lines) - 2
    assert list(transfer.lines_of(there)) == lines
    assert there.applied() == 7
    assert [(one.collection, one.rows) for one in there.describe().sizes] == list(counts.items())


@pytest.fixture(scope="module")
def many() -> list[bytes]:
    return history(open_store("memory:"), builds=5_001)


@pytest.mark.parametrize("kind", KINDS)
def test_five_thousand_builds_are_the_same_lines_in_every_store(
    kind: str, make: Callable[[str], Store], many: list[bytes]
) -> None:
    """As each kind takes these lines and gives just these lines, it is so for every pair of kinds."""
    there = make(kind)
    assert transfer.fill(there, many)["builds"] == 5_000
    digest = sha256()
    for line in transfer.lines_of(there):
        digest.update(line)
    assert digest.hexdigest() == sha256(b"".join(many)).hexdigest()
    assert there.count(Query("builds")).rows == 5_000


def test_every_collection_travels(make: Callable[[str], Store]) -> None:
    here = make("sqlite")
    here.write(EVERYTHING)
    there = make("memory")
    transfer.fill(there, transfer.lines_of(here))
    for name in COLLECTIONS:
        assert list(there.scan(name)) == list(here.scan(name)), name
    assert there.meta() == here.meta()
    assert there.live(0) == here.live(0)


def test_a_store_is_filled_anew_after_an_interruption(make: Callable[[str], Store]) -> None:
    lines = history(make("memory"))
    there = make("sqlite")
    with pytest.raises(InvalidInput, match="cut off"):
        transfer.fill(there, lines[:-1])
    with pytest.raises(Unfinished, match="begin that again"):
        there.live(0)
    with pytest.raises(StorageError):
        list(there.scan("builds"))
    transfer.fill(there, lines)
    assert list(transfer.lines_of(there)) == lines


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda lines: [b"hello\n", *lines[1:]], "no exported history"),
        (lambda _: [], "no exported history"),
        (lambda lines: [lines[0], b'{"cats":{}}\n', *lines[1:]], "line 2 is no record of builds"),
        (lambda lines: [lines[0], lines[1][:-9] + b"\n", *lines[2:]], "line 2 is damaged"),
        (lambda lines: [*lines[:1], *lines[2:]], "changed on the way"),
        (lambda lines: [lines[0], lines[1].replace(b"shop", b"shot"), *lines[2:]], "changed on the way"),
        (lambda lines: [*lines[:-1], b'{"end":7}\n'], "is damaged"),
    ],
)
def test_what_is_no_whole_history_is_refused(
    spoil: Callable[[list[bytes]], list[bytes]], says: str, make: Callable[[str], Store]
) -> None:
    lines = history(make("memory"), builds=5)
    there = make("memory")
    with pytest.raises(InvalidInput, match=says):
        transfer.fill(there, spoil(lines))


def test_a_newer_history_is_refused_before_anything_is_touched(make: Callable[[str], Store]) -> None:
    there = make("memory")
    before = history(there, builds=5)
    with pytest.raises(NewerSchema, match="upgrade"):
        transfer.fill(there, [before[0].replace(b'"format":1', b'"format":2'), *before[1:]])
    assert list(transfer.lines_of(there)) == before
