"""Killed at any step, an import, a pruning, a restoring and a migration show nothing half-done, and are begun again."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from job_orchestra.console.cli.storing import store as orchestra_store
from job_orchestra.core.errors import OlderSchema, Unfinished
from job_orchestra.core.model import BuildState
from job_orchestra.store import migrate, transfer
from job_orchestra.store.contract import Store
from job_orchestra.store.opening import open_store
from tests.kit.builders import T0, attempt, batch, build, job, spec
from tests.kit.dying import kill_at, steps_of

S = BuildState
PLACES = (0.5, 0.8)
"""Where in a command it is killed: halfway, and near its end."""

FIRST = Path(__file__).with_name("schema1.sql")


def fill(store: Store, builds: int, job_name: str = "test") -> None:
    """Write a history: some builds are alive, and each has an attempt."""
    random = Random(3)
    states = (S.SUCCEEDED, S.FAILED, S.LOST, S.PENDING)
    made = [
        build(one, job=job_name, state=random.choice(states), attempt=1, finished=T0 + one)
        for one in range(1, builds + 1)
    ]
    tries = [attempt(one, state=one.state, started=one.created, finished=one.finished) for one in made]
    meta = {f"number/shop/{job_name}": str(builds)}
    store.write(batch(7, builds=made, attempts=tries, jobs=[job()], specs=[spec()], meta=meta))


def lines(path: Path) -> list[bytes]:
    """Return what a store holds; raises where it is unfinished."""
    store = open_store(f"sqlite:///{path}")
    try:
        found = list(transfer.lines_of(store))
        tallied = Counter({one.state: one.builds for one in store.tallies() if one.builds})
        assert tallied == Counter(one.state for one in store.scan("builds")), "sums and records agree"
        builds = {one.id for one in store.scan("builds")}
        assert {one.build for one in store.scan("attempts")} == builds, "none has lost its attempts, or left some"
        return found
    finally:
        store.close()


def command(*words: str) -> None:
    """Run a command of `orchestra store` to its end."""
    done = CliRunner().invoke(orchestra_store, words)
    assert done.exit_code == 0, (done.output, done.exception)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the data directory of an agent that there is not."""
    monkeypatch.setenv("ORCHESTRA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def made(path: Path, builds: int, job_name: str = "test") -> list[bytes]:
    """Make a store in a file; return what it holds."""
    store = open_store(f"sqlite:///{path}")
    fill(store, builds, job_name)
    store.flush()
    store.close()
    return lines(path)


def killed(home: Path, before: Callable[[], None], words: tuple[str, ...], check: Callable[[], None]) -> None:
    """Kill a command line at several places, check what is left each time, and let it go to its end.

    `before` makes everything as it was; `check` is called after each kill.
    """
    before()
    count = steps_of(*words, home=home)
    for place in dict.fromkeys(1 + round(place * (count - 1)) for place in PLACES):
        before()
        kill_at(place, *words, home=home)
        check()
        command(*words[1:])


def test_an_import(tmp_path: Path, home: Path) -> None:
    target, exported = tmp_path / "target.db", tmp_path / "history.jsonl"
    wanted = made(tmp_path / "source.db", 1_300)
    exported.write_bytes(b"".join(wanted))
    old = made(tmp_path / "old.db", 200, "lint")

    def before() -> None:
        for left in tmp_path.glob("target.db*"):
            left.unlink()
        shutil.copyfile(tmp_path / "old.db", target)

    seen: list[str] = []

    def check() -> None:
        try:
            seen.append({True: "all", False: "old"}[lines(target) == wanted])
            assert lines(target) in (wanted, old)
        except Unfinished:
            seen.append("unfinished")

    words = ("store", "import", str(exported), "--replace", "--store", f"sqlite:///{target}")
    killed(home, before, words, check)
    assert lines(target) == wanted
    assert "unfinished" in seen


def test_a_pruning(tmp_path: Path, home: Path) -> None:
    target = tmp_path / "target.db"
    made(tmp_path / "whole.db", 900)
    words = ("store", "prune", "--older", "1d", "--keep", "10", "--store", f"sqlite:///{target}")

    def before() -> None:
        for left in tmp_path.glob("target.db*"):
            left.unlink()
        shutil.copyfile(tmp_path / "whole.db", target)

    before()
    command(*words[1:])
    pruned = lines(target)
    seen: list[int] = []

    def check() -> None:
        seen.append(len(lines(target)))  # which checks that all fits together

    killed(home, before, words, check)
    assert lines(target) == pruned
    assert seen == sorted(seen, reverse=True)
    assert any(seen[0] > one > len(pruned) for one in seen), "it is done in batches"


def test_a_restoring(tmp_path: Path, home: Path) -> None:
    target, copy = tmp_path / "target.db", tmp_path / "copy.db"
    wanted, old = made(tmp_path / "source.db", 300), made(tmp_path / "old.db", 200, "lint")
    command("backup", str(copy), "--store", f"sqlite:///{tmp_path / 'source.db'}")

    def before() -> None:
        for left in tmp_path.glob("target.db*"):
            left.unlink()
        shutil.copyfile(tmp_path / "old.db", target)

    words = ("store", "restore", str(copy), "--store", f"sqlite:///{target}")
    killed(home, before, words, lambda: _among(lines(target), old, wanted))
    assert lines(target) == wanted
    assert lines(copy) == wanted, "the copy is still there"


def _among(found: list[bytes], *wanted: list[bytes]) -> None:
    assert found in wanted


def test_a_migration(tmp_path: Path, home: Path) -> None:
    target, old = tmp_path / "target.db", tmp_path / "old.db"
    made_old = sqlite3.connect(old)
    made_old.executescript(FIRST.read_text("utf-8"))
    made_old.close()
    migrated = tmp_path / "migrated.db"
    shutil.copyfile(old, migrated)
    migrate.migrate(f"sqlite:///{migrated}")
    wanted = list(transfer.lines_of(open_store(f"sqlite:///{migrated}")))

    def before() -> None:
        for left in tmp_path.glob("target.db*"):
            left.unlink()
        shutil.copyfile(old, target)

    def check() -> None:
        try:
            store = open_store(f"sqlite:///{target}")
        except OlderSchema:
            assert migrate.look(f"sqlite:///{target}").rows == 11, "the old one is as it was"
        else:
            assert list(transfer.lines_of(store)) == wanted
            store.close()

    killed(home, before, ("store", "migrate", "--store", f"sqlite:///{target}"), check)
    store = open_store(f"sqlite:///{target}")
    assert list(transfer.lines_of(store)) == wanted
    store.close()
    assert sorted(one.name for one in tmp_path.glob("target.db*")) == ["target.db"]
