"""A feed through which one only looks: of all methods those that change something are neither told nor answered."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from ...core.api.method import Permission
from ...core.api.table import METHODS
from ...core.errors import NotAllowed
from .contract import Feed, Listener, Remembered, Standing


class LookingFeed:
    """A feed over another one that cannot change anything."""

    def __init__(self, feed: Feed) -> None:
        """Pass on what only looks to `feed`."""
        self._feed = feed
        looks = (name for name in feed.methods if METHODS[name].permission is Permission.READ)
        self.methods: AbstractSet[str] = frozenset(looks)

    @property
    def standing(self) -> Standing:
        """See Feed."""
        return self._feed.standing

    def clock(self) -> float:
        """See Feed."""
        return self._feed.clock()

    async def run(self) -> None:
        """See Feed."""
        await self._feed.run()

    async def call(self, method: str, **params: object) -> Any:  # noqa: ANN401 - the method decides the type
        """See Feed. Raises NotAllowed for what changes something."""
        if method in METHODS and METHODS[method].permission is not Permission.READ:
            raise NotAllowed(f"{method} changes something, and this only looks: start without --readonly")
        return await self._feed.call(method, **params)

    def remembered(self, method: str, **params: object) -> Remembered | None:
        """See Feed."""
        return self._feed.remembered(method, **params)

    def listen(self, hear: Listener) -> Callable[[], None]:
        """See Feed."""
        return self._feed.listen(hear)
