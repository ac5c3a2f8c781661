"""Contents by their digest: put, read by ranges, taken from others if they prove themselves, forgotten in order."""

import hashlib
import os
import random
from pathlib import Path

import pytest

from job_orchestra.agent.blobs import Blobs, Check
from job_orchestra.agent.blobs.seekable import FRAME
from job_orchestra.core.errors import Damaged, InvalidInput, LimitReached, NotFound, StorageError

CONTENTS = {
    "nothing": b"",
    "one byte": b"x",
    "text": b"a line of text\n" * 5_000,
    "a frame": bytes(range(256)) * (FRAME // 256),
    "a frame and a byte": bytes(range(256)) * (FRAME // 256) + b"!",
    "noise over three frames": random.Random(1).randbytes(2 * FRAME + 12_345),
}


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", CONTENTS)
def test_what_is_put_is_read_in_any_range(blobs: Blobs, name: str) -> None:
    content = CONTENTS[name]
    found = blobs.put(content)
    assert found == digest(content)
    assert blobs.has(found)
    assert blobs.size(found) == len(content)
    assert b"".join(blobs.stream(found)) == content
    chance = random.Random(2)
    for _ in range(20):
        offset, limit = chance.randrange(len(content) + 2), chance.randrange(1, FRAME * 2)
        assert blobs.read(found, offset, limit) == content[offset : offset + limit]


def test_a_file_is_put_like_its_content(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENTS["noise over three frames"])
    assert blobs.put_file(tmp_path / "file") == digest(CONTENTS["noise over three frames"])
    assert blobs.put_file(tmp_path / "file") == blobs.put(CONTENTS["noise over three frames"])
    assert len(list(blobs.sizes())) == 1


def test_many_are_put_at_once_and_survive_a_restart(tmp_path: Path) -> None:
    contents = [b"%d" % one for one in range(100)]
    put = Blobs(tmp_path / "blobs").put_many([*contents, *contents])
    again = Blobs(tmp_path / "blobs")
    assert [again.read(one, 0, 100) for one in put] == [*contents, *contents]


def test_what_is_not_there_is_told(blobs: Blobs) -> None:
    missing = digest(b"never put")
    assert not blobs.has(missing)
    for read in (lambda: blobs.size(missing), lambda: blobs.read(missing, 0, 1), lambda: list(blobs.stream(missing))):
        with pytest.raises(NotFound, match=missing[:12]):
            read()


@pytest.mark.parametrize("name", ["", "../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "\0" * 64])
def test_a_name_that_is_no_digest_is_refused(blobs: Blobs, name: str) -> None:
    with pytest.raises(InvalidInput):
        blobs.has(name)


def at_rest(blobs: Blobs, content: bytes) -> bytes:
    """Return a blob's file, and forget the blob."""
    found = blobs.put(content)
    data = blobs.file(found).read_bytes()
    blobs.remove(found)
    assert not blobs.has(found)
    return data


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_from_elsewhere_is_taken_if_it_is_right(blobs: Blobs, tmp_path: Path, name: str) -> None:
    content = CONTENTS[name]
    (tmp_path / "fetched").write_bytes(at_rest(blobs, content))
    blobs.adopt(tmp_path / "fetched", digest(content))
    assert b"".join(blobs.stream(digest(content))) == content


def test_a_file_from_elsewhere_with_any_byte_altered_is_refused(blobs: Blobs, tmp_path: Path) -> None:
    content = b"short, so that every byte can be tried\n" * 4
    good = at_rest(blobs, content)
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 0x41
        (tmp_path / "fetched").write_bytes(bad)
        with pytest.raises(Damaged):
            blobs.adopt(tmp_path / "fetched", digest(content))
        assert not blobs.has(digest(content))


@pytest.mark.parametrize("what", ["cut off", "longer", "another content", "a bomb", "empty"])
def test_a_wrong_file_from_elsewhere_is_refused(blobs: Blobs, tmp_path: Path, what: str) -> None:
    content = CONTENTS["noise over three frames"]
    good = at_rest(blobs, content)
    files = {
        "cut off": good[:-100],
        "longer": good + b"!",
        "another content": at_rest(blobs, b"another"),
        "a bomb": at_rest(blobs, bytes(64 << 20)),
        "empty": b"",
    }
    (tmp_path / "fetched").write_bytes(files[what])
    with pytest.raises(Damaged):
        blobs.adopt(tmp_path / "fetched", digest(content))
    assert list(blobs.sizes()) == []


def test_a_growing_file_is_refused_as_soon_as_more_comes_than_was_promised(blobs: Blobs, tmp_path: Path) -> None:
    content = bytes(8 * FRAME)
    (tmp_path / "fetched").write_bytes(at_rest(blobs, content))
    check = Check(tmp_path / "fetched", digest(content), size=FRAME)
    with pytest.raises(Damaged, match="promised"):
        check.finish()
    check.close()


def test_damage_on_the_disk_is_told_and_never_read(blobs: Blobs) -> None:
    found = blobs.put(CONTENTS["text"])
    path = blobs.file(found)
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    with pytest.raises(Damaged, match="remove it"):
        blobs.read(found, 0, 10)


def test_the_quota_holds_and_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    chance = random.Random(3)
    blobs = Blobs(tmp_path / "blobs", quota=100_000)
    put = [blobs.put(chance.randbytes(20_000)) for _ in range(4)]
    with pytest.raises(LimitReached, match="quota"):
        blobs.put(chance.randbytes(30_000))
    for age, one in enumerate(put):
        os.utime(blobs.file(one), (1_000_000 - age, 1_000_000 - age))
    assert blobs.shortfall(30_000) > 0
    gone = blobs.evict(blobs.shortfall(30_000), keep=lambda one: one == put[3])
    assert gone == [put[2]]
    blobs.put(chance.randbytes(30_000))


def test_a_folder_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir(mode=0o755)
    with pytest.raises(StorageError, match="chmod 700"):
        Blobs(tmp_path / "blobs")
