"""What strangers and bad members try at the real mesh, and what it loses by that: nothing."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import zmq

from job_orchestra.agent.mesh import crowd, frames, links
from job_orchestra.agent.mesh.contract import Contact, Mesh
from job_orchestra.agent.mesh.zeromq import ZmqMesh
from job_orchestra.core.errors import Conflict, InvalidInput, Unreachable
from tests.kit.meshes import Keys, RealClub, Rogue


@pytest.fixture
async def club() -> AsyncIterator[RealClub]:
    async with RealClub() as found:
        yield found


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process have both ends of many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < 4096 and hard > 0 else max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Ear:
    """Hears all that is said to a mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self.notes: list[tuple[str, bytes]] = []
        self.calls: list[tuple[str, bytes]] = []
        mesh.listen("note", lambda sender, payload: self.notes.append((sender, payload)))
        mesh.handle("echo", self._echo)

    async def _echo(self, sender: str, payload: bytes) -> bytes:
        self.calls.append((sender, payload))
        return payload


def real(mesh: Mesh) -> ZmqMesh:
    assert isinstance(mesh, ZmqMesh)
    return mesh


async def quarter(club: RealClub, *names: str) -> tuple[ZmqMesh, Ear]:
    """Return a running mesh that knows these members and links to none of them."""
    mesh = await club.mesh("target")
    mesh.know([Contact(club.id(name), club.key(name).public, keep=False) for name in names])
    return real(mesh), Ear(mesh)


# -- strangers


async def test_a_key_that_is_no_members_does_not_get_in(club: RealClub, caplog: pytest.LogCaptureFixture) -> None:
    mesh, ear = await quarter(club, "member")
    for _ in range(2):
        with club.rogue("stranger", mesh) as stranger:
            stranger.greet()
            stranger.say(frames.note("note", b"let me in"))
            await club.until(lambda one=stranger: one.saw(zmq.EVENT_HANDSHAKE_FAILED_AUTH), "it is refused")
    with club.rogue("member", mesh) as member:
        member.greet()
        member.say(frames.note("note", b"hello"))
        await club.until(lambda: ear.notes, "the member is heard")
    assert ear.notes == [(club.id("member"), b"hello")]
    assert mesh.counters["links.refused"] == 2
    assert caplog.text.count("mesh.refused") == 1


async def test_without_encryption_nobody_gets_in(club: RealClub) -> None:
    mesh, ear = await quarter(club, "member")
    with Rogue(None, "", mesh.addresses[0]) as stranger, club.rogue("member", mesh) as member:
        stranger.greet()
        stranger.say(frames.note("note", b"let me in"))
        await club.until(lambda: stranger.saw(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL), "it is refused")
        member.greet()
        member.say(frames.note("note", b"hello"))
        await club.until(lambda: ear.notes, "the member is heard")
        assert ear.notes == [(club.id("member"), b"hello")]
        assert not stranger.hears(frames.HELLO)


async def test_an_impostor_at_a_members_address_hears_nothing(club: RealClub) -> None:
    a, impostor = await club.mesh("a"), await club.mesh("impostor")
    impostor.know([club.contact("a")])  # it would answer, and be glad of any word
    ear = Ear(impostor)
    a.know([Contact(club.id("b"), club.key("b").public, impostor.addresses)])
    await club.until(lambda: a.counters["links.failed"] >= 2, "a tried, and tried again")
    assert not a.send(club.id("b"), "note", b"secret")
    with pytest.raises(Unreachable):
        await a.call(club.id("b"), "echo", b"secret")
    assert (ear.notes, ear.calls) == ([], [])
    assert a.counters["links.made"] == a.counters["sent"] == 0


