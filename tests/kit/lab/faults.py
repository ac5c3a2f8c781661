"""The faults of RELIABILITY: each breaks something for a while and makes it whole again, and writes both down.

Which hosts suffer is drawn by chance, so that a seed gives the same plan. Never more than a minority of the machines is
killed, paused or without a disk at a time: more than that is not promised.
"""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .events import Began, Ended, Quit, Record, Up, now
from .hosts import Host
from .watching import Watch

START_AGAIN_S = 30.0
"""Seconds in which an agent that was killed must be up again."""


@dataclass
class Stage:
    """Where faults happen."""

    hosts: Sequence[Host]
    watch: Watch
    record: Record
    chance: random.Random

    @property
    def minority(self) -> int:
        """How many hosts may be gone at a time."""
        return (len(self.hosts) - 1) // 2

    def master(self) -> Host:
        """Return the host of the master; any, where none is known."""
        name = self.watch.master()
        return next((one for one in self.hosts if one.name == name), self.hosts[0])

    def some(self, count: int, but: Sequence[Host] = ()) -> list[Host]:
        """Draw hosts."""
        return self.chance.sample([one for one in self.hosts if one not in but], count)

    def others(self, than: Sequence[Host]) -> list[Host]:
        """Return the rest."""
        return [one for one in self.hosts if one not in than]

    def began(self, fault: str, targets: Sequence[Host], detail: str = "", *, worker: bool = False) -> None:
        """Write down that a fault begins."""
        names = tuple(one.name for one in targets)
        master = self.watch.master() in names
        self.record.write(Began(now(), fault, names, detail, master=master, worker=worker))

    def ended(self, fault: str, targets: Sequence[Host]) -> None:
        """Write down that it is over."""
        self.record.write(Ended(now(), fault, tuple(one.name for one in targets)))

    def wait(self, shortest: float, longest: float) -> float:
        """Let a fault last; return for how long."""
        seconds = self.chance.uniform(shortest, longest)
        threading.Event().wait(seconds)
        return seconds

    def up(self, hosts: Sequence[Host]) -> None:
        """Start agents again."""
        for host in hosts:
            if not host.runs:
                answer = host.start()
                for _ in range(3):
                    if answer == "ready":
                        break
                    self.record.write(Quit(now(), host.name, 0, f"did not start: {answer}"))
                    threading.Event().wait(1.0)
                    answer = host.start()
            self.record.write(Up(now(), host.name))


def _kill(stage: Stage, fault: str, targets: list[Host], longest: float, *, executors: bool = False) -> None:
    stage.began(fault, targets, worker=len(targets) == 1 and longest > 20)
    for host in targets:
        host.kill()
        if executors:
            host.kill_executor()
    stage.wait(0.2 if longest < 20 else longest - 2, longest)
    stage.ended(fault, targets)
    stage.up(targets)


def kill_master(stage: Stage) -> None:
    """Kill -9 of the master, which comes back soon."""
    _kill(stage, "kill master", [stage.master()], 6)


def kill_worker(stage: Stage) -> None:
    """Kill -9 of another agent, which comes back soon."""
    _kill(stage, "kill worker", stage.some(1, [stage.master()]), 4)


def kill_machine(stage: Stage) -> None:
    """Kill -9 of an agent and its executor, for longer than a lease."""
    _kill(stage, "kill machine", stage.some(1), 22, executors=True)


def kill_executor(stage: Stage) -> None:
    """Kill -9 of an executor."""
    (host,) = stage.some(1)
    stage.began("kill executor", [host])
    host.kill_executor()
    stage.wait(0.5, 2)
    stage.ended("kill executor", [host])


def kill_minority(stage: Stage) -> None:
    """Kill -9 of the master and as many others as may go."""
    master = stage.master()
    _kill(stage, "kill minority", [master, *stage.some(stage.minority - 1, [master])], 6)


def pause(stage: Stage) -> None:
    """SIGSTOP of an agent for up to twenty seconds; the master more often than others."""
    targets = [stage.master()] if stage.chance.random() < 0.6 else stage.some(1)
    stage.began("pause", targets)
    for host in targets:
        host.pause()
    stage.wait(1, stage.chance.choice((3, 8, 20)))
    for host in targets:
        host.resume()
    stage.ended("pause", targets)


