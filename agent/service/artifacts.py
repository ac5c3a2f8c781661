"""Answers `artifacts.*`: what builds kept, listed, read in parts, and brought to where it is wanted."""

import asyncio
import base64
import os
import stat
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from ...core.api import artifacts as api
from ...core.errors import InvalidInput, NotFound, Unreachable
from ...core.globs import Globs
from ...core.ids import is_digest
from ...core.instants import stamp
from ...core.manifest import Entry, shown
from ...core.model import Attempt
from ..keeping import PATIENCE_S, Keeper
from ..trees import Trees, digest_of
from .desk import Desk, current

MAX_PART = 1 << 20
"""Bytes of one answer of artifacts.get, before it is encoded."""


MAX_LISTED = 10_000
"""Files of one answer of artifacts.list."""

MAX_PAGE = 3 << 20
"""Bytes of those: a frame may have more, but not much."""

LISTED_S = 30.0
"""Seconds for which a list is remembered of which there are more pages. Larger: slow readers cost less to serve."""

NAMED = 1000
"""Files that a build's view names. There may be more: artifacts.list has all."""


class Artifacts:
    """The artifacts of builds."""

    def __init__(self, desk: Desk, keeper: Keeper, trees: Trees) -> None:
        """They are in `trees`; what is not there is fetched by `keeper`."""
        self._desk = desk
        self._keeper = keeper
        self._trees = trees
        self._listed: tuple[tuple[str, str], list[Entry]] | None = None  # what was listed last, and not to its end

    async def artifacts_list(self, params: api.ArtifactsList) -> api.Artifacts:
        """List the artifacts of a build."""
        if not 1 <= params.limit <= MAX_LISTED:
            message = f"limit must be 1 to {MAX_LISTED}, not {params.limit}; ask for the next page with `after`"
            raise InvalidInput(message)
        after = b"" if params.after is None else _path(params.after)
        attempt = await self._attempt(params.id, params.attempt)
        entries = await self._matching(attempt, params.glob)
        # there may be many: everything else goes on meanwhile
        files, last = await asyncio.to_thread(_page, entries, after, params.limit)
        if last is None:
            self._forget(entries)
        return api.Artifacts(
            build=attempt.build,
            attempt=attempt.number,
            tree=attempt.artifacts,
            agent=attempt.agent,
            files=files,
            size=sum(one.size for one in entries),
            count=len(entries),
            next=None if last is None else base64.urlsafe_b64encode(last).decode(),
        )

    async def _matching(self, attempt: Attempt, glob: str) -> list[Entry]:
        """Return the entries of an attempt's artifacts that fit: at once, where they are being paged through."""
        globs, which = Globs([glob]), (attempt.artifacts, glob)
        if self._listed is not None and self._listed[0] == which:
            return self._listed[1]
        found = await self._keeper.entries(attempt.artifacts, attempt.agent) if attempt.artifacts else []
        entries = await asyncio.to_thread(lambda: _fitting(found, globs))
        self._listed = which, entries
        asyncio.get_running_loop().call_later(LISTED_S, self._forget, entries)
        return entries

    def _forget(self, entries: list[Entry]) -> None:
        if self._listed is not None and self._listed[1] is entries:
            self._listed = None

    async def artifacts_get(self, params: api.ArtifactsGet) -> api.ArtifactPart:
        """Return a range of an artifact."""
        if not 1 <= params.limit <= MAX_PART or params.offset < 0:
            message = (
                f"limit must be 1 to {MAX_PART} bytes and offset not negative, not {params.limit}, {params.offset}"
            )
            raise InvalidInput(message)
        attempt = await self._attempt(params.id, params.attempt)
        if attempt.artifacts and not self._trees.has(attempt.artifacts):
            await self._bring(attempt)
        entries = await self._keeper.entries(attempt.artifacts) if attempt.artifacts else []
        found = await asyncio.to_thread(
            lambda: next((one for one in entries if one.is_file and shown(one.path) == params.path), None)
        )
        if found is None:
            message = f"no file {params.path!r} among the artifacts; orchestra artifacts list {params.id} shows them"
            raise NotFound(message)
        data = await self._part(attempt, found, params.offset, params.limit)
        complete = params.offset + len(data) >= found.size
        return api.ArtifactPart(params.offset, base64.b64encode(data).decode(), found.size, complete)

    async def _part(self, attempt: Attempt, found: Entry, offset: int, limit: int) -> bytes:
        """Return a part of a file, also of one that got lost here without anybody having seen it, if others have it."""
        try:
            return await asyncio.to_thread(self._trees.contents.part, found, offset, limit)
        except NotFound:
            await asyncio.to_thread(self._trees.contents.tear, digest_of(attempt.artifacts))
        await self._bring(attempt)
        return await asyncio.to_thread(self._trees.contents.part, found, offset, limit)

    async def _bring(self, attempt: Attempt) -> None:
        """Have what an attempt kept on this machine; what is left of it here will do where nobody has the rest."""
        torn = await asyncio.to_thread(self._trees.contents.torn, digest_of(attempt.artifacts))
        try:
            await self._keeper.fetch(attempt.artifacts, attempt.agent, 0 if torn else PATIENCE_S)
        except (NotFound, Unreachable):
            if not torn:
                raise

    async def artifacts_fetch(self, params: api.ArtifactsFetch) -> api.Fetched:
        """Have artifacts on this machine."""
        if not self._trees.has(params.tree):
            await self._keeper.fetch(params.tree, first=params.agent)
        return api.Fetched(params.tree)

    async def named(self, tree: str) -> list[dict[str, object]]:
        """Return the first files of a directory as a build's view has them; none where it is not on this machine."""
        if not self._trees.has(tree):
            return []
        entries = await asyncio.to_thread(self._trees.contents.entries, digest_of(tree))
        return [{"path": shown(one.path), "size": one.size} for one in entries[:NAMED]]

    async def _attempt(self, build: str, number: int | None) -> Attempt:
        found = await self._desk.find.build(build)
        wanted = current(found) if number is None else number
        for attempt in await self._desk.find.attempts(found):
            if attempt.number != wanted:
                continue
            if attempt.artifacts and not is_digest(attempt.artifacts):
                # a history may hold what a worker said before that was looked at: nothing can be found by it
                message = f"what {found.label} kept cannot be found any more; orchestra rerun {found.id} makes it anew"
                raise NotFound(message)
            return attempt
        message = f"{found.label} has no attempt {wanted}; orchestra show {found.id} lists them"
        raise NotFound(message)


