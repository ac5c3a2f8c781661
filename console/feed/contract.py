"""The seam between faces and where their data comes from: answers, changes, and how fresh all that is.

Refuses to know of screens. The same contract tests run against every feed (tests/console/feed).
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

import msgspec

from ...core.api.network import Status


class Link(StrEnum):
    """How a feed stands to its source."""

    SEEKING = "seeking"  # nobody was reached yet
    LIVE = "live"  # an agent answers
    LOST = "lost"  # an agent answered before, now none does
    STORE = "store"  # there is no network: a store is read


class Standing(msgspec.Struct, frozen=True):
    """How a feed stands, and what was last known of the network."""

    link: Link  # see there
    source: str = ""  # who or what is spoken to, for people
    status: Status | None = None  # the last that was told of the network; None: nothing yet, or there is none
    heard: float | None = None  # when the source last answered, by the feed's clock; None: never
    round_trip: float | None = None  # seconds that the last look at the network took
    problem: str = ""  # why nobody answers, with the remedy

    @property
    def master(self) -> str:
        """The name of the master; empty where none is known to lead now."""
        return self.status.master.name if self.link is Link.LIVE and self.status and self.status.master else ""


class Heard(msgspec.Struct, frozen=True):
    """Something happened."""

    kind: str  # one of EVENT_KINDS, or `standing`: how the feed stands has changed
    payload: dict[str, Any] = {}  # as in the notification; of `standing`: nothing


class Remembered(msgspec.Struct, frozen=True):
    """An answer of before."""

    answer: Any  # the method's result
    at: float  # when it came, by the feed's clock


Listener: TypeAlias = Callable[[Heard], None]


class Feed(Protocol):
    """Where a face has its data from. All within one event loop."""

    @property
    def standing(self) -> Standing:
        """How it stands now."""
        ...

    @property
    def methods(self) -> AbstractSet[str]:
        """Which methods of core/api can be answered at all."""
        ...

    def clock(self) -> float:
        """Return the seconds that ages are counted in; they never run backwards."""
        ...

    async def run(self) -> None:
        """Keep in touch until cancelled."""
        ...

    async def call(self, method: str, **params: object) -> Any:  # noqa: ANN401 - the method decides the type
        """Answer a request. Raises OrchestraError; NoAgent at once where nobody can answer now."""
        ...

    def remembered(self, method: str, **params: object) -> Remembered | None:
        """Return the last answer to the same request that only looks, however old; None where there is none."""
        ...

    def listen(self, hear: Listener) -> Callable[[], None]:
        """Have `hear` told of what happens from now on; the result ends that."""
        ...
