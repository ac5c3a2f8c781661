"""A disk that is full: while building, while committing, while starting. A small tmpfs of the test's own is filled."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from job_orchestra.agent.journal import Journal
from job_orchestra.core.consensus import Entry
from job_orchestra.core.errors import DiskFull
from job_orchestra.core.model import BuildState
from tests.conftest import mount
from tests.kit.agents import agent_in
from tests.kit.waiting import wait_until

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give an empty file system of 40 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, "size=40m")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Write until `leave` bytes are left."""
    path = folder / "filler"
    with path.open("ab") as file:
        while (free := os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - leave) > 0:
            try:
                file.write(b"\0" * min(free, MIB))
                file.flush()
            except OSError:
                break
    return path


def test_a_build_that_fills_the_disk_ends_as_error_and_the_agent_goes_on(small_disk: Path) -> None:
    with agent_in(small_disk / "agent") as agent:
        agent.start("--reserve", str(MIB))
        with agent.client() as net:
            build = net.builds.submit(["sh", "-c", "cat /dev/zero"])[0]
            ended = build.wait()
            assert ended.state is BuildState.ERROR
            assert "the disk is full" in ended.reason
            agent.paths.log(f"{build.id}.1").unlink()
            wait_until(lambda: not net.network.status().notices, "there is room again")
            assert net.builds.submit(["true"])[0].wait().state is BuildState.SUCCEEDED


def test_below_the_reserve_new_work_is_refused_with_the_reason(small_disk: Path) -> None:
    with agent_in(small_disk / "agent") as agent:
        agent.start("--reserve", str(4 * MIB))
        with agent.client() as net:
            filler = fill(small_disk, leave=2 * MIB)
            wait_until(lambda: net.network.status().notices, "the agent has noticed")
            with pytest.raises(DiskFull, match="so no new work is accepted; free some space"):
                net.builds.submit(["true"])
            assert "MiB are free" in net.network.status().notices[0]
            filler.unlink()
            wait_until(lambda: not net.network.status().notices, "there is room again")
            assert net.builds.submit(["true"])[0].wait().state is BuildState.SUCCEEDED


def test_a_full_disk_while_committing_refuses_the_new_and_loses_nothing_accepted(small_disk: Path) -> None:
    accepted: list[str] = []
    with agent_in(small_disk / "agent") as agent:
        agent.start("--reserve", "0", "--slots", "2")
        with agent.client() as net:
            accepted += [one.builds[0].id for one in net.batch("builds.submit", [{"command": ["true"]}] * 50)]
            filler = fill(small_disk)
            refused = 0
            for _ in range(300):
                for one in net.batch("builds.submit", [{"command": ["echo", "x" * 2000]}] * 20):
                    if isinstance(one, DiskFull):
                        refused += 1
                    else:
                        accepted.append(one.builds[0].id)
                if refused:
                    break
            assert refused, "the disk never was full"
            filler.unlink()
            views = [net.call("builds.wait", id=one).build for one in accepted]
        # what ran while there was no room is an error, the rest succeeded; nothing is missing or pending
        assert {view.state for view in views} <= {BuildState.SUCCEEDED, BuildState.ERROR}
        assert all("disk is full" in view.reason for view in views if view.state is BuildState.ERROR)
        agent.kill()
        agent.start("--reserve", "0")
        with agent.client() as net:
            assert [net.call("builds.get", id=one).build.state for one in accepted] == [view.state for view in views]


def test_the_journal_writes_all_or_nothing(small_disk: Path) -> None:
    journal = Journal(small_disk / "journal.db")
    journal.append([Entry(1, 1, b"first")])
    filler = fill(small_disk)
    with pytest.raises(DiskFull, match="free some space"):
        journal.append([Entry(1, index, b"x" * 100_000) for index in range(2, 12)])
    filler.unlink()
    assert [entry.data for entry in journal.entries(1)] == [b"first"]
    journal.append([Entry(1, 2, b"second")])
    journal.close()
    assert [entry.data for entry in Journal(small_disk / "journal.db").entries(1)] == [b"first", b"second"]


def test_an_agent_does_not_start_on_a_full_disk_but_says_why(small_disk: Path) -> None:
    fill(small_disk)
    command = [sys.executable, "-m", "job_orchestra.agent", "run", "--data", str(small_disk / "agent")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert "Traceback" not in found.stderr
    assert "space" in found.stderr.lower() or "full" in found.stderr
