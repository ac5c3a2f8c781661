"""Answers every method of core/api.py: reads from ledger, store and logs; changes through the master.

One coroutine per method, named after it (`builds.submit` -> `builds_submit`). Refuses to know how requests arrive.
"""

import asyncio
import base64
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, cast

import msgspec

from ..core import api, jobfile, views
from ..core.commands import Apply, NewBuild, SetAgent, StopBuild, Submit
from ..core.errors import (
    Conflict,
    DiskFull,
    InvalidInput,
    LimitReached,
    NotFound,
    TimedOut,
)
from ..core.ledger import Changes, Outcome
from ..core.messages import PART_BYTES, LogRead, fits
from ..core.model import MAX_RETRIES, Attempt, Build, BuildState, Retry, Source, Spec, Step, Stop, Task
from ..core.requirements import parse_requirement
from ..core.version import VERSION
from ..store.query import Filter, Operator, Order, Query
from .agreement import Replica
from .entrance import Entrance
from .finding import Finder
from .health import Health
from .history import History
from .identity import Identity
from .keeping import Keeper
from .logreading import LogReader
from .master import Master
from .paths import Paths
from .peers import Peers
from .sources import path_of
from .worker import Worker

COMMANDS_PROJECT = "run"
"""The project that commands, as opposed to jobs, are counted under."""

MAX_PENDING = 1_000_000
"""Builds that may wait at a time; about 1.5 KiB of memory each."""

MAX_BACKLOG = 200_000
"""Builds the store may lag behind before new ones are refused; they are in memory until it follows."""

MAX_LOG_PART = 1 << 20
"""Bytes of one answer of builds.log, before it is encoded."""

MAX_WAIT_S = 60.0
"""Seconds that builds.log may wait for more."""


