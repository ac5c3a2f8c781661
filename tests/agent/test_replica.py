"""The driver of the consensus machine: alone, with a failing disk, and three together over an in-memory transport."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from unittest.mock import patch

import pytest

from job_orchestra.agent import replica as module
from job_orchestra.agent.agreement import CONFIGURATION, Installed, configuration_of
from job_orchestra.agent.journal import Journal
from job_orchestra.agent.replica import RaftReplica
from job_orchestra.core.commands import NewBuild, Submit
from job_orchestra.core.consensus import (
    Change,
    ChangeKind,
    Config,
    Configuration,
    Entry,
    HardState,
    Kind,
    Message,
    Snapshot,
)
from job_orchestra.core.definition import Spec, Step
from job_orchestra.core.errors import DiskFull, NoMaster, StorageError
from job_orchestra.core.ledger import Changes, Ledger, Remembered
from tests.kit.meshes import until

SPEC = Spec((Step("run", "true"),))
ALONE = Configuration(voters=(1,))


def submit(request: str = "") -> Submit:
    return Submit(1, "ann", (NewBuild("p", "j", SPEC.digest()),), {SPEC.digest(): SPEC}, request)


class WeakJournal(Journal):
    """A log whose disk is full at times."""

    full = False

    def append(self, entries: Iterable[Entry], state: HardState | None = None) -> None:
        if self.full:
            raise DiskFull("the disk is full: free some space")
        super().append(entries, state)


@asynccontextmanager
async def running(replica: RaftReplica) -> AsyncIterator[RaftReplica]:
    task = asyncio.create_task(replica.run())
    await asyncio.wait([task, asyncio.create_task(replica.caught_up.wait())], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield replica
    finally:
        replica.close()
        await task
        replica.release()


def alone(path: Path, ledger: Ledger | None = None, journal: type[Journal] = Journal) -> RaftReplica:
    return RaftReplica(journal(path / "journal.db"), ledger or Ledger(), config=Config(id=1), configuration=ALONE)


async def test_proposals_that_come_together_share_an_entry_and_get_their_own_outcomes(tmp_path: Path) -> None:
    async with running(alone(tmp_path)) as replica:
        before = replica.ledger.index
        found = await asyncio.gather(*(replica.propose([submit()] * count) for count in (1, 2, 3)))
        assert [len(outcomes) for outcomes in found] == [1, 2, 3]
        assert len({one.builds[0] for outcomes in found for one in outcomes}) == 6
        assert replica.ledger.index == before + 1


async def test_what_was_accepted_is_there_again_after_a_restart(tmp_path: Path) -> None:
    async with running(alone(tmp_path)) as replica:
        for _ in range(5):
            await replica.propose([submit()])
        term = replica.term
    seen: list[Changes] = []
    second = alone(tmp_path)
    second.watch(seen.append)
    async with running(second):
        assert len(second.ledger.builds) == 5
        assert second.term > term, "each life of a sole voter is a term of its own"
        assert sum(len(changes.builds) for changes in seen) == 5, "the store is told of what it may not have"


async def test_it_goes_on_behind_what_the_store_remembers(tmp_path: Path) -> None:
    async with running(alone(tmp_path)) as replica:
        await replica.propose([submit()])
        index = replica.ledger.index
        await replica.compact(index)
    again = alone(tmp_path, Ledger(Remembered(index)))
    async with running(again):
        await again.propose([submit()])
    with pytest.raises(StorageError, match="does not fit the store"):
        alone(tmp_path, Ledger(Remembered(index - 1)))
    with pytest.raises(StorageError, match="does not fit the store"):
        alone(tmp_path, Ledger(Remembered(index + 100)))


async def test_a_full_disk_refuses_what_is_new_and_takes_nothing_half(tmp_path: Path) -> None:
    replica = alone(tmp_path, journal=WeakJournal)
    journal: WeakJournal = replica._journal  # type: ignore[assignment]
    async with running(replica):
        await replica.propose([submit()])
        journal.full = True
        for _ in range(3):
            with pytest.raises(DiskFull):
                await replica.propose([submit(), submit()])
        assert len(replica.ledger.builds) == 1
        assert not replica.leading
        journal.full = False
        await replica.propose([submit()])
        assert len(replica.ledger.builds) == 2
        assert replica.leading
    second = alone(tmp_path)
    async with running(second):
        assert len(second.ledger.builds) == 2, "what was refused does not appear later"


async def test_a_voter_that_cannot_write_at_all_does_not_start(tmp_path: Path) -> None:
    replica = alone(tmp_path, journal=WeakJournal)
    replica._journal.full = True  # type: ignore[attr-defined]
    with pytest.raises(DiskFull):
        await replica.run()
    replica.release()


async def test_after_close_nothing_is_accepted(tmp_path: Path) -> None:
    async with running(alone(tmp_path)) as replica:
        replica.close()
        with pytest.raises(NoMaster, match="stopping"):
            await replica.propose([submit()])


class Net:
    """Three voters whose messages go from hand to hand, unless somebody is cut off."""

    def __init__(self, path: Path) -> None:
        self.cut: set[int] = set()
        voters = Configuration(voters=(1, 2, 3))
        self.members = {
            number: RaftReplica(
                Journal(path / f"{number}.db"),
                Ledger(),
                config=Config(id=number),
                configuration=voters,
                transport=Way(self, number),
                tick_s=0.05,
                seed=number,
            )
            for number in (1, 2, 3)
        }

    async def leader(self, among: Sequence[int] = (1, 2, 3)) -> RaftReplica:
        """Return the one that leads, as soon as one does."""
        async with asyncio.timeout(30):
            while not (found := [number for number in among if self.members[number].leading]):  # noqa: ASYNC110 - real voters
                await asyncio.sleep(0)
            return self.members[found[0]]

    async def until(self, number: int, index: int) -> None:
        """Return when a member has applied an index."""
        async with asyncio.timeout(30):
            while self.members[number].ledger.index < index:  # noqa: ASYNC110 - a real voter has no event for that
                await asyncio.sleep(0)


class Way:
    """One member's transport."""

    def __init__(self, net: Net, number: int) -> None:
        self.net = net
        self.number = number

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if not {self.number, message.to} & self.net.cut:
                asyncio.get_running_loop().call_soon(self.net.members[message.to].receive, message)


