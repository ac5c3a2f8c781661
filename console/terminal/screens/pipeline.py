"""The screen of one pipeline: its jobs as a graph, live; or that of a project which has not been run yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from ....core.api.jobs import Jobs
from ....core.api.pipelines import OnePipeline
from ....core.errors import OrchestraError
from ....core.views.builds import BuildSummary
from ....core.views.jobs import JobView
from ....core.views.pipelines import NodeView, PipelineSummary, PipelineView
from ...format import between, duration
from .. import commands
from ..cells import Part, Tone, clean, state
from ..graphview import GraphView, Vertex
from ..piping import PipelineActions
from ..statusline import StatusLine
from .base import Place

if TYPE_CHECKING:
    from textual.widget import Widget

MOST = 1000
"""Builds of a pipeline that are asked for at once."""


class GraphScreen(Place):
    """A graph, and what is said of the job under the cursor."""

    PLACE = "pipelines"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="back"),
    ]

    def body(self) -> Iterable[Widget]:
        """See Place."""
        yield StatusLine("summary")
        yield GraphView(id="graph")
        yield StatusLine("status")

    @property
    def graph(self) -> GraphView:
        """The graph."""
        return self.query_one(GraphView)

    def on_mount(self) -> None:
        """The screen is there."""
        super().on_mount()
        self.graph.focus()

    def ask(self) -> None:
        """See Place."""
        self.run_worker(self.ask_nodes, group="ask", exclusive=True)

    async def ask_nodes(self) -> None:
        """Ask for the graph, and show it."""
        raise NotImplementedError

    def tick(self) -> None:
        """See Place."""
        super().tick()
        self.say()

    @on(GraphView.Moved)
    def _on_moved(self) -> None:
        self.say()

    def say(self) -> None:
        """Say how the whole stands, and what the job under the cursor is."""
        if self.stands:
            self.query_one("#summary", StatusLine).say(self.summary())
            self.query_one("#status", StatusLine).say(self.about(self.graph.current), self.graph.position)

    def summary(self) -> list[Part]:
        """Return what is said above the graph."""
        raise NotImplementedError

    def about(self, name: str) -> list[Part]:
        """Return what is said of a job."""
        raise NotImplementedError

    def action_back(self) -> None:
        """Go back."""
        self.console.action_return()


class PipelineScreen(PipelineActions, GraphScreen):
    """One pipeline."""

    INTEREST = frozenset({"build", "standing"})

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "builds", "Its builds", id="pipeline.builds"),
    ]

    def __init__(self, identity: str) -> None:
        """Show the pipeline with this id."""
        super().__init__()
        self._identity = identity
        self._found: PipelineView | None = None
        self._problem = ""

    async def ask_nodes(self) -> None:
        """See GraphScreen."""
        try:
            found: OnePipeline = await self.feed.call("pipelines.get", id=self._identity)
        except OrchestraError as error:
            self._problem = clean(str(error))
            if self._found is None and self.stands:
                self.graph.empty = self._problem
                self.graph.refresh()
            self.say()
            return
        if not self.stands:
            return
        self._problem = ""
        self._found = found.pipeline
        self.graph.show([_vertex(one) for one in found.pipeline.nodes])
        self.say()

    def summary(self) -> list[Part]:
        """See GraphScreen."""
        found = self._found
        if found is None:
            return [(clean(self._identity), Tone.STRONG)]
        took = duration(between(found.created, found.finished, self.console.now()))
        parts: list[Part] = [
            (f"{clean(found.id)} of {clean(found.project)}", Tone.STRONG),
            ("  ", Tone.PLAIN),
            state(found.state),
            (f"  {took}  {found.builds:,} builds  by {clean(found.requester)}", Tone.DIM),
            (f"  {clean(found.reason)}", Tone.WARN),
        ]
        if self._problem:
            parts.append((f"  not up to date: {self._problem}", Tone.WARN))
        return parts

    def _node(self, name: str) -> NodeView | None:
        return next((one for one in (self._found.nodes if self._found else ()) if one.job == name), None)

    def about(self, name: str) -> list[Part]:
        """See GraphScreen."""
        node = self._node(name)
        if node is None:
            return []
        counts = ", ".join(f"{count} {which}" for which, count in node.states.items() if count)
        needs = ", ".join(one.job if one.when == "success" else f"{one.job} ({one.when})" for one in node.needs)
        parts: list[Part] = [
            (clean(node.job), Tone.STRONG),
            ("  ", Tone.PLAIN),
            state(node.state),
            (f"  {counts}", Tone.DIM),
        ]
        if needs:
            parts.append((f"  needs {clean(needs)}", Tone.DIM))
        if node.condition:
            parts.append((f"  if {clean(node.condition)}", Tone.DIM))
        if node.taken:
            parts.append((f"  {len(node.taken)} taken over from before", Tone.DIM))
        return parts

    @on(GraphView.Opened)
    def _on_opened(self, event: GraphView.Opened) -> None:
        node = self._node(event.name)
        if node is None:
            return
        builds = [*node.builds, *node.taken]
        if len(builds) == 1:
            from .build import BuildScreen

            self.console.show(BuildScreen(builds[0]))
        elif builds:
            self.console.show_builds(f"pipeline:{self._identity} job:{node.job}")

    def action_builds(self) -> None:
        """Show all builds of the pipeline."""
        self.console.show_builds(f"pipeline:{self._identity}")

    def targets(self) -> list[PipelineSummary]:
        """See PipelineActions."""
        return [] if self._found is None else [self._found]

    def command(self) -> str:
        """See Place."""
        return commands.of("show", self._identity)


class ProjectScreen(GraphScreen):
    """The jobs of a project as they need each other, with how each went last."""

    PLACE = "jobs"
    INTEREST = frozenset({"job", "build", "standing"})
    NEEDS: ClassVar[dict[str, str]] = {"trigger": "builds.submit"}

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "trigger", "Trigger", id="job.trigger"),
    ]

    def __init__(self, project: str, last: dict[tuple[str, str], BuildSummary]) -> None:
        """Show the jobs of `project`; `last`: their last builds, as far as known."""
        super().__init__()
        self._project = project
        self._last = last
        self._jobs: dict[str, JobView] = {}

    async def ask_nodes(self) -> None:
        """See GraphScreen."""
        try:
            found: Jobs = await self.feed.call("jobs.list", project=self._project)
        except OrchestraError as error:
            if self.stands:
                self.graph.empty = clean(str(error))
                self.graph.refresh()
            return
        if not self.stands:
            return
        self._jobs = {one.name: one for one in found.jobs}
        self.graph.empty = "This project has no jobs."
        self.graph.show([self._vertex(one) for one in found.jobs])
        self.say()

    def _vertex(self, job: JobView) -> Vertex:
        build = self._last.get((job.project, job.name))
        times = 1
        for values in job.matrix.values():
            times *= len(values)
        return Vertex(
            job.name,
            build.state if build else "",
            [one.job for one in job.needs],
            f"×{times}" if times > 1 else "",
        )

    def summary(self) -> list[Part]:
        """See GraphScreen."""
        return [
            (f"project {clean(self._project)}", Tone.STRONG),
            (f"  {len(self._jobs)} jobs; the signs tell of the last build of each", Tone.DIM),
        ]

    def about(self, name: str) -> list[Part]:
        """See GraphScreen."""
        job = self._jobs.get(name)
        if job is None:
            return []
        parts: list[Part] = [(clean(job.name), Tone.STRONG), (f"  {clean(job.description)}", Tone.PLAIN)]
        needs = ", ".join(one.job for one in job.needs)
        if needs:
            parts.append((f"  needs {clean(needs)}", Tone.DIM))
        if job.condition:
            parts.append((f"  if {clean(job.condition)}", Tone.DIM))
        return parts

    @on(GraphView.Opened)
    def _on_opened(self, event: GraphView.Opened) -> None:
        self.console.show_builds(f"project:{self._project} job:{event.name}")

    def action_trigger(self) -> None:
        """Run the job under the cursor."""
        from .trigger import TriggerScreen

        job = self._jobs.get(self.graph.current)
        if job is not None:
            self.console.show(TriggerScreen(job))

    def command(self) -> str:
        """See Place."""
        return commands.of("jobs", self._project)


def _vertex(node: NodeView) -> Vertex:
    total = sum(node.states.values())
    done = sum(count for which, count in node.states.items() if which not in {"pending", "assigned", "running"})
    return Vertex(node.job, node.state, _names(node.needs), f"{done}/{total}" if total > 1 else "")


def _names(needs: Sequence[Any]) -> list[str]:
    return [one.job for one in needs]
