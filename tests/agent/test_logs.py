"""Logs by byte and by line, small and very large."""

import random
from pathlib import Path

import pytest

from job_orchestra.agent.logs import BLOCK, LineIndex, read, size
from job_orchestra.core.model import BuildState
from tests.kit.agents import AgentProcess

GIB = 1 << 30


def test_a_log_that_was_not_begun_is_empty(tmp_path: Path) -> None:
    assert size(tmp_path / "none") == 0
    assert read(tmp_path / "none", 0, 10) == b""
    assert LineIndex(tmp_path / "none").offset_of(5) == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_index_agrees_with_splitting(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "log"
    index = LineIndex(path)
    data = b""
    for _ in range(6):  # it grows, in pieces that end anywhere
        data += b"".join(b"x" * chance.choice([0, 1, 5, 80]) + b"\n" * chance.choice([0, 1, 1, 1]) for _ in range(7000))
        data += b"x" * (-len(data) % BLOCK - 1) + b"\n" * chance.choice([0, 2])  # a line that begins with a block
        path.write_bytes(data)
        starts = [0, *(place + 1 for place, byte in enumerate(data) if byte == 10)]
        lines = len(starts) - 1
        around = [data[:block].count(b"\n") for block in range(0, len(data), BLOCK)]
        for line in [0, 1, *around, *(one + 1 for one in around), lines - 1]:
            assert index.offset_of(line) == (starts[line] if line < lines else len(data))
        assert index.offset_of(lines + 10) == len(data)
        assert index.offset_of(-3) == starts[lines - 3]
        for offset in (0, len(data) // 2, BLOCK - 1, BLOCK, len(data) - 1):
            assert index.line_at(offset) == data[:offset].count(b"\n")


def test_a_log_of_a_gibibyte_is_read_from_anywhere_in_steady_memory(running_agent: AgentProcess) -> None:
    assert running_agent.process is not None

    def resident() -> int:
        status = Path(f"/proc/{running_agent.process.pid}/status").read_text()  # type: ignore[union-attr]
        return int(status.split("VmRSS:")[1].split()[0]) << 10

    line = b"0123456789abcde\n"
    with running_agent.client() as net:
        before = resident()
        build = net.builds.submit(["sh", "-c", f"yes 0123456789abcde | head -c {GIB}"])[0]
        assert build.wait().state is BuildState.SUCCEEDED
        assert build.get().log_bytes == GIB
        for offset in (0, 12_345, GIB // 2 + 7, GIB - 5, GIB):
            part = net.call("builds.log", id=build.id, offset=offset, limit=64)
            expected = (line * 6)[offset % len(line) :][: min(64, GIB - offset)]
            assert (part.data.encode(), part.offset) == (expected, offset)
        last = net.call("builds.log", id=build.id, line=-1, limit=64)
        assert (last.data.encode(), last.offset) == (line[:16], GIB - 16)
        assert net.call("builds.log", id=build.id, line=1_000_000, limit=16).offset == 16_000_000
        # the index of lines is 8 bytes per 256 lines: 2 MiB here; nothing may keep the log itself
        assert resident() - before < 64 << 20
        running_agent.paths.log(f"{build.id}.1").unlink()