async def test_garbage_on_the_port_disturbs_nobody(club: RealClub) -> None:
    a, b = await club.friends("a", "b")
    Ear(b)
    host, port = b.addresses[0].split(":")
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00"
    garbage = [
        b"GET / HTTP/1.1\r\nHost: orchestra\r\n\r\n",
        b"\x00" * 4096,
        b"\xff" * 4096,
        os.urandom(65_536),
        greeting + b"NULL".ljust(20, b"\0") + bytes(32) + b"\x04\x19\x05READY",
        greeting + b"CURVE".ljust(20, b"\0") + bytes(32) + b"\x04\xc8\x05HELLO" + os.urandom(194),
        greeting + b"CURVE".ljust(20, b"\0") + bytes(32) + b"\x06" + b"\xff" * 8 + b"x" * 100,
        greeting + b"PLAIN".ljust(20, b"\0") + bytes(32) + b"\x04\x10\x05HELLO\x01a\x01b",
    ]
    for one in garbage:
        reader, writer = await asyncio.open_connection(host, int(port))
        with contextlib.suppress(OSError):
            writer.write(one)
            await writer.drain()
            assert await a.call(b.id, "echo", b"go on") == b"go on"
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        del reader
    assert a.counters["links.lost"] == b.counters["links.lost"] == 0


async def test_half_open_connections_do_not_stop_members_and_new_ones_get_in(club: RealClub, many_files: None) -> None:
    a, b = await club.friends("a", "b")
    Ear(b)
    host, port = b.addresses[0].split(":")
    with contextlib.ExitStack() as stack:
        for number in range(500):
            half = stack.enter_context(socket.socket())
            half.setblocking(False)
            half.connect_ex((host, int(port)))
            if number % 10 == 0:
                assert await a.call(b.id, "echo", b"go on") == b"go on"
        await club.until(lambda: b.counters["links.crowded"] >= 500 - crowd.CROWD_LIMIT, "the crowd is thinned out")
        late = await club.mesh("late")
        b.know([club.contact("a"), club.contact("late")])
        late.know([club.contact("b")])
        await club.linked(late, b)
        assert await late.call(b.id, "echo", b"new here") == b"new here"
        assert await a.call(b.id, "echo", b"go on") == b"go on"
    assert a.counters["links.lost"] == b.counters["links.lost"] == 0


def test_only_connections_at_our_port_are_ever_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            served, _ = server.accept()
            read, write = os.pipe()
            for other in (client.fileno(), read, write, 10_000):  # not at our port, no sockets, not open
                crowd.end(other, port)
            os.close(read)
            os.write(write, b"") if False else os.close(write)
            served.sendall(b"alive")
            assert client.recv(5) == b"alive"
            crowd.end(served.fileno(), port)
            assert client.recv(5) == b""
            served.close()


# -- members that are none any more


