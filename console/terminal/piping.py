"""What can be done with pipelines, the same wherever some are shown: abort, cancel, run again whole or in part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from ...core import api
from ...core.errors import OrchestraError
from ...core.views import PipelineSummary
from . import commands
from .cells import clean
from .dialogs import Confirm
from .screens.base import Place, names


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
        self._ask(f"{does} {_named(live)}?", effects, command, f"pipelines.{verb}", live, {})

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
        self._ask(f"Run {what}{_named(found)} again?", [says], command, "pipelines.rerun", found, {"failed": failed})

    def _ask(  # noqa: PLR0913, PLR0917 - the parts of a question
        self,
        title: str,
        effects: Sequence[str],
        command: str,
        method: str,
        found: Sequence[PipelineSummary],
        asked: dict[str, Any],
    ) -> None:
        async def each() -> None:
            done: list[str] = []
            for one in found:
                try:
                    answer: api.OneTask | api.Submitted = await self.feed.call(method, id=one.id, **asked)
                except OrchestraError as error:
                    self.console.tell_problem(error)
                    continue
                done.append(answer.task.outcome if isinstance(answer, api.OneTask) else f"{answer.pipeline} begins")
            if done:
                self.console.tell(names(done, 4))
            self.ask_soon()

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(each, group="work")

        self.app.push_screen(Confirm(title, effects, command, self.console.copy), answered)


def _named(found: Sequence[PipelineSummary]) -> str:
    return names([clean(f"{one.id} of {one.project}") for one in found])
