"""Directories as values (core/manifest.py), here and at other members: fetched from whoever has them, and given.

What is asked for is what is lacking, by digest: first the list of the directory, then of its contents those that this
machine has from no other directory. What is small comes in the answer, more of it in a bundle over the bulk path, what
is large by itself, going on where a transfer was cut off. Everything proves itself by its digest. Refuses to know what
directories are for, and who should have them (keeping).
"""

import asyncio
import logging
import math
import secrets
import shutil
import struct
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ..core.errors import DiskFull, InvalidInput, NotFound, OrchestraError, PeerError
from ..core.manifest import DIGEST, Digest, Entry, Tree
from ..core.messages import Call, Given, Wanted, pack, unpack
from ..core.model import AgentRecord
from .blobs import Contents, Why
from .blobs.contents import BATCH, SMALL, content_of
from .bulk import Bulk, bulk_of
from .mesh.contract import Mesh

log = logging.getLogger(__name__)

INLINE = 256 << 10
"""Bytes at rest up to which contents come in the answer itself."""

BUNDLE = 64 << 20
"""Bytes at rest after which a bundle ends; the rest is asked for again. Larger: more is sent again after a cut."""

ASKED = 8192
"""Contents asked for at a time: 256 KiB of digests."""

LARGE_AT_ONCE = 4
"""Large contents that one directory fetches at a time."""

ANSWER_S = 120.0
"""Seconds for a member to put a bundle together."""

BUNDLES = 16
"""Bundles that lie here for others; the oldest goes first."""

RESERVE = 50 << 20
"""Bytes of disk that stay free whatever is fetched."""

LATELY_S = 600
"""Seconds for which what was used, or asked for, stays: longer than from packing to the order of a build."""

_LENGTH = struct.Struct("!I")
_ASKED = 1000  # directories that were asked for, before old ones are looked for


class NoRoom(DiskFull):
    """A directory is larger than what is free."""

    def __init__(self, size: int, free: int) -> None:
        """Of `size` bytes, where `free` are."""
        super().__init__(f"a directory of {size >> 20} MiB does not fit: {free >> 20} MiB are free; free some")
        self.size = size


