"""Empty logs are used again; whatever becomes of their files, each attempt has its own log."""

import os
import sys
from pathlib import Path

import pytest

from job_orchestra.agent.executor.blanks import Blanks
from job_orchestra.agent.executor.link import ExecutorLink
from tests.kit.executors import AgentEnd


def test_the_next_log_is_the_file_that_stayed_empty(tmp_path: Path) -> None:
    blanks = Blanks()
    first, second, third = (str(tmp_path / name) for name in ("first", "second", "third"))
    descriptor = blanks.take(first)
    inode = Path(first).stat().st_ino
    blanks.give_back(first, descriptor)
    again = blanks.take(second)
    os.write(again, b"its own")
    assert not Path(first).exists()
    assert (Path(second).stat().st_ino, Path(second).read_bytes()) == (inode, b"its own")
    other = blanks.take(third)
    assert Path(third).stat().st_ino != inode
    os.close(again)
    os.close(other)


def test_a_blank_that_was_deleted_is_none(tmp_path: Path) -> None:
    blanks = Blanks()
    for name in ("first", "second"):
        path = str(tmp_path / name)
        blanks.give_back(path, blanks.take(path))
        Path(path).unlink()
    descriptor = blanks.take(str(tmp_path / "third"))
    os.write(descriptor, b"x")
    os.close(descriptor)
    assert (tmp_path / "third").read_bytes() == b"x"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere somebody may be left who writes")
async def test_attempts_have_their_own_logs_after_silent_ones(end: AgentEnd, link: ExecutorLink) -> None:
    plans = [end.shell(1, "true"), end.shell(2, "echo two"), end.shell(3, "true"), end.shell(4, "echo four")]
    for plan in plans:
        link.start([plan])
        await end.told_end(plan.key)
    assert [end.log(plan) for plan in plans] == [b"", b"two\n", b"", b"four\n"]
