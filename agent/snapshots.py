"""How a voter's whole state travels to another one: a copy of its store, made while it goes on, fetched in chunks.

A snapshot in consensus only says where the state can be had; what is fetched is as new as the source was when asked.
The copy takes the place of the store at once; a note beside it lets a restart in that moment go on behind it.
"""

import asyncio
import hashlib
import logging
import time
from pathlib import Path

import msgspec

from ..core.consensus import Configuration, Snapshot
from ..core.errors import OrchestraError, StorageError
from ..core.ledger import REQUEST_MEMORY_MS, Ledger, Remembered
from ..core.messages import Call, Prepare, Prepared, pack, unpack
from ..core.model import AgentRecord
from .agreement import CONFIGURATION, TERM, Installed, configuration_of
from .bulk import Bulk, bulk_of
from .history import History
from .journal import Journal
from .mesh.contract import Mesh
from .paths import Paths
from .peers import Peers

log = logging.getLogger(__name__)

PREPARE_S = 120.0
"""Seconds for another agent to make a copy of its store."""

FRESH_S = 30.0
"""Seconds for which a copy that was made is given to others as well."""

ATTEMPTS = 5
"""Times that a state is asked for before it is given up, until the leader offers it again."""

RETRY_S = 1.0
"""Seconds between those."""


class StoreSnapshots:
    """The store as a snapshot: see agreement.Snapshots."""

    def __init__(self, agent: str, paths: Paths) -> None:
        """Speak for `agent`. `connect` says how others are reached, and which store it is."""
        self._agent = agent
        self._paths = paths
        self._history: History | None = None
        self._mesh: Mesh | None = None
        self._peers: Peers | None = None
        self._bulk: Bulk | None = None
        self._made: tuple[float, Prepared] | None = None
        self._making: asyncio.Lock = asyncio.Lock()

    def connect(self, mesh: Mesh, peers: Peers, bulk: Bulk, history: History) -> None:
        """Reach others, and answer them, in this way; the store is that of `history`."""
        self._mesh, self._peers, self._bulk, self._history = mesh, peers, bulk, history
        mesh.handle(Call.SNAPSHOT, self._on_prepare)

    def describe(self) -> bytes:
        """See agreement.Snapshots: it can be had here."""
        return self._agent.encode()

    async def install(self, snapshot: Snapshot) -> Installed:
        """See agreement.Snapshots."""
        problem: OrchestraError | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(RETRY_S)
            try:
                found = await self._fetch(snapshot.data.decode(errors="replace"), snapshot.index)
            except OrchestraError as error:
                problem = error
                continue
            if found.index >= snapshot.index:
                return await (self._adopt(found) if self._store().store.shared else self._take(found))
            problem = StorageError(f"the copy reflects entry {found.index}, and {snapshot.index} was promised")
        raise StorageError(f"the state could not be fetched: {problem}; it is tried again")

    async def _fetch(self, agent: str, index: int) -> Remembered:
        """Return what an agent's store holds, as of `index` or later; where none is shared, a copy of it is fetched."""
        mesh, peers, bulk = self._mesh, self._peers, self._bulk
        record = peers.records.get(agent) if peers else None
        if mesh is None or bulk is None or record is None:
            raise StorageError(f"the state is at {agent}, which is not known here")
        history = self._store()
        if history.store.shared:
            await prepare(mesh, record, index, history.store.url)
            return await history.read(history.store.live, _requests_since())
        target = self._paths.incoming("snapshot")
        await fetch_copy(mesh, bulk, record, index, target)
        return await asyncio.to_thread(history.inspect, target)

    async def _adopt(self, found: Remembered) -> Installed:
        """Go on from what a shared store holds; after a crash before the log is settled too (sharing.follow_store)."""
        self._store().begin_behind(found.index)
        log.info("snapshot.adopted: up to entry %d, as the shared store has it", found.index)
        term = int(found.meta.get(TERM, "0"))
        return Installed(Ledger(found), term, configuration_of(found.meta, Configuration()))

    async def _take(self, found: Remembered) -> Installed:
        term, configuration = await asyncio.to_thread(note_install, self._paths.installing, found)
        remembered = await self._store().replace(self._paths.incoming("snapshot"), _requests_since())
        log.info("snapshot.installed: up to entry %d", remembered.index)
        return Installed(Ledger(remembered), term, configuration)

    def settled(self) -> None:
        """Learn that the log begins behind the installed state."""
        self._paths.installing.unlink(missing_ok=True)

    def _store(self) -> History:
        if self._history is None:
            raise StorageError("this agent has not opened its store yet; try again")
        return self._history

    # -- for others

    def resolve(self, name: str) -> Path | None:
        """Return the file that was prepared under this name."""
        if self._made is not None and self._made[1].name == name:
            return self._paths.outgoing
        return None

    async def _on_prepare(self, _: str, payload: bytes) -> bytes:
        wanted = unpack(payload, Prepare).index
        history = self._store()
        if history.store.shared:
            await history.reached(wanted)
            return pack(Prepared("", 0, "", history.applied, history.store.url))
        async with self._making:
            now = time.monotonic()
            if self._made is None or now - self._made[0] > FRESH_S or self._made[1].index < wanted:
                self._made = None
                index = await history.backup(self._paths.outgoing)
                digest = await asyncio.to_thread(_sha256, self._paths.outgoing)
                size = self._paths.outgoing.stat().st_size
                self._made = (now, Prepared(f"snapshot/{digest}", size, digest, index))
            return pack(self._made[1])


