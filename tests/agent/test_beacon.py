"""The beacon: an answer to whom asks rightly, nothing for anything else, and not too often."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from typing import cast

import pytest

from job_orchestra.agent import beacon as module
from job_orchestra.agent.announcement import MAX_TEXT, Sighting
from job_orchestra.agent.beacon import RATE, RATE_EACH, Beacon, ask
from job_orchestra.core import bucket
from job_orchestra.core.errors import Conflict
from tests.kit.announcements import announced

OWN = announced(1)


@pytest.fixture
async def beacon() -> AsyncIterator[Beacon]:
    one = Beacon(OWN)
    await one.start("127.0.0.1", 0)
    yield one
    one.close()


def question(size: int = 1_200) -> bytes:
    return (module._QUESTION + secrets.token_bytes(16)).ljust(size, b"\0")


async def test_who_asks_is_told(beacon: Beacon) -> None:
    assert await ask("127.0.0.1", beacon.port, 20) == Sighting(OWN, "127.0.0.1")
    assert await ask("localhost", beacon.port, 20) == Sighting(OWN, "127.0.0.1")
    beacon.announcement = announced(2)
    assert await ask("127.0.0.1", beacon.port, 20) == Sighting(announced(2), "127.0.0.1")


async def test_over_ipv6_too() -> None:
    one = Beacon(OWN)
    try:
        await one.start("::1", 0)
    except Conflict as error:
        pytest.skip(str(error))
    with closing(one):
        assert await ask("::1", one.port, 20) == Sighting(OWN, "::1")


async def test_nobody_is_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.setblocking(False)
        host, port = silent.getsockname()
        asking = asyncio.ensure_future(ask(host, port, 20))
        heard = await asyncio.get_running_loop().sock_recv(silent, 2_000)
        assert heard.startswith(module._QUESTION)
        asking.cancel()
        assert await ask(host, port, 0.05) is None


@pytest.mark.parametrize("host", ["fe80::1%no-such", "a..b", "x" * 300, "\udcff"])
async def test_a_host_that_does_not_exist_is_not_there(host: str) -> None:
    assert await ask(host, 9, 20) is None


async def test_a_port_in_use_is_told_with_the_remedy(beacon: Beacon) -> None:
    with pytest.raises(Conflict, match="--listen"):
        await Beacon(OWN).start("127.0.0.1", beacon.port)


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\0", b"x" * 1_200, module._QUESTION[:-1], b"\xff" * 9_000, module._ANSWER + b"n" * 1_183],
    ids=["empty", "a NUL", "no question", "half of one", "long", "an answer"],
)
async def test_what_is_no_question_is_dropped_and_counted(beacon: Beacon, garbage: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(garbage, ("127.0.0.1", beacon.port))
    assert await ask("127.0.0.1", beacon.port, 20) == Sighting(OWN, "127.0.0.1")
    assert beacon.counters["malformed"] == 1


def test_the_answer_is_never_longer_than_the_question() -> None:
    text = "\\" * MAX_TEXT
    wide = "\U0001f600" * 60
    for longest in (announced(1, name=text, network_name=text, version=text), announced(1, name=wide, version=wide)):
        one = Beacon(longest)
        answered = [
            size
            for size in range(1_300)
            if (reply := one.answer(question(size), f"192.0.2.{size % 200}")) and len(reply) > size
        ]
        assert answered == []
        assert Beacon(longest).answer(question(), "192.0.2.1")
        assert not Beacon(longest).answer(question(200), "192.0.2.1")
        assert one.counters["short"]


def test_the_rate_is_limited_for_each_address_and_for_all() -> None:
    now = 100.0
    one = Beacon(OWN, clock=lambda: now)

    def answered(hosts: list[str]) -> int:
        return sum(bool(one.answer(question(), host)) for host in hosts)

    assert answered(["192.0.2.1"] * 50) == RATE_EACH
    assert answered(["192.0.2.2"] * 50) == RATE_EACH
    assert answered([f"198.51.100.{place}" for place in range(200)]) == RATE - 2 * RATE_EACH
    assert one.counters["limited"] == 300 - RATE
    now += 1
    assert answered(["192.0.2.1"] * 50) == RATE_EACH
    now += 100
    assert answered([f"2001:db8::{place:x}" for place in range(50)]) == RATE_EACH
    assert answered([f"2001:db8:0:{place:x}::1" for place in range(1, 50)]) == RATE - RATE_EACH


def test_who_asks_too_often_takes_nothing_from_the_others() -> None:
    one = Beacon(OWN, clock=lambda: 1.0)
    for _ in range(10_000):
        one.answer(question(), "192.0.2.66")
    assert one.answer(question(), "192.0.2.1")


def test_few_addresses_are_remembered() -> None:
    one = Beacon(OWN, clock=lambda: 1.0)
    for number in range(5_000):
        one.answer(question(), f"10.0.{number // 250}.{number % 250}")
    assert len(one._rate._each) == bucket.SOURCES


async def test_only_an_answer_to_our_own_question_is_believed() -> None:
    """A liar answers, before the true one: with no nonce, with a wrong one, and with facts that do not hold."""
    loop = asyncio.get_running_loop()
    true = Beacon(OWN)

    class Liar(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            right = true.answer(data, addr[0])
            nonce = right[len(module._ANSWER) :][:16]
            lies = [b"", module._ANSWER, right.replace(nonce, bytes(16)), right.replace(OWN.id.encode(), b"0" * 16)]
            for one in (*lies, right[:-1], right):
                self.transport.sendto(one, addr)

    transport, _ = await loop.create_datagram_endpoint(Liar, local_addr=("127.0.0.1", 0))
    with closing(transport):
        port = transport.get_extra_info("sockname")[1]
        assert await ask("127.0.0.1", port, 20) == Sighting(OWN, "127.0.0.1")
