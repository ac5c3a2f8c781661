"""What a branch is at the moment: asked once for a submission, so that all of its builds begin with the same revision.

The master asks the repository itself; where it has no git or no access, it asks agents that have git to do so. Refuses
to know what is submitted, and how a revision gets to a worker.
"""

import asyncio
import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from ...core.errors import InvalidInput, NotAllowed, OrchestraError
from ...core.messages import Call, TipOf, pack, unpack
from ...core.messages import Tip as Told
from ...core.model import AgentRecord
from ...core.repository import Tip, is_revision
from ..mesh.contract import Mesh
from ..peers import Peers
from .asking import Unlisted, tip
from .git import Git

log = logging.getLogger(__name__)

ASK_S = 10.0
"""Seconds for a repository to answer. Larger: slow ones are heard; smaller: others are asked before clients give up."""

OTHERS = 3
"""Agents that are asked at most."""

AT_ONCE = 8
"""Repositories that one agent asks at a time."""


class Resolver:
    """Asks repositories, for the master in this process; and for the master elsewhere that cannot."""

    def __init__(self, git: Git, peers: Peers, mesh: Mesh) -> None:
        """Ask with `git`, or through the agents of `peers`."""
        self._git = git
        self._peers = peers
        self._mesh = mesh
        # its own threads: repositories that say nothing for long would take all those that others share
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ask-repository")
        mesh.handle(Call.TIP, self._on_tip)

    async def tips(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Tip]:
        """Return what each of these (address, branch) is now. Raises UserError for one that cannot be known."""
        found = await asyncio.gather(*(self._tip(*one) for one in wanted))
        return dict(zip(wanted, found, strict=True))

    async def _tip(self, address: str, branch: str) -> Tip:
        try:
            return await self._here(address, branch)
        except OrchestraError as problem:
            others = self._others()
            if isinstance(problem, Unlisted | InvalidInput) or not others:
                raise
            log.info("resolver.elsewhere: %s: %s", address, problem)
            asked = [asyncio.ensure_future(self._at(one, address, branch)) for one in others]
            try:
                for answer in asyncio.as_completed(asked):
                    found = await answer
                    if found is not None:
                        return found
            finally:
                for one in asked:
                    one.cancel()
            raise

    async def _here(self, address: str, branch: str) -> Tip:
        ask = asyncio.get_running_loop().run_in_executor
        return await ask(self._threads, tip, self._git, address, branch, ASK_S)

    def _others(self) -> list[AgentRecord]:
        """Return agents that may know more: those that run builds and have git."""
        found = [one for one in self._peers.records.values() if one.session and "git" in one.labels]
        return [one for one in found if one.id != self._mesh.id and self._peers.reachable(one.id)][:OTHERS]

    async def _at(self, agent: AgentRecord, address: str, branch: str) -> Tip | None:
        try:
            reply = await self._mesh.call(agent.id, Call.TIP, pack(TipOf(address, branch)), ASK_S + 2)
        except OrchestraError as problem:
            log.info("resolver.not-there-either: %s: %s", agent.name, problem)
            return None
        told = unpack(reply, Told)
        return Tip(told.revision, told.branch) if is_revision(told.revision) else None

    async def _on_tip(self, sender: str, payload: bytes) -> bytes:
        wish = unpack(payload, TipOf)
        if sender != self._peers.master:
            raise NotAllowed("only the master asks others about repositories")
        found = await self._here(wish.address, wish.branch)
        return pack(Told(found.revision, found.branch))
