"""Directories on their way: to an agent with a submission, and back with what a build kept."""

import socket
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ...core import errors
from ...core.api.submitting import SourceParam
from ..paths import Paths

if TYPE_CHECKING:
    from ...core.api.artifacts import Artifacts
    from ..shipping.listing import Looking
    from ..shipping.owning import Owning
    from ..workspace.returning import Returned
    from .blocking import Client


def ship(client: "Client", directory: Path, include: Sequence[str] = ()) -> "Shipment":
    """Look at a directory that is to travel; see `Shipment`. `include`: globs of ignored files that travel, too."""
    from ..shipping.listing import Looking

    return Shipment(Paths(client.data), Looking(directory, include))


class Shipment:
    """A directory on its way to the agent of a client. A context manager."""

    def __init__(self, paths: Paths, looking: "Looking") -> None:
        """Pack what is being looked at for the agent with these paths."""
        # all of this takes about as long as git does
        from ..blobs import Contents
        from ..shipping import memory
        from ..shipping.packing import Packing

        self._contents = Contents(paths.contents)
        self._memories = paths.shipped
        remembered = memory.load(self._memories, looking.top)
        self.listing = looking.listing()
        self.packing = Packing(self.listing, self._contents, self._memories, remembered)

    def source(self, progress: Callable[[int], None] = lambda _: None, *, warm: bool = False) -> SourceParam:
        """Pack it; return what builds.submit takes as `source`. `progress` is told of bytes that were read.

        `warm`: it runs where builds that were shipped from this directory before left what they built.
        """
        root = self.packing.store(progress)
        head = self.listing.head
        place = f"{socket.gethostname()}:{self.listing.top}"
        return SourceParam(
            archive=root.hex(),
            describe=place,
            revision=head.revision,
            branch=head.branch,
            tree=sha256(place.encode(errors="surrogateescape")).hexdigest() if warm else "",
            directory=self.listing.inside,
        )

    def owning(self) -> "Owning":
        """Return what says which files of the directory are people's own, once it is packed."""
        from ..shipping.owning import Owning

        return Owning(self.listing, self._memories)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back what is open."""
        self._contents.close()


class Returning:
    """What a build kept, on its way into a directory of the client's. A context manager."""

    def __init__(self, client: "Client", found: "Artifacts", globs: Sequence[str]) -> None:
        """Have the agent of `client` fetch it. `globs`: what of it is wanted. Raises NotFound, InvalidInput."""
        from ...core.globs import Globs
        from ..blobs import Contents

        wanted = Globs(globs)
        client.call("artifacts.fetch", tree=found.tree, agent=found.agent)
        self._contents = Contents(Paths(client.data).contents)
        self.entries = [one for one in self._contents.entries(bytes.fromhex(found.tree)) if wanted.matches(one.path)]

    def put(self, out: Path, may_overwrite: Callable[[bytes], bool]) -> "Returned":
        """Put it into a directory, which exists; `may_overwrite(path)` is whether a file there may go.

        Raises StorageError where it cannot be written there.
        """
        from ..workspace.returning import put

        try:
            return put(self._contents, self.entries, out.resolve(), may_overwrite)
        except OSError as problem:
            message = (
                f"cannot put what the build left into {out}: {problem.strerror}; name another directory with --out"
            )
            raise errors.StorageError(message) from None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back what is open."""
        self._contents.close()
