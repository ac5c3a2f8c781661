"""Contents of directories: put by several processes, held for a reason, forgotten when nothing needs them."""

import io
import sqlite3
import stat
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard

from job_orchestra.agent.blobs import Contents, Why, forgetting
from job_orchestra.agent.blobs.contents import SMALL, content_of
from job_orchestra.core.errors import Conflict, Damaged, NewerSchema, NotFound, StorageError
from job_orchestra.core.manifest import Digest, Entry, write

FILE = stat.S_IFREG | 0o644


@pytest.fixture
def contents(tmp_path: Path) -> Iterator[Contents]:
    with Contents(tmp_path / "contents") as found:
        yield found


def put(contents: Contents, files: dict[bytes, bytes]) -> tuple[Digest, list[Entry]]:
    """Put a directory; return what stands for it, and what is in it."""
    with contents.writer() as writer:
        entries = []
        for path, content in sorted(files.items()):
            digest, size = writer.put_file(io.BytesIO(content))
            entries.append(Entry(path, FILE, size, digest))
        return writer.put_directory(write(entries)), entries


SIZES = [0, 1, 4096, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL + 7]


@pytest.mark.parametrize("size", SIZES)
def test_contents_of_any_size_are_read_as_they_were_put(contents: Contents, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    _, (entry,) = put(contents, {b"file": content})
    assert (entry.digest, entry.size) == (sha256(content).digest(), size)
    assert b"".join(contents.stream(entry)) == content
    assert contents.lacking([entry.digest]) == []


def test_a_directory_is_there_for_others_once_it_is_held(tmp_path: Path, contents: Contents) -> None:
    root, entries = put(contents, {b"%d" % one: b"%d" % (one % 7) for one in range(500)})
    assert not contents.holds(root)
    contents.hold(root, Why.SOURCE)
    with Contents(tmp_path / "contents") as other:
        assert other.holds(root)
        assert sorted(other.entries(root), key=lambda one: one.path) == sorted(entries, key=lambda one: one.path)
        assert [(one.root, one.name, one.size) for one in other.held(Why.SOURCE)] == [(root, "", 500)]
    assert contents.held(Why.CACHE) == []


def test_what_is_lacking_is_told_in_order_and_once(contents: Contents) -> None:
    _, (entry,) = put(contents, {b"a": b"here"})
    one, two = sha256(b"1").digest(), sha256(b"2").digest()
    assert contents.lacking([two, entry.digest, one, two]) == [two, one]
    with pytest.raises(NotFound):
        contents.read(one)


def test_contents_that_nothing_needs_are_forgotten_and_all_others_stay(contents: Contents) -> None:
    large, shared = b"L" * (2 * SMALL), b"S" * (SMALL + 5)
    old, old_entries = put(contents, {b"a": b"only old", b"b": b"both", b"c": large, b"d": shared})
    new, new_entries = put(contents, {b"b": b"both", b"d": shared})
    for root in (old, new):
        contents.hold(root, Why.SOURCE)
    forgetting.sweep(contents)
    assert contents.lacking(one.digest for one in old_entries) == []
    contents.release(old, Why.SOURCE)
    forgetting.sweep(contents)
    assert not contents.holds(old)
    assert contents.lacking(one.digest for one in old_entries) == [sha256(b"only old").digest(), sha256(large).digest()]
    assert contents.entries(new) == new_entries
    assert contents.lacking(one.digest for one in new_entries) == []


def test_a_directory_held_for_two_reasons_stays_for_the_second(contents: Contents) -> None:
    root, _ = put(contents, {b"a": b"x"})
    contents.hold(root, Why.SOURCE)
    contents.hold(root, Why.CACHE, "key")
    contents.release(root, Why.SOURCE)
    forgetting.sweep(contents)
    assert contents.holds(root)


def test_nothing_is_forgotten_while_somebody_puts_a_directory_together(tmp_path: Path, contents: Contents) -> None:
    with Contents(tmp_path / "contents") as other, other.staying():
        _, (entry,) = put(other, {b"a": b"not held yet"})
        with pytest.raises(Conflict, match="just being put together"):
            forgetting.sweep(contents)
        assert contents.lacking([entry.digest]) == []
    forgetting.sweep(contents)
    assert contents.lacking([entry.digest]) == [entry.digest]


def test_who_opens_the_contents_disturbs_nobody_who_puts_some(tmp_path: Path, contents: Contents) -> None:
    parts = [b"x" * SMALL + b"y", b"z"]

    def frames() -> Iterator[bytes]:
        yield parts[0]
        with Contents(tmp_path / "contents"):
            yield parts[1]

    digest = contents.large.put_frames(frames())
    assert contents.large.read(digest, len(parts[0]), 1) == b"z"


def test_whether_a_directory_is_here_is_known_while_somebody_writes(contents: Contents) -> None:
    root, _ = put(contents, {b"a": b"x"})
    contents.hold(root, Why.SOURCE)
    found: list[bool] = []
    asking = threading.Thread(target=lambda: found.append(contents.holds(root)), daemon=True)
    with contents.transaction() as db:
        db.execute("DELETE FROM held")
        asking.start()
        asking.join(20)
        assert found == [True]


def test_what_is_used_last_is_told_first(contents: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_763_900_000.0
    monkeypatch.setattr("job_orchestra.agent.blobs.contents.time.time", lambda: now)
    roots = [put(contents, {b"a": b"%d" % one})[0] for one in range(3)]
    for root in roots:
        contents.hold(root, Why.CACHE, root.hex())
        now += 100
    assert contents.use(roots[0])
    assert not contents.use(b"\0" * 32)
    assert [one.root for one in contents.held(Why.CACHE)] == [roots[0], roots[2], roots[1]]
    assert [one.root for one in contents.held(Why.CACHE, roots[1].hex())] == [roots[1]]


def test_several_write_at_a_time(tmp_path: Path) -> None:
    def work(number: int) -> None:
        with Contents(tmp_path / "contents") as mine:
            for turn in range(10):
                root, _ = put(mine, {b"%d" % one: b"%d %d" % (number * turn, one) for one in range(30)})
                mine.hold(root, Why.SOURCE)

    threads = [threading.Thread(target=work, args=(one,)) for one in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with Contents(tmp_path / "contents") as contents:
        held = contents.held(Why.SOURCE)
        assert len(held) == len({number * turn for number in range(4) for turn in range(10)})
        assert all(len(contents.entries(one.root)) == 30 for one in held)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"nonsense",
        zstandard.ZstdCompressor().compress(b"other content"),
        zstandard.ZstdCompressor().compress(b"content") + b"more",
        zstandard.ZstdCompressor().compress(bytes(SMALL + 1)),  # a bomb: 60 bytes that say they are more than allowed
        zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 28)),  # a bomb that says nothing
    ],
    ids=["nothing", "nonsense", "another", "more", "too large", "of unknown size"],
)
def test_a_frame_that_is_not_what_it_should_be_is_refused(frame: bytes) -> None:
    with pytest.raises(Damaged):
        content_of(frame, sha256(b"content").digest())


def test_a_file_of_a_newer_version_is_refused_and_no_database_is_told(tmp_path: Path) -> None:
    with Contents(tmp_path / "contents"):
        pass
    with sqlite3.connect(tmp_path / "contents" / "small.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(NewerSchema, match="upgrade"):
        Contents(tmp_path / "contents")
    (tmp_path / "contents" / "small.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="move it away"):
        Contents(tmp_path / "contents")