class Trees:
    """The directories that this machine has, and its way to those of others."""

    def __init__(self, contents: Contents, outgoing: Path, bulk: Bulk, mesh: Mesh) -> None:
        """Keep in `contents`; bundles for others are put together in the folder `outgoing`."""
        self.contents = contents
        self._outgoing = outgoing
        self._bulk = bulk
        self._mesh = mesh
        self._fetching: dict[Digest, asyncio.Lock] = {}
        self._asked: dict[Digest, float] = {}  # directories that somebody may count on -> since when
        self._bundles: OrderedDict[str, None] = OrderedDict()  # names, oldest first
        outgoing.mkdir(mode=0o700, exist_ok=True)
        for left in outgoing.iterdir():
            left.unlink()
        self.make_room: Callable[[int], Awaitable[bool]] = _no_room
        """Frees so many bytes of the disk, as far as possible; returns whether it could; see Tidier."""
        self.last_resort: Callable[[Digest, Callable[[Tree], None]], Awaitable[bool]] = _nowhere
        """Puts the contents of a directory that no member gives here, from elsewhere; returns whether it could.

        It tells the function that it is given of the directory, which raises NoRoom where it does not fit; see Shelf.
        """
        mesh.handle(Call.CONTENTS, self._on_wanted)

    def has(self, root: str) -> bool:
        """Whether a directory (hex) is on this machine, whole, and stays so for LATELY_S. Quick."""
        digest = digest_of(root)
        if len(self._asked) > _ASKED:
            self._asked = {one: at for one, at in self._asked.items() if self.asked_for(one)}
        self._asked[digest] = time.monotonic()  # before it is looked up: who forgets looks here when it is gone
        return self.contents.holds(digest)

    def asked_for(self, root: Digest) -> bool:
        """Whether somebody counts on a directory because `has` was asked for it lately. May be called in any thread."""
        return time.monotonic() - self._asked.get(root, -math.inf) < LATELY_S

    async def fetch(self, root: str, why: Why, name: str, holders: Sequence[AgentRecord]) -> None:
        """Have a directory on this machine, held for a reason; asked for at `holders`, one after the other.

        Raises NotFound, or what was wrong at the last of them.
        """
        digest = digest_of(root)
        lock = self._fetching.setdefault(digest, asyncio.Lock())
        try:
            async with lock:
                # counted as a use: what was just used is not forgotten before it is held
                if not await asyncio.to_thread(self.contents.use, digest):
                    await self._fetch(digest, why, name, holders)
                await asyncio.to_thread(self.contents.hold, digest, why, name)
        finally:
            if not lock.locked():
                self._fetching.pop(digest, None)

    async def entries(self, root: str, holders: Sequence[AgentRecord]) -> list[Entry]:
        """Return what is in a directory, of which only the list need come to this machine. Raises as `fetch`."""
        digest = digest_of(root)
        if self.has(root):
            return await asyncio.to_thread(self.contents.entries, digest)
        problem: OrchestraError = NotFound(f"no agent has the directory {root[:12]} any more")
        for holder in holders:
            try:
                async with self._staying():
                    await self._fetch_list(holder, digest)
                    return await asyncio.to_thread(self.contents.entries, digest)
            except OrchestraError as error:
                problem = error
        async with self._staying():
            if await self.last_resort(digest, self._check_room):
                await asyncio.to_thread(self.contents.hold, digest, Why.SOURCE)  # it came whole, and may be of use so
                return await asyncio.to_thread(self.contents.entries, digest)
        if await asyncio.to_thread(self.contents.torn, digest):  # the list may be whole where a file is lost
            return await asyncio.to_thread(self.contents.entries, digest)
        raise problem

    async def _fetch(self, root: Digest, why: Why, name: str, holders: Sequence[AgentRecord]) -> None:
        problem: OrchestraError = NotFound(f"no agent has the directory {root.hex()[:12]} any more")
        for holder in holders:
            began = time.monotonic()
            try:
                size = await self._fetch_and_hold(holder, root, why, name)
            except OrchestraError as error:
                log.info("trees.elsewhere: %s: %s: %s", root.hex()[:12], holder.name, error)
                problem = error
                continue
            took = time.monotonic() - began
            log.info("trees.fetched: %s from %s: %d bytes in %.3f s", root.hex()[:12], holder.name, size, took)
            return
        async with self._staying():
            if await self.last_resort(root, self._check_room):
                await asyncio.to_thread(self.contents.hold, root, why, name)
                log.info("trees.fetched: %s from the blob space", root.hex()[:12])
                return
        raise problem

    async def _fetch_and_hold(self, holder: AgentRecord, root: Digest, why: Why, name: str) -> int:
        """Fetch a directory from one member, after having made room where that lacks; return the bytes that came."""
        try:
            async with self._staying():
                size = await self._fetch_from(holder, root)
                await asyncio.to_thread(self.contents.hold, root, why, name)
        except NoRoom as problem:
            if not await self.make_room(problem.size):
                raise
            async with self._staying():
                size = await self._fetch_from(holder, root)
                await asyncio.to_thread(self.contents.hold, root, why, name)
        return size

    @asynccontextmanager
    async def _staying(self) -> AsyncIterator[None]:
        """Let no content be forgotten meanwhile."""
        stay = self.contents.staying()
        await asyncio.to_thread(stay.__enter__)  # it may have to wait for the end of a sweep
        try:
            yield
        finally:
            stay.__exit__(None, None, None)

    async def _fetch_from(self, holder: AgentRecord, root: Digest) -> int:
        """Fetch what is lacking of a directory from one member; return the bytes that came."""
        size = await self._fetch_list(holder, root)
        entries, lacking = await asyncio.to_thread(self._lacking, root)
        size += await self._ask(holder, [one.digest for one in entries if one.size <= SMALL and one.digest in lacking])
        large = {one.digest: one.size for one in entries if one.size > SMALL and one.digest in lacking}
        turns = asyncio.Semaphore(LARGE_AT_ONCE)

        async def fetch(digest: Digest, length: int) -> int:
            async with turns:
                return await self._fetch_large(holder, digest, length)

        return size + sum(await asyncio.gather(*(fetch(*one) for one in large.items())))

    async def _fetch_list(self, holder: AgentRecord, root: Digest) -> int:
        """Fetch what says what is in a directory from one member; return the bytes that came."""
        size = await self._ask(holder, [root])
        tree = await asyncio.to_thread(self.contents.tree, root)
        self._check_room(tree)
        return size + await self._ask(holder, tree.digests())

    def _lacking(self, root: Digest) -> tuple[list[Entry], set[Digest]]:
        entries = [one for one in self.contents.entries(root) if one.is_file]
        return entries, set(self.contents.lacking(one.digest for one in entries))

    def _check_room(self, tree: Tree) -> None:
        free = shutil.disk_usage(self.contents.folder).free
        if tree.size > free - RESERVE:
            raise NoRoom(tree.size, free)

    async def _ask(self, holder: AgentRecord, digests: Sequence[Digest]) -> int:
        """Fetch small contents, as far as they are lacking, from one member; return the bytes that came."""
        lacking = await asyncio.to_thread(self.contents.lacking, digests)
        size = 0
        while lacking:
            asked = lacking[:ASKED]
            reply = await self._mesh.call(holder.id, Call.CONTENTS, pack(Wanted(b"".join(asked))), ANSWER_S)
            given = unpack(reply, Given)
            if given.missing:
                raise NotFound(f"{holder.name} lacks {given.missing} of the contents of a directory")
            if not 0 < given.count <= len(asked):
                raise PeerError(f"{holder.name} answered something else than was asked")
            if given.bundle:
                size += await self._fetch_bundle(holder, given.bundle, asked[: given.count])
            else:
                frames = list(zip(asked[: given.count], given.frames, strict=False))
                await asyncio.to_thread(self._take, frames, given.count)
                size += sum(len(frame) for _, frame in frames)
            lacking = lacking[given.count :]
        return size

    def _take(self, frames: list[tuple[Digest, bytes]], count: int) -> None:
        if len(frames) != count:
            raise PeerError("fewer contents came than were announced")
        for digest, frame in frames:
            content_of(frame, digest)
        self.contents.put_frames(frames)

    async def _fetch_bundle(self, holder: AgentRecord, bundle: str, asked: Sequence[Digest]) -> int:
        if not _is_bundle(bundle):
            raise PeerError(f"{holder.name} has a bundle of no possible name")
        target = self._outgoing / f"incoming-{secrets.token_hex(8)}"
        try:
            await self._bulk.fetch_file([bulk_of(holder)], f"bundle/{bundle}", target)
            return await asyncio.to_thread(self._open_bundle, target, asked)
        finally:
            target.unlink(missing_ok=True)

    def _open_bundle(self, path: Path, asked: Sequence[Digest]) -> int:
        frames: list[tuple[Digest, bytes]] = []
        size = 0
        with path.open("rb") as file:
            for digest in asked:
                head = file.read(_LENGTH.size)
                length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
                frame = file.read(min(length, 2 * SMALL))
                content_of(frame, digest)
                frames.append((digest, frame))
                size += len(frame)
                if size > BATCH:
                    self.contents.put_frames(frames)
                    frames, size = [], 0
            self.contents.put_frames(frames)
            return file.tell()

    async def _fetch_large(self, holder: AgentRecord, digest: Digest, size: int) -> int:
        name = digest.hex()
        large = self.contents.large
        partial = large.partial(name)
        await self._bulk.fetch_file([bulk_of(holder)], f"content/{name}", partial)
        length = partial.stat().st_size
        await asyncio.to_thread(large.adopt, partial, name, size=size)
        return length

    # -- for others

    def resolve(self, kind: str, name: str) -> Path | None:
        """Return the file that another member may fetch: a bundle that was made for it, or a large content."""
        if kind == "bundle" and name in self._bundles:
            return self._outgoing / name
        if kind == "content" and self.contents.large.has(name):
            return self.contents.large.file(name)
        return None

    async def _on_wanted(self, _: str, payload: bytes) -> bytes:
        wanted = unpack(payload, Wanted).digests
        digests = [wanted[at : at + DIGEST] for at in range(0, min(len(wanted), ASKED * DIGEST), DIGEST)]
        return pack(await asyncio.to_thread(self._give, digests))

    def _give(self, digests: Sequence[Digest]) -> Given:
        missing = len(self.contents.lacking(digests))
        if missing:
            return Given(missing=missing)
        inline: list[bytes] = []
        size = 0
        frames = (self.contents.frame(one) for one in digests)
        for frame in frames:
            inline.append(frame)
            size += len(frame)
            if size > INLINE:
                return self._bundle(inline, frames)
        return Given(tuple(inline), len(inline))

    def _bundle(self, first: Sequence[bytes], others: Iterable[bytes]) -> Given:
        """Write contents to a file that the member which asked may fetch."""
        name = secrets.token_hex(16)
        count = size = 0
        with (self._outgoing / name).open("wb") as file:
            for frame in _both(first, others):
                file.write(_LENGTH.pack(len(frame)))
                file.write(frame)
                count += 1
                size += len(frame)
                if size > BUNDLE:
                    break
        self._bundles[name] = None
        while len(self._bundles) > BUNDLES:
            oldest, _ = self._bundles.popitem(last=False)
            (self._outgoing / oldest).unlink(missing_ok=True)
        return Given((), count, name)


async def _no_room(_: int) -> bool:
    return False


async def _nowhere(_: Digest, __: Callable[[Tree], None]) -> bool:
    return False


def digest_of(text: str) -> Digest:
    """Return the digest that is written in hex. Raises InvalidInput where it is none."""
    if len(text) != 2 * DIGEST or not set(text) <= set("0123456789abcdef"):
        message = f"{text[:80]!r} is not a SHA-256 in hex; pack a directory first (orchestra run does)"
        raise InvalidInput(message)
    return bytes.fromhex(text)


def _is_bundle(name: str) -> bool:
    return len(name) == 32 and set(name) <= set("0123456789abcdef")  # noqa: PLR2004 - as they are made


def _both(first: Sequence[bytes], others: Iterable[bytes]) -> Iterator[bytes]:
    yield from first
    yield from others
