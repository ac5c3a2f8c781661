"""Who is let into the network: decided by the master, whichever agent's door was knocked at.

An invitation is a secret whose digest the ledger knows; a machine without one waits until somebody types the code that
it shows. Refuses to know how one knocks (door), and what a code is made of (pairing).
"""

import asyncio
import secrets
import time

from ..core import addresses, belonging, tokens
from ..core.commands import Admit, Invite
from ..core.entering import Welcome
from ..core.errors import InvalidInput, NoMaster, NotAllowed, NotLeading, OrchestraError, TimedOut
from ..core.ledger import Outcome
from ..core.messages import Call, Entrant, pack, unpack
from .agreement import Replica
from .identity import Identity
from .master import Master
from .mesh.contract import Mesh
from .pairing import EXPIRES_S, Pending, Request
from .peers import Peers

ANSWER_S = 15.0
"""Seconds for the master to decide on somebody with an invitation."""

LONGEST_S = 30 * 24 * 3600.0
"""Seconds that an invitation may be good for."""


class Entrance:
    """One agent's share in letting others in."""

    def __init__(self, identity: Identity, replica: Replica, master: Master, peers: Peers, mesh: Mesh) -> None:
        """Decide while this agent is the master; else pass on."""
        self._identity = identity
        self._replica = replica
        self._master = master
        self._peers = peers
        self._mesh = mesh
        self._pending = Pending(time.monotonic)
        self._waiting: dict[str, asyncio.Future[Welcome]] = {}  # agent id -> what it waits for
        replica.on_leading(lambda _: self._refuse_all(NoMaster("another master leads now; run orchestra join again")))
        mesh.handle(Call.ADMIT, self._on_admit)

    async def enter(self, entrant: Entrant) -> Welcome:
        """Have the master decide on somebody at this agent's door. Raises OrchestraError for who is not let in."""
        master = await self._peers.wait_master()
        if master == self._identity.id:
            return await self._decide(entrant)
        timeout_s = ANSWER_S + (EXPIRES_S if entrant.code else 0)
        return unpack(await self._mesh.call(master, Call.ADMIT, pack(entrant), timeout_s), Welcome)

    # -- what operators do; at the master

    async def invite(self, requester: str, seconds: float, *, votes: bool) -> tuple[str, int]:
        """Return a token that lets one machine in, and when it expires (milliseconds since the epoch)."""
        if not 1 <= seconds <= LONGEST_S:
            message = f"an invitation is good for 1 second to {LONGEST_S / 86400:.0f} days, not {seconds:g} seconds"
            raise InvalidInput(message)
        secret = secrets.token_bytes(tokens.SECRET_BYTES)
        at = self._master.time()
        expires = at + round(seconds * 1000)
        outcome = (await self._master.propose(Invite(at, requester, tokens.digest(secret), expires, votes)))[0]
        if outcome.error is not None:
            raise outcome.error
        me = self._identity
        return tokens.encode(tokens.Invitation(me.network, me.network_name, secret, self._doors())), expires

    def requests(self) -> list[tuple[Request, float]]:
        """Return who waits for being let in, and for how many seconds more."""
        now = time.monotonic()
        return [(one, one.expires - now) for one in self._pending.requests()]

    async def approve(self, requester: str, code: str) -> Outcome:
        """Let the machine in that shows this code. Raises NotAllowed for a wrong one, which refuses all that wait."""
        try:
            request = self._pending.approve(code)
        except NotAllowed:
            self._refuse_all(NotAllowed("a wrong code was typed at the network, so nobody is let in; try again"))
            raise
        waiting = self._waiting.get(request.record.id)
        try:
            welcome, outcome = await self._admit(Entrant(request.record), requester)
        except OrchestraError as error:
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
            raise
        if waiting is not None and not waiting.done():
            waiting.set_result(welcome)
        return outcome

    def _doors(self) -> tuple[tokens.Door, ...]:
        """Return where one may enter: here first, then where the history is held, too."""
        records = self._replica.ledger.agents
        mine = [records[self._identity.id]] if self._identity.id in records else []
        others = [one for one in self._peers.replicas() if self._peers.reachable(one.id) and one not in mine]
        return tuple(
            tokens.Door(one.public, tuple(_at_door(place, one.door) for place in one.addresses))
            for one in (*mine, *others)
            if one.door and one.addresses
        )

    # -- what machines at doors want

    async def _on_admit(self, _: str, payload: bytes) -> bytes:
        return pack(await self._decide(unpack(payload, Entrant)))

    async def _decide(self, entrant: Entrant) -> Welcome:
        if not self._replica.leading:
            raise NotLeading("this agent does not lead; ask the master")
        if not entrant.code:
            self._check_invitation(entrant)
            return (await self._admit(entrant, f"{entrant.record.name} ({entrant.address})"))[0]
        return await self._wait(entrant)

    def _check_invitation(self, entrant: Entrant) -> None:
        """Refuse what is worth nothing before anything is written: who guesses must not fill the log."""
        invites = self._replica.ledger.invites
        invited = invites.get(entrant.invite) if tokens.known(entrant.invite, invites) else None
        why = belonging.worthless(invited, entrant.record.id, self._master.time())
        if why:
            raise NotAllowed(f"the invitation {why}; ask for a new one: orchestra invite")

    async def _wait(self, entrant: Entrant) -> Welcome:
        request = self._pending.ask(entrant.record, entrant.code, entrant.address)
        decided: asyncio.Future[Welcome] = asyncio.get_running_loop().create_future()
        before = self._waiting.get(request.record.id)
        if before is not None and not before.done():
            before.set_exception(TimedOut("the same machine asked again"))
        self._waiting[request.record.id] = decided
        try:
            async with asyncio.timeout(EXPIRES_S):
                return await decided
        except TimeoutError:
            message = f"nobody let this machine in within {EXPIRES_S / 60:.0f} minutes; run orchestra join again"
            raise TimedOut(message) from None
        finally:
            self._pending.withdraw(request)
            if self._waiting.get(request.record.id) is decided:
                del self._waiting[request.record.id]

    async def _admit(self, entrant: Entrant, requester: str) -> tuple[Welcome, Outcome]:
        command = Admit(self._master.time(), requester, entrant.record, invite=entrant.invite)
        outcome = (await self._master.propose(command))[0]
        if outcome.error is not None:
            raise outcome.error
        record = self._replica.ledger.agents[entrant.record.id]
        others = [one for one in self._peers.replicas() if one.id != record.id]
        me = self._identity
        welcome = Welcome(me.network, me.network_name, me.epoch, record.member, (*others, record), me.id)
        return welcome, outcome

    def _refuse_all(self, error: OrchestraError) -> None:
        for one in self._waiting.values():
            if not one.done():
                one.set_exception(error)


def _at_door(place: str, door: int) -> str:
    return addresses.join(addresses.split(place)[0], door)
