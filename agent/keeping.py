"""Logs and directories that must survive the machine they were made on: copied to a majority of the voters.

Content-addressed (SHA-256), so that a copy proves itself. What is small travels in a message with others, what is large
over the bulk path. A voter that lacks something of the history's logs fetches it by itself (anti-entropy). Refuses to
know what the contents mean.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar, cast

from ..core.errors import Damaged, LimitReached, NotFound, OrchestraError, PeerError, Unreachable
from ..core.ids import is_attempt_key, is_digest
from ..core.manifest import Entry
from ..core.messages import Call, Keep, Kept, LogBytes, LogRead, pack, portions, unpack
from ..core.model import AgentRecord, Attempt, Build
from ..store.query import Filter, Operator, Order, Query
from .blobs import Blobs, Why
from .bulk import Bulk, bulk_of
from .history import History
from .mesh.contract import Mesh
from .paths import Paths
from .peers import Peers
from .trees import Trees, digest_of

log = logging.getLogger(__name__)

AT_ONCE = 1 << 20
"""Bytes of logs whose digests are taken without a thread. Larger: everything else waits for milliseconds."""

SMALL = 64 << 10
"""Bytes up to which contents travel in messages."""

RETRY_S = 2.0
"""Seconds between two attempts to reach a majority of the voters."""

KEEP_S = 60.0
"""Seconds for a voter to take what it was given."""

PATIENCE_S = 20.0
"""Seconds for which a directory is looked for that nobody who can be asked has."""

AGAIN_S = 0.5
"""Seconds between two rounds of asking for it."""

RECENT_S = 24 * 3600.0
"""Seconds for which a voter that lacks artifacts tries to have them."""

FILL_S = 20.0
"""Seconds between two looks of a voter for what it lacks."""

_Tree: TypeAlias = tuple[str, str, str]  # what a directory is kept for, for which, and its SHA-256 in hex


class _Lot(NamedTuple):
    """What is kept together."""

    logs: Mapping[str, str]  # attempt -> SHA-256 (hex) of its log
    artifacts: Mapping[str, str]  # attempt -> SHA-256 (hex) of the directory that its artifacts make


_T = TypeVar("_T")
_PAGE = 200  # builds looked at together
_PART = 512 << 10  # bytes of a log fetched at a time


class Keeper:
    """Keeps contents for the network, and lets the network keep this machine's."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it stands between
        self, paths: Paths, blobs: Blobs, trees: Trees, bulk: Bulk, peers: Peers, mesh: Mesh, history: History
    ) -> None:
        """Keep logs in `blobs`, directories in `trees`; answer who asks to keep something."""
        self._paths = paths
        self._blobs = blobs
        self._trees = trees
        self._bulk = bulk
        self._peers = peers
        self._mesh = mesh
        self._history = history
        self._waiting: list[tuple[_Lot, asyncio.Future[None]]] = []  # what is to be kept
        self._keeping: asyncio.Task[None] | None = None
        self._full = False
        self._filled = 0  # serial up to which this agent has the logs of all ended builds
        mesh.handle(Call.KEEP, self._on_keep)

    # -- what travels over the bulk path

    def resolve(self, name: str) -> Path | None:
        """Return the file that another member may fetch under a name; None: there is none."""
        kind, _, rest = name.partition("/")
        if kind == "log":
            return self._paths.log(rest) if is_attempt_key(rest) else None
        if kind == "blob":
            return self._blobs.file(rest) if is_digest(rest) and self._blobs.has(rest) else None
        return self._trees.resolve(kind, rest)

    @property
    def full(self) -> bool:
        """Whether nothing more can be kept, for it would be more than is wanted."""
        return self._full

    # -- directories

    async def share(self, root: str) -> None:
        """Let a majority of the voters keep a directory of this machine. Raises Unreachable if they cannot."""
        size = (await asyncio.to_thread(self._trees.contents.tree, digest_of(root))).size
        if not await self._offer({}, {}, size, ((Why.SOURCE.value, "", root),)):
            raise Unreachable("the directory could not be copied to a majority of the voters; try again")

    async def fetch(self, root: str, first: str = "", patience_s: float = PATIENCE_S) -> None:
        """Have a directory on this machine, wherever it is: with the agent `first`, with a voter, or any other.

        Who has it may be out of reach for a moment, and what was just made may be on its way to the voters: so it is
        tried again. Raises NotFound, Unreachable when that was in vain for so many seconds, or why it cannot be had.
        """
        await self._patiently(lambda: self._trees.fetch(root, Why.SOURCE, "", self._holders(first)), patience_s)

    async def entries(self, root: str, first: str = "") -> list[Entry]:
        """Return what is in a directory, wherever it is. Raises as `fetch`."""
        return await self._patiently(lambda: self._trees.entries(root, self._holders(first)), PATIENCE_S)

    async def _patiently(self, look: Callable[[], Awaitable[_T]], patience_s: float) -> _T:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return await look()
            except (NotFound, Unreachable):
                if time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(AGAIN_S)

    def _holders(self, first: str) -> list[AgentRecord]:
        """Return who may have a directory: that agent, the voters, and all others that can be asked, in this order."""
        voters = {one.id for one in self._peers.voters()}
        others = [one for one in self._peers.records.values() if one.id != self._mesh.id]
        holders = [one for one in others if self._peers.reachable(one.id)]
        return sorted(holders, key=lambda one: (one.id != first, one.id not in voters))

    # -- logs

    async def digests(self, keys: Sequence[str]) -> dict[str, str]:
        """See worker.Archive."""
        if sum(_size(self._paths.log(key)) for key in keys) <= AT_ONCE:
            return self._digests(keys)  # quicker than to wait for a thread; what ends meanwhile waits to be told of
        return await asyncio.to_thread(self._digests, keys)

    def _digests(self, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for key in keys:
            try:
                found[key] = _sha256(self._paths.log(key))
            except OSError as error:
                log.warning("keeper.no-log: %s: %s", key, error.strerror)
        return found

    async def keep(self, logs: Mapping[str, str], artifacts: Mapping[str, str]) -> None:
        """See worker.Archive. What is asked while a round is under way goes together in the next."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((_Lot(logs, artifacts), done))
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.get_running_loop().create_task(self._keep())
        await done

    async def _keep(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            logs = {key: digest for part, _ in batch for key, digest in part.logs.items()}
            trees = [(Why.ARTIFACTS.value, key, root) for part, _ in batch for key, root in part.artifacts.items()]
            while not await self._offer_all(logs, trees):  # noqa: ASYNC110 - others, of whom nothing is heard
                await asyncio.sleep(RETRY_S)
            for _, done in batch:
                if not done.done():
                    done.set_result(None)

    async def _offer_all(self, logs: Mapping[str, str], trees: Sequence[_Tree]) -> bool:
        if not self._others():
            return True  # this agent is the one voter there is, and has them
        small, large, size = await asyncio.to_thread(self._sorted, logs)
        for _, _, root in trees:
            size += (await asyncio.to_thread(self._trees.contents.tree, digest_of(root))).size
        return await self._offer(small, large, size, trees)

    def _sorted(self, logs: Mapping[str, str]) -> tuple[dict[str, bytes], dict[str, str], int]:
        """Return the small logs by digest, the names of large ones with their digests, and the bytes of those."""
        small: dict[str, bytes] = {}
        large: dict[str, str] = {}
        total = 0
        for key, digest in logs.items():
            path = self._paths.log(key)
            if (length := _size(path)) <= SMALL:
                small[digest] = path.read_bytes() if path.exists() else b""
            else:
                large[f"log/{key}"] = digest
                total += length
        return small, large, total

    # -- to the voters

    def _others(self) -> list[AgentRecord]:
        return [one for one in self._peers.voters() if one.id != self._mesh.id]

    async def _offer(
        self, small: Mapping[str, bytes], large: Mapping[str, str], size: int, trees: Sequence[_Tree] = ()
    ) -> bool:
        """Let the voters keep contents; return whether a majority of them has all."""
        voters = self._peers.voters()
        others = self._others()
        wanted = len(voters) // 2 + 1 - (len(voters) - len(others))
        if wanted <= 0:
            return True
        timeout = KEEP_S + size / 1e6  # a megabyte a second is little
        calls = [asyncio.ensure_future(self._give(one, small, large, trees, timeout)) for one in others]
        try:
            for answer in asyncio.as_completed(calls):
                wanted -= await answer
                if wanted <= 0:
                    # who is slower goes on; this agent need not wait for it
                    calls = []
                    return True
        finally:
            for call in calls:
                call.cancel()
        return False

    async def _give(
        self,
        voter: AgentRecord,
        small: Mapping[str, bytes],
        large: Mapping[str, str],
        trees: Sequence[_Tree],
        timeout_s: float,
    ) -> bool:
        held: set[str] = set()
        try:
            for part in portions(list(small.values())):
                reply = await self._mesh.call(voter.id, Call.KEEP, pack(Keep(tuple(part))), timeout_s)
                held.update(unpack(reply, Kept).digests)
            if large or trees:
                keep = Keep(large=tuple(large.items()), trees=tuple(trees))
                held.update(unpack(await self._mesh.call(voter.id, Call.KEEP, pack(keep), timeout_s), Kept).digests)
        except OrchestraError as error:
            log.info("keeper.not-kept: %s: %s", voter.name, error)
            return False
        return held >= {*small, *large.values(), *(root for _, _, root in trees)}

    async def _on_keep(self, sender: str, payload: bytes) -> bytes:
        try:
            held = await self._hold(sender, unpack(payload, Keep))
        except LimitReached:
            self._full = True
            raise
        self._full = False
        return pack(Kept(held))

    async def _hold(self, sender: str, keep: Keep) -> tuple[str, ...]:
        held = await asyncio.to_thread(self._blobs.put_many, keep.small) if keep.small else []
        record = self._peers.records.get(sender)
        for name, digest in keep.large:
            if record is not None and not self._blobs.has(digest):
                await self._fetch_and_put(record, name, digest)
            held.append(digest)
        for why, name, root in keep.trees:
            await self._trees.fetch(root, _why(why), name, [] if record is None else [record])
            held.append(root)
        return tuple(held)

    async def _fetch_and_put(self, holder: AgentRecord, name: str, digest: str) -> None:
        partial = self._paths.incoming(digest)
        await self._fetch(holder, name, digest, partial)
        try:
            await asyncio.to_thread(self._blobs.put_file, partial)
        finally:
            partial.unlink(missing_ok=True)

    async def _fetch(self, holder: AgentRecord, name: str, digest: str, target: Path) -> None:
        """Fetch a file of another agent. Its digest is checked, unless it comes packed (`blob/`)."""
        if not is_digest(digest):
            raise NotFound(f"{digest[:80]!r} is no SHA-256")
        await self._bulk.fetch_file([bulk_of(holder)], name, target)
        if not name.startswith("blob/") and await asyncio.to_thread(_sha256, target) != digest:
            await asyncio.to_thread(target.unlink, missing_ok=True)
            raise Damaged(f"what {holder.name} sent for {name} is not what was asked for; it was thrown away")

    # -- what a voter lacks

    async def run(self) -> None:
        """Fetch what this agent should have and does not, until cancelled."""
        while True:
            await asyncio.sleep(FILL_S)
            if any(one.id == self._mesh.id for one in self._peers.voters()) and len(self._peers.voters()) > 1:
                try:
                    await self._fill()
                except OrchestraError as error:
                    log.info("keeper.fill-later: %s", error)

    async def _fill(self) -> None:
        """Look at the builds behind those that are known to be complete."""
        while True:
            after = Filter("serial", Operator.GT, self._filled)
            query = Query("builds", (after,), (Order("serial"),), _PAGE)
            builds = cast("Sequence[Build]", (await self._history.read(self._history.store.find, query)).rows)
            ended = [one for one in builds if one.state.ended]
            if not ended:
                return
            # what a build says of itself is its last attempt's: one before may have written where that did not
            wrote = tuple(one.id for one in ended if one.log_bytes or one.kept or one.attempt > 1)
            wanted = Filter("build", Operator.IN, wrote)
            attempts: Sequence[Attempt] = ()
            if wanted.value:
                found = await self._history.read(self._history.store.find, Query("attempts", (wanted,), limit=1000))
                attempts = cast("Sequence[Attempt]", found.rows)
            # a history may hold what a worker said before that was looked at: no digest names nothing
            lacking = [one for one in attempts if is_digest(one.log) and not self._has_log(one)]
            for one in lacking:
                await self._fill_in(one)
            for one in attempts:
                await self._fill_in_artifacts(one)
            alive = next((one.serial for one in builds if not one.state.ended), None)
            self._filled = builds[-1].serial if alive is None else alive - 1
            if alive is not None or len(builds) < _PAGE:
                return

    async def _fill_in_artifacts(self, attempt: Attempt) -> None:
        """Fetch what a build kept, unless that was so long ago that it may have been forgotten on purpose."""
        recent = attempt.finished is not None and attempt.finished > (time.time() - RECENT_S) * 1000
        if is_digest(attempt.artifacts) and recent and not self._trees.has(attempt.artifacts):
            try:
                await self._trees.fetch(attempt.artifacts, Why.ARTIFACTS, attempt.key, self._holders(attempt.agent))
            except OrchestraError as error:
                log.info("keeper.artifacts-missing: %s: %s", attempt.key, error)

    def _has_log(self, attempt: Attempt) -> bool:
        mine = attempt.agent == self._mesh.id and self._paths.log(attempt.key).exists()
        return mine or self._blobs.has(attempt.log)

    async def _fill_in(self, attempt: Attempt) -> None:
        """Fetch a log from whoever has it. Raises Unreachable where nobody who answers does."""
        holders = [attempt.agent, *(one.id for one in self._others())]
        for holder in dict.fromkeys(holders):
            record = self._peers.records.get(holder)
            if record is None or holder == self._mesh.id or not self._peers.reachable(holder):
                continue
            try:
                if attempt.log_bytes > SMALL and holder == attempt.agent:
                    await self._fetch_and_put(record, f"log/{attempt.key}", attempt.log)
                else:
                    await self._copy(holder, attempt)
            except OrchestraError as error:
                log.debug("keeper.elsewhere: %s: %s", attempt.key, error)
                continue
            return
        if self._peers.reachable(attempt.agent):
            raise Unreachable(f"nobody gave the log of {attempt.key}; it is tried again")
        log.warning("keeper.log-missing: %s: nobody who answers has it", attempt.key)

    async def _copy(self, holder: str, attempt: Attempt) -> None:
        data = b""
        while True:
            wish = pack(LogRead(attempt.key, len(data), limit=_PART, digest=attempt.log))
            part = unpack(await self._mesh.call(holder, Call.LOG, wish), LogBytes)
            data += part.data
            if not part.known or not part.data or len(data) >= part.size:
                break
        if hashlib.sha256(data).hexdigest() != attempt.log:
            raise NotFound(f"{holder} does not have the log of {attempt.key}")
        await asyncio.to_thread(self._blobs.put_many, [data])


def _why(text: str) -> Why:
    try:
        return Why(text)
    except ValueError:
        raise PeerError(f"a directory cannot be kept for {text[:40]!r}; both agents should have one version") from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
