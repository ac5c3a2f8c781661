"""What builds begin with, as clients say it, settled before a build is accepted.

A shipped directory is held by the network by then, and of a repository it is known what its branch is.
"""

from ...core.api.submitting import SourceParam, Submit
from ...core.definition import Source
from ...core.errors import InvalidInput, NotFound
from ...core.model import Context
from ..keeping import Keeper
from ..repositories.resolving import Resolver
from ..trees import Trees
from .desk import Desk


class Sources:
    """The sources of builds."""

    def __init__(self, desk: Desk, keeper: Keeper, trees: Trees, resolver: Resolver) -> None:
        """Shipped directories are in `trees`, and shared with the voters by `keeper`; `resolver` asks repositories."""
        self.tips = resolver.tips
        self._desk = desk
        self._keeper = keeper
        self._trees = trees

    async def prepare(self, wish: Submit) -> None:
        """Do what must be done at the client's own agent before the master decides: let the network hold a source."""
        if wish.source is not None:
            if not self._trees.has(wish.source.archive):
                message = f"there is no directory {wish.source.archive[:12]} here; pack it first (orchestra run does)"
                raise NotFound(message)
            self._desk.check_space()
            await self._keeper.share(wish.source.archive)

    def check_kept(self, source: Source, what: str) -> None:
        """Raise NotFound where a build cannot run again because what it began with is not kept."""
        if source.archive and not self._trees.has(source.archive):
            message = f"the directory that {what} ran in is no longer kept; use orchestra run again"
            raise NotFound(message)


def source_of(given: SourceParam | None) -> Source:
    """Return a source as a build has it. Raises InvalidInput where it begins outside of it."""
    if given is None:
        return Source()
    if given.directory.startswith("/") or ".." in given.directory.split("/") or "\0" in given.directory:
        message = f"directory {given.directory!r} must lie inside the shipped one: no leading `/`, no `..`"
        raise InvalidInput(message)
    return Source(
        archive=given.archive,
        describe=given.describe,
        branch=given.branch,
        revision=given.revision,
        tree=given.tree,
        directory=given.directory,
    )


def context_of(source: Source) -> Context | None:
    """Return what a build's context says of its source; None: nothing."""
    return Context(branch=source.branch, revision=source.revision) if source.branch or source.revision else None
