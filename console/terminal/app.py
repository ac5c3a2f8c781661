"""The app: the screens and the way between them, one feed for all, a clock, messages, the theme."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar, cast

from msgspec.structs import replace
from textual.app import App
from textual.binding import Binding, BindingType
from textual.widgets import Input

from ...core.api.network import Status
from ...core.errors import OrchestraError
from ...core.views.agents import AgentView
from ..feed.contract import Feed, Heard, Link
from ..feed.insight import Insight
from ..feed.looking import LookingFeed
from ..format import now
from . import desktop
from .cells import clean
from .header import PLACES
from .loads import Loads
from .screens.base import Place
from .screens.catalogue import make
from .screens.listed import Listed
from .session import Session
from .themes import THEMES
from .watching import Watcher

BATCH_S = 0.2
"""Seconds in which changes are gathered before a screen is told: five times a second is as fast as one reads."""

SAVE_S = 20.0
"""Seconds between two times that the session is kept: a terminal may be closed without a word."""

_BOTTOM = 2  # screens of which one sees the upper one when nothing was opened


class Console(App[None]):
    """The terminal console over one feed."""

    TITLE = "Job Orchestra"
    ENABLE_COMMAND_PALETTE = False  # there is our own
    CSS = """
    Screen { background: $background; color: $foreground; }
    ModalScreen { background: $background 60%; &:ansi { background: transparent; } }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"go('{place}')", title, show=False, id=f"go.{place}")
            for place, (key, title) in PLACES.items()
        ),
        Binding("colon", "palette(True)", "Commands", key_display=":", priority=True, id="palette"),
        Binding("ctrl+p", "palette(False)", "Commands", show=False, priority=True, id="palette.anywhere"),
        Binding("question_mark,f1", "help", "Help", key_display="?", id="help"),
        Binding("T", "theme", "Theme", show=False, id="theme"),
        Binding("q", "quit", "Quit", id="quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, id="quit.now"),
    ]

    def __init__(
        self,
        feed: Feed,
        *,
        session: Session | None = None,
        readonly: bool = False,
        keymap: dict[str, str] | None = None,
        now: Callable[[], datetime] = now,
    ) -> None:
        """Show what `feed` tells; `readonly`: change nothing; `keymap`: id of an action -> keys instead of its own.

        `now` tells the time of day.
        """
        # which filter takes the colours away is decided before a theme can be chosen
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.feed = feed = LookingFeed(feed) if readonly else feed
        self.insight = Insight(feed)
        self.session = session or Session()
        self.readonly = readonly
        self.now = now
        self.loads = Loads()
        self.agents: Sequence[AgentView] = ()  # as they were told last
        self.watcher = Watcher(feed, self.session, self._tell_end)
        self._mains: dict[str, Place] = {}
        self._kinds: set[str] = set()
        self._builds: set[str] = set()
        self._waiting = False
        self._stood: tuple[Link, Status | None] = (Link.SEEKING, None)  # as the feed was told to stand last
        for theme in THEMES.values():
            self.register_theme(theme)
        wanted = "terminal" if self.no_color else self.session.state.theme
        self.theme = wanted if wanted in THEMES else "dark"
        if keymap:
            self.set_keymap(keymap)

    def _main(self, place: str) -> Place:
        """Return one of the main screens: the same one each time, so that one finds it as one left it."""
        place = place if place in PLACES else "overview"
        found = self._mains.get(place)
        if found is None:
            found = self._mains[place] = make(place)
            self.install_screen(found, place)
        return found

    def on_mount(self) -> None:
        """The app is there: show the place where one was last."""
        self.push_screen(self._main(self.session.state.place))  # above the empty one that Textual cannot do without
        self.feed.listen(self._on_heard)
        self.run_worker(self.feed.run, group="feed", exit_on_error=True)
        self.set_interval(1.0, self._tick)
        self.set_interval(SAVE_S, self.session.save)

    async def action_quit(self) -> None:
        """End."""
        self.session.save()
        self.exit()

    # -- what happens

    def _on_heard(self, heard: Heard) -> None:
        if heard.kind == "standing":
            if not self._on_standing():
                return
        else:
            build = heard.payload.get("build")
            if isinstance(build, dict):
                self._builds.add(str(build.get("id", "")))
                self.watcher.on_build(build)
        self._kinds.add(heard.kind)
        if not self._waiting:
            self._waiting = True
            self.set_timer(BATCH_S, self._pass_on)

    def _on_standing(self) -> bool:
        """Show how the feed stands; return whether screens are still to be told that it is not as before."""
        standing = self.feed.standing
        status = replace(standing.status, age=0.0) if standing.status else None
        before, self._stood = self._stood, (standing.link, status)
        for place in self._places():
            place.on_standing()
        if standing.link is Link.LOST or before[0] is standing.link:
            return self._stood != before
        if self.watcher.builds:
            self.run_worker(self.watcher.catch_up, group="watch", exclusive=True)
        self._kinds.add("standing")
        self._pass_on()  # at once: they had nobody to ask until now
        return False

    def _tell_end(self, label: str, state: str) -> None:
        """Tell that a build has ended that somebody waits for: here, by the terminal, on the desktop."""
        text = clean(f"{label} {state}")
        good = state == "succeeded"
        self.notify(text, title="Ended", severity="information" if good else "warning", timeout=10, markup=False)
        if self._driver is not None and not self.is_headless:
            self._driver.write(desktop.sequence(text))
        self.run_worker(partial(desktop.notify, "Job Orchestra", text), group="desktop")

    def _pass_on(self) -> None:
        self._waiting = False
        kinds, self._kinds = self._kinds, set()
        builds, self._builds = self._builds, set()
        for place in self._places():
            place.on_changes(kinds, builds)

    def _places(self) -> list[Place]:
        """Return the screen that is shown; under a dialog the one below it."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Place):
                return [screen] if screen.stands else []
        return []

    def _tick(self) -> None:
        self.loads.note(self.agents)
        for place in self._places():
            place.tick()

    # -- going about

    async def action_go(self, place: str) -> None:
        """Go to one of the main screens."""
        while len(self.screen_stack) > _BOTTOM:
            await self.pop_screen()
        self.session.state.place = place
        await self.switch_screen(self._main(place))

    def action_return(self) -> None:
        """Go back to where one came from."""
        if len(self.screen_stack) > _BOTTOM:
            self.pop_screen()

    def show(self, place: Place) -> None:
        """Show a screen above this one; escape leads back."""
        self.push_screen(place)

    def action_theme(self) -> None:
        """Take the next theme."""
        known = list(THEMES)
        self.action_take_theme(known[(known.index(self.theme) + 1) % len(known)] if self.theme in known else known[0])

    def action_take_theme(self, name: str) -> None:
        """Take a theme."""
        if self.no_color:
            self.tell("NO_COLOR is set: there are no colours.")
            return
        self.theme = self.session.state.theme = name
        self.notify(f"Theme: {name}", timeout=2)

    async def action_palette(self, _: bool) -> None:
        """Ask which of all actions to do. Keys wait until the screen stands: whatever comes next is typed there."""
        from .palette import Entry, Palette, entries

        def chosen(entry: Entry | None) -> None:
            if entry is not None:
                self.call_later(self.run_action, entry.action, entry.node)

        await self.push_screen(Palette(entries(self.screen, self)), chosen)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action can be done: the palette over a screen, and not while its key is a letter of a text."""
        if action == "palette":
            return isinstance(self.screen, Place) and not (parameters == (True,) and isinstance(self.focused, Input))
        return super().check_action(action, parameters)

    def action_help(self) -> None:
        """Show the keys of this screen."""
        screen = self.screen
        if isinstance(screen, Place):
            from .screens.help import HelpScreen, keys_of

            self.show(HelpScreen(screen.place, keys_of(screen, self)))

    def agent(self, identity: str) -> AgentView | None:
        """Return an agent, as it was told last."""
        return next((one for one in self.agents if one.id == identity), None)

    def show_builds(self, text: str) -> None:
        """Show the builds of a filter."""
        self.session.keep_filter("builds", text)
        found = self._mains.get("builds")
        if found is not None:
            cast("Listed", found).filter_by(text)
        self.run_worker(partial(self.action_go, "builds"))

    def watch_build(self, build: str, label: str, *, ended: bool) -> None:
        """Tell when a build ends; or no longer."""
        if ended and build not in self.watcher.builds:
            self.tell(f"{label} has ended already.")
        elif self.watcher.toggle(build):
            self.tell(f"{label}: you will be told when it ends.")
        else:
            self.tell(f"{label}: its end will not be told.")

    # -- saying things

    def tell_problem(self, error: OrchestraError) -> None:
        """Tell what went wrong, and what to do about it."""
        self.notify(clean(str(error)), title="Not done", severity="error", timeout=8, markup=False)

    def tell(self, text: str, title: str = "") -> None:
        """Tell what was done."""
        self.notify(clean(text), title=title, timeout=4, markup=False)

    def copy(self, text: str) -> None:
        """Take a text to the clipboard, through the terminal."""
        self.copy_to_clipboard(text)
        self.tell(text if len(text) < 200 else f"{len(text):,} characters", "Copied")  # noqa: PLR2004 - a few lines
