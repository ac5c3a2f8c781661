"""A screen that is a table: filtering, ordering, choosing columns, opening, all the same wherever there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from ....core.errors import InvalidInput
from ...feed.listing import Rows
from ...feed.ordering import FEW
from ...feed.words import Wish, matches, parse
from ..cells import Part, Tone, clean
from ..columns import Column
from ..dialogs import Choice, Several
from ..statusline import Asking, StatusLine
from ..table import Table
from .base import Place

if TYPE_CHECKING:
    from textual.widget import Widget

TYPING_S = 0.12
"""Seconds after the last key before a filter that is being typed is tried."""


class Listed(Place):
    """A table with a filter. What was chosen of it is remembered in the session."""

    COLUMNS: ClassVar[Sequence[Column]] = ()
    FIELDS: ClassVar[Mapping[str, str]] = {}  # names that one may filter by -> fields
    NUMBERS: ClassVar[frozenset[str]] = frozenset()  # fields that hold numbers
    SEARCHED: ClassVar[bool] = False  # words are looked for in an index
    EMPTY: ClassVar[str] = "Nothing here."
    FILTERED: ClassVar[str] = "Nothing like that. esc shows everything."
    HINT: ClassVar[str] = "filter: words, or name:value"
    ORDER: ClassVar[Mapping[str, bool]] = {}  # column name -> descending, to begin with

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", priority=True, id="table.filter"),
        Binding("escape,h,left", "back", "Back", show=False, id="back"),
        Binding("o", "order(False)", "Order", show=False, id="table.order"),
        Binding("O", "order(True)", "Order further", show=False, id="table.order_further"),
        Binding("C", "columns", "Columns", show=False, id="table.columns"),
    ]

    def __init__(self) -> None:
        """Show everything."""
        super().__init__()
        self.wish = Wish()
        self.table = Table(self.columns(), self.key_of, empty=self.EMPTY, id="table")
        self.table.order = dict(self.ORDER)
        self._shown: tuple[Wish, tuple[tuple[str, bool], ...]] | None = None  # what the table was last told to show
        self._all: int | None = None  # rows there are with no filter, where that is known
        self._kept_order: dict[str, bool] = {}  # remembered; to be taken when it is known that rows are few
        self._complaint = ""

    def body(self) -> Iterable[Widget]:
        """See Place."""
        yield self.table
        yield StatusLine("status")
        yield Asking(id="asking")

    @property
    def _asking(self) -> Asking:
        return self.query_one("#asking", Asking)

    # -- for each screen to say

    def columns(self) -> Sequence[Column]:
        """Return the columns there are."""
        return self.COLUMNS

    def key_of(self, row: Any) -> str:  # noqa: ANN401 - of any listing
        """Return what tells a row from others."""
        raise NotImplementedError

    @property
    def state_name(self) -> str:
        """The name under which what was chosen is remembered."""
        return self.PLACE

    @property
    def filter_fields(self) -> Mapping[str, str]:
        """Names that one may filter by -> fields."""
        return self.FIELDS

    @property
    def filter_numbers(self) -> frozenset[str]:
        """Fields that hold numbers."""
        return self.NUMBERS

    @property
    def hint(self) -> str:
        """What may be typed to filter."""
        return self.HINT

    def source(self, wish: Wish) -> Rows:
        """Return the listing with a filter and `self.table.order`."""
        raise NotImplementedError

    def texts_of(self, row: Any) -> Sequence[str]:  # noqa: ANN401 - of any listing
        """Return the texts of a row in which words are looked for: those of all columns."""
        moment = self.console.now()
        return [column.show(row, moment)[0] for column in self.table.all_columns]

    def on_open(self, row: Any) -> None:  # noqa: ANN401 - of any listing
        """Show more of a row."""

    def wanted(self, wish: Wish) -> Callable[[Any], bool] | None:
        """Return whether a row has the words of a filter; None where there are none."""
        if not wish.words:
            return None
        return lambda row: matches(wish.words, self.texts_of(row))

    # -- asking

    def on_mount(self) -> None:
        """The screen is there."""
        kept = self.console.session.table(self.state_name)
        if kept.columns:
            self.table.choose(kept.columns)
        if kept.filter and self.wish.empty:
            self._try(kept.filter)
        if kept.order:
            self._kept_order = {name: down for name, down in kept.order.items() if self._column(name)}
            self._take_kept_order()
        super().on_mount()
        self.table.focus()

    def ask(self) -> None:
        """See Place."""
        wanted = (self.wish, tuple(self.table.order.items()))
        if self._shown != wanted or not self.table.loaded:
            problem = self.check_order(self.table.order)
            if problem:
                self.console.tell(problem)
                self.table.order = dict(self.ORDER)
                wanted = (self.wish, tuple(self.table.order.items()))
            self._shown = wanted
            self.table.empty = self.EMPTY if self.wish.empty else self.FILTERED
            self.table.show(self.source(self.wish))
            self._keep()
        else:
            self.table.look_again()

    def tick(self) -> None:
        """See Place."""
        super().tick()
        self.table.tick()

    def _keep(self) -> None:
        self.console.session.keep_table(
            self.state_name,
            columns=[one.name for one in self.table.columns],
            order=self._kept_order or dict(self.table.order),
            filter=self.wish.text,
        )

    # -- the line below

    def status(self) -> list[Part]:
        """Return what is said below the table."""
        if self._complaint:
            return [(self._complaint, Tone.BAD)]
        parts: list[Part] = []
        if not self.wish.empty:
            parts.append((f"/{clean(self.wish.text)}", Tone.ACCENT))
            parts.append(("  ", Tone.PLAIN))
        if self.table.looked:
            parts.append((f"{self.table.looked}  ", Tone.DIM))
        if self.table.marked:
            parts.append((f"{len(self.table.marked)} marked  ", Tone.MARK))
        if self.table.problem and self.table.rows:
            parts.append((f"not up to date: {self.table.problem}", Tone.WARN))
        if self.table.left_out and not self.table.problem:
            parts.append((f"no room for {self.table.left_out} column{'s' * (self.table.left_out > 1)} (C)", Tone.DIM))
        return parts

    def say_status(self) -> None:
        """Draw the line below."""
        if self.stands:
            self.query_one("#status", StatusLine).say(self.status(), self.table.position)

    @on(Table.Moved)
    def _on_moved(self) -> None:
        if not self.wish.where and not self.wish.search and self.table.total is not None:
            self._all = self.table.total
        if self._kept_order:
            self._take_kept_order()
        self.say_status()

    @on(Table.Opened)
    def _on_opened(self, event: Table.Opened) -> None:
        self.on_open(event.row)

    # -- filtering

    def action_filter(self) -> None:
        """Type a filter."""
        self._asking.open(self.wish.text, self.hint)

    @on(Input.Changed, "#asking")
    def _on_typed(self, event: Input.Changed) -> None:
        if self._asking.is_open:
            text = event.value
            self.set_timer(TYPING_S, lambda: self._try(text) if self._asking.value == text else None)

    def _try(self, text: str) -> None:
        try:
            wish = parse(text, self.filter_fields, self.filter_numbers, indexed=self.SEARCHED)
        except InvalidInput as error:
            self._complaint = clean(str(error))
            self.say_status()
            return
        self._complaint = ""
        if (wish.where, wish.words, wish.search) != (self.wish.where, self.wish.words, self.wish.search):
            self.wish = wish
            self.ask()
        self.say_status()

    @on(Input.Submitted, "#asking")
    def _on_taken(self, event: Input.Submitted) -> None:
        self._try(event.value)
        if not self._complaint:
            self._asking.close()
            self.table.focus()

    @on(Asking.Left)
    def _on_left(self) -> None:
        self._asking.close()
        self._try("")
        self.table.focus()

    def filter_by(self, text: str) -> None:
        """Show only rows of a filter."""
        self._try(text)

    def action_back(self) -> None:
        """Take the filter away; where there is none, go back to where one came from."""
        if not self.wish.empty or self._complaint:
            self._try("")
        elif self.table.marked:
            self.table.action_unmark()
        else:
            self.console.action_return()

    # -- ordering and columns

    def _column(self, name: str) -> Column | None:
        return next((one for one in self.table.all_columns if one.name == name and (one.order or one.value)), None)

    def action_order(self, further: bool) -> None:
        """Choose what the table is ordered by."""
        signs = {True: " ↓", False: " ↑"}
        choices = [
            (one.name, f"{one.title}{signs[self.table.order[one.name]] if one.name in self.table.order else ''}")
            for one in self.table.all_columns
            if one.order or one.value
        ]
        title = "Order further by" if further else "Order by"
        self.app.push_screen(
            Choice(title, choices, "enter takes one (again: the other way round), esc leaves it"),
            lambda name: self._order_by(name, further=further) if name else None,
        )

    @on(Table.OrderWanted)
    def _on_order_wanted(self, event: Table.OrderWanted) -> None:
        if self._column(event.column.name):
            self._order_by(event.column.name, further=event.further)

    def _order_by(self, name: str, *, further: bool) -> None:
        order = dict(self.table.order)
        if further:
            order[name] = not order[name] if name in order else False
        else:
            order = {name: not order[name] if list(order) == [name] else False}
        problem = self.check_order(order)
        if problem:
            self.console.tell(problem)
            return
        self._kept_order = {}
        self.table.order = order
        self.ask()

    def _take_kept_order(self) -> None:
        """Take the remembered order, if rows can be had in it."""
        if not self.check_order(self._kept_order):
            self.table.order, self._kept_order = self._kept_order, {}
            if self.stands and self._shown is not None:
                self.ask()

    @property
    def few(self) -> bool:
        """Whether it is known that there are few enough rows to sort them in any order."""
        here = self.table.total if self._shown is not None and self._shown[0] is self.wish else None
        return any(count is not None and count <= FEW for count in (here, self._all))

    def check_order(self, order: dict[str, bool]) -> str:  # noqa: ARG002 - screens may look at it
        """Return why rows cannot be had in an order (column name -> descending); empty: they can."""
        return ""

    def action_columns(self) -> None:
        """Choose which columns are shown."""
        shown = [one.name for one in self.table.columns]
        choices = [(one.name, one.title.strip() or one.name, one.name in shown) for one in self.table.all_columns]
        self.app.push_screen(Several("Columns", choices), self._on_columns)

    def _on_columns(self, chosen: list[str] | None) -> None:
        if chosen:
            self.table.choose(chosen)
            self._keep()
