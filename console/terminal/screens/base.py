"""What all screens share: head, foot, being told of changes, having things done, the command one could type.

A screen asks the feed when it is shown, when something it shows has changed, and once in a while in any case: an event
that was lost must not leave something wrong on the screen for long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from ....core.api.submitting import Submitted
from ....core.api.tasks import OneTask
from ....core.errors import OrchestraError
from ...feed.contract import Feed, Link
from ..cells import clean
from ..dialogs import Confirm
from ..header import Header
from ..keysline import KeysLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ..app import Console

RESYNC_S = 15.0
"""Seconds after which a screen asks again though nothing was told."""


class Deed(NamedTuple):
    """Something that is done when whoever is asked says yes."""

    title: str  # what would be done to what, as a question
    effects: Sequence[str]  # what comes of it, sentences
    command: str  # that does the same
    requests: Sequence[tuple[str, dict[str, Any]]]  # methods and their parameters, one after the other
    done: str = ""  # what is said above the outcome


BEGIN_TYPING = frozenset({"filter", "search", "only"})
"""Actions that open a line to type in. Their keys have priority: the next key is looked at only when the line is open,
however quickly it comes, so that no letter of a filter is taken for an action."""


class Place(Screen[None]):
    """A screen with head and foot."""

    PLACE: ClassVar[str] = ""  # which of header.PLACES it is, or belongs to
    TITLE: ClassVar[str | None] = None
    INTEREST: ClassVar[frozenset[str]] = frozenset()  # kinds of events that concern it
    NEEDS: ClassVar[dict[str, str]] = {}  # name of an action -> method without which it cannot be done

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy_command", "Copy command", show=False, id="command.copy"),
        Binding("ctrl+r,f5", "again", "Ask again", show=False, id="again"),
        Binding("tab", "app.focus_next", "Next part", show=False, id="part.next"),
        Binding("shift+tab", "app.focus_previous", "Part before", show=False, id="part.previous"),
    ]

    DEFAULT_CSS = """
    Place { background: $background; }
    """

    def compose(self) -> ComposeResult:
        """See Screen."""
        yield Header(self.place)
        yield from self.body()
        yield KeysLine()

    def body(self) -> Iterable[Widget]:
        """Return what is between head and foot."""
        return ()

    @property
    def place(self) -> str:
        """Which of header.PLACES it is, or belongs to."""
        return self.PLACE

    @property
    def stands(self) -> bool:
        """Whether its parts are there: not before it was mounted, and not while it is taken away, part by part."""
        # what goes, and when the app ends everything, keeps some of its parts for a while; by then it is on no stack
        return self.is_mounted and bool(self.children) and self.app.is_running and self in self.app.screen_stack

    # -- the app and its feed

    @property
    def console(self) -> Console:
        """The app."""
        return cast("Console", self.app)

    @property
    def feed(self) -> Feed:
        """Where the data comes from."""
        return self.console.feed

    def on_mount(self) -> None:
        """The screen is there."""
        self._asked = self.feed.clock()
        self.on_standing()
        self.call_after_refresh(self.ask)

    def on_screen_resume(self) -> None:
        """The screen is shown again."""
        self.on_standing()
        if self.stands:
            self.ask_soon()

    def on_standing(self) -> None:
        """How the feed stands has changed, or a second went by."""
        for header in self.query(Header):
            header.tell(self.feed.standing, self.feed.clock(), readonly=self.console.readonly)

    def on_changes(self, kinds: set[str], builds: set[str]) -> None:  # noqa: ARG002 - screens may look at it
        """Something happened: events of these kinds, about these builds."""
        if kinds & self.INTEREST:
            self.ask_soon()

    def tick(self) -> None:
        """A second went by."""
        self.on_standing()
        if self.feed.clock() - self._asked > RESYNC_S and self.feed.standing.link is Link.LIVE:
            self.ask_soon()

    def ask_soon(self) -> None:
        """Ask the feed for what is shown."""
        self._asked = self.feed.clock()
        self.ask()

    def ask(self) -> None:
        """Ask the feed for what is shown; screens say how."""

    def action_again(self) -> None:
        """Ask again at once."""
        self.ask_soon()

    # -- doing things

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - as Textual has it
        """Whether an action can be done: nothing is changed where one only looks, or the feed has no such method.

        A key that begins a line to type in is a letter like others while one types.
        """
        if action in BEGIN_TYPING and isinstance(self.focused, Input):
            return False
        needed = self.NEEDS.get(action)
        return needed is None or needed in self.feed.methods

    def command(self) -> str:
        """Return the command that shows the same on the command line."""
        return "orchestra status"

    def action_copy_command(self) -> None:
        """Copy the command that does the same."""
        self.console.copy(self.command())

    def ask_to(self, deed: Deed) -> None:
        """Ask whether to do something, and do it."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.do_each(deed.requests, deed.done)

        self.app.push_screen(Confirm(deed.title, deed.effects, deed.command, self.console.copy), answered)

    def do_each(self, requests: Sequence[tuple[str, dict[str, Any]]], title: str = "") -> None:
        """Make requests one after the other; tell what came of each, under a title."""

        async def each() -> None:
            done: list[str] = []
            for method, asked in requests:
                try:
                    done.append(_outcome(await self.feed.call(method, **asked)))
                except OrchestraError as error:
                    self.console.tell_problem(error)
            if done:
                self.console.tell(names(done, 4), title)
            self.ask_soon()

        self.run_worker(each, group="work")

    def do(self, work: Awaitable[Any], then: Callable[[Any], None] | None = None) -> None:
        """Have a request made; what goes wrong is told."""

        async def done() -> None:
            try:
                answer = await work
            except OrchestraError as error:
                self.console.tell_problem(error)
                return
            if then is not None:
                then(answer)

        self.run_worker(done, group="work")

    async def ask_feed(self, method: str, **params: object) -> Any | None:  # noqa: ANN401 - the method decides the type
        """Return an answer; None, where that cannot be had, after showing why: the head says it if nobody answers."""
        try:
            return await self.feed.call(method, **params)
        except OrchestraError as error:
            self.on_problem(clean(str(error)))
            return None

    def on_problem(self, text: str) -> None:
        """What is shown could not be asked for; screens say where that is told."""

    @on(Header.Chosen)
    def _on_chosen(self, event: Header.Chosen) -> None:
        self.run_worker(partial(self.console.action_go, event.place))


def _outcome(found: OneTask | Submitted) -> str:
    """Return in a few words what came of a request."""
    if isinstance(found, OneTask):
        return found.task.outcome
    return names([f"{one.project}/{one.job}#{one.number}" for one in found.builds])


def names(texts: Sequence[str], most: int = 3) -> str:
    """Return a few names, and how many more there are."""
    shown = ", ".join(texts[:most])
    return f"{shown} and {len(texts) - most} more" if len(texts) > most else shown
