"""What every blob space must do, over a directory and over real MongoDB; and what is special to each."""

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from job_orchestra.core.errors import InvalidInput, NotFound, StorageError
from job_orchestra.store.space import directory, opening
from job_orchestra.store.space.contract import PART, BlobSpace, Kept
from tests.kit.databases import Server

NETWORK, OTHER = "1" * 16, "1" * 15 + "2"
KINDS = ("directory", "mongodb", "mongodb-alone")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, database: Callable[[str], Server]) -> Callable[[str], str]:
    """Return a function that makes a new place for spaces of a kind, and returns its URL."""
    folder, numbers = tmp_path_factory.mktemp("spaces"), count()

    def new(kind: str) -> str:
        if kind != "directory":
            return database(kind).new()
        (folder / str(number := next(numbers))).mkdir()
        return f"directory://{folder / str(number)}"

    return new


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, place: Callable[[str], str]) -> str:
    return place(request.param)


@pytest.fixture
def space(url: str) -> Iterator[BlobSpace]:
    with closing(opening.open_space(url, NETWORK)) as found:
        yield found


def name_of(content: bytes, kind: str = "log") -> str:
    return f"{kind}/{sha256(content).hexdigest()}"


def put(space: BlobSpace, content: bytes, kind: str = "log") -> str:
    space.put(name := name_of(content, kind), iter([content[:3], content[3:]]))
    return name


def content_of(space: BlobSpace, name: str) -> bytes:
    return b"".join(space.get(name))


def test_what_is_put_is_given_back_whatever_its_size(space: BlobSpace) -> None:
    for content in (b"", b"a line\n", secrets.token_bytes(3 * PART + 5)):
        name = name_of(content)
        space.put(name, (content[at : at + PART] for at in range(0, len(content), PART)))
        parts = list(space.get(name))
        assert b"".join(parts) == content
        assert all(0 < len(part) <= PART for part in parts)


def test_what_is_lacking_is_said_in_order(space: BlobSpace) -> None:
    names = [name_of(bytes([place])) for place in range(5)]
    assert space.lacking(names) == names
    put(space, bytes([3]))
    assert space.lacking(names) == names[:3] + names[4:]
    assert space.lacking(()) == []


def test_what_is_not_held_is_not_found(space: BlobSpace) -> None:
    with pytest.raises(NotFound):
        content_of(space, name_of(b"nothing"))
    space.remove([name_of(b"nothing")])


def test_to_put_the_same_again_is_no_error(space: BlobSpace) -> None:
    name = put(space, b"again")
    assert put(space, b"again") == name
    assert content_of(space, name) == b"again"
    assert [one.name for one in space.names()] == [name]


def test_names_tell_what_is_held_since_when_and_those_alike_come_together(space: BlobSpace) -> None:
    before = time.time() * 1000 - 60_000
    sizes = {put(space, bytes(place), kind): place for place in range(1, 9) for kind in ("log", "tree")}
    found = list(space.names())
    assert {one.name: one.size for one in found} == sizes
    assert all(before < one.at < before + 180_000 for one in found)
    begins = [one.name.partition("/")[0] + one.name.partition("/")[2][:2] for one in found]
    assert len({*begins}) == sum(one != two for one, two in zip(begins, [*begins[1:], ""], strict=True))


def test_what_is_removed_is_gone_while_others_stay(space: BlobSpace) -> None:
    names = [put(space, bytes([place])) for place in range(4)]
    space.remove([names[0], names[2], name_of(b"never there")])
    assert space.lacking(names) == [names[0], names[2]]
    assert sorted(one.name for one in space.names()) == sorted((names[1], names[3]))


def test_what_breaks_off_leaves_nothing(space: BlobSpace, url: str) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * (2 * PART)
        raise NotFound("the rest is lost")

    with pytest.raises(NotFound, match="the rest is lost"):
        space.put(name_of(b"half"), broken())
    assert space.lacking([name_of(b"half")]) == [name_of(b"half")]
    assert list(space.names()) == []
    assert remains(url) == 0


def remains(url: str) -> int:
    """Count what lies in a place beside whole contents."""
    if url.startswith("directory:"):
        return len(list((Path(url.removeprefix("directory://")) / NETWORK / "new").iterdir()))
    import pymongo

    with pymongo.MongoClient[dict[str, Any]](url) as client:
        found = client.get_default_database()
        known = found["blobs.files"].distinct("_id")
        lone = found["blobs.chunks"].count_documents({"files_id": {"$nin": known}})
        return lone + found["blobs.uploads"].count_documents({})


def test_several_put_the_same_at_the_same_time(space: BlobSpace, url: str) -> None:
    content = secrets.token_bytes(PART)
    start, done = threading.Barrier(4), list[str]()

    def work() -> None:
        with closing(opening.open_space(url, NETWORK)) as mine:
            start.wait(10)
            done.append(put(mine, content))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(done) == 4
    assert content_of(space, done[0]) == content
    assert remains(url) == 0
    space.remove(done[:1])
    assert list(space.names()) == []


