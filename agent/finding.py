"""From what people type to records: builds by id, prefix, `project/job#12` or `last`; agents by id, prefix or name.

What is alive is in the ledger, what changed last with the history that follows it, everything else in the store.
"""

import re
from typing import cast

from ..core.definition import Job
from ..core.errors import InvalidInput, NotFound
from ..core.ids import is_id_prefix
from ..core.model import AgentRecord, Attempt, Build, Pipeline, attempt_key
from ..core.nearest import nearest
from ..store.query import Filter, Operator, Order, Query
from .agreement import Replica
from .history import History

_LABEL = re.compile(r"(?P<project>[^/#]+)/(?P<job>[^#]+)#(?P<number>[0-9]{1,12})")
_ID_LENGTH = 8

AGENT_PREFIX = 4
"""Characters of an agent's id that name it. Fewer would let the name of an agent that is gone name another one."""


class Finder:
    """Looks things up for the service."""

    def __init__(self, replica: Replica, history: History) -> None:
        """Look in the replica's ledger first, then in the store."""
        self._replica = replica
        self._history = history

    async def build(self, text: str) -> Build:
        """Return the build that `text` names. Raises NotFound, or InvalidInput where it names several."""
        known = self._replica.ledger.builds.get(text) or self._history.lacking("builds", text)
        if known is not None:
            return known
        await self._history.reached(self._replica.ledger.index)
        text = text.strip()
        if len(text) == _ID_LENGTH and is_id_prefix(text):
            found = cast("Build | None", await self._history.read(self._history.store.get, "builds", text))
            if found is not None:
                return self._newest(found)
        return self._newest(await self._search(text))

    async def _search(self, text: str) -> Build:
        labelled = _LABEL.fullmatch(text)
        if text == "last":
            query = Query("builds", order=(Order("serial", descending=True),), limit=1)
            missing = "there are no builds yet; submit one: orchestra run -- true"
        elif labelled:
            query = Query(
                "builds",
                where=(
                    Filter("project", Operator.EQ, labelled["project"]),
                    Filter("job", Operator.EQ, labelled["job"]),
                    Filter("number", Operator.EQ, int(labelled["number"])),
                ),
                limit=1,
            )
            missing = f"no build {text}; `orchestra builds` lists them"
        elif is_id_prefix(text):
            query = Query("builds", where=(Filter("id", Operator.PREFIX, text),), order=(Order("id"),), limit=2)
            missing = f"no build whose id begins with {text}; `orchestra builds` lists them"
        else:
            message = f"{text[:80]!r} is no build: give an id, the beginning of one, project/job#number, or last"
            raise InvalidInput(message)
        page = await self._history.read(self._history.store.find, query)
        found = cast("list[Build]", list(page.rows))
        if not found:
            raise NotFound(missing)
        if len(found) > 1:
            message = f"{text} is the beginning of several ids, {found[0].id} and others; give more characters"
            raise InvalidInput(message)
        return found[0]

    def _newest(self, stored: Build) -> Build:
        """Return what the ledger says of a build, where it is alive: the store may be a moment behind."""
        return self._replica.ledger.builds.get(stored.id, stored)

    async def attempts(self, build: Build) -> list[Attempt]:
        """Return a build's attempts, oldest first."""
        current = self._replica.ledger.attempts.get(build.id)
        numbers = range(1, build.attempt + 1)
        lacking = [self._history.lacking("attempts", attempt_key(build.id, number)) for number in numbers]
        known: dict[int, Attempt] = {one.number: one for one in (*lacking, current) if one is not None}
        if len(known) >= build.attempt:
            return sorted(known.values(), key=lambda one: one.number)
        await self._history.reached(self._replica.ledger.index)
        query = Query("attempts", where=(Filter("build", Operator.EQ, build.id),), order=(Order("number"),), limit=1000)
        page = await self._history.read(self._history.store.find, query)
        return [known.get(one.number, one) for one in cast("tuple[Attempt, ...]", page.rows)]

    async def pipeline(self, text: str) -> Pipeline:
        """Return the pipeline that `text` (`p-12`, or `last`) names, as it stands."""
        live = self._replica.ledger.pipelines.live
        text = text.strip()
        if text in live:
            return live[text].written()
        lacking: Pipeline | None = self._history.lacking("pipelines", text)
        if lacking is not None:
            return lacking
        await self._history.reached(self._replica.ledger.index)
        store = self._history.store
        if text == "last":
            query = Query("pipelines", order=(Order("serial", descending=True),), limit=1)
            found = cast("Pipeline | None", next(iter((await self._history.read(store.find, query)).rows), None))
        else:
            found = cast("Pipeline | None", await self._history.read(store.get, "pipelines", text))
        if found is None:
            message = f"no pipeline {text[:40]!r}; `orchestra pipelines` lists them"
            raise NotFound(message)
        return live[found.id].written() if found.id in live else found

    def jobs(self, text: str) -> list[Job]:
        """Return the definitions that `text` names: of one job, or of all of a project."""
        jobs = self._replica.ledger.jobs
        whole = [job for job in jobs.values() if job.project == text] if text not in jobs else []
        return whole or [self.job(text)]

    def job(self, text: str) -> Job:
        """Return the definition that `text` (`project/name`) names."""
        jobs = self._replica.ledger.jobs
        found = jobs.get(text)
        if found is not None:
            return found
        alone = [job for job in jobs.values() if job.name == text]
        if len(alone) == 1:
            return alone[0]
        if not jobs:
            message = f"no job {text!r}: none is defined yet; define some with: orchestra apply orchestra.yaml"
            raise NotFound(message)
        guess = nearest(text, jobs)
        hint = f"did you mean {guess}?" if guess else "`orchestra jobs` lists them"
        message = f"no job {text!r}; {hint}"
        raise NotFound(message)

    def agent(self, text: str) -> AgentRecord:
        """Return the agent that `text` names."""
        agents = self._replica.ledger.agents
        if text in agents:
            return agents[text]
        found = [one for one in agents.values() if one.name == text] or [
            one for one in agents.values() if len(text) >= AGENT_PREFIX and one.id.startswith(text)
        ]
        if len(found) > 1:
            message = f"{text!r} is several agents; give the id: {', '.join(one.id for one in found[:5])}"
            raise InvalidInput(message)
        if not found:
            message = f"no agent {text!r}; `orchestra agents` lists them"
            raise NotFound(message)
        return found[0]
