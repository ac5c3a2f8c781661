"""Answers `builds.*`, but for their logs: accepting them, waiting for them, stopping them, saying how they are."""

from collections.abc import Mapping, Sequence
from typing import cast

from msgspec.structs import replace

from ...core.api import builds as api
from ...core.api import submitting
from ...core.api.tasks import OneTask
from ...core.commands import NewBuild, StopBuild, Submit
from ...core.definition import Spec
from ...core.errors import Conflict, InvalidInput, NotFound
from ...core.ledger import Changes
from ...core.model import Build, BuildState, Pin, Stop
from ...core.submission import Plan, Wish, plan, unresolved
from ...core.views.builds import build_summary, build_view
from ...core.views.jobs import definition_view
from . import commanding
from .artifacts import Artifacts
from .desk import Desk, check_size
from .endings import Endings
from .records import Records
from .sources import Sources, context_of, source_of
from .typing import interactive

COMMANDS_PROJECT = "run"
"""The project that commands, as opposed to jobs, are counted under."""


class Builds:
    """The builds."""

    def __init__(self, desk: Desk, records: Records, sources: Sources, artifacts: Artifacts) -> None:
        """Accept and stop them through the desk; what they begin with and leave is the matter of the others."""
        self._desk = desk
        self._records = records
        self._sources = sources
        self._artifacts = artifacts
        self._endings = Endings()
        desk.replica.watch(self._on_changes)

    def _on_changes(self, changes: Changes) -> None:
        for build in changes.builds.values() if self._endings else ():
            if build.state.ended:
                self._endings.tell(build.id)

    async def builds_submit(self, params: submitting.Submit) -> submitting.Submitted:
        """Accept builds."""
        if params.job is not None and params.jobs:
            raise InvalidInput("both `job` and `jobs` are given; keep one of them")
        cause = "submit" if params.job is not None or params.jobs else "run"
        found = self._of_command(params) if cause == "run" else await self._of_jobs(params, cause)
        found = interactive(found, params)
        self._desk.check_room()
        command = Submit(
            at=self._desk.master.time(),
            requester=self._desk.requester,
            builds=found.builds,
            specs=found.specs,
            request=params.request or "",
            cause=cause,
            nodes=found.nodes,
        )
        return await self.accepted(command)

    async def accepted(self, command: Submit) -> submitting.Submitted:
        """Have builds accepted; answer when they cannot be lost any more."""
        return await self._desk.submitted(await self._desk.decide(command))

    async def _of_jobs(self, params: submitting.Submit, cause: str) -> Plan:
        commanding.check_job_alone(params)
        wanted = [job for text in params.jobs or [cast("str", params.job)] for job in self._desk.find.jobs(text)]
        project = wanted[0].project
        if any(job.project != project for job in wanted):
            raise InvalidInput("the jobs are of several projects; submit those of each by themselves")
        jobs = {job.name: job for job in self._desk.replica.ledger.jobs.values() if job.project == project}
        wish = Wish(
            requester=self._desk.requester,
            cause=cause,
            parameters=params.parameters,
            priority=params.priority,
            branch=params.branch,
            revision=params.revision,
            source=None if params.source is None else source_of(params.source),
        )
        once = list({job.name: job for job in wanted}.values())
        if asked := unresolved(once, jobs, wish):
            wish = replace(wish, tips=await self._sources.tips(asked))
        found = plan(once, jobs, wish)
        for spec in found.specs.values():
            check_size(spec, "a job")
        return found

    def _of_command(self, params: submitting.Submit) -> Plan:
        name, spec = commanding.spec_of(params, source_of(params.source))
        check_size(spec, "the command")
        digest = spec.digest()
        new = NewBuild(COMMANDS_PROJECT, name, digest, {}, params.priority or 0, context_of(spec.source))
        return Plan((new,), {digest: spec})

    async def builds_get(self, params: api.ById) -> api.OneBuild:
        """Return a build."""
        return await self._whole(await self._desk.find.build(params.id))

    async def _whole(self, build: Build) -> api.OneBuild:
        found = build_view(build, await self._desk.find.attempts(build), self._pins().get(build.id))
        return api.OneBuild(replace(found, artifacts=await self._artifacts.named(build.kept)) if build.kept else found)

    async def builds_definition(self, params: api.ById) -> api.OneDefinition:
        """Return what a build executes."""
        build = await self._desk.find.build(params.id)
        spec = await self.spec_of(build.spec, build.label)
        return api.OneDefinition(definition_view(spec, build.spec))

    async def builds_list(self, params: api.BuildsList) -> api.Builds:
        """Return a page of builds."""
        page = await self._records.page("builds", params.where, params.order, params.limit, params.after, params.search)
        pins, rows = self._pins(), cast("Sequence[Build]", page.rows)
        return api.Builds([build_summary(row, pins.get(row.id)) for row in rows], page.next)

    def _pins(self) -> Mapping[str, Pin]:
        return self._desk.replica.ledger.pinning.pins

    async def builds_wait(self, params: api.BuildsWait) -> api.OneBuild:
        """Answer when a build has ended."""
        build = await self._desk.find.build(params.id)
        if not build.state.ended:
            await self._endings.wait(build.id, build.label, params.timeout)
        return await self._whole(await self._desk.find.build(build.id))

    async def builds_abort(self, params: api.ById) -> OneTask:
        """Stop a build wherever it is."""
        return await self._stop_build(params, Stop.ABORT)

    async def builds_cancel(self, params: api.ById) -> OneTask:
        """Withdraw a build that waits."""
        return await self._stop_build(params, Stop.CANCEL)

    async def _stop_build(self, params: api.ById, how: Stop) -> OneTask:
        build = await self._desk.find.build(params.id)
        if build.state.ended:
            message = f"{build.label} has already ended: {build.state}"
            raise Conflict(message)
        return await self._desk.task(StopBuild(self._desk.master.time(), self._desk.requester, build.id, how))

    async def builds_rerun(self, params: api.ById) -> submitting.Submitted:
        """Run what a build ran once more: its own definition, not today's."""
        build = await self._desk.find.build(params.id)
        spec = await self.spec_of(build.spec, build.label)
        self._desk.check_room()
        context = build.context
        if context is not None:  # nobody sits at a terminal for this one
            context = replace(context, held=False, terminal=None, input=False, bound=False, kept="")
        new = NewBuild(build.project, build.job, build.spec, build.parameters, build.priority, context)
        command = Submit(
            at=self._desk.master.time(),
            requester=self._desk.requester,
            builds=(new,),
            specs={build.spec: spec},
            cause=f"rerun of {build.id}",
            kind="builds.rerun",
        )
        return await self.accepted(command)

    def _time_left(self, build: Build) -> list[str]:
        """Say until when a build that runs may do so."""
        spec = self._desk.replica.ledger.specs.get(build.spec)
        if build.state is not BuildState.RUNNING or build.started is None or spec is None or spec.timeout_s is None:
            return []
        left = spec.timeout_s - (self._desk.master.time() - build.started) / 1000
        return [f"its timeout of {spec.timeout_s:g} s ends it in {max(0.0, left):.0f} s"]

    async def spec_of(self, digest: str, what: str) -> Spec:
        """Return what a build ran, to run it again. Raises NotFound where it, or what it needs, is not kept."""
        spec = self._desk.replica.ledger.specs.get(digest) or self._desk.history.lacking("specs", digest)
        if spec is None:
            spec = cast("Spec | None", await self._desk.history.read(self._desk.history.store.get, "specs", digest))
        if spec is None:
            message = f"what {what} ran is no longer kept; submit the job again"
            raise NotFound(message)
        self._sources.check_kept(spec.source, what)
        return spec

    async def builds_explain(self, params: api.ById) -> api.Why:
        """Say why a build is in its state."""
        build = await self._desk.find.build(params.id)
        reasons = self._desk.master.explain(build.id) if build.state is BuildState.PENDING else []
        if build.held:
            reasons = [f"{build.reason}, in {build.pipeline}"]
        elif reasons and build.reason:
            reasons.insert(0, build.reason)  # why it waits again
        agents = self._desk.replica.ledger.agents
        where = agents[build.agent].name if build.agent in agents else build.agent
        choice = ""
        if build.state in {BuildState.ASSIGNED, BuildState.RUNNING} and self._desk.replica.leading:
            choice = self._desk.master.choice(build.agent, build)
        if not reasons:
            text = {
                BuildState.PENDING: "it is being assigned at this moment"
                if self._desk.replica.leading
                else "it waits; why is known to the master only, which cannot be asked now",
                BuildState.ASSIGNED: f"given to {where}, which starts it when a slot is free",
                BuildState.RUNNING: f"runs on {where}",
            }.get(build.state, f"it has ended: {build.state}")
            reasons = [f"{text}: {build.reason or choice}" if build.reason or choice else text]
            reasons += self._time_left(build)
        possible = build.held or not self._desk.replica.leading or self._desk.master.possible(build.id)
        return api.Why(build.id, build.state, reasons, possible, where, choice)
