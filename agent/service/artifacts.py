"""Answers `artifacts.*`: what builds kept, listed, read in parts, and brought to where it is wanted."""

import asyncio
import base64
import os
import stat

from ...core import api, views
from ...core.errors import InvalidInput, NotFound, Unreachable
from ...core.globs import Globs
from ...core.manifest import Entry, shown
from ...core.model import Attempt
from ..keeping import PATIENCE_S, Keeper
from ..trees import Trees, digest_of
from .desk import Desk, current

MAX_PART = 1 << 20
"""Bytes of one answer of artifacts.get, before it is encoded."""


NAMED = 1000
"""Files that a build's view names. There may be more: artifacts.list has all."""


class Artifacts:
    """The artifacts of builds."""

    def __init__(self, desk: Desk, keeper: Keeper, trees: Trees) -> None:
        """They are in `trees`; what is not there is fetched by `keeper`."""
        self._desk = desk
        self._keeper = keeper
        self._trees = trees

    async def artifacts_list(self, params: api.ArtifactsList) -> api.Artifacts:
        """List the artifacts of a build."""
        globs = Globs([params.glob])
        attempt = await self._attempt(params.id, params.attempt)
        found = await self._keeper.entries(attempt.artifacts, attempt.agent) if attempt.artifacts else []
        # there may be many: everything else goes on meanwhile
        entries = await asyncio.to_thread(lambda: [one for one in found if globs.matches(one.path)])
        return api.Artifacts(
            build=attempt.build,
            attempt=attempt.number,
            tree=attempt.artifacts,
            agent=attempt.agent,
            files=await asyncio.to_thread(lambda: [_artifact(one) for one in entries]),
            size=sum(one.size for one in entries),
        )

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
        data = await asyncio.to_thread(self._trees.contents.part, found, params.offset, params.limit)
        complete = params.offset + len(data) >= found.size
        return api.ArtifactPart(params.offset, base64.b64encode(data).decode(), found.size, complete)

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
            if attempt.number == wanted:
                return attempt
        message = f"{found.label} has no attempt {wanted}; orchestra show {found.id} lists them"
        raise NotFound(message)


def _artifact(one: Entry) -> api.Artifact:
    digest = one.digest.hex() if one.is_file else os.fsdecode(one.digest).encode(errors="replace").decode()
    changed = views.stamp(one.mtime // 1_000_000) if one.mtime else None
    return api.Artifact(shown(one.path), one.size, stat.filemode(one.mode), digest, changed)
