"""The bulk path over real sockets: whole files between members, and nothing for anybody else."""

import asyncio
import os
import random
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import pytest
import zmq

from job_orchestra.agent.bulk import Bulk, client, protocol
from job_orchestra.agent.bulk.protocol import CHUNK, Read
from job_orchestra.agent.bulk.server import Server
from job_orchestra.agent.mesh import sockets
from job_orchestra.core.errors import Conflict, NotFound, StorageError, Unreachable
from tests.kit.meshes import until

NOISE = random.Random(1).randbytes(5 * CHUNK + 321)


class End:
    """One agent's end, with keys."""

    def __init__(self, folder: Path) -> None:
        public, secret = zmq.curve_keypair()
        self.public, self.secret = public.decode(), secret.decode()
        self.folder = folder
        self.members: set[str] = set()
        self.bulk = Bulk(self.public, self.secret, host="127.0.0.1")
        self.bulk.offer(lambda name: folder / name if (folder / name).exists() else None)
        self.bulk.admit(lambda key: key in self.members)

    @property
    def source(self) -> client.Source:
        return self.public, (f"127.0.0.1:{self.bulk.port}",)


@pytest.fixture
async def ends(tmp_path: Path) -> AsyncIterator[Callable[[], End]]:
    async with AsyncExitStack() as stack:
        made: list[End] = []

        def end() -> End:
            (tmp_path / str(len(made))).mkdir()
            one = End(tmp_path / str(len(made)))
            for other in made:
                other.members.add(one.public)
                one.members.add(other.public)
            made.append(one)
            stack.callback(one.bulk.close)
            return one

        yield end


@pytest.fixture
def give_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[End], None]:
    """Return a function that lets all give up one source soon, which says nothing; the others have their time."""
    patient = client._Fetch._hear
    silent: set[str] = set()

    def hear(self: client._Fetch, place: str) -> tuple[protocol.Answer, bytes]:
        with monkeypatch.context() as soon:
            if place in silent:
                soon.setattr(client, "STALLED_S", 0.1)
            return patient(self, place)

    monkeypatch.setattr(client._Fetch, "_hear", hear)
    return lambda one: silent.update(one.source[1])


@pytest.mark.parametrize("content", [b"", b"x", b"y" * CHUNK, NOISE], ids=["nothing", "a byte", "a chunk", "noise"])
async def test_a_file_arrives_as_it_is(ends: Callable[[], End], content: bytes) -> None:
    a, b = ends(), ends()
    (a.folder / "file").write_bytes(content)
    await b.bulk.fetch_file([a.source], "file", b.folder / "copy")
    assert (b.folder / "copy").read_bytes() == content


async def test_what_is_there_already_is_not_fetched_again(ends: Callable[[], End]) -> None:
    a, b = ends(), ends()
    (a.folder / "file").write_bytes(NOISE)
    (b.folder / "copy").write_bytes(NOISE[: 4 * CHUNK])
    await b.bulk.fetch_file([a.source], "file", b.folder / "copy")
    assert (b.folder / "copy").read_bytes() == NOISE
    assert a.bulk.counters["sent.bytes"] == len(NOISE) - 4 * CHUNK


async def test_a_beginning_that_is_too_long_is_thrown_away(ends: Callable[[], End]) -> None:
    a, b = ends(), ends()
    (a.folder / "file").write_bytes(b"short")
    (b.folder / "copy").write_bytes(b"far longer than it")
    with pytest.raises(Exception, match="fetched anew"):
        await b.bulk.fetch_file([a.source], "file", b.folder / "copy")
    await b.bulk.fetch_file([a.source], "file", b.folder / "copy")
    assert (b.folder / "copy").read_bytes() == b"short"


async def test_the_next_source_goes_on_where_one_ended(ends: Callable[[], End], give_up: Callable[[End], None]) -> None:
    dead, lacking, a, b = ends(), ends(), ends(), ends()
    give_up(dead)
    (a.folder / "file").write_bytes(NOISE)
    (b.folder / "copy").write_bytes(NOISE[:CHUNK])
    dead.bulk.close()
    await b.bulk.fetch_file([dead.source, lacking.source, a.source], "file", b.folder / "copy")
    assert (b.folder / "copy").read_bytes() == NOISE


async def test_what_nobody_has_is_told(ends: Callable[[], End]) -> None:
    a, b = ends(), ends()
    with pytest.raises(NotFound):
        await b.bulk.fetch_file([a.source], "file", b.folder / "copy")
    with pytest.raises(Unreachable):
        await b.bulk.fetch_file([], "file", b.folder / "copy")


async def test_a_key_that_is_no_members_gets_nothing(ends: Callable[[], End], give_up: Callable[[End], None]) -> None:
    a, b = ends(), ends()
    give_up(a)
    (a.folder / "file").write_bytes(NOISE)
    a.members.clear()
    with pytest.raises(Unreachable):
        await b.bulk.fetch_file([a.source], "file", b.folder / "copy")
    assert a.bulk.counters["sent.bytes"] == 0


