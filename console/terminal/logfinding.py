"""Looking for something in a log: a regular expression either way, only the lines that match, the first error.

However long the log is: what one sees stays usable meanwhile, how far it was looked is told, escape ends it.
"""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from ...core.errors import InvalidInput, OrchestraError
from ..feed import patterns
from ..feed.logfilter import Matching
from ..feed.logsearch import backward, forward
from ..feed.patterns import Pattern
from .cells import Part, Tone, clean
from .logview import LogView
from .screens.base import Place
from .statusline import Asking


class LogFinding(Place):
    """A screen with a log in which one can look for something."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", key_display="/", priority=True, id="log.search"),
        Binding("n", "next", "Next match", show=False, id="log.next"),
        Binding("N", "previous", "Match before", show=False, id="log.previous"),
        Binding(
            "ampersand", "only", "Only lines that match", show=False, key_display="&", priority=True, id="log.filter"
        ),
        Binding("exclamation_mark", "error", "First error", key_display="!", id="log.error"),
    ]

    def __init__(self) -> None:
        """Look for nothing yet."""
        super().__init__()
        self._pattern: Pattern | None = None
        self._text = ""  # what is looked for, as it was typed
        self._filtering = False  # whether what is being typed is for a filter
        self._progress = ""  # how far it was looked
        self._said = ""  # what came of the last search

    @property
    def log_view(self) -> LogView:
        """The log."""
        raise NotImplementedError

    def say_status(self) -> None:
        """Draw the line below the log."""
        raise NotImplementedError

    def finding(self) -> list[Part]:
        """Return what is said of it below the log."""
        parts: list[Part] = []
        matching = self.log_view.matching
        if matching is not None:
            more = "" if matching.done else f", looked through {matching.share:.0%}"
            full = " and older ones" if matching.full else ""
            parts.append((f"  & {clean(self._text)}: {matching.count:,} lines{full}{more}", Tone.ACCENT))
        elif self._text:
            parts.append((f"  / {clean(self._text)}", Tone.ACCENT))
        if self._progress:
            parts.append((f"  {self._progress}  esc stops", Tone.BUSY))
        elif self._said:
            parts.append((f"  {self._said}", Tone.WARN))
        return parts

    # -- typing

    def action_search(self) -> None:
        """Type what to search for."""
        self._ask_for("regular expression; n and N go on", filtering=False)

    def action_only(self) -> None:
        """Type what lines have to match to be shown."""
        self._ask_for("show only lines that match this regular expression", filtering=True)

    def _ask_for(self, hint: str, *, filtering: bool) -> None:
        self._filtering = filtering
        self.query_one("#asking", Asking).open(self._text, hint)

    @on(Input.Submitted, "#asking")
    def _on_typed(self, event: Input.Submitted) -> None:
        try:
            pattern = Pattern(event.value) if event.value else None
        except InvalidInput as error:
            self._said = clean(str(error))
            self.say_status()
            return
        self._leave_asking()
        self._seek(event.value, pattern)
        if pattern is None:
            self._show_all()
        elif self._filtering:
            self._show_matching(pattern)
        else:
            self.action_next()

    @on(Asking.Left)
    def _on_left(self) -> None:
        self._leave_asking()

    def _leave_asking(self) -> None:
        self.query_one("#asking", Asking).close()
        self.log_view.focus()

    def _seek(self, text: str, pattern: Pattern | None) -> None:
        self._text, self._pattern, self._said = text, pattern, ""
        self.log_view.highlight = pattern
        self.log_view.refresh()
        self.say_status()

    # -- searching

    def action_next(self) -> None:
        """Go to the next line that matches."""
        if self._pattern is None:
            self.action_search()
            return
        self._look(self._pattern, backwards=False)

    def action_previous(self) -> None:
        """Go to the line before that matches."""
        if self._pattern is None:
            self.action_search()
            return
        self._look(self._pattern, backwards=True)

    def action_error(self) -> None:
        """Go to the first line that says what went wrong; again: to the next one."""
        row = self.log_view.cursor
        again = row is not None and not self.log_view.follow and self._said == _AT_ERROR
        self._look(
            patterns.errors(), backwards=False, begin=row.stop if again and row else self._failed_step(), errors=True
        )

    def _failed_step(self) -> int:
        """Return where the output of the step that failed begins: 0 where none did."""
        lines = self.log_view.lines
        failed = [one for one in (lines.steps if lines else ()) if one.state in {"failed", "error", "timeout"}]
        return failed[0].log_start if failed else 0

    def _look(self, pattern: Pattern, *, backwards: bool, begin: int | None = None, errors: bool = False) -> None:
        view = self.log_view
        if view.bytes is None or view.cursor is None:
            return
        if begin is None:
            begin = view.cursor.start if backwards else view.cursor.stop
        self.run_worker(
            partial(self._search, pattern, begin, backwards=backwards, errors=errors), group="find", exclusive=True
        )

    async def _search(self, pattern: Pattern, begin: int, *, backwards: bool, errors: bool) -> None:
        """Look from `begin` to the end of that way, then from the other end up to it."""
        log = self.log_view.bytes
        if log is None:
            return
        self._said = ""
        try:
            ways = (
                [backward(log, pattern, begin), backward(log, pattern, log.size)]
                if backwards
                else [forward(log, pattern, begin, log.size), forward(log, pattern, 0, begin)]
            )
            for number, way in enumerate(ways):
                async with aclosing(way) as found:
                    async for one in found:
                        self._progress = f"looked up to {one.at * 100 // max(1, log.size)}%"
                        self.say_status()
                        if one.start is None or (errors and not patterns.is_error(one.line)):
                            continue
                        self._said = _AT_ERROR if errors else "from the other end" if number else ""
                        await self.log_view.go(one.start)
                        return
            self._said = "nothing looks like an error" if errors else "no match"
        except OrchestraError as error:
            self._said = clean(str(error))
        finally:
            self._progress = ""
            self.say_status()

    # -- filtering

    def _show_matching(self, pattern: Pattern) -> None:
        log = self.log_view.bytes
        if log is not None:
            matching = Matching(log, pattern)
            self.log_view.show_only(matching)
            self.run_worker(partial(self._filter, matching), group="find", exclusive=True)

    async def _filter(self, matching: Matching) -> None:
        try:
            async with aclosing(matching.look_back()) as looking:
                async for _ in looking:
                    if not self.stands:
                        return
                    self.log_view.action_end()
                    self.say_status()
        except OrchestraError as error:
            self._said = clean(str(error))
        if self.stands:
            self.log_view.action_end()
            self.say_status()

    def _show_all(self) -> None:
        row = self.log_view.cursor
        was_filtered = self.log_view.matching is not None
        self.log_view.show_only(None)
        if was_filtered and row is not None:
            self.run_worker(partial(self.log_view.go, row.start), group="find", exclusive=True)

    def leave_finding(self) -> bool:
        """Leave the search that goes on, the selection, the filter or the pattern. Whether there was any."""
        view = self.log_view
        if self._progress:
            self.workers.cancel_group(self, "find")
        elif view.selecting is not None:
            view.selecting = None
            view.refresh()
        elif view.matching is not None:
            self.workers.cancel_group(self, "find")
            self._seek("", None)
            self._show_all()
        elif self._pattern is not None:
            self._seek("", None)
        elif self._said:
            self._said = ""
        else:
            return False
        self.say_status()
        return True


_AT_ERROR = "! goes to the next error"
