"""Answers `network.*` and `agent.*`: how the network stands, who is let in, and the end of this agent."""

from collections.abc import Awaitable, Callable

from ...core.api import network as api
from ...core.api.agent import AgentStop, Stopping
from ...core.api.method import NoParams
from ...core.api.tasks import OneTask
from ...core.errors import Conflict, InvalidInput
from ...core.instants import stamp
from ...core.model import BuildState
from ...core.version import VERSION
from ..entrance import Entrance
from ..health import Health
from ..keeping import Keeper
from ..peers import Peers
from ..space import Space
from ..worker import Worker
from .desk import Desk


class Network:
    """The network, as this agent sees it."""

    def __init__(  # noqa: PLR0913 - the parts it answers for
        self,
        desk: Desk,
        *,
        peers: Peers,
        health: Health,
        keeper: Keeper,
        space: Space,
        entrance: Entrance,
        worker: Worker | None,
        stop: Callable[[str], Awaitable[None]],
        leave: Callable[[str], Awaitable[None]],
    ) -> None:
        """Answer for these parts. `stop(builds)` ends the agent, `leave(builds)` takes it out of the network first."""
        self._desk = desk
        self._peers = peers
        self._health = health
        self._keeper = keeper
        self._space = space
        self._entrance = entrance
        self._worker = worker
        self._stop = stop
        self._leave = leave

    async def network_status(self, _: NoParams) -> api.Status:
        """Say how the network stands."""
        ledger = self._desk.replica.ledger
        me = api.Identity(self._desk.identity.id, self._desk.identity.name)
        ready = sum(self._peers.reachable(one) for one in ledger.agents)
        master = self._peers.master
        running = sum(attempt.state is BuildState.RUNNING for attempt in ledger.attempts.values())
        return api.Status(
            network=api.Identity(self._desk.identity.network, self._desk.identity.network_name),
            agent=me,
            master=api.Identity(master, self._peers.name_of(master)) if master else None,
            term=self._peers.term,
            voters=[one.id for one in self._peers.voters()],
            quorum=self._peers.quorum(),
            agents={"ready": ready, "unreachable": len(ledger.agents) - ready},
            queue={"pending": len(ledger.builds) - running, "running": running},
            version=VERSION,
            store=self._desk.history.store.url,
            notices=self._notices(),
            age=round(self._desk.replica.age, 3),
            copy=self._peers.holds_copy,
        )

    async def network_digest(self, _: NoParams) -> api.Digest:
        """Say what state this agent's ledger is in; equal on all at one index."""
        ledger = self._desk.replica.ledger
        return api.Digest(ledger.index, ledger.digest(), self._peers.holds_copy)

    async def network_links(self, _: NoParams) -> api.Links:
        """Say how this agent sees the others."""
        return await self._health.report()

    def _notices(self) -> list[str]:
        notices: list[str] = []
        if not self._peers.master:
            notices.append(self._peers.why_none())
        notices += [
            f"{one.name}: {one.note} (orchestra enable {one.name})"
            for one in self._desk.replica.ledger.agents.values()
            if one.note
        ]
        if self._desk.history.damaged:
            notices.append(f"{self._desk.history.damaged}: orchestra down --keep, then orchestra up")
        elif self._desk.history.problem:
            notices.append(f"the store does not follow: {self._desk.history.problem}")
        if self._space.problem:
            notices.append(f"the blob space does not get what builds leave: {self._space.problem}")
        if self._keeper.full:
            notices.append(
                f"the logs in {self._desk.paths.blobs} have reached blob-quota: raise it, or remove old builds"
            )
        if self._desk.free() < self._desk.reserve:
            notices.append(
                f"less than {self._desk.reserve >> 20} MiB are free in {self._desk.paths.data}: new work is refused"
            )
        return notices

    async def network_invite(self, params: api.Invite) -> api.Invitation:
        """Let one machine join, whoever brings the token."""
        if params.role not in {"member", "worker"}:
            message = f"role must be member or worker, not {params.role!r}"
            raise InvalidInput(message)
        votes = params.role == "member"
        token, expires = await self._entrance.invite(self._desk.requester, params.seconds, votes=votes)
        return api.Invitation(token, stamp(expires) or "")

    async def network_requests(self, _: NoParams) -> api.JoinRequests:
        """List who waits for being let in. Their codes are not told: somebody has to look at the machine."""
        found = [
            api.JoinRequest(one.record.id, one.record.name, one.address, one.record.version, round(left, 1))
            for one, left in self._entrance.requests()
        ]
        return api.JoinRequests(found)

    async def network_approve(self, params: api.Approve) -> OneTask:
        """Let a machine in."""
        return await self._desk.shown(await self._entrance.approve(self._desk.requester, params.code))

    async def agent_leave(self, params: AgentStop) -> Stopping:
        """Take this agent out of the network, and end it."""
        running = self._check_stop(params)
        await self._leave(params.builds)
        return Stopping(running)

    async def agent_stop(self, params: AgentStop) -> Stopping:
        """End this agent."""
        running = self._check_stop(params)
        await self._stop(params.builds)
        return Stopping(running)

    def _check_stop(self, params: AgentStop) -> int:
        """Return how many builds run here. Raises Conflict where that speaks against it."""
        if params.builds not in {"refuse", "wait", "abort", "keep"}:
            message = f"builds must be refuse, wait, abort or keep, not {params.builds!r}"
            raise InvalidInput(message)
        running = self._worker.running if self._worker else 0
        if running and params.builds == "refuse":
            message = (
                f"{running} build(s) run on this machine; wait for them (--wait), stop them (--abort), "
                "or let them go on without the agent (--keep)"
            )
            raise Conflict(message)
        return running