class Service:
    """The agent as its clients see it."""

    def __init__(  # noqa: PLR0913 - the parts it answers for
        self,
        *,
        identity: Identity,
        paths: Paths,
        replica: Replica,
        master: Master,
        history: History,
        worker: Worker | None,
        peers: Peers,
        health: Health,
        logs: LogReader,
        keeper: Keeper,
        entrance: Entrance,
        reserve: int,
        stop: Callable[[str], Awaitable[None]],
        leave: Callable[[str], Awaitable[None]],
    ) -> None:
        """Answer for these parts. `reserve`: bytes of disk that must stay free; `stop(builds)` ends the agent.

        `leave(builds)` takes it out of the network and then ends it.
        """
        self._identity = identity
        self._paths = paths
        self._replica = replica
        self._master = master
        self._history = history
        self._worker = worker
        self._peers = peers
        self._health = health
        self._logs = logs
        self._keeper = keeper
        self._entrance = entrance
        self._reserve = reserve
        self._stop = stop
        self._leave = leave
        self._find = Finder(replica, history)
        self._changed: asyncio.Future[None] | None = None  # done at the next change
        self._ended: dict[str, asyncio.Event] = {}  # build id -> set when it has ended
        self._requester: ContextVar[str] = ContextVar("requester", default=f"agent@{identity.name}")
        self._space_checked = 0.0
        self._space_free = 0
        replica.watch(self._on_changes)

    async def answer(self, method: api.Method, params: msgspec.Raw, requester: str) -> msgspec.Struct:
        """Answer one request of `requester` here; raises OrchestraError for whatever is wrong with it."""
        decoded = decode(method, params)
        handler = getattr(self, method.name.replace(".", "_"))
        self._requester.set(requester)
        return await cast("Callable[[Any], Awaitable[msgspec.Struct]]", handler)(decoded)

    async def prepare(self, method: api.Method, params: msgspec.Raw) -> msgspec.Raw:
        """Do what must be done at the client's own agent before the master decides: let the network hold a source."""
        decoded = decode(method, params)
        if isinstance(decoded, api.Submit) and decoded.source is not None:
            self._check_here(decoded.source)
            self._check_space()
            await self._keeper.share(decoded.source.archive)
        return params

    async def reached(self, index: int) -> None:
        """Return when this agent's ledger and store reflect a log index."""
        while self._replica.ledger.index < index:
            await self._next_change()
        await self._history.reached(index)

    async def _next_change(self) -> None:
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    def _on_changes(self, changes: Changes) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        if not self._ended and not self._logs.followed:
            return
        for build in changes.builds.values():
            if build.state.ended:
                event = self._ended.pop(build.id, None)
                if event is not None:
                    event.set()
                self._logs.on_ended(f"{build.id}.{current(build)}")

    # -- network and agents

    async def network_status(self, _: api.NoParams) -> api.Status:
        """Say how the network stands."""
        ledger = self._replica.ledger
        me = api.Identity(self._identity.id, self._identity.name)
        ready = sum(self._peers.reachable(one) for one in ledger.agents)
        master = self._peers.master
        running = sum(build.state is BuildState.RUNNING for build in ledger.builds.values())
        return api.Status(
            network=api.Identity(self._identity.network, self._identity.network_name),
            agent=me,
            master=api.Identity(master, self._peers.name_of(master)) if master else None,
            term=self._peers.term,
            voters=[one.id for one in self._peers.voters()],
            quorum=self._peers.quorum(),
            agents={"ready": ready, "unreachable": len(ledger.agents) - ready},
            queue={"pending": len(ledger.builds) - running, "running": running},
            version=VERSION,
            store=self._history.store.url,
            notices=self._notices(),
            age=round(self._replica.age, 3),
            copy=self._peers.holds_copy,
        )

    async def network_digest(self, _: api.NoParams) -> api.Digest:
        """Say what state this agent's ledger is in; equal on all at one index."""
        ledger = self._replica.ledger
        return api.Digest(ledger.index, ledger.digest(), self._peers.holds_copy)

    async def network_links(self, _: api.NoParams) -> api.Links:
        """Say how this agent sees the others."""
        return await self._health.report()

    def _notices(self) -> list[str]:
        notices: list[str] = []
        if not self._peers.master:
            notices.append(self._peers.why_none())
        notices += [
            f"{one.name}: {one.note} (orchestra enable {one.name})"
            for one in self._replica.ledger.agents.values()
            if one.note
        ]
        if self._history.problem:
            notices.append(f"the store does not follow: {self._history.problem}")
        if self._keeper.full:
            notices.append(f"the logs and packed directories in {self._paths.blobs} have reached blob-quota: raise it")
        if self._free() < self._reserve:
            notices.append(f"less than {self._reserve >> 20} MiB are free in {self._paths.data}: new work is refused")
        return notices

    async def agents_list(self, _: api.NoParams) -> api.Agents:
        """List the members."""
        ledger = self._replica.ledger
        used: dict[str, int] = {}
        for attempt in ledger.attempts.values():
            used[attempt.agent] = used.get(attempt.agent, 0) + 1
        found = [
            views.agent(
                record,
                reachable=self._peers.reachable(record.id),
                used=used.get(record.id, 0),
                roles=self._roles(record.id),
                addresses=list(record.addresses),
            )
            for record in sorted(ledger.agents.values(), key=lambda one: (one.name, one.id))
        ]
        return api.Agents(found)

    def _roles(self, agent: str) -> list[str]:
        record, configuration = self._replica.ledger.agents[agent], self._replica.configuration
        return [
            *(["master"] if agent == self._peers.master else []),
            *(["voter"] if record.member in configuration.voters else []),
            *(["copy"] if record.member in configuration.learners else []),
            *(["worker"] if record.session else []),
        ]

    async def agents_set(self, params: api.AgentSet) -> api.OneTask:
        """Enable, disable or drain."""
        agent = self._find.agent(params.agent)
        command = SetAgent(self._master.time(), self._requester.get(), agent.id, params.enabled, params.draining)
        return await self._task(command)

    async def network_invite(self, params: api.Invite) -> api.Invitation:
        """Let one machine join, whoever brings the token."""
        if params.role not in {"member", "worker"}:
            message = f"role must be member or worker, not {params.role!r}"
            raise InvalidInput(message)
        votes = params.role == "member"
        token, expires = await self._entrance.invite(self._requester.get(), params.seconds, votes=votes)
        return api.Invitation(token, views.stamp(expires) or "")

    async def network_requests(self, _: api.NoParams) -> api.JoinRequests:
        """List who waits for being let in. Their codes are not told: somebody has to look at the machine."""
        found = [
            api.JoinRequest(one.record.id, one.record.name, one.address, one.record.version, round(left, 1))
            for one, left in self._entrance.requests()
        ]
        return api.JoinRequests(found)

    async def network_approve(self, params: api.Approve) -> api.OneTask:
        """Let a machine in."""
        return await self._shown(await self._entrance.approve(self._requester.get(), params.code))

    async def agents_remove(self, params: api.ByAgent) -> api.OneTask:
        """Take an agent out of the network; its vote is given to another one first, where there is one."""
        agent = self._find.agent(params.agent)
        return await self._task(SetAgent(self._master.time(), self._requester.get(), agent.id, leaving=True))

    async def agent_leave(self, params: api.AgentStop) -> api.Stopping:
        """Take this agent out of the network, and end it."""
        running = self._check_stop(params)
        await self._leave(params.builds)
        return api.Stopping(running)

    async def agent_stop(self, params: api.AgentStop) -> api.Stopping:
        """End this agent."""
        running = self._check_stop(params)
        await self._stop(params.builds)
        return api.Stopping(running)

    def _check_stop(self, params: api.AgentStop) -> int:
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

    # -- definitions

    async def jobs_apply(self, params: api.JobsApply) -> api.Applied:
        """Define a project's jobs."""
        # a large file takes a second; meanwhile others are answered
        parsed = await asyncio.to_thread(jobfile.parse, params.file, params.filename)
        names = [job.name for job in parsed.jobs]
        for job in parsed.jobs:
            check_size(job.spec, job.full_name)
        if params.check:
            ledger = self._replica.ledger
            before = {job.full_name: job for job in ledger.jobs.values() if job.project == parsed.project}
            return api.Applied(parsed.project, names, before != {job.full_name: job for job in parsed.jobs})
        self._check_space()
        outcome = await self._decide(Apply(self._master.time(), self._requester.get(), parsed.project, parsed.jobs))
        return api.Applied(parsed.project, names, outcome.changed)

    async def jobs_list(self, params: api.JobsList) -> api.Jobs:
        """List definitions."""
        jobs = sorted(self._replica.ledger.jobs.values(), key=lambda job: (job.project, job.name))
        return api.Jobs([views.job(job) for job in jobs if params.project in {None, job.project}])

    async def jobs_get(self, params: api.JobsGet) -> api.OneJob:
        """Return a definition."""
        return api.OneJob(views.job(self._find.job(params.job)))

    # -- builds

    async def builds_submit(self, params: api.Submit) -> api.Submitted:
        """Accept builds."""
        new, specs = self._of_job(params) if params.job is not None else self._of_command(params)
        self._check_room()
        command = Submit(
            at=self._master.time(),
            requester=self._requester.get(),
            builds=(new,),
            specs=specs,
            request=params.request or "",
            cause="submit" if params.job is not None else "run",
        )
        return await self._submit(command)

    async def _submit(self, command: Submit) -> api.Submitted:
        outcome = await self._decide(command)
        ledger = self._replica.ledger
        lines = [
            views.line(ledger.builds[one]) if one in ledger.builds else views.line(await self._find.build(one))
            for one in outcome.builds
        ]
        return api.Submitted(None, lines)

    def _of_job(self, params: api.Submit) -> tuple[NewBuild, dict[str, Spec]]:
        if params.command is not None or params.env or params.runs_on or params.timeout is not None or params.retry:
            message = (
                "a job brings its own command, env, runs_on, timeout and retry; give only `parameters` and `source`"
            )
            raise InvalidInput(message)
        job = self._find.job(cast("str", params.job))
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
        return Source(given.archive, given.describe)

    def _check_here(self, given: api.SourceParam) -> None:
        if not path_of(self._paths.sources, given.archive).exists():
            message = f"no packed directory {given.archive[:12]} here; pack it first (orchestra run does)"
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
        return await self._whole(await self._find.build(params.id))

    async def _whole(self, build: Build) -> api.OneBuild:
        return api.OneBuild(views.whole(build, await self._find.attempts(build)))

    async def builds_list(self, params: api.BuildsList) -> api.Builds:
        """Return a page of builds."""
        page = await self._page("builds", params.where, params.order, params.limit, params.after)
        return api.Builds([views.summary(cast("Build", row)) for row in page.rows], page.next)

    async def builds_wait(self, params: api.BuildsWait) -> api.OneBuild:
        """Answer when a build has ended."""
        build = await self._find.build(params.id)
        if not build.state.ended:
            event = self._ended.setdefault(build.id, asyncio.Event())
            try:
                async with asyncio.timeout(params.timeout):
                    await event.wait()
            except TimeoutError:
                message = f"{build.label} has not ended within {params.timeout:g} s; it is not affected by this"
                raise TimedOut(message) from None
            await self._history.reached(self._replica.ledger.index)
        return await self._whole(await self._find.build(build.id))

    async def builds_abort(self, params: api.ById) -> api.OneTask:
        """Stop a build wherever it is."""
        return await self._stop_build(params, Stop.ABORT)

    async def builds_cancel(self, params: api.ById) -> api.OneTask:
        """Withdraw a build that waits."""
        return await self._stop_build(params, Stop.CANCEL)

    async def _stop_build(self, params: api.ById, how: Stop) -> api.OneTask:
        build = await self._find.build(params.id)
        if build.state.ended:
            message = f"{build.label} has already ended: {build.state}"
            raise Conflict(message)
        return await self._task(StopBuild(self._master.time(), self._requester.get(), build.id, how))

    async def builds_rerun(self, params: api.ById) -> api.Submitted:
        """Run what a build ran once more: its own definition, not today's."""
        build = await self._find.build(params.id)
        spec = self._replica.ledger.specs.get(build.spec)
        if spec is None:
            spec = cast("Spec | None", await self._history.read(self._history.store.get, "specs", build.spec))
        if spec is None:
            message = f"what {build.label} ran is no longer kept; submit the job again"
            raise NotFound(message)
        if spec.source.archive and not self._keeper.has(spec.source.archive):
            message = f"the directory that {build.label} ran in is no longer kept; use orchestra run again"
            raise NotFound(message)
        self._check_room()
        new = NewBuild(build.project, build.job, build.spec, build.parameters, build.priority)
        command = Submit(
            at=self._master.time(),
            requester=self._requester.get(),
            builds=(new,),
            specs={build.spec: spec},
            cause=f"rerun of {build.id}",
            kind="builds.rerun",
        )
        return await self._submit(command)

    async def builds_explain(self, params: api.ById) -> api.Why:
        """Say why a build is in its state."""
        build = await self._find.build(params.id)
        reasons = self._master.explain(build.id) if build.state is BuildState.PENDING else []
        if not reasons:
            agents = self._replica.ledger.agents
            where = agents[build.agent].name if build.agent in agents else build.agent
            text = {
                BuildState.PENDING: "it is being assigned at this moment",
                BuildState.ASSIGNED: f"given to {where}, which starts it when a slot is free",
                BuildState.RUNNING: f"runs on {where}",
            }.get(build.state, f"it has ended: {build.state}")
            reasons = [f"{text}: {build.reason}" if build.reason else text]
        return api.Why(build.id, build.state, reasons)

    async def builds_log(self, params: api.BuildsLog) -> api.LogPart:
        """Return a range of a log."""
        if not 1 <= params.limit <= MAX_LOG_PART:
            message = f"limit must be 1 to {MAX_LOG_PART} bytes, not {params.limit}"
            raise InvalidInput(message)
        build = await self._find.build(params.id)
        number = current(build) if params.attempt is None else params.attempt
        # from before the look at attempt and log: what is read below may be older than what is known by then
        over = not self._alive(build.id, number)
        attempts = await self._find.attempts(build)
        attempt = next((one for one in attempts if one.number == number), None)
        base, end = 0, None
        if params.step is not None:
            base, end = self._range_of_step(params.step, attempts, number)
        offset = params.offset
        if end is not None:
            offset = max(0, end - base + offset) if offset < 0 else offset
        wanted = LogRead(
            key=f"{build.id}.{number}",
            offset=base + offset if offset >= 0 else offset,
            line=params.line if params.step is None else None,
            limit=params.limit if end is None else max(0, min(params.limit, end - base - offset)),
            wait=min(params.wait, MAX_WAIT_S) if end is None and not over else 0.0,
            digest=attempt.log if attempt is not None else "",
        )
        part = await self._logs.read(wanted, attempt, lambda: not self._alive(build.id, number))
        offset, data = max(0, part.offset - base), part.data
        complete = (over or end is not None) and base + offset + len(data) >= (part.size if end is None else end)
        text, encoding = encoded(data, more=not complete)
        used = len(text.encode()) if encoding == "utf-8" else len(data)
        return api.LogPart(offset, text, encoding, offset + used, complete)

    def _alive(self, build: str, attempt: int) -> bool:
        """Whether more output of an attempt may come."""
        found = self._replica.ledger.builds.get(build)
        return found is not None and found.attempt <= attempt

    @staticmethod
    def _range_of_step(name: str, attempts: list[Attempt], number: int) -> tuple[int, int | None]:
        """Return where a step's output begins and ends in the log; the end is None while it runs."""
        for attempt in attempts:
            if attempt.number == number:
                for step in attempt.steps:
                    if step.name == name:
                        return step.log_start, step.log_end
        message = f"no step {name!r} has started in that attempt; orchestra show lists the steps"
        raise NotFound(message)

    # -- audit trail and store

    async def tasks_list(self, params: api.TasksList) -> api.Tasks:
        """Return a page of the audit trail."""
        page = await self._page("tasks", params.where, "-id", params.limit, params.after)
        return api.Tasks([views.task(cast("Task", row)) for row in page.rows], page.next)

    async def store_query(self, params: api.StoreQuery) -> api.Rows:
        """Return a page of any collection."""
        page = await self._page(params.collection, params.where, params.order, params.limit, params.after)
        return api.Rows(params.collection, [msgspec.to_builtins(row) for row in page.rows], page.next)

    async def _page(self, collection: str, where: Mapping[str, Any], order: str, limit: int, after: str | None) -> Any:  # noqa: ANN401 - a page of any type
        query = Query(collection, tuple(self._named(one) for one in conditions(where)), orders(order), limit, after)
        await self._history.reached(self._replica.ledger.index)
        return await self._history.read(self._history.store.find, query)

    def _named(self, one: Filter) -> Filter:
        """Let people name agents as they know them: by name, or by the beginning of an id."""
        if one.field != "agent" or one.operator is not Operator.EQ or not isinstance(one.value, str) or not one.value:
            return one
        return Filter(one.field, one.operator, self._find.agent(one.value).id)

    # -- shared by the above

    async def _decide(self, command: Apply | SetAgent | StopBuild | Submit) -> Outcome:
        outcome = (await self._master.propose(command))[0]
        if outcome.error is not None:
            raise outcome.error
        return outcome

    async def _task(self, command: SetAgent | StopBuild) -> api.OneTask:
        return await self._shown(await self._decide(command))

    async def _shown(self, outcome: Outcome) -> api.OneTask:
        await self._history.reached(self._replica.ledger.index)
        found = await self._history.read(self._history.store.get, "tasks", outcome.task)
        if found is None:
            message = f"it was done (task {outcome.task}), but the store does not follow; orchestra status says why"
            raise TimedOut(message)
        return api.OneTask(views.task(cast("Task", found)))

    def _check_room(self) -> None:
        if len(self._replica.ledger.builds) >= MAX_PENDING:
            message = f"{MAX_PENDING} builds are waiting; submit again when some have ended"
            raise LimitReached(message)
        if self._history.backlog >= MAX_BACKLOG:
            message = (
                f"the store lags {MAX_BACKLOG} builds behind: {self._history.problem or 'it is slow'}; try again later"
            )
            raise LimitReached(message)
        self._check_space()

    def _check_space(self) -> None:
        if self._free() < self._reserve:
            message = (
                f"less than {self._reserve >> 20} MiB are free in {self._paths.data}, so no new work is accepted; "
                "free some space (what was accepted goes on)"
            )
            raise DiskFull(message)

    def _free(self) -> int:
        """Return the bytes free on the data directory's disk, looked up at most once a second."""
        now = asyncio.get_running_loop().time()
        if now - self._space_checked >= 1:
            self._space_free = shutil.disk_usage(self._paths.data).free
            self._space_checked = now
        return self._space_free


