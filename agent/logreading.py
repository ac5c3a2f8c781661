"""Logs wherever they are: on this machine, at the worker that writes them, or kept by the network under their digest.

Refuses to know which build a log belongs to, and whether more of it will come.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from msgspec.structs import replace

from ..core.errors import NotFound, OrchestraError, Unreachable
from ..core.ids import is_attempt_key
from ..core.messages import Call, LogBytes, LogRead, pack, unpack
from ..core.model import Attempt
from .blobs import Blobs
from .logs import Logs, read, size
from .mesh.contract import Mesh
from .paths import Paths
from .peers import Peers

MAX_PART = 512 << 10
"""Bytes of one range that one agent sends another; who wants more asks again."""

MAX_WAIT_S = 60.0
"""Seconds that a client, or another agent for its client, may wait for bytes."""

ANSWER_S = 10.0
"""Seconds for an agent to answer, beside what it was asked to wait."""


class LogReader:
    """Reads ranges of logs."""

    def __init__(  # noqa: PLR0913, PLR0917 - the places it reads at
        self,
        paths: Paths,
        blobs: Blobs,
        peers: Peers,
        mesh: Mesh,
        writing: Callable[[str], bool],
        last_resort: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        """Read what is here, or ask others; `writing(key)` is whether an attempt here may write more.

        `last_resort(digest)` puts a log into `blobs` that no agent has any more; it returns whether it could.
        """
        self._paths = paths
        self._blobs = blobs
        self._peers = peers
        self._mesh = mesh
        self._writing = writing
        self._last_resort = last_resort
        self._logs = Logs()
        mesh.handle(Call.LOG, self._on_read)

    @property
    def followed(self) -> bool:
        """Whether anybody waits for more of a log."""
        return self._logs.followed

    def on_ended(self, key: str) -> None:
        """Wake whoever waits for this log: nothing more will come."""
        self._logs.on_ended(self._paths.log(key))

    async def read(self, wish: LogRead, attempt: Attempt | None, ended: Callable[[], bool]) -> LogBytes:
        """Return a range of a log. `ended()` is whether the network knows that nothing more will come.

        Raises NotFound where nobody has it any more, Unreachable where who has it does not answer.
        """
        if attempt is None:
            return await self._wait_here(wish, ended)  # not begun: it may be given to this very agent
        found = await self._here(wish, ended, mine=attempt.agent == self._mesh.id)
        if found.known:
            return found
        problem: OrchestraError | None = None
        for agent in self._holders(attempt):
            try:
                found = await self._there(agent, wish)
            except OrchestraError as error:
                problem = error
                continue
            if found.known:
                return found
        if not attempt.state.ended or not attempt.log:
            where = self._peers.name_of(attempt.agent)
            if not self._peers.reachable(attempt.agent):
                raise Unreachable(f"the log is written on {where}, which cannot be reached; try again when it is back")
            return LogBytes(known=True)
        if self._last_resort is not None and await self._last_resort(attempt.log):
            return await asyncio.to_thread(self._kept, replace(wish, digest=attempt.log))
        raise problem or NotFound("no agent has this log any more")

    def _holders(self, attempt: Attempt) -> list[str]:
        """Return who may have a log, most likely first."""
        kept = [one.id for one in self._peers.replicas()] if attempt.log else []
        reachable = [one for one in dict.fromkeys([attempt.agent, *kept]) if self._peers.reachable(one)]
        return [one for one in reachable if one != self._mesh.id]

    async def _there(self, agent: str, wish: LogRead) -> LogBytes:
        limit = min(wish.limit, MAX_PART)
        asked = LogRead(wish.key, wish.offset, wish.line, limit, wish.wait, wish.digest)
        return unpack(await self._mesh.call(agent, Call.LOG, pack(asked), ANSWER_S + wish.wait), LogBytes)

    async def _wait_here(self, wish: LogRead, ended: Callable[[], bool]) -> LogBytes:
        if wish.wait > 0:
            await self._logs.grown(self._paths.log(wish.key), 0, min(wish.wait, 1.0), ended)
        return LogBytes(known=True)

    async def _here(self, wish: LogRead, ended: Callable[[], bool], *, mine: bool) -> LogBytes:
        """Return a range of a log that is on this machine."""
        path = self._paths.log(wish.key)
        if path.exists() or mine:
            offset = wish.offset
            if wish.line is not None:
                offset = await asyncio.to_thread(self._logs.index(path).offset_of, wish.line)
            length = size(path)
            offset = max(0, length + offset) if offset < 0 else offset
            if wish.wait > 0 and offset >= length:
                await self._logs.grown(path, offset, wish.wait, ended)
            if path.exists() or not wish.digest:
                data = await asyncio.to_thread(read, path, offset, wish.limit) if wish.limit else b""
                return LogBytes(known=True, offset=offset, data=data, size=size(path))
        if wish.digest and self._blobs.has(wish.digest):
            return await asyncio.to_thread(self._kept, wish)
        return LogBytes(known=False)

    def _kept(self, wish: LogRead) -> LogBytes:
        """Return a range of a log that is kept under its digest."""
        length = self._blobs.size(wish.digest)
        offset = wish.offset
        if wish.line is not None:
            offset = offset_of_line(lambda: self._blobs.stream(wish.digest), wish.line)
        offset = max(0, length + offset) if offset < 0 else offset
        data = self._blobs.read(wish.digest, offset, wish.limit) if wish.limit else b""
        return LogBytes(known=True, offset=offset, data=data, size=length)

    async def _on_read(self, _: str, payload: bytes) -> bytes:
        wish = unpack(payload, LogRead)
        if not is_attempt_key(wish.key):
            raise NotFound(f"{wish.key[:40]!r} names no attempt")
        # more than that, and longer, no agent asks for
        wish = replace(wish, limit=max(0, min(wish.limit, MAX_PART)), wait=max(0.0, min(wish.wait, MAX_WAIT_S)))
        writing = self._writing(wish.key)
        return pack(await self._here(wish, lambda: not self._writing(wish.key), mine=writing))


def offset_of_line(parts: Callable[[], Iterable[bytes]], line: int) -> int:
    """Return where a line of a whole log begins; negative counts back from the last complete one.

    `parts()` gives the log from its beginning, in pieces of any size; it is never in memory as a whole.
    """
    wanted = max(0, sum(part.count(b"\n") for part in parts()) + line) if line < 0 else line
    passed = begins = 0  # bytes looked at; where the last line so far begins
    for part in parts() if wanted else ():
        lines = part.count(b"\n")
        if lines >= wanted:
            position = 0
            for _ in range(wanted):
                position = part.index(b"\n", position) + 1
            return passed + position
        wanted -= lines
        if lines:
            begins = passed + part.rindex(b"\n") + 1
        passed += len(part)
    return begins
