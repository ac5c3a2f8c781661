"""A store in a replica set of three members, whose primary is killed while it is written to: another one takes over."""

import threading
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from job_orchestra.core.errors import StorageError
from job_orchestra.core.model import Build, BuildState
from job_orchestra.store.contract import Batch, Store
from job_orchestra.store.mongo import store as storing
from job_orchestra.store.opening import open_store
from job_orchestra.store.query import Query
from tests.conftest import needs
from tests.kit.builders import build
from tests.kit.databases import MongoMembers
from tests.kit.waiting import wait_until

EACH = 20
"""Builds that are new in a batch."""

KILLED, LAST = 5, 12
"""The batches after which the primary is killed, and at which all ends."""


@pytest.fixture(scope="module")
def members() -> Iterator[MongoMembers]:
    found = MongoMembers()
    try:
        needs(not found.members[0].missing(), found.members[0].missing())
        found.start()
        yield found
    finally:
        found.remove()


def batch_at(index: int) -> Batch:
    """Return a batch in which the builds of the one before end, and others begin."""
    begun = [build(serial) for serial in range((index - 1) * EACH + 1, index * EACH + 1)]
    ended = [replace(build(one.serial - EACH), state=BuildState.FAILED, reason="lost") for one in begun if index > 1]
    return Batch(index, {"builds": [*ended, *begun]})


def write_on(store: Store, acknowledged: list[int]) -> None:
    """Write batches as an agent does: one that fails is tried again."""
    for index in range(1, LAST + 1):
        wait_until(lambda index=index: put(store, batch_at(index)), "the batch is in the store")
        acknowledged.append(index)


def put(store: Store, one: Batch) -> bool:
    try:
        store.write(one)
    except StorageError:
        return False
    return True  # also where it was there already: an answer may get lost, too


@pytest.mark.parametrize("largest", [storing.TRANSACTION, 0], ids=["in transactions", "in steps"])
def test_a_primary_that_is_killed_takes_nothing_with_it(
    members: MongoMembers, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    monkeypatch.setattr(storing, "TRANSACTION", largest)
    store, acknowledged = open_store(members.url(f"largest{largest}")), list[int]()
    writer = threading.Thread(target=write_on, args=(store, acknowledged))
    writer.start()
    wait_until(lambda: len(acknowledged) >= KILLED, "it is being written")
    (primary,) = wait_until(lambda: [one for one in [members.primary()] if one is not None], "there is a primary")
    primary.kill()
    writer.join()
    assert acknowledged == list(range(1, LAST + 1))
    assert store.applied() == LAST

    begun = [build(serial) for serial in range((LAST - 1) * EACH + 1, LAST * EACH + 1)]
    ended = LAST * EACH - EACH
    found: list[Build] = list(store.scan("builds"))
    assert [one.serial for one in found] == list(range(1, LAST * EACH + 1)), "nothing is missing, nothing twice"
    assert {one.state for one in found[:ended]} == {BuildState.FAILED}
    assert found[ended:] == begun
    assert store.count(Query("builds")).rows == len(found)
    assert {one.state: one.builds for one in store.tallies()} == {BuildState.FAILED: ended, begun[0].state: EACH}
    assert store.count(Query("builds", search="lost")).rows == ended
    store.close()

    primary.start()
    wait_until(lambda: primary.state().get("secondary"), "it is back, and has what it missed")