def decode(method: api.Method, params: msgspec.Raw) -> api.Params:
    """Return the parameters of a call. Raises InvalidInput, which names what the method takes."""
    try:
        return decoders[method.name].decode(params)
    except (msgspec.ValidationError, UnicodeDecodeError, RecursionError) as problem:
        wanted = ", ".join(method.params.__struct_fields__) or "none"
        message = f"wrong parameters for {method.name}: {problem}; it takes: {wanted}"
        raise InvalidInput(message) from None


decoders = {method.name: msgspec.json.Decoder(method.params) for method in api.METHODS.values()}


def check_size(spec: Spec, what: str) -> None:
    """Raise LimitReached for what could not be sent to a worker in one message."""
    if not fits(spec):
        message = (
            f"{what} has more than {PART_BYTES >> 10} KiB of steps and variables; put what is long into a file of the "
            "directory that is shipped, and run that"
        )
        raise LimitReached(message)


def current(build: Build) -> int:
    """Return the number of the attempt whose log is the build's: the last one, or the first, which is still to come."""
    return max(1, build.attempt)


def command_name(name: str | None, run: str | tuple[str, ...]) -> str:
    """Return the name a command is listed under: the given one, else the last part of its first word."""
    words = run.split(None, 1) if isinstance(run, str) else run
    text = name or (words[0].rsplit("/", 1)[-1] if words else "")
    kept = "".join(character if character.isalnum() or character in "._-+" else "-" for character in text)
    return kept[:64] or "command"