@asynccontextmanager
async def three(path: Path) -> AsyncIterator[Net]:
    net = Net(path)
    with patch.object(module, "RESUMED_S", inf):  # where this process stood still, all stood still
        tasks = [asyncio.create_task(one.run()) for one in net.members.values()]
        try:
            yield net
        finally:
            net.cut = {1, 2, 3}
            for one in net.members.values():
                one.close()
            await asyncio.gather(*tasks)
            for one in net.members.values():
                one.release()


async def test_three_agree(tmp_path: Path) -> None:
    async with three(tmp_path) as net:
        leader = await net.leader()
        for _ in range(20):
            await leader.propose([submit()])
        for number in net.members:
            await net.until(number, leader.ledger.index)
        assert {one.ledger.digest() for one in net.members.values()} == {leader.ledger.digest()}
        follower = next(one for one in net.members.values() if one is not leader)
        with pytest.raises(NoMaster, match="ask the master"):
            await follower.propose([submit()])


async def test_a_master_that_is_cut_off_accepts_nothing_and_the_others_go_on(tmp_path: Path) -> None:
    async with three(tmp_path) as net:
        old = await net.leader()
        await old.propose([submit("before")])
        number = next(number for number, one in net.members.items() if one is old)
        net.cut = {number}
        lost = asyncio.create_task(old.propose([submit("lost")]))
        new = await net.leader([other for other in net.members if other != number])
        await new.propose([submit("after")])
        with pytest.raises(NoMaster, match="request id makes that safe"):
            await lost
        net.cut = set()
        await until(lambda: old.ledger.index == new.ledger.index, "the old one has what it missed")
        assert sorted(new.ledger.requests) == ["after", "before"]
        assert old.ledger.digest() == new.ledger.digest()


async def test_nobody_waits_for_ever_for_a_master_that_stops(tmp_path: Path) -> None:
    async with three(tmp_path) as net:
        leader = await net.leader()
        net.cut = set(net.members)
        waiting = asyncio.create_task(leader.propose([submit()]))
        while not leader._proposals._offered:  # noqa: ASYNC110 - a real voter has no event for that
            await asyncio.sleep(0)
        leader.close()
        async with asyncio.timeout(30):
            with pytest.raises(NoMaster, match="request id makes that safe"):
                await waiting


async def test_members_change_and_the_store_is_told(tmp_path: Path) -> None:
    async with three(tmp_path) as net:
        leader = await net.leader()
        gone = next(number for number, one in net.members.items() if one is not leader)
        told: list[dict[str, str]] = []
        leader.watch(lambda changes: told.append(dict(changes.meta)))
        leader.raft.propose_change(Change(ChangeKind.REMOVE, gone))
        await leader.propose([submit()])
        left = configuration_of(next(meta for meta in told if CONFIGURATION in meta), ALONE)
        assert left.voters == tuple(number for number in (1, 2, 3) if number != gone)


class OneSnapshot:
    """A state that travels as it is."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.installed: list[int] = []

    def describe(self) -> bytes:
        return b""

    async def install(self, snapshot: Snapshot) -> Installed:
        self.installed.append(snapshot.index)
        return Installed(self.ledger, snapshot.term, snapshot.configuration)

    def settled(self) -> None: ...


async def test_a_snapshot_takes_the_place_of_the_log(tmp_path: Path) -> None:
    hooks = OneSnapshot(Ledger(Remembered(50)))
    configuration = Configuration(voters=(1, 2), learners=(3,))
    replica = RaftReplica(
        Journal(tmp_path / "journal.db"),
        Ledger(),
        config=Config(id=3),
        configuration=configuration,
        snapshots=hooks,
    )
    async with asyncio.timeout(30):
        task = asyncio.create_task(replica.run())
        state = Snapshot(50, 4, configuration)
        replica.receive(Message(Kind.SNAPSHOT, to=3, sender=1, term=5, snapshot=state))
        while not hooks.installed:  # noqa: ASYNC110 - a real voter has no event for that
            await asyncio.sleep(0)
        replica.receive(
            Message(Kind.APPEND, to=3, sender=1, term=5, index=50, log_term=4, commit=51, entries=(Entry(5, 51),))
        )
        while replica.ledger.index < 51:  # noqa: ASYNC110 - a real voter has no event for that
            await asyncio.sleep(0)
        replica.close()
        await task
    replica.release()
    journal = Journal(tmp_path / "journal.db")
    assert (hooks.installed, journal.first, journal.last) == ([50], 51, 51)
    journal.close()