def test_another_network_in_the_same_place_sees_nothing_and_removes_nothing(space: BlobSpace, url: str) -> None:
    name = put(space, b"ours")
    with closing(opening.open_space(url, OTHER)) as other:
        assert other.lacking([name]) == [name]
        assert list(other.names()) == []
        other.remove([name])
    assert content_of(space, name) == b"ours"


@pytest.mark.parametrize("name", ["log/../../etc/passwd", "log/" + "A" * 64, "log", "../" + "a" * 64, "log/ab"])
def test_only_digests_are_names(space: BlobSpace, name: str) -> None:
    for call in (
        lambda: space.lacking([name]),
        lambda: space.put(name, [b""]),
        lambda: content_of(space, name),
        lambda: space.remove([name]),
    ):
        with pytest.raises(InvalidInput, match="names no content"):
            call()


def test_a_space_is_shown_without_its_password(space: BlobSpace) -> None:
    assert "s%E2" not in space.url
    assert space.url.partition(":")[0] in {"directory", "mongodb"}


# -- a directory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_directory_is_never_made_and_what_was_in_it_is_missed(folder: Path) -> None:
    with pytest.raises(StorageError, match=r"there is no directory .*; make it, or mount what belongs there"):
        directory.Directory(folder / "share", NETWORK)
    with pytest.raises(StorageError, match="is gone; mount what belongs there"):
        directory.Directory(folder, NETWORK, begun=True)
    found = directory.Directory(folder, NETWORK)
    name = put(found, b"once")
    directory.Directory(folder, NETWORK, begun=True)
    away = folder.rename(folder.with_name("away"))
    folder.mkdir()
    for call in (lambda: found.lacking([name]), lambda: put(found, b"more"), lambda: list(found.names())):
        with pytest.raises(StorageError, match="mount what belongs there"):
            call()
    assert list(folder.iterdir()) == []
    folder.rmdir()
    away.rename(folder)
    assert content_of(found, name) == b"once"


def test_what_a_crash_left_half_put_is_swept_after_a_day(folder: Path) -> None:
    directory.Directory(folder, NETWORK)
    old, young = (folder / NETWORK / "new" / one for one in ("old", "young"))
    for one in (old, young):
        one.write_bytes(b"half")
    then = time.time() - directory.NEW_KEPT_S - 60
    os.utime(old, (then, then))
    directory.Directory(folder, NETWORK)
    assert (old.exists(), young.exists()) == (False, True)


def test_only_the_agents_user_may_look_into_it(folder: Path) -> None:
    found = directory.Directory(folder, NETWORK)
    put(found, b"mine")
    assert {one.stat().st_mode & 0o077 for one in (folder / NETWORK).rglob("*")} == {0}


# -- MongoDB


def test_of_what_a_crash_left_in_mongodb_the_chunks_go_after_a_day(place: Callable[[str], str]) -> None:
    import pymongo
    from bson import ObjectId

    url = place("mongodb")
    with closing(opening.open_space(url, NETWORK)) as found:
        name = put(found, b"whole")
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        there = client.get_default_database()
        whole = there["blobs.files"].distinct("_id")[0]
        dead, alive = ObjectId(), ObjectId()
        for one in (dead, alive):
            there["blobs.chunks"].insert_one({"files_id": one, "n": 0, "data": b"half"})
        long_ago = datetime.now(UTC) - timedelta(days=2)
        there["blobs.uploads"].insert_many([{"_id": dead, "at": long_ago}, {"_id": whole, "at": long_ago}])
        there["blobs.uploads"].insert_one({"_id": alive, "at": datetime.now(UTC)})
        with closing(opening.open_space(url, NETWORK)) as found:
            assert content_of(found, name) == b"whole"
            assert list(found.names()) == [Kept(name, 5, next(iter(found.names())).at)]
        assert there["blobs.chunks"].distinct("files_id") == sorted([whole, alive])
        assert there["blobs.uploads"].distinct("_id") == [alive]


def test_a_wrong_password_and_a_missing_right_are_told(place: Callable[[str], str]) -> None:
    url = place("mongodb-alone")
    user, at, rest = url.partition("@")
    with pytest.raises(StorageError, match=r"cannot open the blob space .*check user, password and authSource"):
        opening.open_space(f"{user}wrong{at}{rest}", NETWORK)


def test_a_server_that_does_not_answer_is_told() -> None:
    with pytest.raises(StorageError, match=r"cannot open the blob space mongodb://127.0.0.1:1/x.*can be reached"):
        opening.open_space("mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=50", NETWORK)


# -- URLs


@pytest.mark.parametrize("url", ["", "voters", "directory:///mnt/x", "directory:/mnt/x", "mongodb://h/d"])
def test_a_good_url_is_good(url: str) -> None:
    opening.check(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("/mnt/x", "voters, directory:///PATH, mongodb://"),
        ("directry:///mnt/x", "did you mean directory?"),
        ("voter", "did you mean voters?"),
        ("directory:mnt/x", "write directory:/// and the path"),
        ("directory:///", "write directory:/// and the path"),
        ("mongodb://host", "names no database"),
        ("s3://ann:secret@bucket", "names no place"),
    ],
)
def test_a_url_that_names_no_space_is_refused_with_the_remedy(url: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        opening.check(url)
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)
