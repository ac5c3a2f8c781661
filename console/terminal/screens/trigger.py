"""The form with which a job is run: a field for each parameter, checked as one types, and the command it comes to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Label, Select, Static

from ....core.api.submitting import Submitted
from ....core.views.jobs import JobView, ParameterDefinition
from .. import commands
from ..cells import clean
from .base import Place

if TYPE_CHECKING:
    from textual.widget import Widget


_WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)  # numbers that a priority can be


class TriggerScreen(Place):
    """Asks for the parameters of a job, and runs it."""

    PLACE = "jobs"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "submit", "Run it", priority=True, id="trigger.submit"),
        Binding("escape", "back", "Back", id="back"),
        Binding("ctrl+y", "copy_command", "Copy command", id="trigger.copy"),
        Binding("down", "app.focus_next", "Next field", show=False, id="trigger.next"),
        Binding("up", "app.focus_previous", "Field before", show=False, id="trigger.previous"),
    ]

    DEFAULT_CSS = """
    TriggerScreen VerticalScroll { padding: 1 2; }
    TriggerScreen Label { padding: 0; text-style: bold; width: 100%; }
    TriggerScreen .about { color: $text-muted; height: auto; }
    TriggerScreen Input, TriggerScreen Select { margin: 0 0 1 0; }
    TriggerScreen Input { height: 1; border: none; background: $panel; padding: 0 1; }
    TriggerScreen Input:focus { border: none; background: $cursor; }
    TriggerScreen Input.-wrong { background: $panel; color: $error; }
    TriggerScreen .problem { color: $error; height: auto; }
    TriggerScreen #command { color: $text-muted; height: auto; padding: 1 0 0 0; }
    """

    def __init__(self, job: JobView) -> None:
        """Ask for what `job` takes."""
        super().__init__()
        self._job = job

    def body(self) -> Iterable[Widget]:
        """See Place."""
        with VerticalScroll() as form:
            form.can_focus = False
            name = f"{self._job.project}/{self._job.name}"
            yield Label(Text(f"Run {clean(name)}"))
            yield Static(Text(clean(self._job.description) or "It has no description."), classes="about")
            yield Static("")
            for number, one in enumerate(self._job.parameters):
                yield Label(Text(clean(one.name) + (" (required)" if one.required else "")))
                yield Static(Text(clean(one.description)), classes="about")
                yield self._field(number, one)
            if not self._job.parameters:
                yield Static(Text("It takes no parameters."), classes="about")
            yield Label(Text("priority"))
            yield Input("", placeholder=f"{self._job.priority}: that of the job", id="priority")
            yield Static("", classes="problem", id="problem")
            yield Static("", id="command")

    @staticmethod
    def _field(number: int, one: ParameterDefinition) -> Widget:
        if one.choices:
            chosen = one.default if one.default in one.choices else Select.NULL
            return Select(
                [(Text(clean(choice)), choice) for choice in one.choices],
                value=chosen,
                allow_blank=one.default is None,
                id=f"parameter-{number}",
                compact=True,
            )
        hint = "" if one.default is None else f"{one.default}: the default" if one.default else "empty by default"
        return Input("", placeholder=clean(hint), id=f"parameter-{number}")

    def on_mount(self) -> None:
        """The screen is there."""
        super().on_mount()
        fields = list(self.query("Input, Select"))
        if fields:
            fields[0].focus()
        self._check()

    # -- what was typed

    def given(self) -> dict[str, str]:
        """Return the values that were given: those that are the default are left out."""
        found: dict[str, str] = {}
        for number, one in enumerate(self._job.parameters):
            field = self.query_one(f"#parameter-{number}")
            if isinstance(field, Select):
                value = "" if field.is_blank() else str(field.value)
                if value and value != one.default:
                    found[one.name] = value
            elif isinstance(field, Input) and field.value:
                found[one.name] = field.value
        return found

    def problem(self) -> str:
        """Return what is wrong with what was typed; empty: nothing."""
        given = self.given()
        for one in self._job.parameters:
            if one.required and one.name not in given and one.default is None:
                return f"{one.name} is required: {'choose one' if one.choices else 'type a value'}"
            if "\0" in given.get(one.name, ""):
                return f"{one.name} holds a NUL character; remove it"
        priority = self.query_one("#priority", Input).value.strip()
        if priority and not _WHOLE.fullmatch(priority):
            return f"priority is a whole number; {priority!r} is none"
        return ""

    @on(Input.Changed)
    @on(Select.Changed)
    def _check(self) -> None:
        problem = self.problem()
        self.query_one("#problem", Static).update(Text(clean(problem)))
        self.query_one("#command", Static).update(Text(clean(f"$ {self.command()}")))

    @property
    def _priority(self) -> int | None:
        text = self.query_one("#priority", Input).value.strip()
        return int(text) if _WHOLE.fullmatch(text) else None

    def command(self) -> str:
        """See Place."""
        return commands.submit(f"{self._job.project}/{self._job.name}", self.given(), self._priority)

    # -- running it

    @on(Input.Submitted)
    def _on_submitted(self) -> None:
        fields = list(self.query("Input, Select"))
        if self.focused is fields[-1]:
            self.action_submit()
        else:
            self.focus_next()

    def action_submit(self) -> None:
        """Run it."""
        problem = self.problem()
        if problem:
            self.query_one("#problem", Static).update(Text(clean(problem)))
            self.app.bell()
            return
        name = f"{self._job.project}/{self._job.name}"
        self.do(
            self.feed.call("builds.submit", job=name, parameters=self.given(), priority=self._priority),
            self._submitted,
        )

    def _submitted(self, found: Submitted) -> None:
        from .build import BuildScreen
        from .pipeline import PipelineScreen

        self.console.action_return()
        build = found.builds[0]
        self.console.tell(f"{build.project}/{build.job}#{build.number} ({build.id})", "Accepted")
        if found.pipeline and len(found.builds) > 1:
            self.console.show(PipelineScreen(found.pipeline))
        else:
            self.console.show(BuildScreen(build.id))

    def action_back(self) -> None:
        """Leave it."""
        self.console.action_return()
