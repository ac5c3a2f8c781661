"""Discovery over loopback and with made-up surroundings. Between machines: test_discovery_lan."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from typing import Any, cast

import msgspec
import pytest

from job_orchestra.agent import discovery as module
from job_orchestra.agent import interfaces
from job_orchestra.agent.announcement import Announcement, Sighting, to_texts
from job_orchestra.agent.beacon import Beacon
from job_orchestra.agent.discovery import Discovery, look
from job_orchestra.agent.interfaces import Interface
from job_orchestra.agent.responder import Found, Responder
from job_orchestra.core.errors import InvalidInput, Unavailable
from tests.kit.announcements import announced

LOOP = next(one.name for one in interfaces.present() if one.loopback)
CABLE = Interface("eth0", ("192.0.2.1",), (ip_network("192.0.2.0/24"),))


class Watcher:
    """Takes sightings, and lets one wait for them."""

    def __init__(self) -> None:
        self.all: list[Sighting] = []
        self._came = asyncio.Event()

    def __call__(self, sighting: Sighting) -> None:
        self.all.append(sighting)
        self._came.set()

    async def sees(self, wanted: Announcement) -> Sighting:
        async with asyncio.timeout(60):
            while True:
                for one in self.all:
                    if one.announcement == wanted:
                        return one
                self._came.clear()
                await self._came.wait()


@pytest.fixture
async def discover() -> AsyncIterator[Callable[..., Discovery]]:
    opened: list[Discovery] = []

    def make(on_sighting: Callable[[Sighting], None] = lambda _: None, **settings: object) -> Discovery:
        opened.append(Discovery(on_sighting, **cast("dict[str, Any]", settings)))
        return opened[-1]

    yield make
    await asyncio.gather(*(one.close() for one in opened))


def found(told: Announcement, host: str = "192.0.2.7", **changes: object) -> Found:
    texts = [f"{key}={value}".encode() for key, value in to_texts(told).items()]
    text = b"".join(bytes([len(one)]) + one for one in texts)
    values: dict[str, Any] = {"name": told.id, "text": text, "port": told.port, "hosts": (host,)}
    values.update(changes)
    return Found(**values)


async def test_two_see_each_other_and_what_changes(discover: Callable[..., Discovery]) -> None:
    mine, other = announced(), announced()
    first, second = Watcher(), Watcher()
    one = discover(first, interfaces=(LOOP,), own=mine)
    two = discover(second, interfaces=(LOOP,))
    await asyncio.gather(one.start(), two.start())
    await second.sees(mine)
    await two.announce(other)
    assert (await first.sees(other)).address == "127.0.0.1:7711"
    moved = msgspec.structs.replace(other, network="e" * 16, port=7799)
    await two.announce(moved)
    assert (await first.sees(moved)).address == "127.0.0.1:7799"
    assert mine not in [seen.announcement for seen in (*first.all, *one.sightings)]
    assert [seen.announcement.id for seen in one.sightings].count(other.id) == 1


async def test_looking_round_finds_and_asks(discover: Callable[..., Discovery]) -> None:
    mine, named = announced(), announced()
    beacon = Beacon(named)
    await beacon.start("127.0.0.1", 0)
    await discover(interfaces=(LOOP,), own=mine).start()
    seen: list[Sighting] = []
    async with asyncio.timeout(60):
        while not {mine, named} <= {one.announcement for one in seen}:
            seen = await look(1.5, interfaces=(LOOP,), peers=(f"127.0.0.1:{beacon.port}", "127.0.0.1:9"))
    beacon.close()
    assert len(seen) == len({one.announcement.id for one in seen})
    assert seen == sorted(
        seen, key=lambda one: (one.announcement.network_name, one.announcement.name, one.announcement.id)
    )


async def test_what_a_person_got_wrong_is_refused(discover: Callable[..., Discovery]) -> None:
    with pytest.raises(InvalidInput, match="HOST:PORT"):
        await look(1, peers=("nowhere",))
    with pytest.raises(InvalidInput, match="no interface 'no-such'"):
        await discover(interfaces=("no-such",)).start()


def test_records_that_do_not_hold_are_dropped_and_counted() -> None:
    own, true = announced(), announced()
    watcher: list[Sighting] = []
    one = Discovery(watcher.append, own=own)
    one._interfaces = [CABLE]

    def read(what: Found) -> None:
        one._on_found(what)
        while one._backlog:
            one._judge(one._backlog.draw())

    for bad in (
        found(true, name="box"),
        found(true, name=true.id.upper()),
        found(true, name=announced().id),
        found(true, text=b""),
        found(true, text=b"\xff" * 9),
        found(true, port=1),
        found(own),
        found(true, "8.8.8.8"),
        found(true, "127.0.0.1"),
        found(true, "224.0.0.251"),
        found(true, hosts=()),
    ):
        read(bad)
    assert watcher == []
    assert dict(one.counters) == {"malformed": 6, "elsewhere": 4}
    read(found(true, hosts=("8.8.8.8", "10.0.0.1", "fe80::1", "192.0.2.8")))
    read(found(true, hosts=("8.8.8.8", "10.0.0.1", "fe80::1", "192.0.2.8")))
    read(found(true, "10.0.0.1"))
    assert watcher == [Sighting(true, "192.0.2.8"), Sighting(true, "10.0.0.1")]
    assert one.sightings == watcher[1:]


async def test_without_mdns_it_says_so_once_and_begins_when_it_can(
    discover: Callable[..., Discovery], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No interface, then one where the port is refused, then the system does not answer, then all is well."""
    loop = [interface for interface in interfaces.present() if interface.loopback]
    looks: list[Any] = [[], [], [CABLE], OSError(), InvalidInput("gone"), loop]
    opened = asyncio.Event()
    true = module.open_responder

    def chosen(_: tuple[str, ...]) -> list[Interface]:
        now = looks.pop(0) if len(looks) > 1 else looks[0]
        if isinstance(now, Exception):
            raise now
        return now

    async def open_responder(speaking: list[str]) -> Responder:
        if "192.0.2.1" in speaking:
            raise Unavailable("port 5353 is taken")
        opened.set()
        return await true(speaking)

    monkeypatch.setattr(module, "chosen", chosen)
    monkeypatch.setattr(module, "open_responder", open_responder)
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    mine = announced()
    with caplog.at_level(logging.WARNING):
        one = discover(own=mine)
        await one.start()
        async with asyncio.timeout(60):
            await opened.wait()
        watcher = Watcher()
        await discover(watcher, interfaces=(LOOP,)).start()
        await watcher.sees(mine)
    (warning,) = [record.getMessage() for record in caplog.records if record.name == module.__name__]
    assert "--peer HOST:PORT" in warning
    assert "no network interface" in warning


