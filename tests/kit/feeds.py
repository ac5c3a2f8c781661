"""A feed that makes everything up, from records in memory: the same each time, with a clock that stands still.

It passes the contract tests that a feed from a real agent passes (tests/console/feed/test_contract.py), so that screens
tried with it are tried with what agents say.
"""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from job_orchestra.agent.service.output import encoded
from job_orchestra.console.feed.contract import Heard, Link, Listener, Remembered, Standing
from job_orchestra.console.feed.memory import Listeners, Memory
from job_orchestra.core import browsing
from job_orchestra.core.api import network, table
from job_orchestra.core.api.agents import AgentOffer, Agents, AgentSet, ByAgent
from job_orchestra.core.api.artifacts import Artifact, ArtifactPart, Artifacts, ArtifactsGet, ArtifactsList
from job_orchestra.core.api.builds import Builds, BuildsList, BuildsLog, ById, LogPart, OneBuild, Why
from job_orchestra.core.api.events import Subscribe, Subscribed
from job_orchestra.core.api.jobs import Jobs, JobsDurations, JobsGet, JobsList, OneJob
from job_orchestra.core.api.method import NoParams, Permission
from job_orchestra.core.api.network import Approve, Invitation, Invite, JoinRequest, JoinRequests, Links, Status
from job_orchestra.core.api.pipelines import ByPipeline, OnePipeline, PipelineRerun, Pipelines
from job_orchestra.core.api.schedules import ScheduleFire, Schedules, ScheduleSet, SchedulesList
from job_orchestra.core.api.store import StoreCount, StoreQuery
from job_orchestra.core.api.submitting import Submit, Submitted
from job_orchestra.core.api.tasks import OneTask, Tasks, TasksList
from job_orchestra.core.errors import Conflict, InvalidInput, NoAgent, NotFound, OrchestraError
from job_orchestra.core.instants import stamp
from job_orchestra.core.model import Attempt, Build, BuildState, Task, TaskState
from job_orchestra.core.views.agents import AgentView
from job_orchestra.core.views.builds import BuildLine, build_summary, build_view
from job_orchestra.core.views.jobs import JobView
from job_orchestra.core.views.pipelines import PipelineSummary, PipelineView
from job_orchestra.core.views.schedules import ScheduleView
from job_orchestra.core.views.tasks import task_view
from job_orchestra.store.asking import conditions, orders
from job_orchestra.store.contract import Batch
from job_orchestra.store.memory import MemoryStore
from job_orchestra.store.query import Counted, Filter, Operator, Query
from job_orchestra.store.showing import durations_view, failing_view, store_view

METHODS = frozenset(table.METHODS) - {"builds.wait", "pipelines.wait", "agent.stop", "agent.leave", "network.digest"}


