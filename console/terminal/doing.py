"""What can be done with builds, the same on every screen that shows some: abort, cancel, run again, explain, keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from ...core.api.builds import Why
from ...core.views.builds import BuildSummary
from . import commands
from .cells import clean
from .screens.base import Deed, Place, names


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
        Binding("p", "pipeline", "Its pipeline", show=False, id="build.pipeline"),
        Binding("v", "artifacts", "Files it kept", show=False, id="build.artifacts"),
        Binding("K", "pin", "Keep whatever its age", show=False, id="build.pin"),
        Binding("W", "watch", "Tell me the end", show=False, id="build.watch"),
    ]
    NEEDS: ClassVar[dict[str, str]] = {
        "abort": "builds.abort",
        "cancel": "builds.cancel",
        "rerun": "builds.rerun",
        "explain": "builds.explain",
        "pin": "builds.pin",
        "artifacts": "artifacts.list",
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
        self.ask_to(
            Deed(
                f"Abort {names([label(one) for one in live])}?",
                [f"{_count(live)} stopped wherever it is; all that was started is killed."],
                commands.on_builds("abort", live),
                [("builds.abort", {"id": one.id}) for one in live],
            )
        )

    def action_cancel(self) -> None:
        """Withdraw builds that wait."""
        waiting = [one for one in self.targets() if one.state == "pending"]
        if not waiting:
            self.console.tell("There is nothing to cancel: only builds that wait can be; a stops those that run.")
            return
        self.ask_to(
            Deed(
                f"Cancel {names([label(one) for one in waiting])}?",
                [f"{_count(waiting)} withdrawn; one that has started meanwhile is left alone."],
                commands.on_builds("cancel", waiting),
                [("builds.cancel", {"id": one.id}) for one in waiting],
            )
        )

    def action_rerun(self) -> None:
        """Run the same again."""
        found = self.targets()
        if found:
            self.ask_to(
                Deed(
                    f"Run {names([label(one) for one in found])} again?",
                    ["A new build each, with the definition and the parameters it had."],
                    commands.reruns(found),
                    [("builds.rerun", {"id": one.id}) for one in found],
                    "Accepted",
                )
            )

    def action_explain(self) -> None:
        """Say why a build is in its state."""
        found = self.targets()
        if found:
            build = found[0]
            self.do(self.feed.call("builds.explain", id=build.id), lambda why: self._tell_why(build, why))

    def _tell_why(self, build: BuildSummary, why: Why) -> None:
        self.app.notify(
            "\n".join(clean(one) for one in why.reasons),
            title=f"{label(build)} is {why.state}",
            timeout=12,
            markup=False,
        )

    def action_pipeline(self) -> None:
        """Show the pipeline of a build."""
        for build in self.targets()[:1]:
            if build.pipeline:
                from .screens.pipeline import PipelineScreen

                self.console.show(PipelineScreen(build.pipeline))
            else:
                self.console.tell("It belongs to no pipeline.")

    def action_artifacts(self) -> None:
        """Show the files that a build kept."""
        for build in self.targets()[:1]:
            from .screens.artifacts import ArtifactsScreen

            self.console.show(ArtifactsScreen(build))

    def action_pin(self) -> None:
        """Keep builds whatever their age; where all of them are kept so, no longer."""
        found = self.targets()
        if not found:
            return
        keep = any(one.pin is None for one in found)
        meant = [one for one in found if keep == (one.pin is None)]
        verb = "pin" if keep else "unpin"
        told = "kept, with log and artifacts, until somebody unpins it." if keep else "let go when its time has come."
        self.ask_to(
            Deed(
                f"{verb.title()} {names([label(one) for one in meant])}?",
                [f"{_count(meant)} {told}"],
                commands.on_builds(verb, meant),
                [(f"builds.{verb}", {"id": one.id}) for one in meant],
            )
        )

    def action_watch(self) -> None:
        """Tell, also on the desktop, when builds end; or no longer."""
        for build in self.targets():
            self.console.watch_build(build.id, label(build), ended=build.state.ended)


def _count(builds: Sequence[BuildSummary]) -> str:
    return "It is" if len(builds) == 1 else f"{len(builds)} builds are"
