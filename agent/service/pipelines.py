"""Answers `pipelines.*`: how they stand, waiting for them, stopping them, running them again."""

from typing import cast

from ...core.api import pipelines as api
from ...core.api.builds import BuildsList
from ...core.api.submitting import Submitted
from ...core.api.tasks import OneTask
from ...core.changes import Changes
from ...core.commands import StopPipeline, Submit
from ...core.definition import Spec
from ...core.errors import Conflict
from ...core.model import Build, Pipeline, PipelineState, Stop
from ...core.rerunning import again
from ...core.views.pipelines import pipeline_summary, pipeline_view
from ...store.query import MAX_LIMIT, Filter, Operator, Order, Query
from .builds import Builds
from .desk import Desk
from .endings import Endings
from .records import Records


class Pipelines:
    """The pipelines."""

    def __init__(self, desk: Desk, records: Records, builds: Builds) -> None:
        """Look them up and stop them through the desk; what is run again is submitted with `builds`."""
        self._desk = desk
        self._records = records
        self._builds = builds
        self._endings = Endings()
        desk.replica.watch(self._on_changes)

    def _on_changes(self, changes: Changes) -> None:
        for one in changes.pipelines.values() if self._endings else ():
            if one.state is not PipelineState.RUNNING:
                self._endings.tell(one.id)

    def _shown(self, found: Pipeline) -> api.OnePipeline:
        return api.OnePipeline(pipeline_view(found, self._desk.replica.ledger.builds))

    async def pipelines_get(self, params: api.ByPipeline) -> api.OnePipeline:
        """Return a pipeline."""
        return self._shown(await self._desk.find.pipeline(params.id))

    async def pipelines_list(self, params: BuildsList) -> api.Pipelines:
        """Return a page of pipelines."""
        page = await self._records.page("pipelines", params.where, params.order, params.limit, params.after)
        return api.Pipelines([pipeline_summary(cast("Pipeline", row)) for row in page.rows], page.next)

    async def pipelines_wait(self, params: api.PipelinesWait) -> api.OnePipeline:
        """Answer when a pipeline has ended."""
        found = await self._desk.find.pipeline(params.id)
        if found.state is PipelineState.RUNNING:
            await self._endings.wait(found.id, f"pipeline {found.id}", params.timeout)
        return self._shown(await self._desk.find.pipeline(found.id))

    async def pipelines_abort(self, params: api.ByPipeline) -> OneTask:
        """Stop all builds of a pipeline."""
        return await self._stop(params, Stop.ABORT)

    async def pipelines_cancel(self, params: api.ByPipeline) -> OneTask:
        """Withdraw the builds of a pipeline that have not started."""
        return await self._stop(params, Stop.CANCEL)

    async def _stop(self, params: api.ByPipeline, how: Stop) -> OneTask:
        found = await self._desk.find.pipeline(params.id)
        if found.state is not PipelineState.RUNNING:
            message = f"{found.id} has already ended: {found.state}"
            raise Conflict(message)
        return await self._desk.task(StopPipeline(self._desk.master.time(), self._desk.requester, found.id, how))

    async def pipelines_rerun(self, params: api.PipelineRerun) -> Submitted:
        """Run a pipeline once more, as it was defined then."""
        found = await self._desk.find.pipeline(params.id)
        by_job: dict[str, list[Build]] = {}
        for build in await self.members(found):
            by_job.setdefault(build.job, []).append(build)
        new, nodes = again(found, by_job, failed=params.failed)
        specs: dict[str, Spec] = {}
        for one in new:
            if one.spec not in specs:
                specs[one.spec] = await self._builds.spec_of(one.spec, f"{one.project}/{one.job} of {found.id}")
        self._desk.check_room()
        return await self._builds.accepted(
            Submit(
                at=self._desk.master.time(),
                requester=self._desk.requester,
                builds=new,
                specs=specs,
                cause=f"rerun of {found.id}",
                kind="pipelines.rerun",
                nodes=nodes,
            )
        )

    async def members(self, pipeline: Pipeline) -> list[Build]:
        """Return the builds of a pipeline that the history has, in their order."""
        history = self._desk.history
        await history.reached(self._desk.replica.ledger.index)
        found: list[Build] = []
        after: str | None = None
        while True:
            mine = (Filter("pipeline", Operator.EQ, pipeline.id),)
            query = Query("builds", mine, (Order("serial"),), MAX_LIMIT, after)
            page = await history.read(history.store.find, query)
            found += cast("list[Build]", list(page.rows))
            after = page.next
            if after is None:
                return found