async def test_a_member_that_is_removed_gets_nothing_more(ends: Callable[[], End]) -> None:
    """Its connection is still there; the next request on it is not answered."""
    a, b = ends(), ends()
    (a.folder / "file").write_bytes(NOISE)
    context = sockets.context()
    link = sockets.connector(context, sockets.Keys(b.public, b.secret), a.public)
    link.set(zmq.IMMEDIATE, 0)
    sockets.connect(link, "127.0.0.1", a.bulk.port)
    link.send(protocol.encode(Read(0, "file", 0, 10)))
    await until(lambda: link.poll(0), "it is answered")
    assert link.recv_multipart()[1] == NOISE[:10]
    a.members.clear()
    link.send(protocol.encode(Read(1, "file", 10, 10)))
    await until(lambda: a.bulk.counters["dropped.stranger"], "its request is dropped")
    assert not link.poll(0)
    context.destroy(0)


async def test_who_comes_before_it_serves_waits_and_is_not_refused(
    ends: Callable[[], End], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection is tried once: what refuses it would be silent for ever."""
    came, serve = threading.Event(), Server._run

    def late(self: Server) -> None:
        assert came.wait(60)
        serve(self)

    monkeypatch.setattr(Server, "_run", late)
    a, b = ends(), ends()
    (a.folder / "file").write_bytes(NOISE)
    context = sockets.context()
    link = sockets.connector(context, sockets.Keys(b.public, b.secret), a.public)
    link.set(zmq.IMMEDIATE, 0)
    sockets.connect(link, "127.0.0.1", a.bulk.port)
    link.send(protocol.encode(Read(0, "file", 0, 10)))
    asked = a.bulk._server._admission.zap_socket
    await until(lambda: asked.poll(0), "libzmq asks whether to let it in")
    came.set()
    await until(lambda: link.poll(0), "it is answered")
    assert link.recv_multipart()[1] == NOISE[:10]
    context.destroy(0)


async def test_nonsense_is_dropped_and_others_are_served(ends: Callable[[], End]) -> None:
    a, b, hostile = ends(), ends(), ends()
    (a.folder / "file").write_bytes(NOISE)
    context = sockets.context()
    link = sockets.connector(context, sockets.Keys(hostile.public, hostile.secret), a.public)
    link.set(zmq.IMMEDIATE, 0)
    sockets.connect(link, "127.0.0.1", a.bulk.port)
    for nonsense in (b"", b"\xff" * 100, b"\x93\xa4read\x00", os.urandom(500)):
        link.send(nonsense)
    link.send_multipart([b"several", b"frames"])
    for number in range(2_000):  # and far too many at once, none of which it takes an answer to
        link.send(protocol.encode(Read(number, "file", 0, CHUNK)))
    await b.bulk.fetch_file([a.source], "file", b.folder / "copy")
    assert (b.folder / "copy").read_bytes() == NOISE
    await until(lambda: a.bulk.counters["dropped.malformed"] == 5, "all nonsense is dropped")
    context.destroy(0)


async def test_raw_connections_and_a_giant_frame_disturb_nobody(ends: Callable[[], End]) -> None:
    a, b = ends(), ends()
    (a.folder / "file").write_bytes(NOISE)
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)
    with ExitStack() as stack:
        raw = [stack.enter_context(socket.create_connection(("127.0.0.1", a.bulk.port))) for _ in range(400)]
        with suppress(OSError):  # the oldest are ended for the newest
            for one in raw:
                one.send(random.Random(2).randbytes(200))
        raw.append(stack.enter_context(socket.create_connection(("127.0.0.1", a.bulk.port))))
        raw[-1].send(greeting + b"\x06" + (1 << 30).to_bytes(8))
        await b.bulk.fetch_file([a.source], "file", b.folder / "copy")
    assert (b.folder / "copy").read_bytes() == NOISE


async def test_a_file_that_changes_meanwhile_is_not_mixed(ends: Callable[[], End]) -> None:
    a, b = ends(), ends()
    (a.folder / "file").write_bytes(NOISE)
    (b.folder / "copy").write_bytes(NOISE[: 2 * CHUNK])
    (a.folder / "file").write_bytes(b"another")
    with pytest.raises(Exception, match="fetched anew"):
        await b.bulk.fetch_file([a.source], "file", b.folder / "copy")


async def test_only_files_are_served(ends: Callable[[], End]) -> None:
    a, b = ends(), ends()
    (a.folder / "folder").mkdir()
    os.mkfifo(a.folder / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(NotFound):
            await b.bulk.fetch_file([a.source], name, b.folder / "copy")


async def test_where_it_cannot_be_written_the_place_is_named(ends: Callable[[], End]) -> None:
    a, b = ends(), ends()
    (a.folder / "file").write_bytes(NOISE)
    with pytest.raises(StorageError, match="nowhere"):
        await b.bulk.fetch_file([a.source], "file", b.folder / "nowhere" / "copy")


async def test_a_fetch_that_is_given_up_ends(ends: Callable[[], End]) -> None:
    a, b = ends(), ends()
    a.members.clear()
    fetching = asyncio.ensure_future(b.bulk.fetch_file([a.source], "file", b.folder / "copy"))
    await asyncio.sleep(0)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching


def test_a_taken_port_is_refused() -> None:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Conflict, match="--listen"):
        Bulk(public, secret, host="127.0.0.1", port=taken.getsockname()[1])
