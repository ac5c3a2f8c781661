"""What an agent holds of directories stays within bounds, and what a build needs is not forgotten."""

import io
import random
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from job_orchestra.agent.blobs import Contents, Why
from job_orchestra.agent.bulk import Bulk
from job_orchestra.agent.repositories.git import Git
from job_orchestra.agent.repositories.mirrors import Mirrors
from job_orchestra.agent.settings import Settings
from job_orchestra.agent.tidying import Tidier
from job_orchestra.agent.trees import Trees
from job_orchestra.agent.warm import Warm
from job_orchestra.core.errors import DiskFull
from job_orchestra.core.manifest import Entry, write
from job_orchestra.core.model import AgentRecord
from tests.kit.meshes import MemoryClub, until
from tests.kit.towns import Town

FILE = stat.S_IFREG | 0o644
LONG_AGO = 1_000_000_000.0


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


class Machine:
    """A machine's directories, each used long ago, and what is free on its disk."""

    def __init__(self, trees: Trees, record: AgentRecord, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trees = trees
        self.record = record
        self.free = 1 << 40
        self.mirrors = trees.contents.folder.parent / "mirrors"
        self.mirrors.mkdir()
        folder = trees.contents.folder.parent / "warm"
        folder.mkdir()
        self.warm = Warm(folder, 1, lambda _: False)
        self.needed: list[str] = []
        self._patch = monkeypatch

    def tidier(self, quota: int = 0, reserve: int = 0) -> Tidier:
        settings = Settings(content_quota=quota, reserve=reserve)
        return Tidier(self.trees, Mirrors(self.mirrors, Git()), self.warm, lambda: self.needed, settings)

    def put(self, number: int, why: Why = Why.SOURCE) -> str:
        with self._patch.context() as patch:
            patch.setattr("job_orchestra.agent.blobs.contents.time.time", lambda: LONG_AGO + 100 * number)
            return put(self.trees.contents, number, why)

    def has(self, *roots: str) -> list[bool]:
        return [self.trees.contents.holds(bytes.fromhex(one)) for one in roots]


def put(contents: Contents, number: int, why: Why = Why.SOURCE) -> str:
    """Hold a directory of about 100 kB; return its digest."""
    with contents.writer() as writer:
        digest, size = writer.put_file(io.BytesIO(random.Random(number).randbytes(100_000)))
        root = writer.put_directory(write([Entry(b"file", FILE, size, digest)]))
    contents.hold(root, why)
    return root.hex()


@pytest.fixture
async def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Machine, Machine]]:
    async with MemoryClub() as club:
        made: list[Machine] = []
        for name, mesh in zip("ab", await club.friends("a", "b"), strict=True):
            keys, folder = club.key(name), tmp_path / name
            folder.mkdir()
            bulk = Bulk(keys.public, keys.secret, host="127.0.0.1")
            trees = Trees(Contents(folder / "contents"), folder / "bundles", bulk, mesh)
            bulk.offer(lambda text, trees=trees: trees.resolve(*text.split("/", 1)))
            bulk.admit(lambda _: True)
            record = AgentRecord(keys.id, name, public=keys.public, addresses=("127.0.0.1:1",), bulk=bulk.port)
            made.append(Machine(trees, record, monkeypatch))
        frees = {one.trees.contents.folder: one for one in made}
        monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(1 << 41, 0, frees[folder].free))
        yield made[0], made[1]
        for one in made:
            one.trees._bulk.close()
            one.trees.contents.close()


async def test_within_its_quota_nothing_is_forgotten(machines: tuple[Machine, Machine]) -> None:
    machine, _ = machines
    roots = [machine.put(one) for one in range(3)]
    assert await machine.tidier(quota=1_000_000).tidy() == []
    assert machine.has(*roots) == [True, True, True]


async def test_beyond_its_quota_the_least_used_goes(machines: tuple[Machine, Machine]) -> None:
    machine, _ = machines
    roots = [machine.put(one) for one in range(5)]
    await machine.tidier(quota=450_000).tidy()
    assert machine.has(*roots) == [False, False, True, True, True]
    assert machine.trees.contents.total < 450_000


async def test_needed_asked_for_lately_used_and_artifacts_stay(
    machines: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, _ = machines
    needed, asked, plain = machine.put(1), machine.put(2), machine.put(3)
    artifacts, cache = machine.put(4, Why.ARTIFACTS), machine.put(5, Why.CACHE)
    fresh = put(machine.trees.contents, 6)
    machine.needed = [needed]
    assert machine.trees.has(asked)
    tidier = machine.tidier(quota=1)
    await tidier.tidy()
    assert machine.has(needed, asked, plain, artifacts, cache, fresh) == [True, True, False, True, False, True]
    assert await tidier.tidy() == []
    with monkeypatch.context() as patch:
        patch.setattr("job_orchestra.agent.tidying.forgetting.forget", lambda *_: pytest.fail("it looked again"))
        assert await tidier.tidy() == [], "what is left is needed: that is not looked at all the time"
    machine.put(7)
    assert len(await tidier.tidy()) == 1


async def test_a_short_disk_is_given_what_it_lacks(machines: tuple[Machine, Machine]) -> None:
    machine, _ = machines
    roots = [machine.put(one) for one in range(5)]
    machine.free = 2_000_000 - 150_000
    tidier = machine.tidier(reserve=1_000_000)
    await tidier.tidy()
    assert machine.has(*roots) == [False, False, True, True, True]


async def test_nothing_goes_while_somebody_packs(machines: tuple[Machine, Machine]) -> None:
    machine, _ = machines
    root = machine.put(1)
    tidier = machine.tidier(quota=1)
    with machine.trees.contents.staying():
        assert await tidier.tidy() == []
    assert machine.has(root) == [True]
    await tidier.tidy()
    assert machine.has(root) == [False]


async def test_room_is_made_for_a_directory_that_comes(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    old, wanted = b.put(1), a.put(2)
    b.free = (50 << 20) + 99_000
    with pytest.raises(DiskFull, match="does not fit"):
        await b.trees.fetch(wanted, Why.SOURCE, "", [a.record])
    assert b.has(old) == [True]

    tidier = b.tidier()

    async def make_room(size: int) -> bool:
        made = await tidier.make_room(size + (50 << 20))
        b.free += 100_000
        return made

    b.trees.make_room = make_room
    await b.trees.fetch(wanted, Why.SOURCE, "", [a.record])
    assert b.has(old, wanted) == [False, True]


async def test_an_agent_forgets_by_itself_and_keeps_what_its_live_builds_begin_in(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_orchestra.agent.tidying.LOOK_S", 0.05)
    citizen = await town.found(content_quota=1)
    contents = citizen.agent.trees.contents
    with monkeypatch.context() as patch, contents.staying():  # nobody looks before all is there
        patch.setattr("job_orchestra.agent.blobs.contents.time.time", lambda: LONG_AGO)
        needed, plain = put(contents, 1), put(contents, 2)
        await citizen.submit(source={"archive": needed}, runs_on=["nowhere"])
    citizen.agent.trees._asked.clear()
    await until(lambda: not contents.holds(bytes.fromhex(plain)), "what nobody needs is forgotten")
    assert contents.holds(bytes.fromhex(needed))
