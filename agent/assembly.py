"""One agent: put together from its parts, and run until it is told to stop.

Order of birth: store, log (replayed), master, worker with its executor, scripting socket. Order of death: the
reverse, so that whatever was accepted is in the log and, where the store can follow, in the store.
"""

import asyncio
import gc
import getpass
import logging
import signal
from collections.abc import Callable, Coroutine, Iterable

from msgspec.structs import replace

from ..core.consensus import Config
from ..core.errors import StorageError
from ..core.ledger import Ledger
from ..store import soundness
from . import beginnings, facts, identity, rebuilding, recovery, roster
from .attic import Attic
from .ballast import Ballast
from .blobs import Blobs, Contents
from .bulk import Bulk
from .caches import Caches
from .clockwork import Clockwork
from .departure import Departure
from .electorate import Electorate
from .entrance import Entrance
from .furnishing import Furnisher
from .health import Health
from .history import History
from .identity import Identity
from .keeping import Keeper
from .knowledge import Knowledge
from .leases import Leases
from .loglife import LogLife
from .logreading import LogReader
from .manners import Manners
from .master import Master
from .mastery import MasterWay, WorkersDesk
from .paths import Paths
from .peers import Peers
from .planning import Planner
from .rebuilding import Opened
from .relay import Relay
from .replica import RaftReplica
from .repositories.git import Git
from .repositories.mirrors import Mirrors
from .repositories.resolving import Resolver
from .retaining import Retainer
from .routing import Router
from .scripting import ScriptingSocket
from .service import Service
from .settings import Settings
from .sittings import Sittings
from .snapshots import StoreSnapshots
from .space import Space
from .standing import Standing
from .tidying import Tidier, archives
from .transport import MeshTransport
from .trees import Trees
from .vault import Vault
from .warm import Warm
from .warmth import Warmth
from .wires import Wires, open_wires
from .worker import Worker

log = logging.getLogger(__name__)


ELECTION_TICKS = 8
"""Tenths of a second without a master after which others campaign, up to twice that. See consensus.Config."""

LOOK_S = 0.05
"""Seconds between two looks at who leads, where nothing tells of it."""

LOG_BYTES = 8 << 20
"""Bytes of log in memory beyond which the store is flushed and the log shortened. Larger: fewer flushes."""