async def prepare(mesh: Mesh, record: AgentRecord, index: int, shared: str = "") -> Prepared:
    """Let an agent have its store ready for others, as of `index` or later: a copy, or the one that is `shared`.

    Raises StorageError where it keeps its history otherwise than this agent does.
    """
    prepared = unpack(await mesh.call(record.id, Call.SNAPSHOT, pack(Prepare(index)), PREPARE_S), Prepared)
    if bool(prepared.shared) is not bool(shared):
        theirs, mine = prepared.shared or "a store of its own", shared or "a store of its own"
        message = f"{record.name} keeps the history in {theirs}, this agent in {mine}; let all use the same --store"
        raise StorageError(message)
    return prepared


async def fetch_copy(mesh: Mesh, bulk: Bulk, record: AgentRecord, index: int, target: Path) -> None:
    """Fetch a copy of an agent's store, as of `index` or later, into a file. Raises OrchestraError where it fails."""
    prepared = await prepare(mesh, record, index)
    await asyncio.to_thread(target.unlink, missing_ok=True)
    await bulk.fetch_file([bulk_of(record)], prepared.name, target)
    if await asyncio.to_thread(_sha256, target) != prepared.digest:
        await asyncio.to_thread(target.unlink, missing_ok=True)
        raise StorageError(f"the copy of {record.name}'s store is not what was promised")


def note_install(note: Path, found: Remembered) -> tuple[int, Configuration]:
    """Take note that a copy, which holds this, is about to become the store; return its term, and who votes."""
    configuration, term = configuration_of(found.meta, Configuration()), int(found.meta.get(TERM, "0"))
    note.write_bytes(msgspec.json.encode({"index": found.index, TERM: term, CONFIGURATION: configuration}))
    return term, configuration


def finish_install(note: Path, journal: Journal, index: int) -> bool:
    """Let a log begin behind a store that was replaced just before a crash; return whether that was so.

    A log that holds the store's last entry goes on behind it, if it is the same: one of another term was never agreed
    on, and nothing that follows it was.
    """
    try:
        noted = msgspec.json.decode(note.read_bytes(), type=dict[str, object])
    except (FileNotFoundError, msgspec.DecodeError):
        return False  # nothing was under way, or it had only begun
    term = int(str(noted.get(TERM, 0)))
    done = noted.get("index") == index and journal.term(index) != term
    if done:
        journal.install(index, term)
    note.unlink(missing_ok=True)
    return done


def _requests_since() -> int:
    return time.time_ns() // 1_000_000 - REQUEST_MEMORY_MS


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
