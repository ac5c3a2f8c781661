"""Directories as values: equal ones are equal, a change is small, and what may not travel does not."""

import random
import stat
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.errors import InvalidInput, PeerError
from job_orchestra.core.manifest import FILES, Entry, Tree, file_mode, read_all, read_leaf, read_tree, write

FILE = stat.S_IFREG | 0o644


def entry(path: bytes, content: bytes = b"x", mode: int = FILE, mtime: int = 0) -> Entry:
    return Entry(path, mode, len(content), sha256(content).digest(), mtime)


def read(written_contents: tuple[bytes, ...]) -> list[Entry]:
    tree, *leaves = written_contents
    return read_all(read_tree(tree), leaves)


names = st.binary(min_size=1, max_size=8).filter(lambda one: not {0, 47} & set(one) and one not in {b".", b".."})
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)


@given(st.lists(paths, unique=True, max_size=60))
def test_what_is_written_is_read(found: list[bytes]) -> None:
    inside = {one[:at] for one in found for at in range(len(one)) if one[at : at + 1] == b"/"}
    entries = sorted((entry(one) for one in found if one not in inside), key=lambda one: one.path)
    assert read(write(entries[::-1]).contents) == entries


def test_equal_directories_have_equal_digests_in_whatever_order_they_are_listed() -> None:
    entries = [entry(b"%d" % one) for one in range(1000)]
    again = entries[:]
    random.Random(1).shuffle(again)
    assert write(entries).root == write(again).root
    assert write(entries).root == sha256(write(entries).contents[0]).digest()
    assert write(entries).root != write([*entries[1:], entry(b"0", b"y")]).root


def test_a_change_costs_one_leaf_wherever_it_is() -> None:
    entries = [entry(b"src/%05d.c" % one, b"%d" % one) for one in range(10_000)]
    before = set(write(entries).contents)
    for place in (0, 5000, 9999):
        changed = [*entries[:place], entry(entries[place].path, b"new"), *entries[place + 1 :]]
        for after in (write(changed), write(entries[:place] + entries[place + 1 :])):
            new = [one for one in after.contents if one not in before]
            assert len(new) <= 3  # the tree, the leaf, and where that ended with what was removed the next
            assert sum(map(len, new)) < 64 << 10


def test_kinds_and_permissions_travel_and_nothing_that_gives_rights() -> None:
    assert file_mode(stat.S_IFREG | stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX | 0o755) == stat.S_IFREG | 0o755
    assert file_mode(stat.S_IFREG | 0o000) == stat.S_IFREG | 0o400
    entries = [
        Entry(b"empty", stat.S_IFDIR | 0o755),
        Entry(b"link", stat.S_IFLNK | 0o777, 0, b"../anywhere"),
        entry(b"tool", mode=stat.S_IFREG | 0o755, mtime=1_763_900_000_123_456_789),
    ]
    assert read(write(entries).contents) == entries


@pytest.mark.parametrize(
    "path",
    [
        *(b"", b"/etc/passwd", b"..", b"../x", b"a/../b", b"a/..", b".", b"./a", b"a/.", b"a//b", b"a/", b"a\0b"),
        *(b"x" * 256, b"d/" * 2500 + b"d"),
    ],
)
def test_paths_that_lead_out_are_refused(path: bytes) -> None:
    with pytest.raises(PeerError, match="may lead out"):
        read_leaf(msgspec.msgpack.encode([entry(path)]))


@pytest.mark.parametrize(
    "path", [b"...", b"..a", b"a/..b", b".git", b"new\nline", b"\xff\xfe", b"a b", b"-rf", b"x" * 255]
)
def test_strange_names_are_names(path: bytes) -> None:
    assert read_leaf(msgspec.msgpack.encode([entry(path)]))[0].path == path


@pytest.mark.parametrize(
    "wrong",
    [
        Entry(b"a", stat.S_IFCHR | 0o644, 0, b"x" * 32),
        Entry(b"a", stat.S_IFBLK | 0o644, 0, b"x" * 32),
        Entry(b"a", stat.S_IFIFO | 0o644, 0, b"x" * 32),
        Entry(b"a", stat.S_IFSOCK | 0o644, 0, b"x" * 32),
        Entry(b"a", 0o644, 0, b"x" * 32),
        Entry(b"a", FILE | stat.S_ISUID, 0, b"x" * 32),
        Entry(b"a", FILE | stat.S_ISGID, 0, b"x" * 32),
        Entry(b"a", FILE | 1 << 20, 0, b"x" * 32),
        Entry(b"a", FILE, 0, b"x" * 31),
        Entry(b"a", FILE, -1, b"x" * 32),
        Entry(b"a", FILE, 0, b"x" * 32, -1),
        Entry(b"a", stat.S_IFLNK | 0o777, 0, b""),
        Entry(b"a", stat.S_IFLNK | 0o777, 0, b"a\0b"),
        Entry(b"a", stat.S_IFDIR | 0o755, 5),
    ],
)
def test_what_does_not_travel_is_refused(wrong: Entry) -> None:
    with pytest.raises(PeerError, match="does not travel"):
        read_leaf(msgspec.msgpack.encode([wrong]))


def whole(*entries: Entry, count: int | None = None, size: int | None = None) -> list[Entry]:
    head = Tree(
        b"", len(entries) if count is None else count, sum(one.size for one in entries) if size is None else size
    )
    return read_all(head, [msgspec.msgpack.encode(entries)])


def test_a_list_that_is_no_directory_is_refused() -> None:
    assert len(whole(entry(b"a"), entry(b"b"))) == 2
    with pytest.raises(PeerError, match="not in order"):
        whole(entry(b"b"), entry(b"a"))
    with pytest.raises(PeerError, match="not in order"):
        whole(entry(b"a"), entry(b"a"))
    with pytest.raises(PeerError, match="as a file and as a directory"):
        whole(entry(b"a"), entry(b"a.b"), entry(b"a/b"))
    with pytest.raises(PeerError, match="as a file and as a directory"):
        whole(Entry(b"a", stat.S_IFLNK | 0o777, 0, b"/"), entry(b"a/b"))
    with pytest.raises(PeerError, match="what its head says"):
        whole(entry(b"a"), count=2)
    with pytest.raises(PeerError, match="what its head says"):
        whole(entry(b"a"), size=0)
    for nonsense in (
        b"",
        b"\xc0",
        msgspec.msgpack.encode(Tree(b"x" * 33, 1, 1)),
        msgspec.msgpack.encode(Tree(b"", FILES + 1, 0)),
    ):
        with pytest.raises(PeerError):
            read_tree(nonsense)
    with pytest.raises(PeerError):
        read_leaf(b"\xc0")


def test_more_files_than_can_travel_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("job_orchestra.core.manifest.FILES", 2)
    with pytest.raises(InvalidInput, match="smaller directory with -C"):
        write([entry(b"a"), entry(b"b"), entry(b"c")])
