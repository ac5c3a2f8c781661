"""What builds leave is also in the blob space, comes from there at last, and goes when its build does."""

import asyncio
import base64
import hashlib
import io
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from job_orchestra.agent.blobs import Contents, Why, forgetting
from job_orchestra.agent.blobs.contents import SMALL
from job_orchestra.agent.blobs.seekable import FRAME
from job_orchestra.agent.marks import Marks
from job_orchestra.agent.space import bundle, clearing, filling, shelf
from job_orchestra.agent.space.clearing import Clearer
from job_orchestra.agent.space.filling import Filler
from job_orchestra.agent.space.shelf import Shelf
from job_orchestra.core.errors import Damaged, NotFound, StorageError
from job_orchestra.core.manifest import Digest, Entry, Tree, write
from job_orchestra.core.model import Attempt, BuildState
from job_orchestra.store.space.directory import Directory
from tests.kit.builders import attempt, batch, build, spec
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town

FILE, LINK = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777
NETWORK = "1" * 16


# -- a directory as one stream


def put(contents: Contents, *files: bytes) -> Digest:
    """Put a directory of these files, a link and a second file like the first; return what stands for it."""
    with contents.writer() as writer:
        entries = [Entry(b"link", LINK, 0, b"0")]
        for place, content in enumerate((*files, *files[:1])):
            digest, size = writer.put_file(io.BytesIO(content))
            entries.append(Entry(str(place).encode(), FILE, size, digest))
        root = writer.put_directory(write(entries))
    contents.hold(root, Why.ARTIFACTS, "AAAAAAAA.1")
    return root


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Contents]:
    with Contents(tmp_path / "here") as found:
        yield found


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Contents]:
    with Contents(tmp_path / "there") as found:
        yield found


FILES = (b"small", b"", bytes(SMALL), bytes(range(256)) * 8192, b"other")


def take(there: Contents, root: Digest, parts: Sequence[bytes], tmp_path: Path) -> None:
    bundle.take(there, root, parts, tmp_path / "scratch", lambda _: None)


@pytest.mark.parametrize("step", [1, 7, FRAME, 100 << 20])
def test_a_directory_is_the_same_behind_the_stream_however_that_is_cut(
    here: Contents, there: Contents, tmp_path: Path, step: int
) -> None:
    root = put(here, *(FILES if step > 1 else (b"a", b"b")))
    stream = b"".join(bundle.parts_of(here, root))
    told: list[Tree] = []
    parts = (stream[at : at + step] for at in range(0, len(stream), step))
    bundle.take(there, root, parts, tmp_path / "scratch", told.append)
    there.hold(root, Why.ARTIFACTS)
    assert told == [here.tree(root)]
    assert there.entries(root) == here.entries(root)
    for one in there.entries(root):
        if one.is_file:
            assert b"".join(there.stream(one)) == b"".join(here.stream(one))