def _fitting(entries: Iterable[Entry], globs: Globs) -> list[Entry]:
    return sorted((one for one in entries if globs.matches(one.path)), key=lambda one: one.path)


def _page(entries: Sequence[Entry], after: bytes, limit: int) -> tuple[list[api.Artifact], bytes | None]:
    """Return the files behind a path, and the path of the last one where more follow."""
    files: list[api.Artifact] = []
    size = 0
    first = bisect_right(entries, after, key=lambda one: one.path)
    for place in range(first, min(first + limit, len(entries))):
        found = _artifact(entries[place])
        size += len(msgspec.json.encode(found))
        if size > MAX_PAGE and files:
            break
        files.append(found)
    end = first + len(files)
    return files, entries[end - 1].path if end < len(entries) else None


def _path(cursor: str) -> bytes:
    """Return the path in a cursor. Raises InvalidInput."""
    try:
        return base64.b64decode(cursor, b"-_", validate=True)
    except ValueError:
        raise InvalidInput("the cursor is not of artifacts.list; use `next` of the page before") from None


def _artifact(one: Entry) -> api.Artifact:
    digest = one.digest.hex() if one.is_file else os.fsdecode(one.digest).encode(errors="replace").decode()
    changed = stamp(one.mtime // 1_000_000) if one.mtime else None
    return api.Artifact(shown(one.path), one.size, stat.filemode(one.mode), digest, changed)