class Agent:
    """One agent, from its data directory."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        opened: Opened,
        wires: Callable[[Identity, Settings, Paths], Wires] = open_wires,
    ) -> None:
        """Open what it needs beside its store; nothing runs yet. Raises OrchestraError with the remedy."""
        self.paths = paths
        self.settings = settings
        self.identity = identity.load(paths, settings.agent_name())
        self._facts = facts.detect()
        self._ballast = Ballast(paths.data)
        self._store, remembered = opened.store, opened.remembered
        self._examined = opened.whole
        journal = beginnings.log_of(paths, self.identity, self._store, remembered)
        self.wires = wires(self.identity, settings, paths)
        mesh, bulk = self.wires.mesh, self.wires.bulk
        self.standing = Standing(self.identity, settings, self.wires)
        transport = MeshTransport(mesh)
        snapshots = StoreSnapshots(self.identity.id, paths)
        self.replica = RaftReplica(
            journal,
            Ledger(remembered),
            config=Config(id=self.identity.member, election_ticks=ELECTION_TICKS),
            configuration=recovery.configuration(self.identity, remembered),
            transport=transport,
            snapshots=snapshots,
            recovered=self.identity.recovered,
        )
        self._ballast.hold()
        self.history = History(
            self._store,
            self.replica.compact,
            lambda: self.replica.log_bytes > LOG_BYTES,
            leads=lambda: self.replica.leading,
            network=self.identity.network,
        )
        self.history.on_damaged = lambda why: rebuilding.suspect(paths, why)
        self.replica.watch(self.history.on_changes)
        self.replica.on_leading(self.history.on_leading)
        self.master = Master(self.replica)
        self.vault = Vault(self.identity, self.replica, self.master)
        self.peers = Peers(self.identity, self.replica, mesh, roster.load(paths), self._save_roster)
        transport.connect(self.peers, self.replica)
        snapshots.connect(mesh, self.peers, bulk, self.history)
        resolver = Resolver(Git(settings.git_protocol), self.peers, mesh)
        self._clockwork = Clockwork(self.replica, self.master, resolver.tips)
        self.blobs = Blobs(paths.blobs, settings.blob_quota)
        self.trees = Trees(Contents(paths.contents), paths.bundles, bulk, mesh)
        self.space = self._blob_space()
        self.keeper = Keeper(paths, self.blobs, self.trees, bulk, self.peers, mesh, self.history)
        self._offer_files(bulk, snapshots)
        self.way = MasterWay(self.identity.id, self.replica, self.master, self.peers, mesh)
        self._knowledge = Knowledge(self.history, self._ledger_with_history, self.peers, mesh)
        self._furnisher = self._furnishing()
        self._caches = Caches(self.trees, self.peers, mesh)
        self.worker = self._worker() if settings.worker else None
        self._manners = self._employ(self.worker) if self.worker is not None else None
        WorkersDesk(self.replica, self.master, mesh)
        self._leases = Leases(self.identity.id, self.replica, self.master, mesh.silence)
        self._electorate = Electorate(self.identity, self.replica, self.master, mesh, settle_s=settings.settle)
        self.entrance = Entrance(self.identity, self.replica, self.master, self.peers, mesh)
        self.departure = Departure(self.identity, self.replica, self.master, self.peers, self.worker)
        self.ready = asyncio.Event()  # set when the scripting socket answers
        self.sittings = Sittings(mesh, self.peers, self.worker)
        self.service = Service(
            identity=self.identity,
            paths=paths,
            replica=self.replica,
            master=self.master,
            history=self.history,
            worker=self.worker,
            peers=self.peers,
            health=Health(self.peers, self.wires),
            logs=LogReader(paths, self.blobs, self.peers, mesh, self._writes, self.space.fetch_log),
            keeper=self.keeper,
            space=self.space,
            trees=self.trees,
            resolver=resolver,
            caches=self._caches,
            entrance=self.entrance,
            vault=self.vault,
            sittings=self.sittings,
            reserve=settings.reserve,
            stop=self.departure.stop,
            leave=self.departure.leave,
        )
        self.router = Router(f"{getpass.getuser()}@{self.identity.name}", self.replica, self.peers, mesh, self.service)
        self.departure.connect(self.router.ask)
        self.sittings.connect(self.router.ask)

    def _offer_files(self, bulk: Bulk, snapshots: StoreSnapshots) -> None:
        """Let members fetch what is large."""
        bulk.offer(lambda name: snapshots.resolve(name) or self.keeper.resolve(name))
        bulk.admit(self._is_member)

    def _furnishing(self) -> Furnisher:
        warm = Warm(self.paths.warm, self.settings.slot_count(self.settings.over(self._facts)), self._writes)
        return Furnisher(
            self.paths,
            self.trees,
            warm,
            self.keeper.fetch,
            self.settings.git_protocol,
            limit=self.settings.artifact_limit,
            cache_limit=self.settings.content_quota,
        )

    def _tidying(self) -> Iterable[Coroutine[None, None, None]]:
        """Return what looks after what this machine has at hand."""
        mirrors = Mirrors(self.paths.mirrors, Git(self.settings.git_protocol))
        warm = self._furnisher.warm
        warmth = Warmth(self._caches, mirrors, warm)
        self.way.warm = warmth.keys
        if (worker := self.worker) is not None:
            warm.sure = lambda: worker.sure
        oldest = self._furnisher.oldest_checkout
        return Tidier(self.trees, mirrors, warm, self._needed, self.settings, oldest=oldest).run(), warmth.run()

    def _blob_space(self) -> Space:
        space = Space(
            self.settings.blobs,
            self.identity.network,
            self.paths,
            self.blobs,
            self.trees.contents,
            self.history,
            self._ledger_with_history,
            lambda: self.replica.leading,
        )
        self.trees.last_resort = space.fetch_tree
        return space

    def _attic(self) -> Attic:
        return Attic(
            self.trees.contents,
            self._knowledge.of,
            lambda: self.peers.holds_copy,
            lambda key: self.worker is not None and self.worker.knows(key),
        )

    def _retainer(self) -> Retainer:
        logs = LogLife(
            self.paths,
            self.blobs,
            self.history,
            self._ledger_with_history,
            writes=self._writes,
            known=self._knowledge.of,
        )
        return Retainer(
            self.history,
            self.settings.policy(),
            lambda: self.replica.leading,
            (logs.forget, self.space.forget),
            lambda: self.replica.ledger.pinning.pins,
        )

    def _ledger_with_history(self) -> Ledger | None:
        """Return the ledger whose builds the history has; None on an agent that keeps no history."""
        return self.replica.ledger if self.peers.holds_copy else None

    def _worker(self) -> Worker:
        found = self.settings.over(self._facts)
        return Worker(
            self.paths,
            replace(
                self.standing.record(),
                labels=found.labels,
                slots=self.settings.slot_count(found),
                resources=found.resources,
                offer=self.settings.offer(),
            ),
            self.way,
            ballast=self._ballast,
            archive=self.keeper,
            furnisher=self._furnisher,
            planner=Planner(
                self.paths, self.identity.name, pass_on=self.settings.pass_env, log_limit=self.settings.log_limit
            ),
        )

    def _employ(self, worker: Worker) -> Manners:
        """Let the worker hear what concerns it."""
        self.way.when_unsure(worker.join_again)
        manners = Manners(worker, self.replica)
        self.way.on_asked = manners.on_asked
        return manners

    def _on_moved(self, found: tuple[str, ...]) -> None:
        """Let the network know where this agent is now."""
        if self.worker is not None:
            self.worker.record = replace(self.worker.record, addresses=found)
            self.worker.join_again()
        self.standing.changed()

    async def _look_closer(self, worker: Worker) -> None:
        """Let the network know what only this machine's tools could say, once they have."""
        found = self.settings.over(await asyncio.to_thread(facts.ask, self._facts))
        if found.labels != worker.record.labels:
            worker.record = replace(worker.record, labels=found.labels)
            worker.join_again()

    def _needed(self) -> set[str]:
        """Return the directories (hex) that live builds begin in, as far as this agent knows."""
        return archives(self.replica.ledger.specs.values()) | self._furnisher.ordered()

    def _save_roster(self, found: roster.RosterFile) -> None:
        try:
            roster.save(self.paths, found)
        except StorageError as error:
            log.warning("agent.roster-not-saved: %s", error)

    def _is_member(self, public: str) -> bool:
        return any(one.public == public for one in list(self.peers.records.values()))

    def _writes(self, key: str) -> bool:
        """Whether an attempt on this machine may write more to its log."""
        return self.worker is not None and self.worker.holds(key)

    async def run(self) -> None:
        """Run until a signal or a client ends it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.departure.due.set)
        relay = Relay(self.peers, self.wires.mesh)
        scripting = ScriptingSocket(self.paths.scripting, self.router, relay, lambda: self.replica.ledger.pinning.pins)
        self.replica.watch(scripting.on_changes)
        serving = [loop.create_task(self.wires.run(self.peers, self.entrance.enter, self._on_moved))]
        replica = loop.create_task(self.replica.run())
        history = loop.create_task(self.history.run())
        await self._until_caught_up(replica)
        work = self.worker.run() if self.worker is not None else self.standing.keep_telling(self.way)
        serving += [
            loop.create_task(one)
            for one in (
                *(scripting.run(), relay.run(), work, self.way.run()),
                *(self.keeper.run(), *self._tidying(), self._attic().run(), self._retainer().run()),
                self.space.run(),
                self.standing.found(self.replica, self.master),
                *([self._manners.run()] if self._manners is not None else []),
                *(
                    self._leases.run(),
                    self._clockwork.run(),
                    self.vault.run(),
                    self._electorate.run(),
                    self._watch_master(),
                ),
            )
        ]
        closer = [loop.create_task(self._look_closer(self.worker))] if self.worker is not None else []
        closer.append(loop.create_task(self._examine()))
        # what is alive now lives as long as the agent: the collector need not look at it again
        gc.collect()
        gc.freeze()
        self.ready.set()
        log.info("agent.ready: %s (%s) at %s", self.identity.name, self.identity.id, self.paths.scripting)
        try:
            stopping = loop.create_task(self.departure.due.wait())
            done, _ = await asyncio.wait([stopping, replica, history, *serving], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()  # nothing of these ends by itself: it failed, and so does the agent
        finally:
            log.info("agent.stopping")
            await self.departure.hand_over()
            await scripting.close()
            await self.departure.end_worker()
            for task in (*serving, *closer):
                task.cancel()
            await asyncio.gather(*serving, *closer, return_exceptions=True)
            self.replica.close()
            await replica
            self.history.close()
            await history
            self.replica.release()
            self.history.release()
            await self.wires.close()
            await asyncio.to_thread(self.space.close)
            self.trees.contents.close()

    async def _until_caught_up(self, replica: asyncio.Task[None]) -> None:
        """Return when this agent knows what was decided; where that takes others, who may be away, at once."""
        if self.replica.configuration.voters != (self.identity.member,):
            return
        caught_up = asyncio.get_running_loop().create_task(self.replica.caught_up.wait())
        await asyncio.wait([caught_up, replica], return_when=asyncio.FIRST_COMPLETED)
        if replica.done():
            caught_up.cancel()
            replica.result()  # it cannot take part: it raises why

    async def _examine(self) -> None:
        """Look at what was not looked at of the store before this agent began."""
        if not self._examined:
            await self.history.examine(lambda: soundness.check(self.settings.store_url(self.paths)))

    async def _watch_master(self) -> None:
        """See in time who leads: what changes that is not always told."""
        while True:
            self.peers.look()
            await asyncio.sleep(LOOK_S)
