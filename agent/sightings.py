"""What strangers on the LAN say: the agents seen, what is still to be looked at, and which networks that makes.

The two collections assume that somebody floods them: each stays within its limit, and neither can be kept full so that
a true agent never gets in. Refuses to know where sightings come from.
"""

import random
from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, TypeAlias, TypeVar

import msgspec

from ..core import addresses
from .announcement import Sighting

T = TypeVar("T")

_Entry: TypeAlias = tuple[Sighting, float]  # and when it was seen

LIMIT = 1_024
"""Agents remembered. Larger: a flood of made-up ones costs more memory; smaller: true ones are forgotten sooner."""


class Sightings:
    """The newest sighting of each agent."""

    def __init__(self, network: str = "", limit: int = LIMIT) -> None:
        """Prefer the agents of `network` (an id; empty for none)."""
        self._network = network
        self._limit = limit
        self._near: OrderedDict[str, _Entry] = OrderedDict()  # of that network, by id, seen longest ago first
        self._far: OrderedDict[str, _Entry] = OrderedDict()  # of others

    def add(self, sighting: Sighting, now: float) -> bool:
        """Take a sighting at `now` (seconds of any clock); return whether it says something new.

        When there are too many, the agent not seen for longest goes, one of another network if there is any.
        """
        identity = sighting.announcement.id
        known = self._near.pop(identity, None) or self._far.pop(identity, None)
        group = self._near if sighting.announcement.network == self._network else self._far
        group[identity] = sighting, now
        if len(self) > self._limit:
            (self._far or self._near).popitem(last=False)
        return identity in group and (known is None or known[0] != sighting)

    def prefer(self, network: str) -> None:
        """From now on, this is the network whose agents are kept."""
        if network == self._network:
            return
        seen = [*self._far.values(), *self._near.values()]
        self._network = network
        self._near.clear()
        self._far.clear()
        for sighting, at in sorted(seen, key=lambda entry: entry[1]):
            self.add(sighting, at)

    def all(self) -> list[Sighting]:
        """Return the sightings, those of other networks first, the newest of each last."""
        return [sighting for sighting, _ in (*self._far.values(), *self._near.values())]

    def since(self, moment: float) -> list[str]:
        """Return the ids of the agents seen after that moment."""
        return [sighting.announcement.id for sighting, at in (*self._far.values(), *self._near.values()) if at > moment]

    def __len__(self) -> int:
        return len(self._near) + len(self._far)


class Backlog(Generic[T]):
    """Things to look at by name, drawn at random: among thousands of made-up ones a true one has its chance."""

    def __init__(self, limit: int, chance: random.Random) -> None:
        """Hold at most `limit`."""
        self._limit = limit
        self._chance = chance
        self._names: list[str] = []
        self._held: dict[str, T] = {}

    def put(self, name: str, thing: T) -> bool:
        """Take a thing, instead of one of the same name; return False when another one had to go for it."""
        known = name in self._held
        full = not known and len(self._names) >= self._limit
        if full:
            self.draw()
        if not known:
            self._names.append(name)
        self._held[name] = thing
        return not full

    def draw(self) -> T:
        """Return one of the things, and hold it no more. Raises IndexError where there is none."""
        place = self._chance.randrange(len(self._names)) if self._names else 0
        self._names[place], self._names[-1] = self._names[-1], self._names[place]
        return self._held.pop(self._names.pop())

    def __len__(self) -> int:
        return len(self._names)


class Seen(msgspec.Struct, frozen=True):
    """A network that was seen, as one of its agents says; nothing of it is proven."""

    id: str  # of the network
    name: str  # for people
    public: str  # key of the agent at whose door one may knock
    doors: tuple[str, ...]  # host:port of its door
    agents: tuple[str, ...]  # names of the agents seen


def networks_of(sightings: Iterable[Sighting]) -> list[Seen]:
    """Return the networks that were seen, by name. Pure."""
    found: dict[str, list[Sighting]] = {}
    for one in sightings:
        found.setdefault(one.announcement.network, []).append(one)
    seen = [
        Seen(
            id=network,
            name=ones[0].announcement.network_name,
            public=ones[0].announcement.public,
            doors=(addresses.join(ones[0].host, ones[0].announcement.door),),
            agents=tuple(sorted(one.announcement.name for one in ones)),
        )
        for network, ones in found.items()
    ]
    return sorted(seen, key=lambda one: (one.name, one.id))
