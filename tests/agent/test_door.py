"""The door and those who come to it, over real sockets: by invitation, by a code, and with bad intentions."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import zmq
import zmq.asyncio
from msgspec.structs import replace

from job_orchestra.agent import door as module
from job_orchestra.agent import identity, joining, pairing, roster
from job_orchestra.agent.door import Door
from job_orchestra.agent.identity import Identity, Keys
from job_orchestra.agent.paths import Paths
from job_orchestra.agent.settings import Settings
from job_orchestra.core import entering, tokens
from job_orchestra.core.entering import Challenge, Enter, Knock, Refused, Reveal, Welcome
from job_orchestra.core.errors import Conflict, InvalidInput, LimitReached, NoMaster, NotAllowed, PeerError, Unreachable
from job_orchestra.core.ids import fingerprint
from job_orchestra.core.messages import Entrant
from job_orchestra.core.model import AgentRecord
from job_orchestra.core.version import VERSION
from tests.kit.meshes import until

NETWORK = "0123456789abcdef"
SECRET = bytes(range(32))


def keys() -> Keys:
    public, secret = zmq.curve_keypair()
    return Keys(public.decode(), secret.decode())


def record(of: Keys, name: str = "bee") -> AgentRecord:
    return AgentRecord(of.id, name, version=VERSION, public=of.public)


class House:
    """A door of a network, and a master that lets in who knows the secret, or everybody who shows a code."""

    def __init__(self, network: str = NETWORK) -> None:
        own = keys()
        self.identity = Identity(own.id, "ant", own.public, own.secret, network, "lab")
        self.door = Door(self.identity, host="127.0.0.1")
        self.came: list[Entrant] = []
        self.problem: Exception | None = None
        self.decide: Callable[[], Awaitable[object]] | None = None
        self.door.connect(self._enter)
        self.running = asyncio.ensure_future(self.door.run())

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.door.port}"

    @property
    def as_door(self) -> tokens.Door:
        return tokens.Door(self.identity.public, (self.place,))

    async def _enter(self, entrant: Entrant) -> Welcome:
        self.came.append(entrant)
        if self.decide is not None:
            await self.decide()
        if self.problem is not None:
            raise self.problem
        if not entrant.code and entrant.invite != tokens.digest(SECRET):
            raise NotAllowed("the invitation is not known")
        mine = replace(entrant.record, member=2)
        return Welcome(self.identity.network, "lab", 0, 2, (AgentRecord("first", "ant", member=1), mine))

    async def close(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        self.door.close()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    one = House()
    yield one
    await one.close()


@pytest.fixture
def bee() -> Keys:
    return keys()


def invitation(*doors: tokens.Door, secret: bytes = SECRET) -> tokens.Invitation:
    return tokens.Invitation(NETWORK, "lab", secret, doors)


@contextlib.asynccontextmanager
async def at(house: House, of: Keys) -> AsyncIterator[zmq.asyncio.Socket]:
    """Give a connection to a door, on which a test says what it wants."""
    context = zmq.asyncio.Context()
    one = context.socket(zmq.DEALER)
    one.set(zmq.LINGER, 0)
    one.set(zmq.CURVE_PUBLICKEY, of.public.encode())
    one.set(zmq.CURVE_SECRETKEY, of.secret.encode())
    one.set(zmq.CURVE_SERVERKEY, house.identity.public.encode())
    one.connect(f"tcp://{house.place}")
    try:
        yield one
    finally:
        context.destroy(0)


async def say(one: zmq.asyncio.Socket, request: entering.Request) -> entering.Reply:
    await one.send(entering.encode(request))
    return entering.reply(await one.recv())


# -- as it should be


async def test_an_invitation_lets_in(house: House, bee: Keys) -> None:
    welcome = await joining.enter(bee, record(bee), invitation(house.as_door))
    assert welcome.member == 2
    (came,) = house.came
    assert came.record == record(bee)
    assert came.invite == tokens.digest(SECRET)
    assert came.address == "127.0.0.1"


async def test_both_sides_show_the_same_code(house: House, bee: Keys) -> None:
    shown: list[str] = []
    welcome = await joining.knock(bee, record(bee), NETWORK, house.as_door, lambda code, _: shown.append(code))
    assert welcome.member == 2
    assert [one.code for one in house.came] == shown
    assert pairing.normal(shown[0]) == shown[0]


async def test_with_a_middleman_the_codes_differ(house: House, bee: Keys) -> None:
    """It has a door of its own, and knocks at the true one with a key of its own."""
    middle = House()
    shown: list[str] = []
    await joining.knock(bee, record(bee), NETWORK, middle.as_door, lambda code, _: shown.append(code))
    other = keys()
    await joining.knock(other, record(other), NETWORK, house.as_door, lambda code, _: shown.append(code))
    assert house.came[0].code == shown[1] != shown[0]
    await middle.close()


async def test_the_door_that_answers_is_used(house: House, bee: Keys) -> None:
    dead, other = keys(), keys()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        doors = (
            tokens.Door(dead.public, (f"127.0.0.1:{silent.getsockname()[1]}",)),
            tokens.Door(other.public, (house.place,)),  # another key than the invitation says
            tokens.Door(house.identity.public, ("127.0.0.1:1", house.place)),
        )
        assert (await joining.enter(bee, record(bee), invitation(*doors))).member == 2


async def test_a_door_that_cannot_have_it_decided_is_passed_over(house: House, bee: Keys) -> None:
    other = House()
    other.problem = NoMaster("no master")
    house.decide = lambda: asyncio.sleep(0)
    for doors in ((other.as_door, house.as_door), (house.as_door, other.as_door)):
        assert (await joining.enter(bee, record(bee), invitation(*doors))).member == 2
    with pytest.raises(NoMaster):
        await joining.enter(bee, record(bee), invitation(other.as_door))
    await other.close()


# -- refused


async def test_who_is_refused_is_told_why(house: House, bee: Keys) -> None:
    with pytest.raises(NotAllowed, match="not known"):
        await joining.enter(bee, record(bee), invitation(house.as_door, secret=bytes(32)))
    assert house.door.counters["refused"] == 1


async def test_a_welcome_of_another_network_is_refused(bee: Keys) -> None:
    other = House("f" * 16)
    with pytest.raises(PeerError):
        await joining.enter(bee, record(bee), invitation(other.as_door))
    await other.close()


async def test_no_door_at_all_names_what_was_tried(bee: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "CONNECT_S", 0.2)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1\).*firewalls"):
        await joining.enter(bee, record(bee), invitation(tokens.Door(keys().public, ("127.0.0.1:1",))))


async def test_another_version_is_told_what_to_upgrade(house: House, bee: Keys) -> None:
    async with at(house, bee) as one:
        for request in (Enter(SECRET, "4.0.0", record(bee)), Knock(bytes(32), "99.0.0", record(bee))):
            found = await say(one, request)
            assert isinstance(found, Refused)
            assert VERSION in found.message
            assert "install" in found.message
    assert house.came == []


async def test_a_record_of_another_key_is_refused(house: House, bee: Keys) -> None:
    victim = keys()
    async with at(house, bee) as one:
        found = await say(one, Enter(SECRET, VERSION, record(victim)))
        assert isinstance(found, Refused)
        assert found.kind == "not-allowed"
    assert house.came == []


async def test_what_a_stranger_claims_beyond_its_name_is_not_passed_on(house: House, bee: Keys) -> None:
    told = replace(record(bee), member=1, slots=99, addresses=("192.0.2.1:7711",), session="s", note="\x1b[2J")
    await joining.enter(bee, told, invitation(house.as_door))
    assert house.came[0].record == record(bee)


async def test_a_nonce_that_was_not_committed_to_is_refused(house: House, bee: Keys) -> None:
    async with at(house, bee) as one:
        assert isinstance(await say(one, Knock(pairing.commitment(b"one"), VERSION, record(bee))), Challenge)
        assert isinstance(await say(one, Reveal(b"another")), Refused)
        assert isinstance(await say(one, Reveal(b"one")), Refused)  # there is one try
    assert house.came == []


async def test_a_reveal_without_a_knock_is_refused(house: House, bee: Keys) -> None:
    async with at(house, bee) as one:
        assert isinstance(await say(one, Reveal(b"one")), Refused)


async def test_nobody_reveals_for_another(house: House, bee: Keys) -> None:
    other = keys()
    async with at(house, bee) as mine, at(house, other) as theirs:
        assert isinstance(await say(mine, Knock(pairing.commitment(b"one"), VERSION, record(bee))), Challenge)
        assert isinstance(await say(theirs, Reveal(b"one")), Refused)
    assert house.came == []


# -- attacks


async def test_nonsense_is_counted_and_others_are_let_in(house: House, bee: Keys) -> None:
    hostile = keys()
    async with at(house, hostile) as one:
        for nonsense in (b"", b"\xff" * 100, random.Random(1).randbytes(1_000)):
            await one.send(nonsense)
        await one.send_multipart([b"several", b"frames"])
        assert isinstance(await say(one, Reveal(b"x")), Refused)
        assert house.door.counters["malformed"] == 4
    house.door._rate = module.Buckets(module.RATE, module.RATE_EACH)  # as a moment later
    assert (await joining.enter(bee, record(bee), invitation(house.as_door))).member == 2


class StandingStill(module.Buckets):
    """As many come as can in one moment, however long that takes here."""

    def take(self, host: str, now: float) -> bool:
        del now
        return super().take(host, 0.0)


async def test_a_flood_is_limited(house: House, bee: Keys) -> None:
    """More is refused before anything is done for it: guessing a secret of 256 bits is not even begun."""
    house.door._rate = StandingStill(module.RATE, module.RATE_EACH)
    async with at(house, keys()) as one:
        for _ in range(200):
            await one.send(entering.encode(Enter(bytes(32), VERSION, record(bee))))
        found = [entering.reply(await one.recv()) for _ in range(200)]
    limited = [one for one in found if isinstance(one, Refused) and one.kind == LimitReached.kind]
    assert len(limited) == 200 - module.RATE_EACH
    assert house.came == []  # and of the rest none had its own record


async def test_a_large_frame_ends_the_connection_and_nothing_else(house: House, bee: Keys) -> None:
    async with at(house, keys()) as one:
        await one.send(bytes(1 << 20))
        assert (await joining.enter(bee, record(bee), invitation(house.as_door))).member == 2
        assert not await one.poll(0)


async def test_half_open_connections_and_garbage_disturb_nobody(house: House, bee: Keys) -> None:
    with contextlib.ExitStack() as stack:
        raw = [stack.enter_context(socket.create_connection(("127.0.0.1", house.door.port))) for _ in range(400)]
        with contextlib.suppress(OSError):  # the oldest are ended for the newest
            for one in raw[::4]:
                one.send(random.Random(2).randbytes(200))
        assert (await joining.enter(bee, record(bee), invitation(house.as_door))).member == 2


async def test_many_conversations_push_out_the_oldest(house: House) -> None:
    waits = asyncio.Event()
    house.decide = waits.wait
    house.door._rate = module.Buckets(10_000, 10_000)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(module.CONVERSATIONS + 5):
            of = keys()
            one = await stack.enter_async_context(at(house, of))
            await one.send(entering.encode(Enter(SECRET, VERSION, record(of))))
        await until(lambda: len(house.came) == module.CONVERSATIONS + 5, "all have come")
        assert len(house.door._talks) == module.CONVERSATIONS
        waits.set()


# -- what is written down


def test_a_machine_belongs_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path / "agent")
    paths.prepare()
    own = identity.prepare_keys(paths)
    mine = replace(joining.applicant(own, Settings(name="bee")), member=2)
    welcome = Welcome(NETWORK, "lab", 3, 2, (AgentRecord("first", "ant", member=1), mine), "first")

    def full(*_: object, **__: object) -> None:
        raise InvalidInput("as if the disk was full")

    with monkeypatch.context() as patch:
        patch.setattr(identity, "belong", full)
        with pytest.raises(InvalidInput):
            joining.belong(paths, welcome)
    identity.check_free(paths)
    joining.belong(paths, welcome)
    found = identity.load(paths)
    assert (found.id, found.network, found.epoch, found.member) == (fingerprint(own.public), NETWORK, 3, 2)
    assert roster.load(paths) == roster.RosterFile(welcome.roster, 3, "first")
    with pytest.raises(Conflict, match="--again"):
        identity.check_free(paths)


def test_what_was_before_is_put_aside_and_the_key_stays(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "agent")
    paths.prepare()
    identity.create(paths, "lab")
    paths.history.write_bytes(b"a history")
    before = identity.load(paths)
    identity.retire(paths)
    identity.retire(paths)  # and again, as after a crash
    assert not identity.exists(paths)
    (former,) = paths.former.iterdir()
    assert (former / "history.db").read_bytes() == b"a history"
    assert (former / "network.json").exists()
    identity.create(paths, "another")
    after = identity.load(paths)
    assert after.public == before.public
    assert after.network != before.network


def test_a_membership_without_its_log_is_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "agent")
    paths.prepare()
    identity.create(paths, "lab")
    paths.journal.unlink()
    with pytest.raises(Exception, match="join --again"):
        identity.load(paths)
