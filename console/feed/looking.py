"""A feed through which one only looks: of all methods those that change something are neither told nor answered."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from ...core import api
from ...core.errors import NotAllowed
from .contract import Feed, Listener, Remembered, Standing


class LookingFeed:
    """A feed over another one that cannot change anything."""

    def __init__(self, feed: Feed) -> None:
        """Pass on what only looks to `feed`."""
        self._feed = feed
        looks = (name for name in feed.methods if api.METHODS[name].permission is api.Permission.READ)
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
        if method in api.METHODS and api.METHODS[method].permission is not api.Permission.READ:
            raise NotAllowed(f"{method} changes something, and this only looks: start without --readonly")
        return await self._feed.call(method, **params)

    def remembered(self, method: str, **params: object) -> Remembered | None:
        """See Feed."""
        return self._feed.remembered(method, **params)

    def listen(self, hear: Listener) -> Callable[[], None]:
        """See Feed."""
        return self._feed.listen(hear)
