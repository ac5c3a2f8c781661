"""Which contents are forgotten: those that no held directory needs, and of these as many as it takes, in order of use.

Refuses to know why one directory matters more than another, and when there is too much: it is told.
"""

import math
from collections.abc import Callable
from contextlib import suppress

from ...core import manifest
from ...core.errors import Damaged, NotFound, PeerError
from ...core.manifest import Digest
from .contents import Contents, Held, Why


def sweep(contents: Contents) -> None:
    """Forget contents that no held directory needs. Raises Conflict where somebody is just putting one together."""
    forget(contents, math.inf, lambda _: True)


def forget(contents: Contents, most: float, keep: Callable[[Held], bool]) -> list[Held]:
    """Let directories go, so that what is left takes at most `most` bytes of the disk; return which went.

    Those that `keep` names stay whatever they take; of the others those that were used last, as far as they fit beside
    what was used after them. Each that is about to go is asked about once more when it is gone for others: who begins
    to count on one before looking whether it is there is safe. What is damaged goes in any case, so that it is brought
    anew; but artifacts cannot be made again: of those what is left stays, and counts as torn. Raises as `sweep`.
    """
    with contents.alone():
        reached = _Reached(contents)
        gone: list[Held] = []
        order = sorted((not keep(one), -one.used, place, one) for place, one in enumerate(contents.held()))
        for others, _, _, one in order:
            if reached.take(one.root, most if others else math.inf):
                continue
            if not others and one.why is Why.ARTIFACTS and reached.take_rest(one.root):
                contents.tear(one.root)
                continue
            let_go = contents.release(one.root, one.why, one.name, unused_since=one.used)
            if others and (not let_go or keep(one)) and reached.take(one.root, math.inf):
                contents.hold(one.root, one.why, one.name)  # it came into use at this moment
            else:
                gone.append(one)
        contents.forget(reached.others())
        return gone


class _Reached:
    """The contents that directories need which stay."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._sizes = contents.sizes()
        self._needed: set[Digest] = set()
        self._lists: set[Digest] = set()  # of these: heads and leaves, all that they name is needed, too
        # bytes on the disk: those of what is needed, and what none of it can be blamed for
        self._size = max(0, contents.total - sum(self._sizes.values()))

    def take(self, root: Digest, most: float) -> bool:
        """Have a directory stay, if all together takes at most `most` bytes then; return whether it does."""
        if root in self._lists:
            return True
        try:
            lists, files = self._beyond(root)
            new = (lists | files) - self._needed
            size = sum(self._sizes[one] for one in new)
        except (NotFound, Damaged, PeerError, KeyError):
            return False
        if self._size + size > most:
            return False
        self._lists |= lists
        self._needed |= new
        self._size += size
        return True

    def take_rest(self, root: Digest) -> bool:
        """Have what is left of a damaged directory stay; return whether it is known what that is."""
        try:
            leaves = self._contents.tree(root).digests()
        except (NotFound, Damaged, PeerError):
            return False
        left = {root, *leaves}
        for leaf in leaves:
            with suppress(NotFound, Damaged, PeerError):
                left |= {one.digest for one in manifest.read_leaf(self._contents.read(leaf)) if one.is_file}
        new = self._sizes.keys() & left - self._needed
        self._needed |= new
        self._size += sum(self._sizes[one] for one in new)
        return True

    def _beyond(self, root: Digest) -> tuple[set[Digest], set[Digest]]:
        """Return the lists and files that a directory needs, but for what is in known lists."""
        lists = {root, *self._contents.tree(root).digests()} - self._lists
        read = self._contents.read
        return lists, {one.digest for leaf in lists - {root} for one in manifest.read_leaf(read(leaf)) if one.is_file}

    def others(self) -> list[Digest]:
        """Return all contents but those."""
        return [one for one in self._sizes if one not in self._needed]