@pytest.mark.parametrize("deaf", [False, True], ids=["its connection is ended", "and if that failed"])
async def test_a_member_that_is_removed_is_not_heard_any_more(
    club: RealClub, deaf: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh, ear = await quarter(club, "m", "n")
    if deaf:
        monkeypatch.setattr(crowd, "end", lambda descriptor, port: None)
    with club.rogue("m", mesh) as removed, club.rogue("n", mesh) as other:
        for one in (removed, other):
            one.greet()
            one.say(frames.note("note", b"before"))
        await club.until(lambda: len(ear.notes) == 2, "both are heard")
        mesh.know([Contact(club.id("n"), club.key("n").public, keep=False)])
        removed.say(frames.note("note", b"after"))
        removed.say(frames.call(1, "echo", b"after"))
        if deaf:
            await club.until(lambda: mesh.counters["dropped.stranger"] == 2, "what it sends is dropped")
        else:
            await club.until(lambda: removed.saw(zmq.EVENT_HANDSHAKE_FAILED_AUTH), "it is out, and does not get in")
            assert removed.saw(zmq.EVENT_DISCONNECTED)
        other.say(frames.note("note", b"after"))
        await club.until(lambda: len(ear.notes) == 3, "the other is heard")
        assert ear.notes[2] == (club.id("n"), b"after")
        assert not ear.calls
        assert not removed.hears(frames.ANSWER)


async def test_a_call_that_a_member_left_behind_is_not_answered_to_it(club: RealClub) -> None:
    mesh, _ = await quarter(club, "m")
    entered, opened, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(sender: str, payload: bytes) -> bytes:
        entered.set()
        await opened.wait()
        done.set()
        return b"secret"

    mesh.handle("slow", slow)
    with club.rogue("m", mesh) as member:
        member.greet()
        member.say(frames.call(1, "slow", b""))
        await entered.wait()
        mesh.know([])
        opened.set()
        await done.wait()
        await club.until(lambda: mesh.counters["dropped.unreachable"] == 1, "the answer is dropped")
        assert not member.hears(frames.ANSWER)


# -- bad members


async def test_the_routing_id_of_another_agent_gains_nothing(club: RealClub) -> None:
    mesh, ear = await quarter(club, "m", "victim")
    victim = await club.mesh("victim")
    victim.know([club.contact("target")])
    await club.until(lambda: (mesh.id, victim.id) in club.reach, "the victim is linked")
    peer = mesh._upkeep.peers[victim.id]
    assert peer.incoming is not None
    with club.rogue("m", mesh, routing=b"victim") as named, club.rogue("m", mesh) as thief:
        named.greet()
        named.say(frames.note("note", b"by a name of my own"))
        await club.until(lambda: mesh.counters["dropped.stale"] == 2, "a connection that names itself is no link")
        peer.incoming.routing = b"victim"  # as if the victim had that very name: what counts is the key
        named.say(frames.note("note", b"I am the victim"))
        await club.until(lambda: mesh.counters["dropped.stale"] == 3, "the key decides, not the name")
        thief.greet()
        thief.say(frames.note("note", b"as myself"))
        await club.until(lambda: ear.notes, "as itself it is heard")
    assert ear.notes == [(club.id("m"), b"as myself")]


async def test_an_answer_counts_only_from_whoever_was_asked(club: RealClub) -> None:
    a, b = await club.friends("a", "b")
    entered, opened = asyncio.Event(), asyncio.Event()

    async def slow(sender: str, payload: bytes) -> bytes:
        entered.set()
        await opened.wait()
        return b"the truth"

    b.handle("slow", slow)
    a.know([club.contact("b"), Contact(club.id("m"), club.key("m").public, keep=False)])
    peer = real(a)._upkeep.peers[b.id]
    await club.until(lambda: peer.route is not None and peer.route is peer.outgoing, "a asks over a link that it made")
    asked = asyncio.ensure_future(a.call(b.id, "slow", b""))
    await entered.wait()
    with club.rogue("m", a) as liar, club.rogue("b", a) as double:
        for one in (liar, double):  # another member; and the right one, but over a link on which it was not asked
            one.greet()
            for number in range(20):
                one.say(frames.answer(number, b"a lie"))
        await club.until(lambda: a.counters["dropped.late"] == 40, "all lies are there")
        opened.set()
        assert await asked == b"the truth"


BAD = {
    "empty": [b""],
    "unknown kind": [b"\x99"],
    "zero": [b"\x00" * 50],
    "several parts": [frames.note("note", b"x"), b"more", b"and more"],
    "note without a name": [bytes([frames.NOTE])],
    "note that ends in its name": [bytes([frames.NOTE, 40]) + b"short"],
    "note with an empty name": [bytes([frames.NOTE, 0]) + b"payload"],
    "call that ends in its number": [bytes([frames.CALL]) + b"123"],
    "call without a method": [bytes([frames.CALL]) + bytes(8)],
    "failure without a kind": [bytes([frames.FAILURE]) + bytes(8)],
    "greeting that is no greeting": [bytes([frames.HELLO]) + b"\xc1\xc1"],
    "greeting with wrong types": [bytes([frames.HELLO]) + b"\x94\x01\x02\x03\x04"],
    "greeting with too many places": [
        frames.hello(frames.Hello("net", 1, "1", 1, tuple(f"10.0.0.1:{port}" for port in range(1, 100))))
    ],
}


@pytest.mark.parametrize("parts", BAD.values(), ids=BAD)
async def test_a_malformed_frame_is_counted_and_dropped(
    club: RealClub, parts: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    mesh, ear = await quarter(club, "m")
    with club.rogue("m", mesh) as member:
        member.greet()
        for _ in range(3):
            member.say(*parts)
        member.say(frames.call(7, "echo", b"still here"))
        await club.until(lambda: member.hears(frames.ANSWER), "the next call is answered")
        assert member.hears(frames.ANSWER) == [frames.answer(7, b"still here")]
    assert mesh.counters["dropped.malformed"] == 3
    assert caplog.text.count("mesh.malformed") == 1
    assert not ear.notes


async def test_whoever_does_not_greet_is_not_heard(club: RealClub) -> None:
    mesh, ear = await quarter(club, "m")
    with club.rogue("m", mesh) as member:
        member.say(frames.note("note", b"too early"))
        member.say(frames.hello(frames.Hello("net", 1, "1", 1))[:-3])
        member.say(frames.call(1, "echo", b"too early"))
        await club.until(lambda: mesh.counters["dropped.stale"] == 2, "what comes before the greeting is dropped")
        member.greet()
        member.say(frames.call(2, "echo", b"now"))
        await club.until(lambda: member.hears(frames.ANSWER), "then it is answered")
    assert ear.calls == [(club.id("m"), b"now")]
    assert mesh.counters["dropped.malformed"] == 1


@pytest.mark.parametrize(("network", "epoch"), [("other", 1), ("net", 2)])
async def test_another_network_or_epoch_is_told_why_and_not_heard(
    club: RealClub, network: str, epoch: int, caplog: pytest.LogCaptureFixture
) -> None:
    mesh, ear = await quarter(club, "m")
    with club.rogue("m", mesh) as member:
        for _ in range(3):
            member.greet(network, epoch)
        member.say(frames.note("note", b"from elsewhere"))
        await club.until(lambda: mesh.counters["dropped.stale"] == 1, "it is not heard")
        await club.until(lambda: member.hears(frames.HELLO), "it is told")
        answer = frames.parse_hello(member.hears(frames.HELLO)[0])
        assert (answer.network, answer.epoch) == ("net", 1)
    assert mesh.counters["dropped.network"] == 3
    assert caplog.text.count("mesh.network") == 1
    assert not ear.notes


async def test_a_frame_beyond_the_limit_ends_its_connection_and_nothing_else(club: RealClub) -> None:
    mesh, ear = await quarter(club, "m", "n")
    with club.rogue("m", mesh) as huge, club.rogue("n", mesh) as other:
        for one in (huge, other):
            one.greet()
        huge.say(frames.note("note", bytes(frames.FRAME_LIMIT)))
        await club.until(lambda: huge.saw(zmq.EVENT_DISCONNECTED), "it is cut off")
        other.say(frames.note("note", b"fine"))
        await club.until(lambda: ear.notes, "the other is heard")
    assert ear.notes == [(club.id("n"), b"fine")]


async def test_a_member_that_floods_does_not_keep_others_from_being_answered(club: RealClub) -> None:
    a, b = await club.friends("a", "b")
    ear = Ear(b)
    b.know([club.contact("a"), Contact(club.id("m"), club.key("m").public, keep=False)])
    with club.rogue("m", b) as flooding:
        flooding.greet()
        for _ in range(30_000):
            flooding.say(frames.note("note", b"x" * 100))
        while len(ear.notes) < 30_000:
            assert await a.call(b.id, "echo", b"go on") == b"go on"
    assert a.counters["links.lost"] == b.counters["links.lost"] == 0


async def test_the_same_key_twice_is_one_member_that_moved(club: RealClub) -> None:
    mesh, ear = await quarter(club, "m")
    with club.rogue("m", mesh) as older, club.rogue("m", mesh) as newer:
        older.greet()
        await club.until(lambda: older.hears(frames.HELLO), "the first is greeted")
        newer.greet()
        await club.until(lambda: newer.hears(frames.HELLO), "the second is greeted")
        older.say(frames.note("note", b"stale"))
        await club.until(lambda: mesh.counters["dropped.stale"] == 1, "the first is not heard any more")
        newer.say(frames.note("note", b"fresh"))
        await club.until(lambda: ear.notes, "the second is")
        assert mesh.send(club.id("m"), "note", b"to you")
        await club.until(lambda: newer.hears(frames.NOTE), "and is spoken to")
        assert not older.hears(frames.NOTE)
    assert ear.notes == [(club.id("m"), b"fresh")]


# -- members that move, stop and return


async def test_a_member_that_moved_is_found_by_a_hint_among_wrong_ones(club: RealClub) -> None:
    a, b = await club.mesh("a"), await club.mesh("b")
    a.know([club.contact("b")])
    b.know([Contact(a.id, club.contact("a").public, keep=False)])
    await club.linked(a, b)
    await club.kill(b)
    moved = await club.mesh("b", port=0)
    Ear(moved)
    moved.know([Contact(a.id, club.contact("a").public, keep=False)])  # it does not come to a by itself
    a.hint(b.id, ["nonsense", "127.0.0.1:1", a.addresses[0], *moved.addresses])
    await club.linked(a, moved)
    assert await a.call(moved.id, "echo", b"found") == b"found"


async def test_a_hint_may_come_before_the_member_and_lets_nobody_in(club: RealClub) -> None:
    a, b = await club.mesh("a"), await club.mesh("b")
    b.know([Contact(a.id, club.contact("a").public, keep=False)])
    for number in range(1_000):
        a.hint(f"{number:016x}", [f"10.0.0.1:{port}" for port in range(1, 100)])
    a.hint(b.id, b.addresses)
    assert not a.send(b.id, "note", b"")
    a.know([Contact(b.id, club.contact("b").public)])  # no address but the hint
    await club.linked(a, b)
    kept = real(a)._upkeep._hints
    assert len(kept) <= 256
    assert max(map(len, kept.values())) <= 8


async def test_a_member_that_moved_tells_where_it_is_by_linking(club: RealClub) -> None:
    a, b = await club.friends("a", "b")
    await club.kill(b)
    moved = await club.mesh("b", port=0)
    moved.know([club.contact("a")])
    await club.linked(a, moved)
    peer = real(a)._upkeep.peers[b.id]
    await club.until(lambda: peer.outgoing is not None and peer.outgoing.up, "a has a link of its own making")


CHILD = """
import asyncio, sys
from job_orchestra.agent.mesh.contract import Contact
from job_orchestra.agent.mesh.zeromq import ZmqMesh

async def main(identity, public, secret, other, key):
    mesh = ZmqMesh(identity, public, secret, network="net", epoch=1, version="1", host="127.0.0.1")
    async def never(sender, payload):
        mesh.send(sender, "entered", b"")
        await asyncio.Event().wait()
    mesh.handle("never", never)
    mesh.know([Contact(other, key, keep=False)])
    print(mesh.addresses[0], flush=True)
    await mesh.run()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def child(club: RealClub) -> AsyncIterator[tuple[Mesh, str, subprocess.Popen[str]]]:
    """Give a mesh here, linked to one in a process of its own, and the latter's id and process."""
    mesh, keys = await club.mesh("a"), Keys()
    command = [sys.executable, "-c", CHILD, keys.id, keys.public, keys.secret, mesh.id, club.contact("a").public]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220 - it is quick
        try:
            assert process.stdout is not None
            place = await asyncio.to_thread(process.stdout.readline)
            mesh.know([Contact(keys.id, keys.public, (place.strip(),))])
            await club.until(lambda: (mesh.id, keys.id) in club.reach, "they are linked")
            yield mesh, keys.id, process
        finally:
            process.kill()


async def entered(mesh: Mesh, other: str) -> "asyncio.Task[bytes]":
    """Return a call that is being carried out for ever."""
    began = asyncio.Event()
    mesh.listen("entered", lambda sender, payload: began.set())
    call = asyncio.get_running_loop().create_task(mesh.call(other, "never", b"", timeout_s=3600))
    await began.wait()
    return call


async def test_calls_to_a_process_that_is_killed_fail_at_once(
    child: tuple[Mesh, str, "subprocess.Popen[str]"],
) -> None:
    mesh, other, process = child
    call = await entered(mesh, other)
    process.kill()
    with pytest.raises(Unreachable, match="lost"):
        await call


async def test_calls_to_a_process_that_stands_still_fail_and_it_is_linked_again_when_it_goes_on(
    club: RealClub, child: tuple[Mesh, str, "subprocess.Popen[str]"]
) -> None:
    mesh, other, process = child
    call = await entered(mesh, other)
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(Unreachable, match="lost"):
        await call
    await club.until(lambda: (mesh.id, other) not in club.reach, "it is lost")
    process.send_signal(signal.SIGCONT)
    await club.until(lambda: (mesh.id, other) in club.reach, "it is back")


async def test_who_is_connected_and_says_nothing_is_given_up(club: RealClub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "SILENCE_S", 0.2)
    mesh, _ = await quarter(club, "m")
    news: list[bool] = []
    mesh.on_link(lambda _, reachable: news.append(reachable))
    with club.rogue("m", mesh) as mute:  # libzmq goes on answering heartbeats; the agent behind it does not speak
        mute.greet()
        await club.until(lambda: news == [True, False], "it is linked, and given up")
        assert not mesh.send(club.id("m"), "note", b"")
        mute.say(frames.PING_FRAME)
        await club.until(lambda: news[:3] == [True, False, True], "one word, and it is back")


async def test_our_own_pause_is_not_taken_for_the_silence_of_others(club: RealClub) -> None:
    a, b = await club.friends("a", "b")
    upkeep = real(a)._upkeep
    for link in upkeep.peers[b.id].links():
        link.heard -= 60
    upkeep.look(patient=True)
    assert a.counters["links.lost"] == 0
    upkeep.look(patient=False)
    assert a.counters["links.lost"] > 0


async def test_an_idle_link_is_kept_by_pings(club: RealClub, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = await club.friends("a", "b")
    before = b.silence(a.id), time.monotonic()
    for peer in real(a)._upkeep.peers.values():
        for link in peer.links():
            link.said -= links.PING_S
    heard = b.counters["received"]
    real(a)._upkeep.look(patient=True)
    await club.until(lambda: b.counters["received"] > heard, "a said that it is there")
    assert b.silence(a.id) < before[0] + time.monotonic() - before[1]


# -- where it listens, and what it cannot be without


async def test_a_port_that_is_taken_is_refused_with_the_remedy(club: RealClub) -> None:
    taken = real(await club.mesh("a")).port
    keys = Keys()
    with pytest.raises(Conflict, match="--listen"):
        ZmqMesh(keys.id, keys.public, keys.secret, network="net", epoch=1, version="1", host="127.0.0.1", port=taken)
    for nowhere in ("192.0.2.1", "no such host"):
        with pytest.raises(InvalidInput, match="--listen"):
            ZmqMesh(keys.id, keys.public, keys.secret, network="net", epoch=1, version="1", host=nowhere)


@pytest.mark.parametrize("host", ["::1", "::", "0.0.0.0", "localhost"])
async def test_it_listens_at_names_and_at_either_family(club: RealClub, host: str) -> None:
    keys, a = Keys(), await club.mesh("a")
    there = ZmqMesh(keys.id, keys.public, keys.secret, network="net", epoch=1, version="1", host=host)
    assert bool(there.addresses) == (host in {"::1", "localhost"})
    running = asyncio.ensure_future(there.run())
    Ear(there)
    place = f"[::1]:{there.port}" if ":" in host else f"localhost:{there.port}"
    there.know([Contact(a.id, club.contact("a").public, keep=False)])
    a.know([Contact(keys.id, keys.public, (place,))])
    await club.until(lambda: (a.id, keys.id) in club.reach, "a link")
    assert await a.call(keys.id, "echo", b"there") == b"there"
    await there.close()
    await running


async def test_without_whoever_admits_the_mesh_ends_loudly(club: RealClub) -> None:
    mesh = real(await club.mesh("a"))

    async def broken(msg: list[bytes]) -> None:
        raise ZeroDivisionError

    mesh._admission.handle_zap_message = broken
    with club.rogue("stranger", mesh):
        task = club._running.pop(mesh)
        with pytest.raises(ZeroDivisionError):
            await task
    assert not mesh.send(club.id("b"), "note", b"")
