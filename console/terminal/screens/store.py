"""The screen Store: every collection of whichever database is configured; filter, order, each record as a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

import msgspec
from textual.binding import Binding, BindingType

from ....core.api.events import EVENT_KINDS
from ....core.browsing import CollectionView, Counting, FieldView, Rows, StoreView
from ...feed.contract import Link
from ...feed.listing import Listing
from ...feed.listing import Rows as Window
from ...feed.ordering import FEW, soon
from ...feed.pages import Pages
from ...feed.words import Wish
from ...format import size
from .. import commands
from ..cells import Part, Tone, clean, state
from ..columns import Column
from ..statusline import StatusLine
from ..telling import Lines
from .document import DocumentScreen
from .listed import Listed

if TYPE_CHECKING:
    from textual.widget import Widget

CHANGING = EVENT_KINDS | {"standing"}
"""Whatever happens may be a record."""

SHOWN = 9
"""Fields of a collection that are shown as columns unless somebody chooses others."""


def _rows(one: CollectionView, _: datetime) -> Part:
    return f"{one.rows:,}", Tone.PLAIN


def _fields(one: CollectionView, _: datetime) -> Part:
    return clean(" ".join(field.name for field in one.fields)), Tone.DIM


class StoreScreen(Listed):
    """The collections."""

    PLACE = "store"
    INTEREST = CHANGING
    EMPTY = "The store has no collections."
    ORDER: ClassVar[Mapping[str, bool]] = {}
    COLUMNS: ClassVar[Sequence[Column]] = (
        Column(
            "name", "COLLECTION", lambda one, _: (clean(one.name), Tone.STRONG), 12, 24, 0, value=lambda one: one.name
        ),
        Column("rows", "RECORDS", _rows, 8, 14, 1, right=True, value=lambda one: one.rows),
        Column("caption", "WHAT IS IN IT", lambda one, _: (clean(one.caption), Tone.PLAIN), 20, 70, 2),
        Column("fields", "FIELDS", _fields, 16, 120, 3),
    )

    def __init__(self) -> None:
        """Show the collections."""
        super().__init__()
        self._store: StoreView | None = None

    def body(self) -> Iterable[Widget]:
        """See Place."""
        yield StatusLine("store")
        yield from super().body()

    def key_of(self, row: Any) -> str:  # noqa: ANN401 - a CollectionView
        """See Listed."""
        return cast("CollectionView", row).name

    def source(self, wish: Wish) -> Window:
        """See Listed."""
        values = {one.name: one.value for one in self.COLUMNS if one.value}
        order = [(values[name], down) for name, down in self.table.order.items() if name in values]

        async def fetch() -> Sequence[CollectionView]:
            found: StoreView = await self.feed.call("store.describe")
            self._store = found
            self._say()
            return found.collections

        return Listing(fetch, self.wanted(wish), order)

    def _say(self) -> None:
        found = self._store
        if found is None or not self.stands:
            return
        parts: list[Part] = [
            (clean(found.kind), Tone.STRONG),
            (f"  {clean(found.url)}  ", Tone.DIM),
            (f"{size(found.bytes)}  schema {found.schema}  entry {found.applied:,}", Tone.DIM),
        ]
        if found.behind or found.problem:
            parts.append((f"  {found.behind:,} builds behind: {clean(found.problem) or 'it follows'}", Tone.WARN))
        self.query_one("#store", StatusLine).say(parts)

    def on_open(self, row: Any) -> None:  # noqa: ANN401 - a CollectionView
        """See Listed."""
        self.console.show(CollectionScreen(cast("CollectionView", row)))

    def command(self) -> str:
        """See Place."""
        return commands.of("store", "info")


class CollectionScreen(Listed):
    """The records of one collection."""

    PLACE = "store"
    SEARCHED = True
    INTEREST = CHANGING
    EMPTY = "This collection has no records."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "again", "Ask again", show=False, id="store.again"),
    ]

    def __init__(self, collection: CollectionView) -> None:
        """Show the records of `collection`."""
        self._collection = collection
        self._by_name = {one.name: one for one in collection.fields}
        super().__init__()

    @property
    def hint(self) -> str:
        """See Listed."""
        return f"words, or {' '.join(f'{one.name}:' for one in self._collection.fields[:6])} ..."

    @property
    def state_name(self) -> str:
        """See Listed."""
        return f"store.{self._collection.name}"

    @property
    def filter_fields(self) -> Mapping[str, str]:
        """See Listed."""
        return {one.name: one.name for one in self._collection.fields}

    @property
    def filter_numbers(self) -> frozenset[str]:
        """See Listed."""
        return frozenset(one.name for one in self._collection.fields if one.kind == "integer")

    def columns(self) -> Sequence[Column]:
        """See Listed: the collection's fields."""
        return tuple(_column(one, place) for place, one in enumerate(self._collection.fields))

    def key_of(self, row: Any) -> str:  # noqa: ANN401 - a record
        """See Listed."""
        identity = ("project", "name") if "name" in row and "project" in row else self._collection.key
        return "/".join(str(row.get(name, "")) for name in identity) or str(row.get("id", row))

    def texts_of(self, row: Any) -> Sequence[str]:  # noqa: ANN401 - a record
        """See Listed: all that a record says."""
        return [str(value) for value in cast("dict[str, Any]", row).values()]

    def source(self, wish: Wish) -> Window:
        """See Listed."""
        name = self._collection.name
        order = self._order(self.table.order)
        asked: dict[str, Any] = {"collection": name, "where": wish.where}
        if wish.search:
            asked["search"] = wish.search

        async def fetch(reverse: bool, after: str | None, limit: int) -> tuple[Sequence[Any], str | None]:
            wanted = self._reversed(order) if reverse else order
            found: Rows = await self.feed.call("store.query", **asked, order=wanted, limit=limit, after=after)
            return found.rows, found.next

        async def count() -> tuple[int, bool]:
            found: Counting = await self.feed.call("store.count", **asked)
            return found.rows, found.exact

        return Pages(fetch, self.wanted(wish), count=count)

    @staticmethod
    def _order(order: Mapping[str, bool]) -> str:
        return ",".join(("-" if down else "") + name for name, down in order.items())

    def _reversed(self, order: str) -> str:
        """Return the order that begins at the other end."""
        first = self._collection.key[0]
        order = order or ("-" if self._collection.newest_first else "") + first
        return ",".join(part[1:] if part.startswith("-") else f"-{part}" for part in order.split(","))

    def check_order(self, order: dict[str, bool]) -> str:
        """See Listed: many records are not sorted while somebody waits."""
        few = self.few or self._collection.rows <= FEW
        if soon(self._collection.name, self._order(order).split(","), self.wish.where, few=few):
            return ""
        return f"More than {FEW:,} records can be had by fields with *, all one way; filter first for others."

    def on_open(self, row: Any) -> None:  # noqa: ANN401 - a record
        """See Listed."""
        record = cast("dict[str, Any]", row)
        key = self.key_of(row)

        async def lines() -> Lines:
            return document(record, self._by_name)

        where = {name: record[name] for name in ("id", *self._collection.key) if name in record}
        asked = msgspec.json.encode({"collection": self._collection.name, "where": where}).decode()
        title = f"{self._collection.name} {clean(key)}"
        self.console.show(DocumentScreen(self.PLACE, title, lines, commands.of("call", "store.query", asked)))

    def status(self) -> list[Part]:
        """See Listed."""
        return [(f"{clean(self._collection.name)}  ", Tone.TITLE), *super().status()]

    def command(self) -> str:
        """See Place."""
        standing = self.feed.standing
        alone = ["--store", standing.source] if standing.link is Link.STORE else []
        order = self._order(self.table.order)
        return commands.query(self._collection.name, self.wish.where, order, self.wish.search, *alone)


