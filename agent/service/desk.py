"""What all answers share: the parts they are made of, who asks, decisions of the master, and the limits of new work."""

import asyncio
import shutil
from contextvars import ContextVar
from typing import Any, TypeAlias, cast

from ...core.api.submitting import Submitted
from ...core.api.tasks import OneTask
from ...core.commands import (
    Apply,
    Fire,
    PinBuilds,
    RemoveSecret,
    SetAgent,
    SetOffer,
    SetSchedule,
    StopBuild,
    StopPipeline,
    Submit,
    UnpinBuilds,
)
from ...core.definition import Spec
from ...core.errors import DiskFull, LimitReached, TimedOut
from ...core.ledger import Changes, Outcome
from ...core.messages import PART_BYTES, fits
from ...core.model import Build, Task
from ...core.views.builds import build_line
from ...core.views.tasks import task_view
from ..agreement import Replica
from ..finding import Finder
from ..history import History
from ..identity import Identity
from ..master import Master
from ..paths import Paths

OneLine: TypeAlias = (
    PinBuilds | RemoveSecret | SetAgent | SetOffer | SetSchedule | StopBuild | StopPipeline | UnpinBuilds
)
"""Commands of which a client is told the line in the audit trail."""

MAX_PENDING = 1_000_000
"""Builds that may wait at a time; about 1.5 KiB of memory each."""

MAX_BACKLOG = 200_000
"""Builds the store may lag behind before new ones are refused; they are in memory until it follows."""


class Desk:
    """The parts, and what is done with them."""

    def __init__(  # noqa: PLR0913 - the parts
        self, *, identity: Identity, paths: Paths, replica: Replica, master: Master, history: History, reserve: int
    ) -> None:
        """Stand between these parts. `reserve`: bytes of disk that must stay free."""
        self.identity = identity
        self.paths = paths
        self.replica = replica
        self.master = master
        self.history = history
        self.reserve = reserve
        self.find = Finder(replica, history)
        self.asking: ContextVar[str] = ContextVar("requester", default=f"agent@{identity.name}")
        self._changed: asyncio.Future[None] | None = None  # done at the next change
        self._space_checked = 0.0
        self._space_free = 0
        replica.watch(self._on_changes)

    @property
    def requester(self) -> str:
        """Who asks, as user@agent."""
        return self.asking.get()

    async def reached(self, index: int) -> None:
        """Return when this agent's ledger and store reflect a log index."""
        while self.replica.ledger.index < index:
            await self._next_change()
        await self.history.reached(index)

    async def read(self, ask: str, *arguments: object) -> Any:  # noqa: ANN401 - what the store's method returns
        """Ask the store, when it reflects what this agent knows: `ask` names the method (contract.Reading, Summing)."""
        await self.history.reached(self.replica.ledger.index)
        return await self.history.read(getattr(self.history.store, ask), *arguments)

    async def _next_change(self) -> None:
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    def _on_changes(self, _: Changes) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    # -- decisions

    async def decide(
        self,
        command: Apply | Fire | Submit | OneLine,
    ) -> Outcome:
        """Have the master decide; return what came of it. Raises the error with which it was refused."""
        outcome = (await self.master.propose(command))[0]
        if outcome.error is not None:
            raise outcome.error
        return outcome

    async def task(self, command: OneLine) -> OneTask:
        """As `decide`; return the line of the audit trail."""
        return await self.shown(await self.decide(command))

    async def submitted(self, outcome: Outcome) -> Submitted:
        """Return the builds that a decision made."""
        ledger = self.replica.ledger
        found = [ledger.builds[one] if one in ledger.builds else await self.find.build(one) for one in outcome.builds]
        pipeline = found[0].pipeline if found else ""
        return Submitted(pipeline or None, [build_line(one) for one in found])

    async def shown(self, outcome: Outcome) -> OneTask:
        """Return the line of the audit trail that tells of a decision."""
        return await self.line(outcome.task)

    async def line(self, task: int) -> OneTask:
        """Return a line of the audit trail."""
        found = self.history.lacking("tasks", task)
        if found is None:
            await self.history.reached(self.replica.ledger.index)
            found = await self.history.read(self.history.store.get, "tasks", task)
        if found is None:
            message = f"it was done (task {task}), but the store does not follow; orchestra status says why"
            raise TimedOut(message)
        return OneTask(task_view(cast("Task", found)))

    def check_room(self) -> None:
        """Raise LimitReached or DiskFull where no more builds can be accepted."""
        if len(self.replica.ledger.builds) >= MAX_PENDING:
            message = f"{MAX_PENDING} builds are waiting; submit again when some have ended"
            raise LimitReached(message)
        if self.history.backlog >= MAX_BACKLOG:
            message = (
                f"the store lags {MAX_BACKLOG} builds behind: {self.history.problem or 'it is slow'}; try again later"
            )
            raise LimitReached(message)
        self.check_space()

    def check_space(self) -> None:
        """Raise DiskFull where less of the disk is free than must stay so."""
        if self.free() < self.reserve:
            message = (
                f"less than {self.reserve >> 20} MiB are free in {self.paths.data}, so no new work is accepted; "
                "free some space (what was accepted goes on)"
            )
            raise DiskFull(message)

    def free(self) -> int:
        """Return the bytes free on the data directory's disk, looked up at most once a second."""
        now = asyncio.get_running_loop().time()
        if now - self._space_checked >= 1:
            self._space_free = shutil.disk_usage(self.paths.data).free
            self._space_checked = now
        return self._space_free


def check_size(spec: Spec, what: str) -> None:
    """Raise LimitReached for what could not be sent to a worker in one message."""
    if not fits(spec):
        message = (
            f"{what} has more than {PART_BYTES >> 10} KiB of steps and variables; put what is long into a file of the "
            "directory that is shipped, and run that"
        )
        raise LimitReached(message)


def current(build: Build) -> int:
    """Return the number of the attempt whose log is the build's: the last one, or the first, which is still to come."""
    return max(1, build.attempt)
