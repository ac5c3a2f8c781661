"""Directories between agents: only what is lacking travels, whole or not at all, and it proves itself."""

import os
import random
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest

from job_orchestra.agent.blobs import Contents, Why
from job_orchestra.agent.blobs.contents import SMALL
from job_orchestra.agent.bulk import Bulk
from job_orchestra.agent.mesh.contract import Mesh
from job_orchestra.agent.trees import ASKED, Trees
from job_orchestra.core.errors import Damaged, DiskFull, InvalidInput, NotFound, PeerError
from job_orchestra.core.manifest import Entry, Tree, write
from job_orchestra.core.messages import Call, Given, Wanted, pack, unpack
from job_orchestra.core.model import AgentRecord
from tests.kit.meshes import MemoryClub

FILE = stat.S_IFREG | 0o644


class End:
    """One agent's directories, and what others asked of it."""

    def __init__(self, folder: Path, club: MemoryClub, name: str, mesh: Mesh) -> None:
        keys = club.key(name)
        self.contents = Contents(folder / name / "contents")
        self.bulk = Bulk(keys.public, keys.secret, host="127.0.0.1")
        self.trees = Trees(self.contents, folder / name / "bundles", self.bulk, mesh)
        self.bulk.offer(lambda text: self.trees.resolve(*text.split("/", 1)))
        self.bulk.admit(lambda _: True)
        self.mesh = mesh
        self.record = AgentRecord(keys.id, name, public=keys.public, addresses=("127.0.0.1:1",), bulk=self.bulk.port)
        self.asked: list[int] = []  # contents in each request
        mesh.handle(Call.CONTENTS, self._on_wanted)

    async def _on_wanted(self, sender: str, payload: bytes) -> bytes:
        self.asked.append(len(unpack(payload, Wanted).digests) // 32)
        return await self.trees._on_wanted(sender, payload)

    def put(self, files: dict[bytes, bytes]) -> str:
        """Have a directory; return its digest."""
        with self.contents.writer() as writer:
            entries = []
            for path, content in files.items():
                digest, size = writer.put_file(BytesIO(content))
                entries.append(Entry(path, FILE, size, digest))
            root = writer.put_directory(write(entries))
        self.contents.hold(root, Why.SOURCE)
        return root.hex()

    async def fetch(self, root: str, *holders: "End") -> None:
        await self.trees.fetch(root, Why.SOURCE, "", [one.record for one in holders])

    def files(self, root: str) -> dict[bytes, bytes]:
        entries = self.contents.entries(bytes.fromhex(root))
        return {one.path: b"".join(self.contents.stream(one)) for one in entries}


@pytest.fixture
async def ends(tmp_path: Path) -> AsyncIterator[tuple[End, End, End]]:
    async with AsyncExitStack() as stack:
        club = await stack.enter_async_context(MemoryClub())
        names = ("a", "b", "c")
        meshes = await club.friends(*names)
        for name in names:
            (tmp_path / name).mkdir()
        made = [End(tmp_path, club, name, mesh) for name, mesh in zip(names, meshes, strict=True)]
        for one in made:
            stack.callback(one.bulk.close)
            stack.callback(one.contents.close)
        yield made[0], made[1], made[2]


PROJECT = {b"src/%05d.c" % one: b"int a%d;\n" % one * 20 for one in range(3000)}
"""Its contents, compressed, fit into an answer; its list does too."""


async def test_a_directory_arrives_whole_in_three_questions(ends: tuple[End, End, End]) -> None:
    a, b, _ = ends
    root = a.put(PROJECT)
    await b.fetch(root, a)
    assert (b.trees.has(root), b.files(root)) == (True, PROJECT)
    assert len(a.asked) == 3
    assert b.contents.held(Why.SOURCE)[0].root.hex() == root


async def test_after_a_change_only_the_change_travels(ends: tuple[End, End, End]) -> None:
    a, b, _ = ends
    await b.fetch(a.put(PROJECT), a)
    a.asked.clear()
    changed = {**PROJECT, b"src/00007.c": random.Random(1).randbytes(1000)}
    root = a.put(changed)
    await b.fetch(root, a)
    assert b.files(root) == changed
    assert a.asked == [1, 1, 1]


async def test_what_came_from_another_directory_is_not_asked_for_again(ends: tuple[End, End, End]) -> None:
    a, b, c = ends
    await c.fetch(a.put(PROJECT), a)
    mine = {b"mine/" + path: content for path, content in PROJECT.items()}
    root = b.put(mine)
    await c.fetch(root, b)
    assert c.files(root) == mine
    assert len(b.asked) == 2


async def test_much_comes_in_bundles_and_large_contents_by_themselves(
    ends: tuple[End, End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_orchestra.agent.trees.BUNDLE", 1 << 20)
    a, b, _ = ends
    noise = random.Random(1)
    files = {b"%d" % one: noise.randbytes(10_000) for one in range(400)}
    files |= {b"large": noise.randbytes(3 * SMALL), b"larger": bytes(5 * SMALL), b"empty": b""}
    root = a.put(files)
    await b.fetch(root, a)
    assert b.files(root) == files
    assert len(a.asked) > 4
    assert [one.name for one in b.trees._outgoing.iterdir()] == []


async def test_more_contents_than_are_asked_for_at_a_time_arrive(
    ends: tuple[End, End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_orchestra.agent.trees.ASKED", 100)
    assert ASKED > 100
    a, b, _ = ends
    root = a.put(PROJECT)
    await b.fetch(root, a)
    assert b.files(root) == PROJECT


async def test_who_has_only_some_of_it_is_passed_over(ends: tuple[End, End, End]) -> None:
    a, b, c = ends
    root = a.put(PROJECT)
    with b.contents.writer() as writer:
        writer.put(a.contents.read(bytes.fromhex(root)))
    await c.fetch(root, b, a)
    assert c.files(root) == PROJECT


async def test_what_nobody_has_is_not_found(ends: tuple[End, End, End]) -> None:
    a, b, _ = ends
    with pytest.raises(NotFound):
        await b.fetch("ab" * 32, a)
    with pytest.raises(NotFound, match="no agent has"):
        await b.fetch("ab" * 32)
    with pytest.raises(InvalidInput):
        await b.fetch("../../etc/passwd", a)


async def test_a_directory_is_fetched_once_however_many_ask(ends: tuple[End, End, End]) -> None:
    import asyncio

    a, b, _ = ends
    root = a.put(PROJECT)
    await asyncio.gather(*(b.fetch(root, a) for _ in range(5)))
    assert len(a.asked) == 3


Lie = Callable[[list[bytes]], Given]


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (lambda asked: Given((b"nonsense",) * len(asked), len(asked)), Damaged),
        (lambda asked: Given((), len(asked)), PeerError),
        (lambda _: Given((), 0), PeerError),
        (lambda asked: Given((), len(asked) + 1), PeerError),
        (lambda asked: Given((), len(asked), "../../etc/passwd"), PeerError),
        (lambda asked: Given((), len(asked), "0" * 32), NotFound),
        (lambda asked: Given((), len(asked), missing=1), NotFound),
    ],
)
async def test_answers_that_are_no_answers_leave_nothing_behind(
    ends: tuple[End, End, End], lie: Lie, told: type[Exception]
) -> None:
    a, b, _ = ends
    root = a.put(PROJECT)

    async def on_wanted(_: str, payload: bytes) -> bytes:
        wanted = unpack(payload, Wanted).digests
        return pack(lie([wanted[at : at + 32] for at in range(0, len(wanted), 32)]))

    a.mesh.handle(Call.CONTENTS, on_wanted)
    with pytest.raises(told):
        await b.fetch(root, a)
    assert not b.trees.has(root)
    assert b.contents.held(Why.SOURCE) == []


async def test_a_directory_that_claims_to_be_larger_than_the_disk_is_refused(ends: tuple[End, End, End]) -> None:
    a, b, _ = ends
    with a.contents.writer() as writer:
        head = pack(Tree(b"", 0, 1 << 60))
        writer.put(head)
    with pytest.raises(DiskFull):
        await b.fetch(sha256(head).hexdigest(), a)


async def test_a_directory_with_a_path_that_leads_out_is_refused(ends: tuple[End, End, End]) -> None:
    a, b, _ = ends
    root = a.put({b"../../evil": b"x", b"good": b"y"})
    with pytest.raises(PeerError, match="lead out"):
        await b.fetch(root, a)
    assert not b.trees.has(root)


async def test_only_bundles_and_large_contents_are_given_as_files(ends: tuple[End, End, End]) -> None:
    a, _, _ = ends
    assert a.trees.resolve("bundle", "../contents/small.db") is None
    assert a.trees.resolve("log", "x") is None
    with pytest.raises(InvalidInput):
        a.trees.resolve("content", "../small.db")


async def test_bundles_of_before_are_removed_at_the_start(tmp_path: Path, ends: tuple[End, End, End]) -> None:
    a, _, _ = ends
    (tmp_path / "a" / "bundles" / "left").write_text("x")
    Trees(a.contents, tmp_path / "a" / "bundles", a.bulk, a.mesh)
    assert os.listdir(tmp_path / "a" / "bundles") == []