def _cut(stage: Stage, fault: str, targets: list[Host], *, one_way: bool = False) -> None:
    others = stage.others(targets)
    stage.began(fault, targets)
    for host in others:
        host.deafen(targets)
    if not one_way:
        for host in targets:
            host.deafen(others)
    stage.wait(1, 15)
    for host in stage.hosts:
        host.heal()
    stage.ended(fault, targets)


def cut_master(stage: Stage) -> None:
    """The master alone on its side."""
    _cut(stage, "cut master", [stage.master()])


def split(stage: Stage) -> None:
    """A minority on one side, wherever the master is."""
    _cut(stage, "split", stage.some(stage.minority))


def one_way(stage: Stage) -> None:
    """What a host sends reaches nobody; it hears all."""
    target = [stage.master()] if stage.chance.random() < 0.5 else stage.some(1)
    _cut(stage, "one-way", target, one_way=True)


def bridge(stage: Stage) -> None:
    """Two groups that do not hear each other, and one host that hears both."""
    middle = stage.some(1)
    rest = stage.others(middle)
    left, right = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    stage.began("bridge", middle)
    for host in left:
        host.deafen(right)
    for host in right:
        host.deafen(left)
    stage.wait(2, 15)
    for host in stage.hosts:
        host.heal()
    stage.ended("bridge", middle)


def flap(stage: Stage) -> None:
    """The links of one host come and go."""
    (host,) = stage.some(1)
    stage.began("flap", [host])
    for _ in range(5):
        host.deafen(stage.others([host]))
        stage.wait(0.1, 1.5)
        host.heal()
        stage.wait(0.1, 1.0)
    stage.ended("flap", [host])


def bad_links(stage: Stage) -> None:
    """Loss, or narrow lines on which packets wait for up to a second, at some hosts or all."""
    targets = stage.some(stage.chance.randint(1, len(stage.hosts)))
    part = stage.chance.choice((0.0, 0.05, 0.15, 0.3))
    rate, queue = stage.chance.choice((("1mbit", "200ms"), ("300kbit", "1s"), ("5mbit", "400ms")))
    stage.began("bad links", targets, f"lost {part:.0%}" if part else f"{rate}, queue of {queue}")
    for host in targets:
        if part:
            host.lose(part)
        else:
            host.narrow(rate, queue)
    stage.wait(3, 15)
    for host in stage.hosts:
        host.heal()
    stage.ended("bad links", targets)


def storm(stage: Stage) -> None:
    """Every agent is killed and started again, one shortly after the other."""
    targets = stage.some(len(stage.hosts))
    stage.began("storm", targets)
    for host in targets:
        host.kill()
        stage.wait(0.0, 0.3)
        stage.up([host])
        stage.wait(0.0, 2.0)
    stage.ended("storm", targets)


def cold_start(stage: Stage) -> None:
    """All agents are killed at once, and come back."""
    stage.began("cold start", list(stage.hosts))
    for host in stage.hosts:
        host.kill()
    stage.wait(0.1, 2)
    stage.ended("cold start", list(stage.hosts))
    stage.up(stage.hosts)


def disk_full(stage: Stage) -> None:
    """A disk without a byte left."""
    targets = [one for one in stage.hosts if one.small_disk]
    stage.began("disk full", targets)
    for host in targets:
        host.fill()
    stage.wait(2, 10)
    for host in targets:
        host.empty()
    stage.ended("disk full", targets)
    stage.up([one for one in targets if not one.runs])


Fault = Callable[[Stage], None]

ANYWHERE: Sequence[Fault] = (
    *(kill_master, kill_master, kill_master, kill_worker, kill_worker, kill_executor, kill_executor, kill_minority),
    *(pause, pause, pause, storm, cold_start, kill_machine),
)
"""Faults that need no namespaces; what is there more than once happens more often."""

IN_NAMESPACES: Sequence[Fault] = (
    cut_master,
    cut_master,
    split,
    split,
    one_way,
    one_way,
    bridge,
    flap,
    bad_links,
    bad_links,
)
"""Faults of links."""


def faults(hosts: Sequence[Host]) -> list[Fault]:
    """Return the faults that these hosts can suffer."""
    links = list(IN_NAMESPACES) if all(one.machine for one in hosts) else []
    disks = [disk_full, disk_full] if any(one.small_disk for one in hosts) else []
    return [*ANYWHERE, *links, *disks]
