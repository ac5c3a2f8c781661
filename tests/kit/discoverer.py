"""A process that only discovers: `python -m tests.kit.discoverer SETTINGS`, in any network namespace.

SETTINGS is JSON: `own` (a number for `announced`, or null), changes to that announcement, `interfaces`, `host`. It
writes a line of JSON for all that happens, says how it stands for every line it is sent, and ends with its input.
"""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from job_orchestra.agent.announcement import Sighting
from job_orchestra.agent.discovery import Discovery
from tests.kit.announcements import announced
from tests.kit.lan import Machine
from tests.kit.waiting import wait_until


class Discoverer:
    """The process, seen from the test."""

    def __init__(self, process: "subprocess.Popen[str]", output: Path) -> None:
        self._process = process
        self._output = output

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return its lines about that."""
        lines = [json.loads(line) for line in self._output.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if line["event"] == event]

    def awaits(self, what: str, condition: Callable[[], object]) -> None:
        """Wait until the condition holds, or the process has died."""
        wait_until(condition, what, hopeless=self.obituary)

    def obituary(self) -> str:
        """Return what it died of, empty while it lives."""
        return "" if self._process.poll() is None else f"it has ended: {self._output.read_text()[-2_000:]}"

    def sees(self, number: int, address: str) -> None:
        """Wait until the newest sighting of agent `number` is at that address."""
        identity = announced(number).id

        def newest() -> bool:
            at = [line["address"] for line in self.said("seen") if line["id"] == identity]
            return at[-1:] == [address]

        self.awaits(f"agent {number} is seen at {address}", newest)

    def state(self) -> dict[str, Any]:
        """Ask how it stands."""
        before = len(self.said("state"))
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.awaits("it says how it stands", lambda: len(self.said("state")) > before)
        return self.said("state")[-1]


@contextmanager
def discoverer(machine: Machine, output: Path, own: int | None, **settings: object) -> Iterator[Discoverer]:
    """Run one on a machine; it is ready."""
    words = [sys.executable, "-m", "tests.kit.discoverer", json.dumps({"own": own, **settings})]
    with (
        output.open("w") as file,
        subprocess.Popen(
            machine.command(words),
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as process,
    ):
        one = Discoverer(process, output)
        try:
            one.awaits("it is ready", lambda: one.said("ready"))
            yield one
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(30) == 0, output.read_text()
        finally:
            process.kill()


def _say(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


class _Told(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _say("log", level=record.levelname, text=self.format(record))


def _on_sighting(sighting: Sighting) -> None:
    told = sighting.announcement
    _say("seen", id=told.id, name=told.name, network=told.network, address=sighting.address)


async def _main(own: int | None, interfaces: tuple[str, ...] = (), host: str = "0.0.0.0", **changes: object) -> None:
    logging.basicConfig(level=logging.INFO, handlers=[_Told()])
    announcement = None if own is None else announced(own, **changes)
    discovery = Discovery(_on_sighting, interfaces=tuple(interfaces), own=announcement, host=host)
    await discovery.start()
    _say("ready")
    while await asyncio.to_thread(sys.stdin.readline):
        found = [one.announcement.id for one in discovery.sightings]
        _say("state", sightings=found, counters=discovery.counters)
    await discovery.close()
    _say("closed")


if __name__ == "__main__":
    asyncio.run(_main(**json.loads(sys.argv[1])))
