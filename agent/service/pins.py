"""Answers what pins and unpins builds, one by one or all of a pipeline, and `pins.list`."""

from typing import cast

from ...core.api import pins as api
from ...core.api.builds import ById, PinBuild
from ...core.api.pipelines import ByPipeline, PinPipeline
from ...core.api.tasks import OneTask
from ...core.commands import PinBuilds, UnpinBuilds
from ...core.errors import InvalidInput, NotFound
from ...core.model import Build, Pin
from ...core.pinning import MAX_NOTE
from ...core.views.pins import pin_view
from ...core.views.pipelines import builds_of
from .desk import Desk
from .pipelines import Pipelines
from .records import Records


class Pins:
    """The pins."""

    def __init__(self, desk: Desk, records: Records, pipelines: Pipelines) -> None:
        """Set and take them away through the desk; which builds a pipeline has, `pipelines` knows."""
        self._desk = desk
        self._records = records
        self._pipelines = pipelines

    async def builds_pin(self, params: PinBuild) -> OneTask:
        """Keep a build, whatever its age."""
        build = await self._desk.find.build(params.id)
        return await self._pin(build.id, [build], params.note, "builds.pin")

    async def pipelines_pin(self, params: PinPipeline) -> OneTask:
        """Keep all builds of a pipeline, whatever their age."""
        found = await self._desk.find.pipeline(params.id)
        builds = await self._pipelines.members(found)
        if not builds:
            message = f"the builds of {found.id} are no longer kept"
            raise NotFound(message)
        return await self._pin(found.id, builds, params.note, "pipelines.pin")

    async def _pin(self, target: str, builds: list[Build], note: str, kind: str) -> OneTask:
        if len(note) > MAX_NOTE:
            message = f"the note has {len(note)} characters; {MAX_NOTE} are the most"
            raise InvalidInput(message)
        labels = {one.id: one.label for one in builds}
        at, requester = self._desk.master.time(), self._desk.requester
        return await self._desk.task(PinBuilds(at, requester, target, labels, " ".join(note.split()), kind))

    async def builds_unpin(self, params: ById) -> OneTask:
        """Let a build go again when its time has come."""
        # a pin may be of a build that this agent's history does not have
        pinned = params.id in self._desk.replica.ledger.pinning.pins
        build = params.id if pinned else (await self._desk.find.build(params.id)).id
        return await self._unpin(build, (build,), "builds.unpin")

    async def pipelines_unpin(self, params: ByPipeline) -> OneTask:
        """Let the builds of a pipeline go again when their time has come."""
        found = await self._desk.find.pipeline(params.id)
        return await self._unpin(found.id, builds_of(found), "pipelines.unpin")

    async def _unpin(self, target: str, builds: tuple[str, ...], kind: str) -> OneTask:
        at, requester = self._desk.master.time(), self._desk.requester
        return await self._desk.task(UnpinBuilds(at, requester, target, builds, kind))

    async def pins_list(self, params: api.PinsList) -> api.Pins:
        """Return a page of pins, the newest first."""
        page = await self._records.page("pins", {}, "-at", params.limit, params.after)
        return api.Pins([pin_view(cast("Pin", row)) for row in page.rows], page.next)
