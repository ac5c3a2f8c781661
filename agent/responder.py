"""One mDNS responder, zeroconf's, at work on given addresses until it is closed; and what others' records say.

Records are taken from each packet as it comes, not from zeroconf's cache: a flood fills that with made-up records for
an hour, which then push out the true ones at once. Refuses to know what is announced, and what of the things found is
worth anything.
"""

# pyright: reportPrivateImportUsage=false
# zeroconf forgets in __all__ what it documents as its programming interface: records and packets.

import asyncio
import logging
import socket
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import zeroconf
from zeroconf import (
    DNSAddress,
    DNSOutgoing,
    DNSPointer,
    DNSQuestion,
    DNSService,
    DNSText,
    RecordUpdate,
    RecordUpdateListener,
    Zeroconf,
)
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from ..core.errors import Unavailable

SERVICE = "_orchestra._tcp.local."
"""The service type under which agents are found."""

_PTR, _IN, _QUERY = 12, 1, 0  # RFC 1035: a pointer, the internet, the flags of a question
_TTL_S = 4_500  # that pointers live, as RFC 6762 recommends
_FAMILIES = {4: socket.AF_INET, 16: socket.AF_INET6}  # by the bytes of an address
_IP_MULTICAST_ALL = 49  # of linux/in.h, which Python's socket module lacks
_IPV6_MULTICAST_ALL = 29  # of linux/in6.h

logging.getLogger("zeroconf").setLevel(logging.CRITICAL)  # what it complains of, its users tell better


@dataclass(frozen=True)
class Found:
    """What one packet says of one service. Nothing of it is checked."""

    name: str  # of the instance, in small letters
    text: bytes  # the TXT record
    port: int
    hosts: tuple[str, ...]  # addresses

    @property
    def texts(self) -> Mapping[str, str | None]:
        """The texts of the TXT record, by name."""
        return AsyncServiceInfo(SERVICE, SERVICE, properties=self.text).decoded_properties


class Responder:
    """Made by `open_responder`. Speaks from its addresses, and hears their interfaces only."""

    def __init__(self, at_work: AsyncZeroconf) -> None:
        """Wrap zeroconf, which has begun."""
        self._zeroconf = at_work.zeroconf
        self._at_work = at_work
        self._announced: AsyncServiceInfo | None = None

    @property
    def sockets(self) -> int:
        """At how many addresses it speaks; some cannot be used yet when they have just been given."""
        return len(self._zeroconf.engine.senders)

    def listen(self, on_found: Callable[[Found], None]) -> None:
        """Call `on_found` for each service that a packet tells all about."""
        self._zeroconf.async_add_listener(_Listener(on_found), None)

    def ask(self, known: Iterable[str]) -> None:
        """Ask everybody on the LAN who is there, except those whose names are `known`."""
        out = DNSOutgoing(_QUERY)
        out.add_question(DNSQuestion(SERVICE, _PTR, _IN))
        for name in known:
            out.add_answer_at_time(DNSPointer(SERVICE, _PTR, _IN, _TTL_S, f"{name}.{SERVICE}"), 0)
        self._zeroconf.async_send(out)

    async def announce(self, name: str, port: int, texts: dict[str, str], hosts: list[str]) -> Awaitable[None]:
        """Announce this, instead of what was announced before; the result ends when that has been sent three times."""
        info = AsyncServiceInfo(
            SERVICE,
            f"{name}.{SERVICE}",
            port=port,
            properties=texts,
            server=f"{name}.local.",
            parsed_addresses=hosts,
        )
        known, self._announced = self._announced, info
        if known and known.name == info.name:
            return await self._at_work.async_update_service(info)
        if known:
            await self._at_work.async_unregister_service(known)
        # Without asking whether the name is free: it is that of a key, and a liar could hold it against us.
        return await self._at_work.async_register_service(info, cooperating_responders=True)

    async def repeat(self) -> None:
        """Announce the same again; returns when that has been sent three times."""
        if self._announced:
            await (await self._at_work.async_update_service(self._announced))

    async def close(self) -> None:
        """Say goodbye and end."""
        await self._at_work.async_close()


async def open_responder(addresses: list[str]) -> Responder:
    """Begin to speak from these addresses. Raises Unavailable with the reason where that is not possible."""
    try:
        at_work = AsyncZeroconf(interfaces=addresses)
    except (OSError, RuntimeError) as error:  # RuntimeError: an address has just gone
        raise Unavailable(getattr(error, "strerror", None) or str(error)) from None
    starting = asyncio.ensure_future(at_work.zeroconf.async_wait_for_start())
    speaks = False
    try:
        with suppress(zeroconf.NotRunningException):
            await asyncio.shield(starting)  # cancelled itself, it would leave zeroconf unable to be closed
            speaks = bool(at_work.zeroconf.engine.senders)
    finally:
        if not speaks:
            await asyncio.gather(starting, return_exceptions=True)
            await at_work.async_close()
    if not speaks:
        message = f"none of {', '.join(addresses)} can be used"
        raise Unavailable(message)
    for reader in at_work.zeroconf.engine.readers:
        _close_ears(reader.transport.get_extra_info("socket"))
    return Responder(at_work)


class _Listener(RecordUpdateListener):
    """Puts together what belongs together in a packet."""

    def __init__(self, on_found: Callable[[Found], None]) -> None:
        self._on_found = on_found

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:  # noqa: ARG002
        texts: dict[str, bytes] = {}
        services: dict[str, DNSService] = {}
        hosts: defaultdict[str, list[str]] = defaultdict(list)
        for update in records:
            record = update.new
            if record.is_expired(now):  # a goodbye
                continue
            if isinstance(record, DNSAddress) and len(record.address) in _FAMILIES:
                hosts[record.key].append(socket.inet_ntop(_FAMILIES[len(record.address)], record.address))
            elif isinstance(record, DNSText) and record.key.endswith(f".{SERVICE}"):
                texts[record.key] = record.text
            elif isinstance(record, DNSService):
                services[record.key] = record
        for name in texts.keys() & services.keys():
            found = services[name]
            where = tuple(hosts.get(found.server_key, ()))
            self._on_found(Found(name.removesuffix(f".{SERVICE}"), texts[name], found.port, where))


def _close_ears(listening: socket.socket) -> None:
    """Hear only the interfaces joined; Linux also delivers what other programs on this machine have joined."""
    if sys.platform != "linux":
        return
    with suppress(OSError):
        listening.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
    if listening.family == socket.AF_INET6:
        with suppress(OSError):
            listening.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
