"""What is forgotten of contents: what was used least recently, as much as it takes, and never what is to stay."""

import io
import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from job_orchestra.agent.blobs import Contents, Held, Why, forgetting
from job_orchestra.agent.blobs.contents import SMALL
from job_orchestra.core.manifest import Digest, Entry, write

FILE = stat.S_IFREG | 0o644


class Shelf:
    """Contents with directories that are used one after the other."""

    def __init__(self, contents: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
        self.contents = contents
        self.now = 1_763_900_000.0
        monkeypatch.setattr("job_orchestra.agent.blobs.contents.time.time", lambda: self.now)

    def put(self, *files: bytes, why: Why = Why.SOURCE) -> Digest:
        """Hold a directory with these files, a hundred seconds after the one before."""
        with self.contents.writer() as writer:
            made = [(b"%d" % place, *writer.put_file(io.BytesIO(one))) for place, one in enumerate(files)]
            root = writer.put_directory(write([Entry(path, FILE, size, digest) for path, digest, size in made]))
        self.now += 100
        self.contents.hold(root, why)
        return root

    def forget(self, most: float, *stay: Digest) -> list[Digest]:
        """Forget; return which directories went."""
        return [one.root for one in forgetting.forget(self.contents, most, lambda one: one.root in stay)]

    def whole(self, root: Digest) -> bool:
        """Whether a directory is there with all its contents."""
        if not self.contents.holds(root):
            return False
        return not self.contents.lacking(one.digest for one in self.contents.entries(root))

    @property
    def total(self) -> int:
        """The bytes that all contents take."""
        return self.contents.total


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    with Contents(tmp_path / "contents") as found:
        yield Shelf(found, monkeypatch)


def noise(number: int, size: int = 100_000) -> bytes:
    return random.Random(number).randbytes(size)


def test_what_was_used_least_recently_goes_until_the_rest_fits(shelf: Shelf) -> None:
    roots = [shelf.put(noise(one)) for one in range(4)]
    shelf.now += 100
    shelf.contents.use(roots[0])
    assert shelf.forget(shelf.total) == []
    most = shelf.total - 150_000
    assert shelf.forget(most) == [roots[2], roots[1]]
    assert [shelf.whole(one) for one in roots] == [True, False, False, True]
    assert shelf.total <= most


def test_what_is_to_stay_stays_however_old_and_large(shelf: Shelf) -> None:
    roots = [shelf.put(noise(one)) for one in range(3)]
    assert shelf.forget(0, roots[0]) == [roots[2], roots[1]]
    assert [shelf.whole(one) for one in roots] == [True, False, False]


def test_one_that_is_too_large_does_not_take_the_others_with_it(shelf: Shelf) -> None:
    old, large, new = shelf.put(noise(1)), shelf.put(noise(2, 5 * SMALL)), shelf.put(noise(3))
    assert shelf.forget(shelf.total - 150_000) == [large]
    assert shelf.whole(old)
    assert shelf.whole(new)


def test_what_directories_share_counts_once_and_stays_with_either(shelf: Shelf) -> None:
    shared = noise(1, 2 * SMALL)
    old = shelf.put(shared, noise(2))
    new = shelf.put(shared, noise(3))
    assert shelf.forget(shelf.total) == []
    assert shelf.forget(shelf.total - 50_000) == [old]
    assert shelf.whole(new)


def test_what_comes_into_use_at_that_moment_stays(shelf: Shelf) -> None:
    used, counted_on, other = shelf.put(noise(1)), shelf.put(noise(2)), shelf.put(noise(3))
    asked: list[Digest] = []

    def keep(one: Held) -> bool:
        asked.append(one.root)
        if one.root == other and asked.count(other) == 2:  # it was let go, and is about to be forgotten
            shelf.contents.use(used)
        return one.root == counted_on and asked.count(counted_on) == 2

    gone = forgetting.forget(shelf.contents, 0, keep)
    assert [one.root for one in gone] == [other]
    assert shelf.whole(used)
    assert shelf.whole(counted_on)


def test_what_is_damaged_goes_whoever_wants_it(shelf: Shelf) -> None:
    root, other = shelf.put(noise(1), noise(2, 2 * SMALL)), shelf.put(noise(3))
    for one in shelf.contents.entries(root):
        if one.size > SMALL:
            shelf.contents.large.remove(one.digest.hex())
    assert shelf.forget(1 << 30, root) == [root]
    assert shelf.whole(other)


def test_of_artifacts_that_are_damaged_what_is_left_stays_until_they_are_whole(shelf: Shelf) -> None:
    shared = noise(1)
    root, other = shelf.put(shared, noise(2, 2 * SMALL), why=Why.ARTIFACTS), shelf.put(shared, noise(3))
    (lost,) = [one.digest for one in shelf.contents.entries(root) if one.size > SMALL]
    shelf.contents.large.remove(lost.hex())
    assert shelf.contents.holds(root), "nobody has looked yet"
    assert shelf.forget(0, root) == [other]
    assert not shelf.contents.holds(root), "so it is brought anew wherever it is wanted"
    assert not shelf.contents.use(root)
    assert shelf.contents.torn(root)
    assert shelf.contents.lacking(one.digest for one in shelf.contents.entries(root)) == [lost]
    assert shelf.put(shared, noise(2, 2 * SMALL), why=Why.ARTIFACTS) == root
    assert not shelf.contents.torn(root)
    assert shelf.whole(root)
    shelf.contents.large.remove(lost.hex())
    assert shelf.forget(0, root) == []
    shelf.contents.release(root, Why.ARTIFACTS)
    assert shelf.forget(0) == []
    assert not shelf.contents.torn(root), "nothing is left of it"


def test_artifacts_of_which_nobody_can_say_what_they_were_go(shelf: Shelf) -> None:
    root = shelf.put(noise(1), why=Why.ARTIFACTS)
    with shelf.contents.transaction() as db:
        db.execute("DELETE FROM content WHERE digest = ?", (root,))
    assert shelf.forget(1 << 30, root) == [root]


def test_a_file_with_the_bytes_of_a_list_hides_nothing(shelf: Shelf) -> None:
    files = [noise(one) for one in range(3)]
    listed = write([Entry(b"%d" % place, FILE, len(one), b"x" * 32) for place, one in enumerate(files)])
    old = shelf.put(*files)
    lists = [shelf.contents.read(one) for one in (old, *shelf.contents.tree(old).digests())]
    assert len(lists) == len(listed.contents)
    shelf.put(*lists)
    assert shelf.forget(1 << 30) == []
    assert shelf.whole(old)


def test_the_disk_gets_its_space_back(shelf: Shelf) -> None:
    file = shelf.contents.folder / "small.db"
    shelf.put(*[noise(one) for one in range(40)])
    taken = shelf.contents.total
    shelf.forget(0)
    assert taken > 2_000_000
    assert shelf.contents.total < taken / 10
    assert file.stat().st_size < taken / 10
