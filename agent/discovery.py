"""Discovery: agents announce themselves on the LAN by mDNS (DNS-SD, RFC 6762 and 6763) and see each other.

What is seen is a hint of an address, no more: it does not say that the agent is who it says. The work that a flood of
records can cause is bounded, and so is what is remembered of it. Speaks only on the chosen interfaces, and follows when
they change: the responder is made anew, since its sockets are bound to addresses; what was seen is kept. Where mDNS is
not possible this says so once and goes on without; agents can be named with --peer.
"""

import asyncio
import itertools
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address

from ..core import addresses
from ..core.bucket import Bucket
from ..core.errors import InvalidInput, PeerError, Unavailable
from .announcement import Announcement, Sighting, from_texts, to_texts
from .beacon import ask
from .interfaces import Interface, advertise, chosen, promising
from .responder import Found, Responder, open_responder
from .sightings import Backlog, Sightings

log = logging.getLogger(__name__)

READS = 500
"""Agents a second whose records are read. Larger: more of a flood is taken in; smaller: a big network shows later."""

_BACKLOG = 1_024  # agents whose records wait to be read
_FIRST_ASKS_S = (0.05, 1.0, 3.0)  # pauses before the first questions: packets get lost, and so do answers
_ASK_S = 60.0  # between later ones, or as many seconds as agents are known: then the LAN has one question a second
_ASK_AGAIN_S = 5.0  # at least between two, when records went unread in a flood
_REPEAT_S = 2.0  # after an announcement, until it is repeated
_FRESH_S = 600.0  # who was heard within need not answer
_LOOK_S = 3.0  # between two looks at the interfaces; larger: a change is followed later
_PATIENCE = 5  # looks in which an address that cannot be used yet is tried again; IPv6 ones take a second to settle
_IDENTITY = re.compile(r"[0-9a-f]{16}")


class Discovery:
    """Announces this agent and sees others. All methods belong to one event loop."""

    def __init__(
        self,
        on_sighting: Callable[[Sighting], None],
        *,
        interfaces: tuple[str, ...] = (),
        own: Announcement | None = None,
        host: str = "0.0.0.0",  # noqa: S104 - not bound to
    ) -> None:
        """Call `on_sighting` for every new agent, new address and changed announcement.

        `interfaces`: names of those to use, empty for those that lead out. `own`: what to announce, None for nothing.
        `host`: where the agent listens, which decides the addresses that are announced.
        """
        self.counters: Counter[str] = Counter()
        self._on_sighting = on_sighting
        self._names = interfaces
        self._own = own
        self._host = host
        self._seen = Sightings(own.network if own else "")
        self._chance = random.Random()  # noqa: S311 - fairness, no secret
        self._backlog: Backlog[Found] = Backlog(_BACKLOG, self._chance)
        self._waiting = asyncio.Event()  # something is in the backlog
        self._missed = asyncio.Event()  # something went from it unread
        self._reads = Bucket(READS, READS / 10)
        self._lock = asyncio.Lock()  # over the responder and its interfaces
        self._interfaces: list[Interface] = []
        self._responder: Responder | None = None
        self._patience = _PATIENCE
        self._warned = False
        self._tasks: set[asyncio.Future[None]] = set()  # as long as this is open
        self._errands: set[asyncio.Future[None]] = set()  # as long as this responder is

    @property
    def sightings(self) -> list[Sighting]:
        """The agents seen, without this one; the newest sighting of each."""
        return [one for one in self._seen.all() if not self._is_own(one.announcement.id)]

    @property
    def speaking(self) -> tuple[str, ...]:
        """The addresses that are spoken from; empty where mDNS is not possible."""
        return tuple(_speaking(self._interfaces)) if self._responder else ()

    async def start(self) -> None:
        """Begin. Raises InvalidInput where an interface was named that does not exist; all else is only a warning."""
        found = chosen(self._names)
        async with self._lock:
            await self._open(found)
        for work in (self._follow(), self._read()):
            _keep(self._tasks, work)

    async def announce(self, announcement: Announcement) -> None:
        """Announce this from now on."""
        async with self._lock:
            self._own = announcement
            self._seen.prefer(announcement.network)
            await self._register()

    async def close(self) -> None:
        """Say goodbye and end."""
        async with self._lock:  # not in the middle of an opening
            await _cancel(self._tasks)
            await self._shut()

    async def _follow(self) -> None:
        """Look at the interfaces, for ever; begin anew when they have changed."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                found = await asyncio.to_thread(chosen, self._names)
            except InvalidInput:
                found = []  # one that was named has gone: an adapter pulled out
            except OSError:
                continue  # the system does not say now; no news
            if found != self._interfaces:
                listed = "; ".join(f"{one.name} {' '.join(one.addresses)}" for one in found)
                log.info("discovery.interfaces: now %s", listed or "none")
                self._patience = _PATIENCE
            elif self._complete() or not self._patience:
                continue
            else:
                self._patience -= 1
            async with self._lock:
                await self._shut()
                await self._open(found)

    def _complete(self) -> bool:
        """Whether we speak from every address we should."""
        wanted = len(_speaking(self._interfaces))
        return not wanted or bool(self._responder and self._responder.sockets >= wanted)

    async def _open(self, interfaces: list[Interface]) -> None:
        self._interfaces = interfaces
        wanted = _speaking(interfaces)
        why = "no network interface leads to other machines"
        for speaking in (wanted, [one for one in wanted if ":" not in one]):  # IPv4 alone where not both can be had
            if speaking and not self._responder:
                try:
                    self._responder = await open_responder(speaking)
                except Unavailable as error:
                    why = str(error)
        if self._responder:
            self._warned = False
            self._responder.listen(self._on_found)
            _keep(self._errands, self._ask(self._responder))
            await self._register()
        elif not self._warned:
            self._warned = True
            log.warning("discovery.off: no agents can be found by mDNS (%s); name one with --peer HOST:PORT", why)

    async def _shut(self) -> None:
        await _cancel(self._errands)
        if self._responder:
            await self._responder.close()
        self._responder = None

    async def _register(self) -> None:
        """Announce what there is to announce."""
        if not self._responder or not self._own:
            return
        own = self._own
        names = tuple(one.name for one in self._interfaces)
        hosts = [one for one in advertise(self._interfaces, self._host, names) if _is_literal(one)]
        hosts = hosts or [address for one in self._interfaces for address in one.addresses]
        _keep(self._errands, await self._responder.announce(own.id, own.port, to_texts(own), hosts))
        _keep(self._errands, self._repeat(self._responder))

    async def _repeat(self, responder: Responder) -> None:
        """Announce once more: an answer with the old facts, which waits up to a second, may go out after the new."""
        await asyncio.sleep(_REPEAT_S)
        await responder.repeat()

    def _is_own(self, name: str) -> bool:
        return self._own is not None and name == self._own.id

    def _on_found(self, found: Found) -> None:
        """Records of an agent have come; they are read when it is their turn."""
        if not _IDENTITY.fullmatch(found.name):
            self.counters["malformed"] += 1
        elif not self._is_own(found.name):
            if not self._backlog.put(found.name, found):
                self.counters["overflow"] += 1
                self._missed.set()
            self._waiting.set()

    async def _read(self) -> None:
        """Read what came, for ever, at a limited rate."""
        while True:
            if not self._backlog:
                self._waiting.clear()
                await self._waiting.wait()
            await asyncio.sleep(self._reads.wait_s(time.monotonic()))
            self._reads.take(time.monotonic())
            self._judge(self._backlog.draw())

    def _judge(self, found: Found) -> None:
        """Take what an agent's records say, if they are right in form and somewhere it can be."""
        try:
            announcement = from_texts(found.texts)
        except PeerError:
            self.counters["malformed"] += 1
            return
        if announcement.id != found.name or announcement.port != found.port:
            self.counters["malformed"] += 1
            return
        host = promising(found.hosts, self._interfaces)
        if not host:
            self.counters["elsewhere"] += 1
            return
        sighting = Sighting(announcement, host)
        if self._seen.add(sighting, time.monotonic()):
            self.counters["seen"] += 1
            self._on_sighting(sighting)

    async def _ask(self, responder: Responder) -> None:
        """Ask who is there, for as long as this responder is open."""
        opened = time.monotonic()
        for pause_s in itertools.chain(_FIRST_ASKS_S, itertools.repeat(_ASK_AGAIN_S)):
            await asyncio.sleep(pause_s * self._chance.uniform(1, 1.2))
            if pause_s == _ASK_AGAIN_S:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._missed.wait(), max(_ASK_S, len(self._seen)))
            self._missed.clear()
            responder.ask(self._seen.since(max(opened, time.monotonic() - _FRESH_S)))


