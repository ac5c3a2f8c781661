"""Who may do what over the mesh: every call of core/messages.py, tried by everybody who may not make it.

Strangers have no link at all (test_mesh_attacks). What is left are members that want more than is theirs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from job_orchestra.agent.logreading import MAX_PART
from job_orchestra.agent.routing import HERE
from job_orchestra.core.api.method import Permission
from job_orchestra.core.api.table import METHODS
from job_orchestra.core.errors import (
    InvariantError,
    LimitReached,
    NoMaster,
    NotAllowed,
    NotFound,
    NotLeading,
    OrchestraError,
    PeerError,
    Unreachable,
)
from job_orchestra.core.messages import (
    CALLERS,
    Answer,
    Assigned,
    Attempts,
    Builds,
    Caches,
    CachesOf,
    Call,
    ClientCall,
    Entrant,
    Given,
    Index,
    Keep,
    Kept,
    Lease,
    Leased,
    LogBytes,
    LogRead,
    Moment,
    More,
    Prepare,
    Report,
    Resized,
    StopOrder,
    TipOf,
    Typed,
    Wanted,
    WorkerJoin,
    pack,
    unpack,
)
from job_orchestra.core.model import AgentRecord, Attempt, BuildState, Stop
from tests.kit.hands import Hand
from tests.kit.towns import Citizen, Town


@dataclass
class Scene:
    """A network in which one worker has a build, and another member wants more than is its own."""

    master: Citizen
    worker: Citizen
    other: Citizen
    hand: Hand
    attempt: Attempt  # what the worker has

    async def call(self, by: Citizen, to: Citizen, call: Call, message: object = None) -> bytes:
        """Make a call as an agent that says whatever it likes."""
        return await by.mesh.call(to.id, call, b"" if message is None else pack(message), 20)

    @property
    def current(self) -> Attempt:
        """What the ledger has of that attempt."""
        return self.master.agent.replica.ledger.attempts[self.attempt.build]


async def scene(town: Town) -> Scene:
    master, worker, other = await town.grow(3, b=(hand := Hand()))
    build = await master.submit()
    await hand.given(build)
    return Scene(master, worker, other, hand, hand.has[build])


async def held(s: Scene) -> None:
    assert unpack(await s.call(s.worker, s.master, Call.HELD), Attempts).attempts == (s.current,)
    assert unpack(await s.call(s.other, s.master, Call.HELD), Attempts).attempts == ()


async def join(s: Scene) -> None:
    record = replace(s.worker.agent.standing.record(), session="stolen")
    with pytest.raises(NotAllowed, match="speaks for itself"):
        await s.call(s.other, s.master, Call.JOIN, WorkerJoin(record, ()))
    assert s.master.agent.replica.ledger.agents[s.worker.id].session == "s1"


async def record(s: Scene) -> None:
    ended = replace(s.attempt, state=BuildState.SUCCEEDED)
    for told in (ended, replace(ended, agent=s.other.id), replace(ended, agent=s.other.id, number=7)):
        await s.call(s.other, s.master, Call.RECORD, Report((told,)))
    assert s.current.state is BuildState.ASSIGNED
    history = (await s.master.ask("builds.get", id=s.attempt.build))["build"]["attempts"]
    assert [(one["number"], one["state"]) for one in history] == [(1, "assigned")]


async def lease(s: Scene) -> None:
    assert unpack(await s.call(s.worker, s.master, Call.LEASE, Lease("s1")), Leased).joined
    assert not unpack(await s.call(s.other, s.master, Call.LEASE, Lease("s1")), Leased).joined


async def assign(s: Scene) -> None:
    ledger = s.master.agent.replica.ledger
    build = ledger.builds[s.attempt.build]
    order = Assigned(s.master.agent.replica.term, ((s.attempt, build),), {build.spec: ledger.specs[build.spec]})
    s.hand.has.clear()  # told by an order that comes through
    with pytest.raises(NotAllowed, match="gives no orders"):
        await s.call(s.other, s.worker, Call.ASSIGN, order)
    with pytest.raises(NoMaster, match="which is over"):
        await s.call(s.master, s.worker, Call.ASSIGN, replace(order, term=order.term - 1))
    assert s.hand.has == {}
    s.hand.has[s.attempt.build] = s.attempt


async def stop(s: Scene) -> None:
    order = StopOrder(s.master.agent.replica.term, s.attempt, Stop.ABORT, "because")
    with pytest.raises(NotAllowed, match="gives no orders"):
        await s.call(s.other, s.worker, Call.STOP, order)
    with pytest.raises(NoMaster, match="which is over"):
        await s.call(s.master, s.worker, Call.STOP, replace(order, term=order.term - 1))
    assert s.hand.stopped == {}


async def client(s: Scene) -> None:
    """A member passes on what its clients want; whoever decides decides alone, and nobody ends another's agent."""
    for method in METHODS.values():
        wish = ClientCall(method.name, b"{}", "eve@other")
        if method.name in HERE:
            with pytest.raises(InvariantError, match="cannot be passed on"):
                await s.call(s.other, s.worker, Call.CLIENT, wish)
        elif method.permission is not Permission.READ:
            with pytest.raises(NotLeading):
                await s.call(s.other, s.worker, Call.CLIENT, wish)
    wish = ClientCall("builds.list", b"{}", "eve@other")
    assert b'"builds"' in unpack(await s.call(s.other, s.worker, Call.CLIENT, wish), Answer).body


