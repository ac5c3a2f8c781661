"""A screen that is one page of text: everything that is known of one thing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from ....core.errors import OrchestraError
from ..cells import Tone, clean
from ..paper import Paper
from ..statusline import StatusLine
from ..telling import Lines
from .base import Place

if TYPE_CHECKING:
    from textual.widget import Widget


class DocumentScreen(Place):
    """A page; asked for anew when something changes."""

    INTEREST = frozenset({"build", "agent", "job", "task"})

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,h,left", "back", "Back", id="back"),
        Binding("A", "copy_all", "Copy all", show=False, id="document.copy"),
    ]

    def __init__(self, place: str, title: str, lines: Callable[[], Awaitable[Lines]], command: str) -> None:
        """Show, as part of the screen `place`, what `lines` returns; `command` shows the same."""
        super().__init__()
        self._place = place
        self._title = title
        self._read = lines
        self._command = command

    @property
    def place(self) -> str:
        """See Place."""
        return self._place

    def body(self) -> Iterable[Widget]:
        """See Place."""
        yield Paper(id="paper")
        yield StatusLine("status")

    def on_mount(self) -> None:
        """The screen is there."""
        super().on_mount()
        self.query_one(Paper).focus()
        self._say()

    def ask(self) -> None:
        """See Place."""
        self.run_worker(self._ask_lines, group="ask", exclusive=True)

    async def _ask_lines(self) -> None:
        paper = self.query_one(Paper)
        try:
            paper.write(await self._read())
        except OrchestraError as error:
            if not paper.text:
                paper.write([[(clean(str(error)), Tone.BAD)]])
        self._say()

    def _say(self) -> None:
        if not self.stands:
            return
        self.query_one(StatusLine).say([(clean(self._title), Tone.TITLE)], self.query_one(Paper).position)

    def tick(self) -> None:
        """See Place."""
        super().tick()
        self._say()

    def action_back(self) -> None:
        """Go back."""
        self.console.action_return()

    def action_copy_all(self) -> None:
        """Copy the page."""
        self.console.copy(Text(self.query_one(Paper).text).plain)

    def command(self) -> str:
        """See Place."""
        return self._command