def encoded(data: bytes, *, more: bool) -> tuple[str, str]:
    """Return bytes of a log as text with its encoding: UTF-8 where they are, else base64.

    A character that is cut at the end is left to the next part when `more` may follow, so that UTF-8 stays UTF-8.
    """
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError as error:
        if more and error.start and len(data) - error.start < 4 and error.reason == "unexpected end of data":  # noqa: PLR2004 - a character has at most 4 bytes
            return data[: error.start].decode(), "utf-8"
        return base64.b64encode(data).decode(), "base64"


def conditions(where: Mapping[str, Any]) -> list[Filter]:
    """Return filters from a client's `where`: field -> value, list of values, or {operator: value}."""
    found: list[Filter] = []
    for field, wanted in where.items():
        if isinstance(wanted, list):
            found.append(Filter(field, Operator.IN, tuple(cast("list[Any]", wanted))))
        elif isinstance(wanted, dict):
            for operator, value in cast("dict[str, Any]", wanted).items():
                try:
                    parsed = Operator(operator)
                except ValueError:
                    message = f"unknown operator {operator!r} for {field}; there are: {', '.join(Operator)}"
                    raise InvalidInput(message) from None
                found.append(
                    Filter(field, parsed, tuple(cast("list[Any]", value)) if isinstance(value, list) else value)
                )
        else:
            found.append(Filter(field, Operator.EQ, wanted))
    return found


def orders(text: str) -> tuple[Order, ...]:
    """Return the order that a text such as `-created,project` describes."""
    return tuple(
        Order(part.removeprefix("-"), descending=part.startswith("-"))
        for part in text.replace(" ", "").split(",")
        if part
    )
