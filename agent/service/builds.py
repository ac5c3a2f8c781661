"""Answers `builds.*`, but for their logs: accepting them, waiting for them, stopping them, saying how they are."""

import asyncio
from typing import cast

import msgspec

from ...core import api, jobfile, views
from ...core.commands import NewBuild, StopBuild, Submit
from ...core.definition import MAX_RETRIES, Retry, Source, Spec, Step
from ...core.errors import Conflict, InvalidInput, NotFound, TimedOut
from ...core.ledger import Changes
from ...core.model import Build, BuildState, Stop
from ...core.requirements import parse_requirement
from ..keeping import Keeper
from ..trees import Trees
from .desk import Desk, check_size
from .records import Records

COMMANDS_PROJECT = "run"
"""The project that commands, as opposed to jobs, are counted under."""


class Builds:
    """The builds."""

    def __init__(self, desk: Desk, records: Records, keeper: Keeper, trees: Trees) -> None:
        """Accept and stop them through the desk; shipped directories are in `trees`, and shared by `keeper`."""
        self._desk = desk
        self._records = records
        self._keeper = keeper
        self._trees = trees
        self._ended: dict[str, asyncio.Event] = {}  # build id -> set when it has ended
        desk.replica.watch(self._on_changes)

    def _on_changes(self, changes: Changes) -> None:
        for build in changes.builds.values() if self._ended else ():
            if build.state.ended and (event := self._ended.pop(build.id, None)) is not None:
                event.set()

    async def prepare(self, wish: api.Submit) -> None:
        """Do what must be done at the client's own agent before the master decides: let the network hold a source."""
        if wish.source is not None:
            self._check_here(wish.source)
            self._desk.check_space()
            await self._keeper.share(wish.source.archive)

    async def builds_submit(self, params: api.Submit) -> api.Submitted:
        """Accept builds."""
        new, specs = self._of_job(params) if params.job is not None else self._of_command(params)
        self._desk.check_room()
        command = Submit(
            at=self._desk.master.time(),
            requester=self._desk.requester,
            builds=(new,),
            specs=specs,
            request=params.request or "",
            cause="submit" if params.job is not None else "run",
        )
        return await self._submit(command)

    async def _submit(self, command: Submit) -> api.Submitted:
        return await self._desk.submitted(await self._desk.decide(command))

    def _of_job(self, params: api.Submit) -> tuple[NewBuild, dict[str, Spec]]:
        if params.command is not None or params.env or params.runs_on or params.timeout is not None or params.retry:
            message = (
                "a job brings its own command, env, runs_on, timeout and retry; give only `parameters` and `source`"
            )
            raise InvalidInput(message)
        job = self._desk.find.job(cast("str", params.job))
        bound = jobfile.bind(job, params.parameters)
        priority = job.priority if params.priority is None else params.priority
        if params.source is None:
            return NewBuild(job.project, job.name, job.spec.digest(), bound, priority), {}
        spec = msgspec.structs.replace(job.spec, source=self._source(params.source))
        check_size(spec, job.full_name)
        digest = spec.digest()
        return NewBuild(job.project, job.name, digest, bound, priority), {digest: spec}

    def _source(self, given: api.SourceParam | None) -> Source:
        if given is None:
            return Source()
        return Source(given.archive, given.describe, branch=given.branch, revision=given.revision)

    def _check_here(self, given: api.SourceParam) -> None:
        if not self._trees.has(given.archive):
            message = f"there is no directory {given.archive[:12]} here; pack it first (orchestra run does)"
            raise NotFound(message)

    def _of_command(self, params: api.Submit) -> tuple[NewBuild, dict[str, Spec]]:
        if params.command is None or not params.command:
            message = 'say what to run: {"job": "project/name"} or {"command": ["make", "test"]}'
            raise InvalidInput(message)
        if params.parameters:
            message = "parameters belong to jobs; give a command its values as words or `env`"
            raise InvalidInput(message)
        run = params.command if isinstance(params.command, str) else tuple(params.command)
        for text in [*((run,) if isinstance(run, str) else run), *params.env, *params.env.values()]:
            if "\0" in text:
                message = "a command or its environment holds a NUL character, which no program can receive; remove it"
                raise InvalidInput(message)
        if any("=" in name or not name for name in params.env):
            message = "a variable's name is empty or holds `=`; rename it"
            raise InvalidInput(message)
        if params.timeout is not None and not params.timeout > 0:
            message = f"timeout must be more than 0 seconds, not {params.timeout}"
            raise InvalidInput(message)
        if not 0 <= params.retry <= MAX_RETRIES:
            message = f"retry must be 0 to {MAX_RETRIES} further attempts, not {params.retry}"
            raise InvalidInput(message)
        spec = Spec(
            steps=(Step("run", run),),
            env=params.env,
            runs_on=tuple(sorted({str(parse_requirement(one)) for one in params.runs_on})),
            timeout_s=params.timeout,
            source=self._source(params.source),
            retry=Retry(params.retry),
        )
        check_size(spec, "the command")
        digest = spec.digest()
        return NewBuild(COMMANDS_PROJECT, command_name(params.name, run), digest, {}, params.priority or 0), {
            digest: spec
        }

    async def builds_get(self, params: api.ById) -> api.OneBuild:
        """Return a build."""
        return await self._whole(await self._desk.find.build(params.id))

    async def _whole(self, build: Build) -> api.OneBuild:
        return api.OneBuild(views.whole(build, await self._desk.find.attempts(build)))

    async def builds_list(self, params: api.BuildsList) -> api.Builds:
        """Return a page of builds."""
        page = await self._records.page("builds", params.where, params.order, params.limit, params.after, params.search)
        return api.Builds([views.summary(cast("Build", row)) for row in page.rows], page.next)

    async def builds_wait(self, params: api.BuildsWait) -> api.OneBuild:
        """Answer when a build has ended."""
        build = await self._desk.find.build(params.id)
        if not build.state.ended:
            event = self._ended.setdefault(build.id, asyncio.Event())
            try:
                async with asyncio.timeout(params.timeout):
                    await event.wait()
            except TimeoutError:
                message = f"{build.label} has not ended within {params.timeout:g} s; it is not affected by this"
                raise TimedOut(message) from None
            await self._desk.history.reached(self._desk.replica.ledger.index)
        return await self._whole(await self._desk.find.build(build.id))

    async def builds_abort(self, params: api.ById) -> api.OneTask:
        """Stop a build wherever it is."""
        return await self._stop_build(params, Stop.ABORT)

    async def builds_cancel(self, params: api.ById) -> api.OneTask:
        """Withdraw a build that waits."""
        return await self._stop_build(params, Stop.CANCEL)

    async def _stop_build(self, params: api.ById, how: Stop) -> api.OneTask:
        build = await self._desk.find.build(params.id)
        if build.state.ended:
            message = f"{build.label} has already ended: {build.state}"
            raise Conflict(message)
        return await self._desk.task(StopBuild(self._desk.master.time(), self._desk.requester, build.id, how))

    async def builds_rerun(self, params: api.ById) -> api.Submitted:
        """Run what a build ran once more: its own definition, not today's."""
        build = await self._desk.find.build(params.id)
        spec = self._desk.replica.ledger.specs.get(build.spec)
        if spec is None:
            spec = cast("Spec | None", await self._desk.history.read(self._desk.history.store.get, "specs", build.spec))
        if spec is None:
            message = f"what {build.label} ran is no longer kept; submit the job again"
            raise NotFound(message)
        if spec.source.archive and not self._trees.has(spec.source.archive):
            message = f"the directory that {build.label} ran in is no longer kept; use orchestra run again"
            raise NotFound(message)
        self._desk.check_room()
        new = NewBuild(build.project, build.job, build.spec, build.parameters, build.priority)
        command = Submit(
            at=self._desk.master.time(),
            requester=self._desk.requester,
            builds=(new,),
            specs={build.spec: spec},
            cause=f"rerun of {build.id}",
            kind="builds.rerun",
        )
        return await self._submit(command)

    async def builds_explain(self, params: api.ById) -> api.Why:
        """Say why a build is in its state."""
        build = await self._desk.find.build(params.id)
        reasons = self._desk.master.explain(build.id) if build.state is BuildState.PENDING else []
        if not reasons:
            agents = self._desk.replica.ledger.agents
            where = agents[build.agent].name if build.agent in agents else build.agent
            text = {
                BuildState.PENDING: "it is being assigned at this moment",
                BuildState.ASSIGNED: f"given to {where}, which starts it when a slot is free",
                BuildState.RUNNING: f"runs on {where}",
            }.get(build.state, f"it has ended: {build.state}")
            reasons = [f"{text}: {build.reason}" if build.reason else text]
        return api.Why(build.id, build.state, reasons)


def command_name(name: str | None, run: str | tuple[str, ...]) -> str:
    """Return the name a command is listed under: the given one, else the last part of its first word."""
    words = run.split(None, 1) if isinstance(run, str) else run
    text = name or (words[0].rsplit("/", 1)[-1] if words else "")
    kept = "".join(character if character.isalnum() or character in "._-+" else "-" for character in text)
    return kept[:64] or "command"