def _column(field: FieldView, place: int) -> Column:
    def show(row: Mapping[str, Any], _: datetime) -> Part:
        return value_of(row.get(field.name), field)

    title = clean(field.name).upper() + ("*" if field.indexed else "")
    wide = {"integer": 10, "instant": 19}.get(field.kind, 40)
    return Column(
        field.name,
        title,
        show,
        low=min(wide, 10),
        high=wide,
        rank=place,
        right=field.kind == "integer",
        order=field.name,
        chosen=place < SHOWN,
    )


def value_of(value: object, field: FieldView | None = None) -> Part:
    """Return a value as it is shown in a column."""
    if value is None or value == "":
        return "-", Tone.DIM
    if field is not None and field.kind == "instant" and isinstance(value, int):
        return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S}", Tone.DIM
    if field is not None and field.name == "state" and isinstance(value, str):
        return state(value)
    if isinstance(value, dict | list):
        return clean(msgspec.json.encode(value).decode()), Tone.PLAIN
    return clean(str(value)), Tone.PLAIN


def document(record: Mapping[str, Any], fields: Mapping[str, FieldView]) -> Lines:
    """Return a record with everything in it, nested things indented."""
    lines: Lines = []
    for name, value in record.items():
        field = fields.get(name)
        if isinstance(value, dict | list) and value:
            lines.append([(f"{clean(name)}:", Tone.TITLE)])
            lines += _nested(value, 1)
        else:
            lines.append([(f"{clean(name):<12} ", Tone.DIM), value_of(value, field)])
            if field is not None and field.kind == "instant" and isinstance(value, int):
                lines[-1].append((f"  ({value})", Tone.DIM))
    return lines


def _nested(value: object, depth: int) -> Lines:
    indent = "  " * depth
    lines: Lines = []
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            if isinstance(inner, dict | list) and inner:
                lines.append([(f"{indent}{clean(str(name))}:", Tone.DIM)])
                lines += _nested(inner, depth + 1)
            else:
                lines.append([(f"{indent}{clean(str(name))}: ", Tone.DIM), value_of(inner)])
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            if isinstance(inner, dict | list) and inner:
                lines.append([(f"{indent}-", Tone.DIM)])
                lines += _nested(inner, depth + 1)
            else:
                lines.append([(f"{indent}- ", Tone.DIM), value_of(inner)])
    return lines