async def typing(s: Scene) -> None:
    """Who types is believed of an agent's own clients only; the executor knows whose build it is (test_streams)."""
    mine = Typed(s.attempt.key, "x", 0, b"rm -rf /\n", over=False, requester="eve@c")
    with pytest.raises(NotAllowed, match="cannot speak for ann@a"):
        await s.call(s.other, s.worker, Call.INPUT, replace(mine, requester="ann@a"))
    with pytest.raises(NotFound, match="does not run here"):
        await s.call(s.other, s.worker, Call.INPUT, replace(mine, key="00000001.1"))
    with pytest.raises(NotFound, match="no builds run here"):
        await s.call(s.other, s.master, Call.INPUT, mine)
    await s.call(s.other, s.worker, Call.INPUT, mine)
    assert s.hand.typed == [mine]


async def resizing(s: Scene) -> None:
    mine = Resized(s.attempt.key, 1, 1, "eve@c")
    with pytest.raises(NotAllowed, match="cannot speak for ann@a"):
        await s.call(s.other, s.worker, Call.RESIZE, replace(mine, requester="ann@a"))
    with pytest.raises(NotFound, match="does not run here"):
        await s.call(s.other, s.worker, Call.RESIZE, replace(mine, key="00000001.1"))


async def log(s: Scene) -> None:
    for name in ("../../agent.key", f"{s.attempt.build}./../../../agent.key", ""):
        with pytest.raises(NotFound, match="names no attempt"):
            await s.call(s.other, s.master, Call.LOG, LogRead(name))
    path = s.master.paths.log(s.attempt.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * (MAX_PART + 1))
    for limit in (1 << 40, -1):
        found = unpack(await s.call(s.other, s.master, Call.LOG, LogRead(s.attempt.key, limit=limit)), LogBytes)
        assert len(found.data) <= MAX_PART
    # it waits for no longer than it has to
    await s.call(s.other, s.master, Call.LOG, LogRead(s.attempt.key, MAX_PART + 1, wait=float("nan")))


async def keep(s: Scene) -> None:
    assert unpack(await s.call(s.other, s.master, Call.KEEP, Keep((b"a log",))), Kept).digests
    for name, digest in (("log/../../agent.key", "0" * 64), ("log/x", "../../agent.key")):
        with pytest.raises(OrchestraError):
            await s.call(s.other, s.master, Call.KEEP, Keep(large=((name, digest),)))


async def contents(s: Scene) -> None:
    for digests, missing in ((b"x" * 32, 1), (b"x" * 32 + b"y" * 32, 2), (b"", 0)):
        found = unpack(await s.call(s.other, s.worker, Call.CONTENTS, Wanted(digests)), Given)
        assert (found.missing, found.count) == (missing, 0)
    for names in (b"x" * 33, b"../../agent.key"):
        with pytest.raises(OrchestraError, match="is no SHA-256"):
            await s.call(s.other, s.worker, Call.CONTENTS, Wanted(names))


