"""What every store must do about copies: those that are files of their own make and take them, the others refuse."""

from pathlib import Path

import pytest

from ...core.errors import StorageError
from ..contract import Store
from .everything import EVERYTHING, content
from .records import attempt, batch, build, job


def test_a_shared_store_is_no_file(store: Store, tmp_path: Path) -> None:
    if not store.shared:
        pytest.skip("it is a file, or none but this process has it")
    for what in (store.backup, store.inspect, store.restore):
        with pytest.raises(StorageError, match="orchestra store export"):
            what(tmp_path / "copy")


def test_a_backup_is_a_new_file(own: Store, tmp_path: Path) -> None:
    store = own
    store.write(EVERYTHING)
    target = tmp_path / "copy"
    store.backup(target)
    assert target.stat().st_size > 100
    store.write(batch(6))
    assert store.applied() == 6


def test_a_backup_never_replaces_a_file(own: Store, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.write_bytes(b"mine")
    with pytest.raises(StorageError) as refused:
        own.backup(target)
    assert str(target) in str(refused.value)
    assert "name a new file" in str(refused.value)
    assert target.read_bytes() == b"mine"


def test_a_backup_that_cannot_be_written(own: Store, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "copy"
    with pytest.raises(StorageError) as refused:
        own.backup(target)
    assert str(refused.value).startswith(f"cannot write the backup {target}: ")
    assert str(refused.value).endswith("; name a new file in a directory with room")
    assert not target.exists()
    assert own.write(EVERYTHING), "the store goes on"


def test_a_copy_says_what_it_holds_and_takes_the_place_of_everything(own: Store, tmp_path: Path) -> None:
    stored = own
    stored.write(EVERYTHING)
    before, copy = content(stored), tmp_path / "copy"
    stored.backup(copy)
    stored.write(batch(8, jobs=[job("later")], attempts=[attempt(build(1))], meta={"later": "1"}))
    assert stored.inspect(copy) == before["live"]
    stored.restore(copy)
    assert content(stored) == before
    assert not copy.exists(), "it is used up"
    assert stored.write(batch(6, jobs=[job("again")]))


def test_another_file_is_no_copy(own: Store, tmp_path: Path) -> None:
    own.write(EVERYTHING)
    other = tmp_path / "other"
    other.write_bytes(b"hello" * 1000)
    with pytest.raises(StorageError):
        own.inspect(other)
    assert own.applied() == 5
