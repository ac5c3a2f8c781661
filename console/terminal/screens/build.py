"""The screen of one build: its log under the steps, and everything else that is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from ....core.api.agents import Agents
from ....core.api.builds import OneBuild, Why
from ....core.errors import OrchestraError
from ....core.views.builds import BuildSummary, BuildView
from ...feed.contract import Link
from ...feed.insight import progress
from ...format import between, duration
from .. import commands
from ..cells import Part, Tone, bar, clean, state
from ..doing import BuildActions, label
from ..logtaking import LogTaking
from ..logview import LogView
from ..painted import Painted
from ..paper import Paper
from ..statusline import Asking, StatusLine
from ..telling import telling

if TYPE_CHECKING:
    from textual.strip import Strip
    from textual.widget import Widget

WIDE = 120
"""Columns from which on log and details are shown side by side."""

REASONS_S = 3.0
"""Seconds after which it is asked again why a build waits."""


class Summary(Painted):
    """What a build is and how it stands, in two lines."""

    DEFAULT_CSS = """
    Summary { height: 2; background: $surface; }
    """

    def __init__(self) -> None:
        """Say nothing yet."""
        super().__init__(id="summary")
        self._lines: tuple[list[Part], list[Part]] = ([], [])

    def say(self, first: list[Part], second: list[Part]) -> None:
        """Say this."""
        if (first, second) != self._lines:
            self._lines = (first, second)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """See Widget."""
        return self.drawn([(" ", Tone.PLAIN), *self._lines[y]], self.size.width)


class BuildScreen(LogTaking, BuildActions):
    """One build."""

    PLACE = "builds"
    INTEREST = frozenset({"standing"})

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="back"),
        Binding("d,tab", "details", "Details", id="build.details"),
        Binding("left_square_bracket", "attempt(-1)", "Attempt before", show=False, key_display="[", id="build.before"),
        Binding("right_square_bracket", "attempt(1)", "Attempt after", show=False, key_display="]", id="build.after"),
    ]

    DEFAULT_CSS = """
    BuildScreen #paper { display: none; width: 1fr; }
    BuildScreen.-details #paper { display: block; }
    BuildScreen.-details #log { display: none; }
    BuildScreen.-details.-beside #log { display: block; width: 2fr; }
    BuildScreen.-details.-beside #paper { width: 1fr; background: $surface; }
    """

    def __init__(self, build: BuildSummary | str) -> None:
        """Show a build, by what is known of it or by its id."""
        super().__init__()
        self.identity = build if isinstance(build, str) else build.id
        self._known: BuildSummary | None = None if isinstance(build, str) else build
        self.build: BuildView | None = None
        self.attempt: int | None = None  # whose log is shown; None: the last one's
        self._reasons: list[str] = []
        self._names: dict[str, str] = {}  # agent id -> name
        self._shown: tuple[str, int] | None = None

    def body(self) -> Iterable[Widget]:
        """See Place."""
        yield Summary()
        with Horizontal():
            yield LogView(self.feed, id="log")
            yield Paper(id="paper")
        yield StatusLine("status")
        yield Asking(id="asking")

    # -- asking

    def on_mount(self) -> None:
        """The screen is there."""
        self.log_view.wrapped = self.console.session.state.wrap
        self.log_view.focus()
        self.set_class(self.app.size.width >= WIDE, "-beside")
        if self.app.size.width >= WIDE:
            self.add_class("-details")
        super().on_mount()
        self._summarise()

    def on_resize(self) -> None:
        """The terminal has another size."""
        self.set_class(self.app.size.width >= WIDE, "-beside")

    def on_changes(self, kinds: set[str], builds: set[str]) -> None:
        """See Place."""
        if self.identity in builds or "standing" in kinds:
            self.ask_soon()

    def ask(self) -> None:
        """See Place."""
        self.run_worker(self._ask_build, group="ask", exclusive=True)

    async def _ask_build(self) -> None:
        try:
            found: OneBuild = await self.feed.call("builds.get", id=self.identity)
            self.build = self._known = found.build
            if self.stands:
                self._take(found.build)  # its log comes while the rest is asked for
            if "builds.explain" in self.feed.methods and not found.build.state.ended:
                why: Why = await self.feed.call("builds.explain", id=self.identity)
                self._reasons = list(why.reasons)
            else:
                self._reasons = []
            if not self._names:
                agents: Agents = await self.feed.call("agents.list")
                self._names = {one.id: one.name for one in agents.agents}
            await self.console.insight.learn([(found.build.project, found.build.job)])
        except OrchestraError as error:
            if self.build is None and self.stands:  # else what was known stays; the head says if nobody answers
                self.log_view.problem = clean(str(error))
                self.log_view.refresh()
            return
        self._take(found.build)

    def _take(self, build: BuildView) -> None:
        if not self.stands:
            return
        attempt = self.attempt or max(1, build.attempt)
        steps = build.steps if attempt == max(1, build.attempt) else []
        if self._shown != (build.id, attempt):
            self._shown = (build.id, attempt)
            self.log_view.problem = ""
            self.log_view.empty = self._why_no_output(build)
            if "builds.log" in self.feed.methods:
                self.log_view.show(build.id, attempt, steps)
        else:
            self.log_view.empty = self._why_no_output(build)
            self.log_view.know(steps)
        self.query_one(Paper).write(telling(build, self._reasons, self._names, self.console.now()))
        self.log_view.refresh()
        self._summarise()
        self.say_status()

    def _why_no_output(self, build: BuildView) -> str:
        if "builds.log" not in self.feed.methods:
            return "A store keeps no logs: to read them, open the console at an agent."
        if build.state.ended:
            return "It wrote nothing." if build.attempts else f"It never began: {clean(build.reason) or build.state}"
        waits = f"  {clean(self._reasons[0])}" if self._reasons else ""
        return f"No output yet: it is {build.state}.{waits}"

    def tick(self) -> None:
        """See Place."""
        super().tick()
        if self.build is not None and self.build.state == "pending" and self.feed.clock() - self._asked > REASONS_S:
            self.ask_soon()  # why it waits changes without anything happening to it
        self._summarise()
        if self.build is not None and not self.build.state.ended:
            self.log_view.refresh()
            self.query_one(Paper).write(telling(self.build, self._reasons, self._names, self.console.now()))
        self.say_status()

    # -- what is said

    def _summarise(self) -> None:
        for summary in self.query(Summary):  # none, while the screen is taken away
            summary.say(*self._summary())

    def _summary(self) -> tuple[list[Part], list[Part]]:
        build = self._known
        if build is None:
            return [(clean(self.identity), Tone.STRONG)], [("Loading ...", Tone.DIM)]
        moment = self.console.now()
        took = between(build.started, build.finished, moment)
        first: list[Part] = [
            (label(build), Tone.STRONG),
            (f"  {build.id}  ", Tone.DIM),
            state(build.state),
            (f"  {duration(took)}", Tone.PLAIN),
        ]
        usual = self.console.insight.known(build.project, build.job)
        share = None if build.finished else progress(build, usual, moment)
        if share is not None:
            first += [(f"  {bar(share, 12)}", Tone.BUSY), (f" usually {duration(usual)}", Tone.DIM)]
        if build.attempt > 1:
            first.append((f"  attempt {self.attempt or build.attempt} of {build.attempt}", Tone.WARN))
        if build.pin is not None:
            first.append(("  pinned", Tone.TITLE))
        where = self._names.get(build.agent or "", build.agent or "")
        second: list[Part] = []
        if where:
            second.append((f"on {clean(where)}  ", Tone.DIM))
        second.append((f"by {clean(build.requester)}  ", Tone.DIM))
        reason = clean(build.reason or (self._reasons[0] if self._reasons else ""))
        second.append((reason, Tone.PLAIN if build.state == "succeeded" else Tone.WARN))
        return first, second

    def say_status(self) -> None:
        """Draw the line below the log."""
        if not self.stands:
            return
        line = self.query_one("#status", StatusLine)
        if self.has_class("-details") and not self.has_class("-beside"):
            line.say([("Details", Tone.TITLE)], self.query_one(Paper).position)
            return
        parts = [*self.log_view.status(), *self.finding()]
        if self.feed.standing.link is Link.LOST:
            parts = [("disconnected: what was read before is shown", Tone.WARN)]
        line.say(parts, self.log_view.place)

    @on(LogView.Changed)
    def _on_log_changed(self) -> None:
        self.say_status()

    # -- doing

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self.query_one("#log", LogView)

    def the_build(self) -> BuildSummary | None:
        """See LogTaking."""
        return self._known

    def targets(self) -> list[BuildSummary]:
        """See BuildActions."""
        return [] if self._known is None else [self._known]

    def action_back(self) -> None:
        """Leave what one is looking for; where that is nothing, go back."""
        if not self.leave_finding():
            self.console.session.state.wrap = self.log_view.wrapped
            self.console.action_return()

    def action_details(self) -> None:
        """Show details instead of, or beside, the log; or no longer."""
        self.toggle_class("-details")
        beside = self.has_class("-beside")
        details = self.has_class("-details")
        (self.query_one(Paper) if details and not beside else self.log_view).focus()
        self.say_status()

    def action_attempt(self, by: int) -> None:
        """Show the log of another attempt."""
        if self.build is None or self.build.attempt < 1:
            return
        wanted = (self.attempt or self.build.attempt) + by
        if 1 <= wanted <= self.build.attempt:
            self.attempt = wanted
            self._take(self.build)
        else:
            self.console.tell(f"There are attempts 1 to {self.build.attempt}.")

    def command(self) -> str:
        """See Place."""
        if self.has_class("-details") and not self.has_class("-beside"):
            return commands.of("show", self.identity)
        return commands.of("logs", *(["-f"] if self._known and not self._known.state.ended else []), self.identity)