def test_a_stream_that_is_something_else_gives_nothing_wrong(here: Contents, there: Contents, tmp_path: Path) -> None:
    root = put(here, b"small", b"other", bytes(range(256)) * 8192)
    stream = b"".join(bundle.parts_of(here, root))
    spoilt = [stream[:cut] for cut in range(0, len(stream), max(1, len(stream) // 20))]
    spoilt += [stream[:at] + bytes([stream[at] ^ 255]) + stream[at + 1 :] for at in range(0, len(stream) - 1, 97)]
    spoilt += [stream + b"x", b"".join(bundle.parts_of(here, put(here, b"another")))]
    for one in spoilt:
        with pytest.raises(Damaged, match=r"is something else|is not packed|cannot be unpacked"):
            take(there, root, [one], tmp_path)
    known = set(here.sizes())
    assert set(there.sizes()) <= known, "whatever was taken proved itself"


def test_what_lacks_a_content_is_no_stream(here: Contents) -> None:
    root = put(here, b"small", bytes(range(256)) * 8192)
    (large,) = (one.digest for one in here.entries(root) if one.size > SMALL)
    here.large.remove(large.hex())
    with pytest.raises(NotFound):
        list(bundle.parts_of(here, root))


def test_room_is_looked_for_before_the_contents_come(here: Contents, there: Contents, tmp_path: Path) -> None:
    root = put(here, *FILES)

    def refuse(_: Tree) -> None:
        raise StorageError("no room")

    with pytest.raises(StorageError, match="no room"):
        bundle.take(there, root, bundle.parts_of(here, root), tmp_path / "scratch", refuse)
    assert list(there.sizes()) == [root]


def test_marks_know_what_was_added() -> None:
    marks, digests = Marks(), [hashlib.sha256(bytes([place])).hexdigest() for place in range(200)]
    for one in (*digests[:100], "../etc", ""):
        marks.add(one)
    assert [marks.has(one) for one in digests] == [True] * 100 + [False] * 100


# -- filled behind the history


class Larder:
    """An agent's history with builds that ended, and a space beside it."""

    def __init__(self, one: Citizen, folder: Path) -> None:
        """Begin with nothing in either."""
        self.one, self.agent, self.folder = one, one.agent, folder
        self.leads = True
        self.opened = 0
        self.shelf = Shelf(self._open, self.agent.paths, self.agent.blobs, self.agent.trees.contents)
        self.filler = Filler(
            self.shelf, "directory:x", folder / "mark.json", self.agent.history, self._ledger, lambda: self.leads
        )
        self.clearer = Clearer(self.shelf, self.agent.history, self._ledger, lambda: self.leads)

    def _ledger(self) -> Any:  # noqa: ANN401 - a ledger
        return self.agent.replica.ledger

    def _open(self) -> Directory:
        self.opened += 1
        return Directory(self.folder / "share", NETWORK)

    def ended(self, serial: int, log: bytes = b"", root: str = "", **fields: Any) -> Attempt:  # noqa: ANN401 - of a build
        """Let the history have a build that left these; return its attempt."""
        digest = hashlib.sha256(log).hexdigest() if log else ""
        now = time.time_ns() // 1_000_000
        given = {"state": BuildState.SUCCEEDED, "attempt": 1, "created": now, "finished": now, **fields}
        one = build(serial, log_bytes=len(log) or len(root), **given)
        tried = attempt(one, state=BuildState.SUCCEEDED, log=digest, log_bytes=len(log), artifacts=root)
        self.insert(builds=[one], attempts=[tried], specs=[spec()])
        return tried

    def insert(self, **records: Any) -> None:  # noqa: ANN401 - as batch takes them
        store = self.agent.history.store
        while not store.write(batch(store.applied() + 1, **records)):
            pass
        counters = self.agent.replica.ledger.counters
        counters.serial = max([counters.serial, *(one.serial for one in records.get("builds", ()))])

    @property
    def serial(self) -> int:
        """Return up to which build the space was filled; 0: it was not."""
        return self.filler.mark.serial if self.filler.mark is not None else 0

    def there(self) -> set[str]:
        """Return the names of what the space holds."""
        return {one.name for one in Directory(self.folder / "share", NETWORK).names()}


@pytest.fixture
async def larder(town: Town, tmp_path: Path) -> AsyncIterator[Larder]:
    (tmp_path / "share").mkdir()
    found = Larder(await town.found(), tmp_path)
    yield found
    await asyncio.to_thread(found.shelf.close)


def name(log: bytes) -> str:
    return f"log/{hashlib.sha256(log).hexdigest()}"


async def test_what_ended_is_put_once_from_wherever_it_is_here(larder: Larder) -> None:
    blobs, paths = larder.agent.blobs, larder.agent.paths
    blobs.put_many([b"kept", b"shared"])
    larder.ended(1, b"kept")
    mine = larder.ended(2, b"written here")
    paths.log(mine.key).parent.mkdir(exist_ok=True)
    paths.log(mine.key).write_bytes(b"written here")
    root = put(larder.agent.trees.contents, *FILES).hex()
    larder.ended(3, b"shared", root)
    larder.ended(4)
    larder.ended(5, b"shared")
    await larder.filler.look()
    assert larder.there() == {name(b"kept"), name(b"written here"), name(b"shared"), f"tree/{root}"}
    assert larder.serial == 5
    with patch.object(Shelf, "put_log", side_effect=AssertionError("it is there already")):
        (larder.folder / "mark.json").unlink()
        await larder.filler.look()
    assert larder.filler.problem == ""
    assert list(paths.incoming("x").parent.iterdir()) == []


async def test_what_an_earlier_attempt_wrote_is_put_also_where_the_last_one_wrote_nothing(larder: Larder) -> None:
    larder.agent.blobs.put_many([b"first"])
    larder.ended(1, attempt=2)
    first = attempt(build(1), 1, state=BuildState.LOST, log=name(b"first").partition("/")[2], log_bytes=5)
    larder.insert(attempts=[first])
    await larder.filler.look()
    assert larder.there() == {name(b"first")}


async def test_it_goes_on_behind_a_build_that_lives_when_that_has_ended(larder: Larder) -> None:
    larder.agent.blobs.put_many([b"one", b"two", b"three"])
    larder.ended(1, b"one")
    larder.insert(builds=[build(2, state=BuildState.RUNNING)])
    larder.ended(3, b"three")
    await larder.filler.look()
    assert larder.there() == {name(b"one"), name(b"three")}
    assert larder.serial == 1
    larder.ended(2, b"two")
    await larder.filler.look()
    assert larder.there() == {name(b"one"), name(b"two"), name(b"three")}
    assert larder.serial == 3


async def test_only_the_master_fills_and_others_see_whether_the_space_is_there(larder: Larder) -> None:
    larder.agent.blobs.put_many([b"one"])
    larder.ended(1, b"one")
    larder.leads = False
    await larder.filler.look()
    assert (larder.there(), larder.filler.problem) == (set(), "")
    (larder.folder / "share").rename(larder.folder / "away")
    await larder.filler.look()
    assert "mount what belongs there" in larder.filler.problem


async def test_while_it_is_away_builds_gather_nowhere_and_are_put_when_it_is_back(
    larder: Larder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "LEFT_ALONE_S", 0.0)
    (larder.folder / "share").rename(larder.folder / "away")
    logs = [b"log %d" % serial for serial in range(1, 251)]
    digests = larder.agent.blobs.put_many(logs)
    builds = [build(place, state=BuildState.SUCCEEDED, attempt=1, log_bytes=5) for place in range(1, 251)]
    tries = [
        attempt(one, state=BuildState.SUCCEEDED, log=digest, log_bytes=5)
        for one, digest in zip(builds, digests, strict=True)
    ]
    larder.insert(builds=builds, attempts=tries, specs=[spec()])
    await larder.filler.look()
    assert "there is no directory" in larder.filler.problem
    assert larder.serial == 0
    (larder.folder / "away").rename(larder.folder / "share")
    await larder.filler.look()
    assert larder.filler.problem == ""
    assert larder.there() == {name(one) for one in logs}
    assert larder.serial == 250


async def test_a_space_that_failed_to_open_is_left_alone_for_a_moment(larder: Larder) -> None:
    (larder.folder / "share").rmdir()
    for _ in range(5):
        assert not await larder.shelf.fetch_log("a" * 64)
    assert larder.opened == 1


async def test_what_this_machine_has_not_yet_got_is_waited_for_but_not_for_ever(larder: Larder) -> None:
    larder.ended(1, b"on its way")
    larder.ended(2, b"later")
    await larder.filler.look()
    assert larder.serial == 0
    larder.agent.blobs.put(b"on its way")
    long_ago = int((time.time() - filling.PATIENCE_S - 60) * 1000)
    larder.ended(2, b"later", finished=long_ago)
    await larder.filler.look()
    assert (larder.there(), larder.serial) == ({name(b"on its way")}, 2)


async def test_a_history_that_was_brought_back_from_before_is_followed_from_its_beginning(larder: Larder) -> None:
    larder.agent.blobs.put(b"one")
    (larder.folder / "mark.json").write_text('{"url":"directory:x","serial":900}')
    larder.ended(1, b"one")
    await larder.filler.look()
    assert (larder.there(), larder.serial) == ({name(b"one")}, 1)


async def test_a_mark_of_another_space_says_nothing_of_this_one(larder: Larder) -> None:
    (larder.folder / "mark.json").write_text('{"url":"directory:y","serial":9}')
    assert larder.filler.mark is None
    (larder.folder / "mark.json").write_text("{")
    assert larder.filler.mark is None


async def test_an_agent_that_had_the_space_once_misses_what_was_in_it(larder: Larder) -> None:
    assert larder.filler.mark is None
    larder.leads = False
    await larder.filler.look()
    assert larder.filler.mark == filling.Mark("directory:x", 0)


async def test_a_space_that_never_answers_is_told_of(larder: Larder) -> None:
    stuck = threading.Event()
    with patch.object(Directory, "lacking", lambda *_: stuck.wait(60)), patch.object(shelf, "ANSWER_S", 0.05):
        await larder.filler.look()
        assert "did not answer for 0.05 s" in larder.filler.problem
        stuck.set()
    await larder.filler.look()
    assert larder.filler.problem == ""


# -- and cleared


async def test_what_belongs_to_forgotten_builds_is_removed_and_what_is_young_stays(
    larder: Larder, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = [b"one", b"two", b"shared"]
    larder.agent.blobs.put_many(logs)
    roots = [put(larder.agent.trees.contents, text).hex() for text in (b"x", b"y")]
    for serial, (log, root) in enumerate([(b"one", roots[0]), (b"two", roots[1]), (b"shared", ""), (b"shared", "")], 1):
        larder.ended(serial, log, root)
    await larder.filler.look()
    larder.agent.history.store.remove("builds", [build(serial).id for serial in (1, 3)])
    assert await larder.clearer.forget() == 0
    assert len(larder.there()) == 5, "all of it was put just now"
    monkeypatch.setattr(clearing, "SETTLED_S", -60.0)
    larder.leads = False
    assert await larder.clearer.forget() == 0
    larder.leads = True
    assert await larder.clearer.forget() == 2
    assert larder.there() == {name(b"two"), name(b"shared"), f"tree/{roots[1]}"}
    with patch.object(Shelf, "remove_unless", side_effect=AssertionError("nothing went since")):
        assert await larder.clearer.forget() == 0
    larder.agent.history.store.remove("builds", [build(4).id])
    assert await larder.clearer.forget() == 1


# -- and comes from there at last


async def test_what_no_agent_has_any_more_comes_from_the_space_and_is_kept_again(town: Town, tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    one = await town.found(worker=True, blobs=f"directory://{tmp_path / 'share'}")
    command = "echo hello; mkdir out; echo made > out/file; head -c 3000000 /dev/zero > out/large"
    made = await one.submit("sh", "-c", command, artifacts=["out/**"])
    assert (await one.ask("builds.wait", id=made, timeout=60))["build"]["state"] == "succeeded"
    assert await one.agent.history.reached(one.agent.replica.ledger.index)
    await one.agent.space._filler.look()
    await lose(one, made)
    assert (await one.ask("builds.log", id=made))["data"] == "hello\n"
    found = await one.ask("artifacts.get", id=made, path="out/file")
    assert base64.b64decode(found["data"]) == b"made\n"
    large = await one.ask("artifacts.get", id=made, path="out/large", offset=2_999_999)
    assert large["size"] == 3_000_000
    found = await one.ask("builds.log", id=made, offset=-3)
    assert (found["data"], found["complete"]) == ("lo\n", True)
    root = (await one.ask("artifacts.list", id=made))["tree"]
    await lose(one, made)
    for path in (tmp_path / "share").rglob("*/??/*"):
        path.write_bytes(b"something else")
    with pytest.raises(NotFound):
        await one.ask("builds.log", id=made)
    with pytest.raises(NotFound):
        await one.agent.keeper.fetch(root, patience_s=0.0)


async def lose(one: Citizen, made: str) -> None:
    """Let a machine lose what a build left there."""
    agent = one.agent
    await until(lambda: agent.worker is None or not agent.worker.holds(f"{made}.1"), "the attempt is settled")
    agent.paths.log(f"{made}.1").unlink(missing_ok=True)
    for digest, _ in list(agent.blobs.sizes()):
        agent.blobs.remove(digest)
    contents = agent.trees.contents
    for held in contents.held():
        contents.release(held.root, held.why, held.name)
    forgetting.sweep(contents)
    assert contents.sizes() == {}


async def test_builds_go_on_and_the_status_says_so_while_the_space_cannot_be_used(town: Town, tmp_path: Path) -> None:
    one = await town.found(worker=True, blobs=f"directory://{tmp_path / 'missing'}")
    made = await one.submit("echo", "hello")
    assert (await one.ask("builds.wait", id=made, timeout=60))["build"]["state"] == "succeeded"
    await until(lambda: one.agent.space.problem, "it was looked for")
    (notice,) = (await one.ask("network.status"))["notices"]
    assert notice.startswith("the blob space does not get what builds leave: the blob space directory://")
    assert "make it, or mount what belongs there" in notice


async def test_where_no_space_is_named_there_is_none(town: Town) -> None:
    one = await town.found()
    space = one.agent.space
    assert (space.problem, await space.forget(), await space.fetch_log("a" * 64)) == ("", 0, False)
