"""What can be done with builds, the same on every screen that shows some: abort, cancel, run again, explain, watch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from ...core import api
from ...core.errors import OrchestraError
from ...core.views import BuildSummary
from . import commands
from .cells import clean
from .dialogs import Confirm
from .screens.base import Place, names


def label(build: BuildSummary) -> str:
    """Return `project/job#number`, clean."""
    return clean(f"{build.project}/{build.job}#{build.number}")


class BuildActions(Place):
    """A screen with builds on it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "abort", "Abort", id="build.abort"),
        Binding("c", "cancel", "Cancel", show=False, id="build.cancel"),
        Binding("r", "rerun", "Rerun", id="build.rerun"),
        Binding("e", "explain", "Why", id="build.explain"),
        Binding("W", "watch", "Tell me the end", show=False, id="build.watch"),
    ]
    NEEDS: ClassVar[dict[str, str]] = {
        "abort": "builds.abort",
        "cancel": "builds.cancel",
        "rerun": "builds.rerun",
        "explain": "builds.explain",
    }

    def targets(self) -> list[BuildSummary]:
        """Return the builds that are meant."""
        raise NotImplementedError

    def action_abort(self) -> None:
        """Stop builds wherever they are."""
        live = [one for one in self.targets() if not one.state.ended]
        if not live:
            self.console.tell("There is nothing to abort: it has ended.")
            return
        self._ask(
            f"Abort {names([label(one) for one in live])}?",
            [f"{_count(live)} stopped wherever it is; all that was started is killed."],
            commands.on_builds("abort", live),
            "builds.abort",
            live,
        )

    def action_cancel(self) -> None:
        """Withdraw builds that wait."""
        waiting = [one for one in self.targets() if one.state == "pending"]
        if not waiting:
            self.console.tell("There is nothing to cancel: only builds that wait can be; a stops those that run.")
            return
        self._ask(
            f"Cancel {names([label(one) for one in waiting])}?",
            [f"{_count(waiting)} withdrawn; one that has started meanwhile is left alone."],
            commands.on_builds("cancel", waiting),
            "builds.cancel",
            waiting,
        )

    def action_rerun(self) -> None:
        """Run the same again."""
        found = self.targets()
        if found:
            self._ask(
                f"Run {names([label(one) for one in found])} again?",
                ["A new build each, with the definition and the parameters it had."],
                commands.reruns(found),
                "builds.rerun",
                found,
            )

    def action_explain(self) -> None:
        """Say why a build is in its state."""
        found = self.targets()
        if found:
            build = found[0]
            self.do(self.feed.call("builds.explain", id=build.id), lambda why: self._tell_why(build, why))

    def _tell_why(self, build: BuildSummary, why: api.Why) -> None:
        self.app.notify(
            "\n".join(clean(one) for one in why.reasons),
            title=f"{label(build)} is {why.state}",
            timeout=12,
            markup=False,
        )

    def action_watch(self) -> None:
        """Tell, also on the desktop, when builds end; or no longer."""
        for build in self.targets():
            self.console.watch_build(build.id, label(build), ended=build.state.ended)

    def _ask(
        self, title: str, effects: Sequence[str], command: str, method: str, builds: Sequence[BuildSummary]
    ) -> None:
        """Ask; then do it with each build, and tell what came of it."""

        async def each() -> None:
            done: list[str] = []
            for build in builds:
                try:
                    found = await self.feed.call(method, id=build.id)
                except OrchestraError as error:
                    self.console.tell_problem(error)
                    continue
                done.append(_told(found))
            if done:
                self.console.tell(names(done, 4))
            self.on_done(method)

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(each, group="work")

        self.app.push_screen(Confirm(title, effects, command, self.console.copy), answered)

    def on_done(self, method: str) -> None:  # noqa: ARG002 - screens may look at it
        """Something was done with the targets."""
        self.ask_soon()


def _count(builds: Sequence[BuildSummary]) -> str:
    return "It is" if len(builds) == 1 else f"{len(builds)} builds are"


def _told(found: api.OneTask | api.Submitted) -> str:
    if isinstance(found, api.Submitted):
        return names([f"{one.project}/{one.job}#{one.number} ({one.id})" for one in found.builds])
    return found.task.outcome
