"""What can be done with pipelines, the same wherever some are shown: abort, cancel, run again whole or in part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from ...core.views.pipelines import PipelineSummary
from . import commands
from .cells import clean
from .screens.base import Deed, Place, names


class PipelineActions(Place):
    """A screen with pipelines on it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "abort", "Abort", id="pipeline.abort"),
        Binding("c", "cancel", "Cancel", show=False, id="pipeline.cancel"),
        Binding("r", "rerun(False)", "Rerun", id="pipeline.rerun"),
        Binding("F", "rerun(True)", "Rerun failed", id="pipeline.rerun_failed"),
    ]
    NEEDS: ClassVar[dict[str, str]] = {
        "abort": "pipelines.abort",
        "cancel": "pipelines.cancel",
        "rerun": "pipelines.rerun",
    }

    def targets(self) -> list[PipelineSummary]:
        """Return the pipelines that are meant."""
        raise NotImplementedError

    def action_abort(self) -> None:
        """Stop all builds of pipelines."""
        self._stop("Abort", "abort", ["All its builds are stopped wherever they are; those that wait do not begin."])

    def action_cancel(self) -> None:
        """Withdraw what has not begun."""
        self._stop("Cancel what waits of", "cancel", ["Builds that have not started are withdrawn; others go on."])

    def _stop(self, does: str, verb: str, effects: Sequence[str]) -> None:
        live = [one for one in self.targets() if one.state == "running"]
        if not live:
            self.console.tell("There is nothing to stop: it has ended.")
            return
        command = "; ".join(commands.of(verb, one.id) for one in live)
        requests = [(f"pipelines.{verb}", {"id": one.id}) for one in live]
        self.ask_to(Deed(f"{does} {_named(live)}?", effects, command, requests))

    def action_rerun(self, failed: bool) -> None:
        """Run pipelines once more, whole or only what failed and what hangs on it."""
        found = self.targets()
        if not found:
            return
        what = "what failed of " if failed else ""
        says = (
            "Only what failed, and what needs that; what succeeded counts." if failed else "All of it, from the start."
        )
        words = ["--failed"] if failed else []
        command = "; ".join(commands.of("rerun", *words, one.id) for one in found)
        requests = [("pipelines.rerun", {"id": one.id, "failed": failed}) for one in found]
        self.ask_to(Deed(f"Run {what}{_named(found)} again?", [says], command, requests, "Accepted"))


def _named(found: Sequence[PipelineSummary]) -> str:
    return names([clean(f"{one.id} of {one.project}") for one in found])
