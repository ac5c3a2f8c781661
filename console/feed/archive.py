"""A feed from a store, with no network at all: history to look at, nothing that can be done.

Answers the methods that are about the history, from the same records and in the same shapes as an agent does. Reads in
a thread of its own, so that a slow database holds nothing up.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import Any, cast

import msgspec

from ...core import browsing
from ...core.api.agents import Agents
from ...core.api.builds import Builds, BuildsList, ById, OneBuild
from ...core.api.jobs import Jobs, JobsDurations, JobsGet, JobsList, OneJob
from ...core.api.method import NoParams
from ...core.api.pipelines import ByPipeline, OnePipeline, Pipelines
from ...core.api.schedules import Schedules, SchedulesList
from ...core.api.store import StoreCount, StoreQuery
from ...core.api.table import METHODS
from ...core.api.tasks import Tasks, TasksList
from ...core.errors import InvalidInput, NotFound
from ...core.model import AgentRecord, Build, BuildState, Pin, Pipeline, ScheduleRecord, Task
from ...core.timetable import firings
from ...core.views.agents import agent_view
from ...core.views.builds import build_summary, build_view
from ...core.views.jobs import job_view
from ...core.views.pipelines import pipeline_summary, pipeline_view
from ...core.views.schedules import ScheduleView, recorded_schedule_view
from ...core.views.tasks import task_view
from ...store.asking import conditions, orders
from ...store.contract import Store
from ...store.query import MAX_LIMIT, Counted, Filter, Operator, Query
from ...store.showing import durations_view, failing_view, store_view
from ..format import now, plain
from .contract import Link, Listener, Remembered, Standing
from .memory import Listeners, Memory


class StoreFeed:
    """A feed from an open store."""

    def __init__(
        self, store: Store, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = now
    ) -> None:
        """Read from `store`, which is somebody else's to close; `now` tells the time of day."""
        self.clock = clock
        self._now = now
        self._store = store
        self._memory = Memory()
        self._listeners = Listeners()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="store-read")
        self._answers: dict[str, Callable[[Any], Any]] = {
            "builds.list": self._builds_list,
            "builds.get": self._builds_get,
            "pipelines.list": self._pipelines_list,
            "pipelines.get": self._pipelines_get,
            "tasks.list": self._tasks_list,
            "agents.list": self._agents_list,
            "jobs.list": self._jobs_list,
            "jobs.get": self._jobs_get,
            "jobs.durations": self._jobs_durations,
            "jobs.failing": self._jobs_failing,
            "schedules.list": self._schedules_list,
            "store.describe": self._store_describe,
            "store.query": self._store_query,
            "store.count": self._store_count,
        }
        self.methods: AbstractSet[str] = frozenset(self._answers)

    @property
    def standing(self) -> Standing:
        """See Feed."""
        return Standing(Link.STORE, source=plain(self._store.url), heard=self.clock())

    async def run(self) -> None:
        """See Feed: nothing happens in a store that is only read."""
        await asyncio.Event().wait()

    def remembered(self, method: str, **params: object) -> Remembered | None:
        """See Feed."""
        return self._memory.find(method, params)

    def listen(self, hear: Listener) -> Callable[[], None]:
        """See Feed."""
        return self._listeners.add(hear)

    async def call(self, method: str, **params: object) -> Any:  # noqa: ANN401 - the method decides the type
        """See Feed."""
        answer = self._answers.get(method)
        if answer is None:
            raise InvalidInput(f"{method} takes an agent; this is the store {plain(self._store.url)} alone")
        given = {name: value for name, value in params.items() if value is not None}
        try:
            wish = msgspec.convert(given, METHODS[method].params)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"wrong parameters for {method}: {error}") from None
        found = await asyncio.get_running_loop().run_in_executor(self._reader, answer, wish)
        self._memory.keep(method, params, found, self.clock())
        return found

    def close(self) -> None:
        """End the thread."""
        self._reader.shutdown()

    # -- answers, in the reader's thread

    def _page(self, collection: str, wish: Any, order: str) -> Any:  # noqa: ANN401 - parameters of any listing
        where = tuple(conditions(wish.where))
        return self._store.find(Query(collection, where, orders(order), wish.limit, wish.after, wish.search))

    def _builds_list(self, wish: BuildsList) -> Builds:
        page = self._page("builds", wish, wish.order)
        pins = self._pins([one.id for one in page.rows])
        return Builds([build_summary(one, pins.get(one.id)) for one in page.rows], page.next)

    def _pins(self, builds: Sequence[str]) -> dict[str, Pin]:
        """Return the pins of some builds."""
        query = Query("pins", (Filter("build", Operator.IN, tuple(builds)),), limit=MAX_LIMIT)
        return {one.build: one for one in cast("Sequence[Pin]", self._store.find(query).rows)} if builds else {}

    def _builds_get(self, wish: ById) -> OneBuild:
        build = cast("Build | None", self._store.get("builds", wish.id))
        if build is None:
            raise NotFound(f"no build {wish.id[:60]} in this store")
        attempts = self._page("attempts", StoreQuery("attempts", {"build": build.id}, limit=1000), "number")
        return OneBuild(build_view(build, attempts.rows, self._pins([build.id]).get(build.id)))

    def _pipelines_list(self, wish: BuildsList) -> Pipelines:
        page = self._page("pipelines", wish, wish.order)
        return Pipelines([pipeline_summary(one) for one in page.rows], page.next)

    def _pipelines_get(self, wish: ByPipeline) -> OnePipeline:
        found = cast("Pipeline | None", self._store.get("pipelines", wish.id))
        if found is None:
            raise NotFound(f"no pipeline {wish.id[:60]} in this store")
        mine = {"pipeline": found.id, "state": [one for one in BuildState if not one.ended]}
        live = self._page("builds", StoreQuery("builds", mine, limit=1000), "serial")
        return OnePipeline(pipeline_view(found, {one.id: one for one in live.rows}))

    def _tasks_list(self, wish: TasksList) -> Tasks:
        page = self._page("tasks", wish, "-id")
        return Tasks([task_view(cast("Task", one)) for one in page.rows], page.next)

    def _agents_list(self, _: NoParams) -> Agents:
        records: list[AgentRecord] = list(self._store.scan("agents"))
        shown = [agent_view(one, reachable=False, used=0, roles=(), addresses=one.addresses) for one in records]
        return Agents([msgspec.structs.replace(one, state="recorded") for one in shown])

    def _jobs_list(self, wish: JobsList) -> Jobs:
        found = [job_view(one) for one in self._store.scan("jobs")]
        return Jobs([one for one in found if wish.project in {None, one.project}])

    def _jobs_get(self, wish: JobsGet) -> OneJob:
        found = self._store.get("jobs", tuple(wish.job.split("/", 1)))
        if found is None:
            raise NotFound(f"no job {wish.job[:60]} in this store")
        return OneJob(job_view(found))

    def _jobs_durations(self, wish: JobsDurations) -> browsing.DurationsList:
        found = [self._store.durations(*name.split("/", 1)) for name in wish.jobs]
        return browsing.DurationsList([durations_view(one) for one in found])

    def _jobs_failing(self, _: NoParams) -> browsing.FailingList:
        return browsing.FailingList([failing_view(one) for one in self._store.failing()])

    def _schedules_list(self, wish: SchedulesList) -> Schedules:
        found: list[ScheduleRecord] = list(self._store.scan("schedules"))
        wanted = [one for one in found if wish.project in {None, one.project}]
        if wish.schedule is not None:
            wanted = [one for one in wanted if wish.schedule in {one.full_name, one.name}]
        return Schedules([self._schedule(one, wish.next) for one in sorted(wanted, key=lambda one: one.full_name)])

    def _schedule(self, found: ScheduleRecord, count: int) -> ScheduleView:
        """Return a schedule with the firings that its network, if it still goes on, has ahead."""
        now = int(self._now().timestamp() * 1000)
        ahead = islice(firings(found.cron, found.timezone, now), max(0, count)) if found.enabled else ()
        last = [cast("Build | None", self._store.get("builds", one)) for one in found.builds]
        return recorded_schedule_view(found, ahead, [one for one in last if one is not None])

    def _store_describe(self, _: NoParams) -> browsing.StoreView:
        return store_view(self._store.describe())

    def _store_query(self, wish: StoreQuery) -> browsing.Rows:
        page = self._page(wish.collection, wish, wish.order)
        rows = [msgspec.json.decode(msgspec.json.encode(one)) for one in page.rows]  # as over a socket
        return browsing.Rows(wish.collection, rows, page.next)

    def _store_count(self, wish: StoreCount) -> browsing.Counting:
        found = self._store.count(Query(wish.collection, tuple(conditions(wish.where)), search=wish.search))
        return browsing.Counting(found.rows, found.counted is Counted.EXACT)
