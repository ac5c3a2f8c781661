"""Answers `agents.*`: the members, what they have and offer, and what is asked of them."""

from ...core.api import agents as api
from ...core.api.method import NoParams
from ...core.api.tasks import OneTask
from ...core.commands import SetAgent, SetOffer
from ...core.errors import InvalidInput
from ...core.offer import OfferChange
from ...core.resources import ONE, SLOTS, wanted
from ...core.scheduling.places import Place, Worker
from ...core.views.agents import Amount, agent_view
from ..peers import Peers
from .desk import Desk


class Agents:
    """The members."""

    def __init__(self, desk: Desk, peers: Peers) -> None:
        """Know of them by the desk's ledger; `peers` knows who answers."""
        self._desk = desk
        self._peers = peers

    async def agents_list(self, _: NoParams) -> api.Agents:
        """List the members."""
        ledger = self._desk.replica.ledger
        places = {one: Place(Worker.of(record, reachable=True), 0) for one, record in ledger.agents.items()}
        for attempt in ledger.attempts.values():
            if attempt.agent in places:
                spec = ledger.specs[ledger.builds[attempt.build].spec]
                places[attempt.agent].hold(attempt.build, wanted(spec.resources))
        found = [
            agent_view(
                record,
                reachable=self._peers.reachable(record.id),
                used=len(places[record.id].held),
                roles=self._roles(record.id),
                addresses=list(record.addresses),
                resources=_amounts(places[record.id]),
            )
            for record in sorted(ledger.agents.values(), key=lambda one: (one.name, one.id))
        ]
        return api.Agents(found)

    def _roles(self, agent: str) -> list[str]:
        record, configuration = self._desk.replica.ledger.agents[agent], self._desk.replica.configuration
        return [
            *(["master"] if agent == self._peers.master else []),
            *(["voter"] if record.member in configuration.voters else []),
            *(["copy"] if record.member in configuration.learners else []),
            *(["worker"] if record.session else []),
        ]

    async def agents_set(self, params: api.AgentSet) -> OneTask:
        """Enable, disable or drain."""
        agent = self._desk.find.agent(params.agent)
        command = SetAgent(self._desk.master.time(), self._desk.requester, agent.id, params.enabled, params.draining)
        return await self._desk.task(command)

    async def agents_offer(self, params: api.AgentOffer) -> OneTask:
        """Change what a machine lets builds have, and when."""
        agent = self._desk.find.agent(params.agent)
        change = OfferChange(
            slots=params.slots,
            cpus=params.cpus,
            hours=None if params.hours is None else tuple(params.hours),
            pause_when_used=params.pause_when_used,
            idle_s=params.idle,
            pause_on_battery=params.pause_on_battery,
            nice=params.nice,
        )
        change.check()
        if not change.said() and not params.reset:
            raise InvalidInput(
                "say what to change: slots, cpus, hours, pause_when_used, pause_on_battery, nice, or reset"
            )
        command = SetOffer(self._desk.master.time(), self._desk.requester, agent.id, change, params.reset)
        return await self._desk.task(command)

    async def agents_remove(self, params: api.ByAgent) -> OneTask:
        """Take an agent out of the network; its vote is given to another one first, where there is one."""
        agent = self._desk.find.agent(params.agent)
        return await self._desk.task(SetAgent(self._desk.master.time(), self._desk.requester, agent.id, leaving=True))


def _amounts(place: Place) -> dict[str, Amount]:
    """Return what builds may take of a worker, and what they have taken."""
    return {name: Amount(total / ONE, place.used(name) / ONE) for name, total in place.total.items() if name != SLOTS}