async def look(seconds: float, *, interfaces: tuple[str, ...] = (), peers: Sequence[str] = ()) -> list[Sighting]:
    """Look around for so long without being seen, and ask `peers` (`host:port`) who they are.

    Returns each agent once, by network and name; where it answered itself, at the address where it did. Raises
    InvalidInput for a peer that is no address, or an interface that does not exist.
    """
    targets = [addresses.split(peer) for peer in peers]
    discovery = Discovery(lambda _: None, interfaces=interfaces)
    await discovery.start()
    try:
        _, *answers = await asyncio.gather(
            asyncio.sleep(seconds), *(ask(host, port, timeout_s=seconds) for host, port in targets)
        )
    finally:
        await discovery.close()
    found = {one.announcement.id: one for one in (*discovery.sightings, *answers) if one}
    facts = [(one.announcement.network_name, one.announcement.name, one.announcement.id) for one in found.values()]
    return [found[identity] for _, _, identity in sorted(facts)]


def _speaking(interfaces: list[Interface]) -> list[str]:
    """Return the addresses to speak from: one of each family per interface, as multicast needs no more."""
    found: list[str] = []
    for one in interfaces:
        found += [address for address in one.addresses if ":" not in address][:1]
        if not one.loopback:  # over ::1 there is no multicast
            found += [address for address in one.addresses if ":" in address][:1]
    return found


def _is_literal(host: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(host))
    return False


def _keep(where: set[asyncio.Future[None]], work: Awaitable[None]) -> None:
    """Let it run, until it ends or is cancelled with the others there."""
    task = asyncio.ensure_future(work)
    where.add(task)
    task.add_done_callback(where.discard)
    task.add_done_callback(_on_end)


async def _cancel(tasks: set[asyncio.Future[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


def _on_end(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and task.exception():
        log.error("discovery.defect: %s failed", task, exc_info=task.exception())
