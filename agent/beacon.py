"""The beacon: a UDP port, with the number of the control port, that answers "who are you?" with the announcement.

For networks where mDNS does not get through: a person names a host and a port, and gets a hint of who is there. The
answer is never longer than the question, so nobody can use the beacon to send a third party more than was sent to it;
questions are answered at a limited rate. What is no question is dropped and counted.
"""

import asyncio
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from ..core.bucket import Buckets
from ..core.errors import Conflict, PeerError
from .announcement import Announcement, Sighting, decode, encode

_QUESTION = b"orchestra who? 1\n"  # the number is the version of this exchange
_ANSWER = b"orchestra I am 1\n"
_NONCE = 16  # bytes; an answer without the question's is not one to it
_QUESTION_BYTES = 1_200  # of a whole question, padded: more than any answer, less than a packet

RATE = 20.0
"""Answers a second. Larger: a flood of questions costs us more; smaller: it silences us for others sooner."""

RATE_EACH = 5.0
"""Answers a second to one address (IPv6: to one /64, which is what one household has)."""

_TRIES = 4  # questions within the time given, because UDP loses some
_HOSTS = 4  # addresses of a name that are asked


class Beacon:
    """The answering side."""

    def __init__(self, announcement: Announcement, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Answer with this announcement, once started; it may be replaced at any time."""
        self.announcement = announcement
        self.counters: Counter[str] = Counter()
        self._clock = clock
        self._rate = Buckets(RATE, RATE_EACH)
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self, host: str, port: int) -> None:
        """Bind. Raises Conflict where that is not possible."""
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: _Receiver(self._on_datagram), local_addr=(host, port)
            )
        except OSError as error:
            message = (
                f"cannot receive UDP on {host} port {port}: {error.strerror}; "
                "end the program that uses the port, or give another one with --listen"
            )
            raise Conflict(message) from None

    @property
    def port(self) -> int:
        """The number of the port bound, 0 before `start`."""
        return self._transport.get_extra_info("sockname")[1] if self._transport else 0

    def close(self) -> None:
        """Stop answering."""
        if self._transport:
            self._transport.close()

    def _on_datagram(self, data: bytes, source: tuple[Any, ...]) -> None:
        reply = self.answer(data, source[0])
        if reply and self._transport:
            self._transport.sendto(reply, source)

    def answer(self, data: bytes, host: str) -> bytes:
        """Return the answer to a datagram from `host`; empty for none."""
        if not data.startswith(_QUESTION):
            self.counters["malformed"] += 1
            return b""
        nonce = data[len(_QUESTION) :][:_NONCE]
        reply = _ANSWER + nonce + encode(self.announcement)
        if len(reply) > len(data):
            self.counters["short"] += 1
            return b""
        if not self._rate.take(host, self._clock()):
            self.counters["limited"] += 1
            return b""
        self.counters["answered"] += 1
        return reply


async def ask(host: str, port: int, timeout_s: float = 1.0) -> Sighting | None:
    """Ask who is there; return None where nobody says so in time. Several tries; the first right answer counts."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Sighting] = loop.create_future()
    transports: list[asyncio.DatagramTransport] = []
    try:
        async with asyncio.timeout(timeout_s):
            for family, _, _, _, address in (await _resolved(host, port))[:_HOSTS]:
                with suppress(OSError):  # this machine may lack the family
                    transport, _ = await loop.create_datagram_endpoint(
                        lambda address=address: _Questioner(found, address), family=family
                    )
                    transports.append(transport)
            while transports:
                for transport in transports:
                    cast("_Questioner", transport.get_protocol()).ask()
                await asyncio.wait([found], timeout=timeout_s / _TRIES)
                if found.done():
                    return found.result()
    except TimeoutError:
        pass
    finally:
        for transport in transports:
            transport.close()
    return None


async def _resolved(host: str, port: int) -> list[Any]:
    with suppress(OSError, UnicodeError):  # UnicodeError: no name in the DNS looks like this one
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return []


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, on_datagram: Callable[[bytes, tuple[Any, ...]], None]) -> None:
        self._on_datagram = on_datagram

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._on_datagram(data, addr)


class _Questioner(asyncio.DatagramProtocol):
    """Asks one address. Not connected to it: a host with several addresses may answer from another one."""

    def __init__(self, found: asyncio.Future[Sighting], address: tuple[Any, ...]) -> None:
        self._found = found
        self._address = address
        self._nonce = secrets.token_bytes(_NONCE)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def ask(self) -> None:
        if self._transport:
            self._transport.sendto((_QUESTION + self._nonce).ljust(_QUESTION_BYTES, b"\0"), self._address)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:  # noqa: ARG002 - the nonce tells
        beginning = _ANSWER + self._nonce
        if not data.startswith(beginning) or self._found.done():
            return
        with suppress(PeerError):
            self._found.set_result(Sighting(decode(data[len(beginning) :]), self._address[0]))
