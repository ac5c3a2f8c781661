"""Puts one agent together and runs it until it is told to stop.

Order of birth: lock, store, log (replayed), master, worker with its executor, scripting socket. Order of death: the
reverse, so that whatever was accepted is in the log and, where the store can follow, in the store.
"""

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from ..core.commands import StopBuild
from ..core.consensus import Config, Configuration
from ..core.errors import Conflict, Damaged, OrchestraError
from ..core.ledger import REQUEST_MEMORY_MS, Ledger
from ..core.model import AgentRecord, Stop
from ..core.version import VERSION
from ..store.opening import open_store
from . import identity
from .agreement import configuration_of
from .ballast import Ballast
from .history import History
from .journal import Journal
from .master import Master, now_ms
from .paths import Paths
from .replica import RaftReplica
from .scripting import ScriptingSocket
from .service import Service
from .settings import Settings
from .worker import Worker

log = logging.getLogger(__name__)


FIRST_MEMBER = 1
"""Number, among the members, of the agent that made the network."""


LOG_BYTES = 8 << 20
"""Bytes of log in memory beyond which the store is flushed and the log shortened. Larger: fewer flushes."""


@contextlib.contextmanager
def only_agent(path: Path) -> Iterator[None]:
    """Hold the lock of a data directory. Raises Conflict when another agent has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            message = f"an agent already runs on {path.parent} (process {holder}); orchestra status shows it"
            raise Conflict(message) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


class Agent:
    """One agent, from its data directory."""

    def __init__(self, paths: Paths, settings: Settings) -> None:
        """Open what it needs; nothing runs yet. Raises OrchestraError with the remedy."""
        self.paths = paths
        self.settings = settings
        self.identity = identity.load(paths, settings.agent_name())
        fresh = not paths.journal.exists()
        self._ballast = Ballast(paths.data)
        self._store = open_store(settings.store_url(paths))
        if fresh and self._store.applied():
            message = (
                f"the log {paths.journal} is missing, but the store reflects entry {self._store.applied()}: builds "
                "that were accepted last may be lost with it. Restore the log from a backup, or move "
                f"{paths.data} away and begin anew"
            )
            raise Damaged(message)
        remembered = self._store.live(now_ms() - REQUEST_MEMORY_MS)
        self.replica = RaftReplica(
            Journal(paths.journal),
            Ledger(remembered),
            config=Config(id=FIRST_MEMBER),
            configuration=configuration_of(remembered.meta, Configuration(voters=(FIRST_MEMBER,))),
        )
        self._ballast.hold()
        self.history = History(self._store, self.replica.compact, lambda: self.replica.log_bytes > LOG_BYTES)
        self.replica.watch(self.history.on_changes)
        self.master = Master(self.replica)
        self.worker = self._worker() if settings.worker else None
        self._quit_executor = False
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()  # set when the scripting socket answers
        self.service = Service(
            identity=self.identity,
            paths=paths,
            replica=self.replica,
            master=self.master,
            history=self.history,
            worker=self.worker,
            reserve=settings.reserve,
            stop=self._stop,
        )

    def _worker(self) -> Worker:
        record = AgentRecord(
            id=self.identity.id,
            name=self.identity.name,
            labels=self.settings.labels(),
            slots=self.settings.slot_count(),
            version=VERSION,
        )
        return Worker(
            self.paths,
            record,
            self.master,
            ballast=self._ballast,
            pass_on=self.settings.pass_env,
            log_limit=self.settings.log_limit,
        )

    async def run(self) -> None:
        """Run until a signal or a client ends it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        scripting = ScriptingSocket(self.paths.scripting, self.service)
        self.replica.watch(scripting.on_changes)
        replica = loop.create_task(self.replica.run())
        history = loop.create_task(self.history.run())
        caught_up = loop.create_task(self.replica.caught_up.wait())
        await asyncio.wait([caught_up, replica], return_when=asyncio.FIRST_COMPLETED)
        if replica.done():
            caught_up.cancel()
            replica.result()  # it cannot take part: it raises why
        serving = [loop.create_task(scripting.run())]
        if self.worker is not None:
            held = [one for one in self.replica.ledger.attempts.values() if one.agent == self.identity.id]
            serving.append(loop.create_task(self.worker.run(held)))
        # what is alive now lives as long as the agent: the collector need not look at it again
        gc.collect()
        gc.freeze()
        self.ready.set()
        log.info("agent.ready: %s (%s) at %s", self.identity.name, self.identity.id, self.paths.scripting)
        try:
            stopping = loop.create_task(self._stopping.wait())
            done, _ = await asyncio.wait([stopping, replica, history, *serving], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()  # nothing of these ends by itself: it failed, and so does the agent
        finally:
            log.info("agent.stopping")
            await scripting.close()
            await self._end_worker()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)
            self.replica.close()
            await replica
            self.history.close()
            await history
            self.replica.release()
            self.history.release()

    async def _end_worker(self) -> None:
        if self.worker is None:
            return
        if self._quit_executor:
            await self.worker.quit("the agent was stopped")
        await self.worker.close()

    async def _stop(self, builds: str) -> None:
        """End the agent as a client asked: see api.AgentStop."""
        self.master.pause()
        if builds == "abort" and self.worker is not None:
            for attempt in list(self.replica.ledger.attempts.values()):
                if attempt.agent == self.identity.id:
                    stop = StopBuild(now_ms(), "agent.stop", attempt.build, Stop.ABORT)
                    await self.master.propose(stop)
        if builds in {"abort", "wait"} and self.worker is not None:
            await self.worker.idle()
        self._quit_executor = builds != "keep"
        asyncio.get_running_loop().call_soon(self._stopping.set)


def run(paths: Paths, settings: Settings, ready: int | None = None) -> None:
    """Run an agent in this process until it is stopped.

    `ready` is a file descriptor that gets a line when the agent serves, or the error when it cannot. Raises
    OrchestraError with the remedy.
    """
    paths.prepare()
    with only_agent(paths.lock):
        try:
            asyncio.run(_run(paths, settings, ready))
        except OrchestraError as error:
            log.error("agent.failed: %s", error)  # noqa: TRY400 - the message is the remedy; the trace is for defects
            raise


async def _run(paths: Paths, settings: Settings, ready: int | None) -> None:
    agent = Agent(paths, settings)
    running = asyncio.ensure_future(agent.run())
    if ready is not None:
        answering = asyncio.ensure_future(agent.ready.wait())
        await asyncio.wait([running, answering], return_when=asyncio.FIRST_COMPLETED)
        answering.cancel()
        if agent.ready.is_set():
            os.write(ready, b"ready\n")
            os.close(ready)
    await running