async def test_an_address_that_cannot_be_used_yet_is_tried_again(
    discover: Callable[..., Discovery], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As IPv6 addresses are in their first second; meanwhile IPv4 does alone, and in the end it is left at that."""
    both = Interface("eth0", ("127.0.0.1", "fd00::1"), ())
    tried: list[list[str]] = []
    enough = asyncio.Event()
    true = module.open_responder

    async def open_responder(speaking: list[str]) -> Responder:
        tried.append(speaking)
        if len(tried) == 2 * (1 + module._PATIENCE):
            enough.set()
        if "fd00::1" in speaking:
            raise Unavailable("it cannot be used yet")
        return await true(speaking)

    monkeypatch.setattr(module, "chosen", lambda _: [both])
    monkeypatch.setattr(module, "open_responder", open_responder)
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    await discover().start()
    async with asyncio.timeout(60):
        await enough.wait()
    assert tried == [["127.0.0.1", "fd00::1"], ["127.0.0.1"]] * (1 + module._PATIENCE)


async def test_after_a_flood_it_asks_again_and_not_who_was_just_heard(
    discover: Callable[..., Discovery], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: asyncio.Queue[set[str]] = asyncio.Queue()

    class Quiet:
        sockets = 1

        def listen(self, on_found: Callable[[Found], None]) -> None:
            self.on_found = on_found

        def ask(self, known: list[str]) -> None:
            asked.put_nowait(set(known))

        async def close(self) -> None:
            pass

    quiet = Quiet()

    async def open_responder(_: list[str]) -> Quiet:
        return quiet

    monkeypatch.setattr(module, "chosen", lambda _: [CABLE])
    monkeypatch.setattr(module, "open_responder", open_responder)
    monkeypatch.setattr(module, "_FIRST_ASKS_S", (0.001, 0.001))
    monkeypatch.setattr(module, "_ASK_AGAIN_S", 0.002)
    watcher, known = Watcher(), announced()
    one = discover(watcher)
    await one.start()
    async with asyncio.timeout(60):
        assert await asked.get() == set()
        assert await asked.get() == set()
        quiet.on_found(found(known))
        await watcher.sees(known)
        for _ in range(module._BACKLOG + 1):
            quiet.on_found(found(announced()))
        assert known.id in await asked.get()
    assert one.counters["overflow"]
    assert asked.empty()