async def tip(s: Scene) -> None:
    with pytest.raises(NotAllowed, match="only the master"):
        await s.call(s.other, s.worker, Call.TIP, TipOf("https://127.0.0.1:9/x", "main"))
    for address in ("ext::sh -c id", "--upload-pack=id", "file:///etc"):
        with pytest.raises(OrchestraError, match=r"no address|not allow"):
            await s.call(s.master, s.worker, Call.TIP, TipOf(address, "main"))


async def caches(s: Scene) -> None:
    """A member may see and forget all caches, as its clients may: they are found again, or made anew."""
    assert unpack(await s.call(s.other, s.worker, Call.CACHES, CachesOf("shop")), Caches).caches == ()
    assert unpack(await s.call(s.other, s.worker, Call.FORGET, CachesOf("shop", ("",))), Caches).caches == ()


async def snapshot(s: Scene) -> None:
    assert await s.call(s.other, s.worker, Call.SNAPSHOT, Prepare(0))  # a member may hold a copy: it is one of us


async def time(s: Scene) -> None:
    assert unpack(await s.call(s.other, s.worker, Call.TIME), Moment).version


async def index(s: Scene) -> None:
    assert unpack(await s.call(s.other, s.master, Call.INDEX), Index).index


async def more(s: Scene) -> None:
    with pytest.raises(Unreachable, match="no longer kept"):
        await s.call(s.other, s.worker, Call.MORE, More(12345, 0))


async def follow(s: Scene) -> None:
    assert await s.call(s.other, s.worker, Call.FOLLOW) == b""


async def known(s: Scene) -> None:
    (mine,) = unpack(
        await s.call(s.other, s.master, Call.KNOWN, Builds((s.attempt.build, "00000000", "../x"))), Builds
    ).ids
    assert mine == s.attempt.build
    with pytest.raises(LimitReached):
        await s.call(s.other, s.master, Call.KNOWN, Builds((s.attempt.build,) * 1_001))


async def admit(s: Scene) -> None:
    entrant = Entrant(AgentRecord("f" * 16, "eve", public="x" * 40), invite="0" * 64)
    with pytest.raises(NotLeading):
        await s.call(s.other, s.worker, Call.ADMIT, entrant)
    before = s.master.agent.replica.ledger.index
    with pytest.raises(NotAllowed, match="is not known"):
        await s.call(s.other, s.master, Call.ADMIT, entrant)
    assert s.master.agent.replica.ledger.index == before, "who guesses must not fill the log"


WALK: dict[Call, Callable[[Scene], Awaitable[None]]] = {
    Call.CLIENT: client,
    Call.TIME: time,
    Call.INDEX: index,
    Call.MORE: more,
    Call.HELD: held,
    Call.JOIN: join,
    Call.RECORD: record,
    Call.LEASE: lease,
    Call.ASSIGN: assign,
    Call.STOP: stop,
    Call.INPUT: typing,
    Call.RESIZE: resizing,
    Call.LOG: log,
    Call.KEEP: keep,
    Call.CONTENTS: contents,
    Call.TIP: tip,
    Call.CACHES: caches,
    Call.FORGET: caches,
    Call.SNAPSHOT: snapshot,
    Call.FOLLOW: follow,
    Call.KNOWN: known,
    Call.ADMIT: admit,
}


async def test_no_member_gets_more_than_is_its_own(town: Town) -> None:
    assert WALK.keys() == CALLERS.keys() == set(Call)
    found = await scene(town)
    for attack in WALK.values():
        await attack(found)
    await found.hand.report(found.attempt.build, BuildState.SUCCEEDED)  # and service goes on
    assert (await found.other.ask("builds.wait", id=found.attempt.build))["build"]["state"] == "succeeded"


async def test_what_is_no_message_is_refused_and_service_goes_on(town: Town) -> None:
    master = await town.found()
    other = await town.admit("b", votes=False)
    for call in set(Call) - {Call.HELD, Call.TIME, Call.INDEX, Call.FOLLOW}:  # these carry nothing
        with pytest.raises(PeerError, match="what arrived is no"):
            await other.mesh.call(master.id, call, b"\xc1 no message")
    assert await other.submit()
