"""The services of one attempt: processes beside its steps, each with a file for what it writes and, first, a probe.

What a service wrote becomes a section of the log when it has ended, so that what steps write stays as they wrote it.
Refuses to know what becomes of the attempt when a service is lost.
"""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ...core.model import Millis, StepResult, StepState
from .attempt import SERVICE, how_it_ended
from .ending import NEVER
from .outlets import Actions, Filtered, Outlet, Straight, Tools
from .processes import Exit
from .protocol import Plan, ServicePlan
from .saying import cannot

KEPT_BYTES = 1 << 20
"""Bytes at the end of what a service wrote that are put into the log."""

LAST_LINES = 3
"""Lines of a lost service that are part of the reason."""

PATIENCE_S = 2.0
"""Seconds that a probe gets to end by itself when its time is over: it says then what it saw last."""

_TAIL_BYTES = 400


class Launch(Protocol):
    """Starts processes of the attempt."""

    def __call__(self, argv: Sequence[str], env: Mapping[str, str], actions: Actions, *, serves: bool) -> int:
        """Start one with these variables beside the attempt's own; return its id. Raises OSError.

        One that `serves` lives on when the steps are told to end.
        """
        ...


class Loss(NamedTuple):
    """A service that is not there although it is needed."""

    name: str  # of the service
    why: str  # for people, as the rest of a sentence


@dataclass(eq=False)
class _Service:
    plan: ServicePlan
    file: int  # descriptor of what it writes
    outlet: Outlet  # the way there
    started: Millis  # when its process was
    ready_by: float = NEVER  # when it must be ready
    pid: int = 0  # its process; 0: it does not run
    probe: int = 0  # the process that looks whether it is ready; 0: none does
    ready: bool = False
    lost: bool = False
    how: Exit | None = None  # how it ended
    finished: Millis | None = None  # when it had ended


class Services:
    """All services of one attempt."""

    def __init__(self, plan: Plan, folder: str, launch: Launch, tools: Tools) -> None:
        """Begin with none started; what they write is kept in files in `folder`. Raises OSError without a free port."""
        self._plans = plan.services
        self._secrets = plan.secrets
        self._folder = folder
        self._launch = launch
        self._tools = tools
        self._all: list[_Service] = []
        self.ports = _free_ports([one.port for one in plan.services if one.port])
        """Variables that name the ports which were found for services."""

    @property
    def ready(self) -> bool:
        """Whether all are."""
        return len(self._all) == len(self._plans) and all(one.ready for one in self._all)

    @property
    def due(self) -> float:
        """When the next one must be ready."""
        return min((one.ready_by for one in self._all), default=NEVER)

    @property
    def outlets(self) -> list[Outlet]:
        """Where they write."""
        return [one.outlet for one in self._all]

    @property
    def written(self) -> int:
        """Bytes that they wrote so far."""
        return sum(os.fstat(one.file).st_size for one in self._all)

    # -- they begin

    def start(self, now: float, at: Millis, on_started: Callable[[str], None]) -> Loss | None:
        """Start them, and tell `on_started` the name of each; return the first that cannot be started."""
        for place, plan in enumerate(self._plans):
            try:
                self._start(place, plan, now, at)
            except (OSError, ValueError) as error:
                return Loss(plan.name, f"is not there: {cannot(f'start {plan.argv[0]!r}', error)}")
            on_started(plan.name)
        return None

    def _start(self, place: int, plan: ServicePlan, now: float, at: Millis) -> None:
        path = f"{self._folder}/service-{place}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        outlet: Outlet = Straight(file)
        if self._secrets:
            outlet = Filtered(self._secrets, None, file, self._tools, lambda: None)
        one = _Service(plan, file, outlet, started=at)
        self._all.append(one)
        one.pid = self._launch(plan.argv, plan.env, outlet.actions, serves=True)
        if plan.ready:
            one.ready_by = now + plan.ready_s + PATIENCE_S
            one.probe = self._launch(plan.ready, plan.env, outlet.actions, serves=False)
        else:
            one.ready = True

    # -- they go on

    def on_exit(self, pid: int, how: Exit, now: float, at: Millis, *, asked: bool) -> Loss | None:
        """A process has ended. Return what is lost with it, unless it was asked to end."""
        for one in self._all:
            if pid == one.probe:
                one.probe = 0
                in_time, one.ready_by = now < one.ready_by - PATIENCE_S, NEVER
                one.ready = how.code == 0
                if one.ready or asked:
                    return None
                why = f"its probe {how_it_ended(*how)}" if in_time else _too_late(one)
                return self._lose(one, why)
            if pid == one.pid:
                one.pid = 0
                one.how, one.finished = how, at
                if asked:
                    return None
                why = "ended, and should stay in the foreground" if how.code == 0 else how_it_ended(*how)
                return self._lose(one, why)
        return None

    def on_time(self, now: float) -> Loss | None:
        """Some instant has come; return what is lost by it."""
        for one in self._all:
            if one.ready_by <= now:
                one.ready_by = NEVER
                return self._lose(one, _too_late(one))
        return None

    @staticmethod
    def _lose(one: _Service, why: str) -> Loss:
        one.lost = True
        size = os.fstat(one.file).st_size
        tail = os.pread(one.file, _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode(errors="replace")
        lines = [line.strip() for line in tail.splitlines() if line.strip()][-LAST_LINES:]
        return Loss(one.plan.name, f"{why}: {' | '.join(lines)}" if lines else why)

    # -- they have ended

    def write_sections(self, log: int, at: Millis) -> list[StepResult]:
        """Put what they wrote into the log, now that nothing of them is left; return what became of each."""
        found = [self._write_section(one, log, at) for one in self._all]
        self._all.clear()
        return found

    def abandon(self) -> None:
        """Let go of them, although something of them may live."""
        for one in self._all:
            one.outlet.abandon()
            os.close(one.file)
        self._all.clear()

    @staticmethod
    def _write_section(one: _Service, log: int, at: Millis) -> StepResult:
        begins = os.fstat(log).st_size
        size = os.fstat(one.file).st_size
        if size:
            kept = f", the last {KEPT_BYTES >> 20} MiB of {size} bytes" if size > KEPT_BYTES else ""
            newline = "\n" if begins and os.pread(log, 1, begins - 1) != b"\n" else ""
            text = f"{newline}--- service {one.plan.name}{kept} ---\n".encode()
            text += os.pread(one.file, KEPT_BYTES, max(0, size - KEPT_BYTES))
            _write(log, text if text.endswith(b"\n") else text + b"\n")
        os.close(one.file)
        if one.lost:
            state = StepState.FAILED if one.ready else StepState.ERROR
        else:
            state = StepState.SUCCEEDED if one.ready else StepState.ABORTED
        return StepResult(
            name=SERVICE + one.plan.name,
            state=state,
            exit_code=one.how and one.how.code,
            signal=one.how and one.how.signal,
            started=one.started,
            finished=one.finished or at,
            log_start=begins,
            log_end=os.fstat(log).st_size,
        )


def _too_late(one: _Service) -> str:
    return f"is not ready after {one.plan.ready_s:g} s"


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _free_ports(variables: Sequence[str]) -> dict[str, str]:
    """Return a free port of the loopback for each variable. They are held at the same time, so that all differ."""
    found: dict[str, str] = {}
    with ExitStack() as held:
        for variable in variables:
            one = held.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            found[variable] = str(one.getsockname()[1])
    return found