class FakeFeed:
    """Answers from what `put` put in."""

    def __init__(self, status: Status) -> None:
        """Begin with an agent that answers, and nothing else."""
        self.methods = METHODS
        self.store = MemoryStore()
        self.agents: list[AgentView] = []
        self.jobs: list[JobView] = []
        self.schedules: list[ScheduleView] = []
        self.pipelines: list[PipelineView] = []  # newest first
        self.requests: list[JoinRequest] = []
        self.logs: dict[str, bytes] = {}  # attempt's key -> what it wrote
        self.files: dict[str, tuple[str, bytes]] = {}  # what every build kept: path -> mode, content
        self.reasons: dict[str, list[str]] = {}  # build id -> what builds.explain says
        self.asked: list[tuple[str, dict[str, object]]] = []  # requests that change something, as they came
        self.problem: OrchestraError | None = None  # what every request is answered with
        self.slow: asyncio.Event | None = None  # requests are answered when it is set
        self.time = 1000.0
        self._standing = Standing(Link.LIVE, f"{status.agent.name} (made up)", status, self.time, 0.0012)
        self._memory = Memory()
        self._listeners = Listeners()
        self._index = 0
        self._written = asyncio.Event()

    # -- for tests

    def put(
        self, *builds: Build, attempts: Iterable[Attempt] = (), tasks: Iterable[Task] = (), agents: Iterable[Any] = ()
    ) -> None:
        """Put records in, and tell of the builds."""
        self._index += 1
        self.store.write(
            Batch(
                self._index,
                {"builds": builds, "attempts": tuple(attempts), "tasks": tuple(tasks), "agents": tuple(agents)},
            )
        )
        for one in builds:
            self.tell("build", build=msgspec.to_builtins(build_summary(one)))
        self._written.set()  # who waits for a log looks whether its build has ended
        self._written = asyncio.Event()

    def write(self, build: Build, data: bytes) -> None:
        """Let a build write something."""
        key = f"{build.id}.{max(1, build.attempt)}"
        self.logs[key] = self.logs.get(key, b"") + data
        self._written.set()
        self._written = asyncio.Event()

    def tell(self, kind: str, **payload: object) -> None:
        """Tell of an event."""
        self._listeners.tell(Heard(kind, {"kind": kind, **payload}))

    def stand(self, **changes: Any) -> None:  # noqa: ANN401 - of Standing
        """Stand differently from now on."""
        self._standing = replace(self._standing, **changes)
        self._listeners.tell(Heard("standing"))

    def lose(self, seconds: float, problem: str) -> None:
        """Be disconnected for some seconds already."""
        self.problem = NoAgent(problem)
        self.time += seconds
        self.stand(link=Link.LOST, problem=problem, round_trip=None)

    # -- Feed

    @property
    def standing(self) -> Standing:
        return self._standing

    def clock(self) -> float:
        return self.time

    async def run(self) -> None:
        await asyncio.Event().wait()

    def remembered(self, method: str, **params: object) -> Remembered | None:
        return self._memory.find(method, params)

    def listen(self, hear: Listener) -> Callable[[], None]:
        return self._listeners.add(hear)

    async def call(self, method: str, **params: object) -> Any:  # noqa: ANN401 - the method decides the type
        await asyncio.sleep(0)
        if self.slow is not None:
            await self.slow.wait()
        if self.problem is not None:
            raise self.problem
        row = table.METHODS[method]
        given = {name: value for name, value in params.items() if value is not None}
        try:
            wish = msgspec.convert(given, row.params)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"wrong parameters for {method}: {error}") from None
        if row.permission is not Permission.READ:
            self.asked.append((method, given))
        answer = getattr(self, f"_{method.replace('.', '_')}")(wish)
        if isinstance(answer, Awaitable):
            answer = await cast("Awaitable[Any]", answer)
        found = msgspec.json.decode(msgspec.json.encode(answer), type=row.result)  # as over a socket
        if row.permission is Permission.READ:
            self._memory.keep(method, params, found, self.clock())
        return found

    # -- methods

    def _network_status(self, _: NoParams) -> Status:
        assert self._standing.status is not None
        return self._standing.status

    def _agents_list(self, _: NoParams) -> Agents:
        return Agents(self.agents)

    def _network_links(self, _: NoParams) -> Links:
        known, took = ["192.0.2.7:7711"], 0.0013
        links = [
            network.Link(one.id, one.name, known, one.version, one.state != "unreachable", 0.4, took, 0.002)
            for one in self.agents[1:]
        ]
        return Links(links, {"sent": 12}, ["192.0.2.5:7711"])

    def _agents_set(self, wish: AgentSet) -> OneTask:
        agent = next((one for one in self.agents if wish.agent in {one.id, one.name}), None)
        if agent is None:
            raise NotFound(f"no agent {wish.agent}")
        return self._task("agents.set", agent.id, "set")

    def _agents_offer(self, wish: AgentOffer) -> OneTask:
        if wish.agent not in {one.id for one in self.agents}:
            raise NotFound(f"no agent {wish.agent}")
        return self._task("agents.offer", wish.agent, f"{wish.slots} slots")

    def _artifacts_list(self, wish: ArtifactsList) -> Artifacts:
        files = [
            Artifact(path, len(data), mode, sha256(data).hexdigest(), stamp(1_795_463_900_000))
            for path, (mode, data) in sorted(self.files.items())
        ]
        total, first = sum(one.size for one in files), int(wish.after or 0)
        page = files[first : first + 2]  # few, so that there are several pages
        more = str(first + len(page)) if first + len(page) < len(files) else None
        tree = "d" * 64 if files else ""
        return Artifacts(self._build(wish.id).id, 1, tree, "a1", page, total, len(files), more)

    def _artifacts_get(self, wish: ArtifactsGet) -> ArtifactPart:
        if wish.path not in self.files:
            raise NotFound(f"it kept no file {wish.path}")
        data = self.files[wish.path][1]
        part = data[wish.offset : wish.offset + wish.limit]
        return ArtifactPart(wish.offset, b64encode(part).decode(), len(data), wish.offset + len(part) >= len(data))

    def _agents_remove(self, wish: ByAgent) -> OneTask:
        return self._task("agents.remove", wish.agent, f"{wish.agent} is being removed")

    def _network_invite(self, _: Invite) -> Invitation:
        return Invitation("orch1-made-up", "2026-11-23T21:00:00.000Z")

    def _network_requests(self, _: NoParams) -> JoinRequests:
        return JoinRequests(self.requests)

    def _network_approve(self, wish: Approve) -> OneTask:
        if wish.code != "482-913":
            raise NotFound("no machine that waits shows this code; all that waited are refused")
        return self._task("network.approve", "dora", "dora is a member now")

    def _jobs_list(self, wish: JobsList) -> Jobs:
        return Jobs([one for one in self.jobs if wish.project in {None, one.project}])

    def _jobs_get(self, wish: JobsGet) -> OneJob:
        found = next((one for one in self.jobs if f"{one.project}/{one.name}" == wish.job), None)
        if found is None:
            raise NotFound(f"no job {wish.job}")
        return OneJob(found)

    def _builds_list(self, wish: BuildsList) -> Builds:
        found = self._page("builds", wish, wish.order)
        return Builds([build_summary(one) for one in found.rows], found.next)

    def _builds_get(self, wish: ById) -> OneBuild:
        build = self._build(wish.id)
        attempts = self._page("attempts", StoreQuery("attempts", {"build": build.id}), "number").rows
        return OneBuild(build_view(build, attempts))

    def _builds_explain(self, wish: ById) -> Why:
        build = self._build(wish.id)
        return Why(build.id, build.state, self.reasons.get(build.id, [f"it has ended: {build.state}"]))

    async def _builds_log(self, wish: BuildsLog) -> LogPart:
        build = self._build(wish.id)
        key = f"{build.id}.{wish.attempt or max(1, build.attempt)}"
        while wish.wait and wish.offset >= len(self.logs.get(key, b"")) and not build.state.ended:
            await self._written.wait()  # nothing comes unless a test writes it
            build = self._build(wish.id)
        data = self.logs.get(key, b"")
        offset = max(0, len(data) + wish.offset) if wish.offset < 0 else wish.offset
        part = data[offset : offset + wish.limit]
        complete = build.state.ended and offset + len(part) >= len(data)
        text, encoding = encoded(part, more=not complete)
        used = len(text.encode()) if encoding == "utf-8" else len(part)
        assert encoding == "utf-8" or text == b64encode(part).decode()
        return LogPart(offset, text, encoding, offset + used, complete)

    def _builds_submit(self, wish: Submit) -> Submitted:
        project, _, name = (wish.job or "run/command").partition("/")
        return Submitted(None, [BuildLine("madeup00", project, name, 1, BuildState.PENDING)])

    def _builds_rerun(self, wish: ById) -> Submitted:
        build = self._build(wish.id)
        return Submitted(None, [BuildLine("madeup00", build.project, build.job, build.number + 1, BuildState.PENDING)])

    def _builds_abort(self, wish: ById) -> OneTask:
        return self._stop(wish, "builds.abort")

    def _builds_cancel(self, wish: ById) -> OneTask:
        return self._stop(wish, "builds.cancel")

    def _tasks_list(self, wish: TasksList) -> Tasks:
        found = self._page("tasks", wish, "-id")
        return Tasks([task_view(one) for one in found.rows], found.next)

    def _store_query(self, wish: StoreQuery) -> browsing.Rows:
        found = self._page(wish.collection, wish, wish.order)
        return browsing.Rows(wish.collection, [msgspec.to_builtins(row) for row in found.rows], found.next)

    def _store_count(self, wish: StoreCount) -> browsing.Counting:
        if wish.collection == "pipelines":
            return browsing.Counting(len(self._wanted_pipelines(wish.where)), exact=True)
        filters = [self._named(one) for one in conditions(wish.where)]
        found = self.store.count(Query(wish.collection, tuple(filters), search=wish.search))
        return browsing.Counting(found.rows, found.counted is Counted.EXACT)

    def _jobs_durations(self, wish: JobsDurations) -> browsing.DurationsList:
        found = [self.store.durations(*name.split("/", 1)) for name in wish.jobs]
        return browsing.DurationsList([durations_view(one) for one in found])

    def _jobs_failing(self, _: NoParams) -> browsing.FailingList:
        return browsing.FailingList([failing_view(one) for one in self.store.failing()])

    def _store_describe(self, _: NoParams) -> browsing.StoreView:
        return store_view(self.store.describe())

    def _pipelines_list(self, wish: BuildsList) -> Pipelines:
        found = self._wanted_pipelines(wish.where)
        found = found if wish.order.startswith("-") else found[::-1]
        fields = PipelineSummary.__struct_fields__
        return Pipelines([PipelineSummary(*(getattr(one, name) for name in fields)) for one in found], None)

    def _wanted_pipelines(self, where: dict[str, Any]) -> list[PipelineView]:
        wanted = {name: value if isinstance(value, list) else [value] for name, value in where.items()}
        return [one for one in self.pipelines if all(getattr(one, name) in values for name, values in wanted.items())]

    def _pipelines_get(self, wish: ByPipeline) -> OnePipeline:
        return OnePipeline(self._pipeline(wish.id))

    def _pipelines_abort(self, wish: ByPipeline) -> OneTask:
        return self._task("pipelines.abort", wish.id, f"{self._pipeline(wish.id).id} is being stopped")

    def _pipelines_cancel(self, wish: ByPipeline) -> OneTask:
        return self._task("pipelines.cancel", wish.id, f"what waits of {self._pipeline(wish.id).id} is withdrawn")

    def _pipelines_rerun(self, wish: PipelineRerun) -> Submitted:
        return Submitted(
            "p-99", [BuildLine("madeup00", self._pipeline(wish.id).project, "test", 41, BuildState.PENDING)]
        )

    def _pipeline(self, text: str) -> PipelineView:
        found = next((one for one in self.pipelines if one.id == text), None)
        if found is None:
            raise NotFound(f"no pipeline {text}")
        return found

    def _schedules_list(self, wish: SchedulesList) -> Schedules:
        found = [one for one in self.schedules if wish.schedule in {None, f"{one.project}/{one.name}"}]
        return Schedules([replace(one, next=one.next[: wish.next]) for one in found])

    def _schedules_set(self, wish: ScheduleSet) -> OneTask:
        return self._task("schedules.set", wish.schedule, "enabled" if wish.enabled else "disabled")

    def _schedules_fire(self, wish: ScheduleFire) -> Submitted:
        project, _, _ = wish.schedule.partition("/")
        return Submitted(None, [BuildLine("madeup00", project, "test", 41, BuildState.PENDING)])

    def _events_subscribe(self, _: Subscribe) -> Subscribed:
        return Subscribed(subscribed=True)

    # -- records

    def _stop(self, wish: ById, kind: str) -> OneTask:
        build = self._build(wish.id)
        if build.state.ended:
            raise Conflict(f"{build.label} has already ended: {build.state}")
        return self._task(kind, build.id, f"{build.label} is being stopped")

    def _task(self, kind: str, target: str, outcome: str) -> OneTask:
        return OneTask(task_view(Task(99, kind, "ann@anna", 0, TaskState.DONE, target, outcome)))

    def _build(self, text: str) -> Build:
        found = self.store.get("builds", text)
        if found is None:
            raise NotFound(f"no build {text}")
        return cast("Build", found)

    def _page(self, collection: str, wish: Any, order: str) -> Any:  # noqa: ANN401 - parameters of any listing
        filters = [self._named(one) for one in conditions(wish.where)]
        return self.store.find(Query(collection, tuple(filters), orders(order), wish.limit, wish.after, wish.search))

    def _named(self, one: Filter) -> Filter:
        if one.field == "agent" and one.operator is Operator.EQ:
            return Filter(one.field, one.operator, next((a.id for a in self.agents if a.name == one.value), one.value))
        return one
