"""A graph of what needs what, drawn from left to right: where each node stands, and the lines between them. Pure.

Nodes stand in columns, each one column behind the last of those it needs; a line that passes a column has a row of its
own there. Within a column nodes are put near those they need. Lines are made of directions that leave a cell, so that
where two meet the right sign comes of itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

GUTTER = 5
"""Cells between two columns: a line leaves, turns and arrives."""

NARROW, WIDE = 10, 26
"""Cells of a column: at least, at most."""

_PASSES = 4  # times that columns are put in order from one side and from the other

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_SIGNS = {
    _UP: "╵",
    _DOWN: "╷",
    _LEFT: "╴",
    _RIGHT: "╶",
    _UP | _DOWN: "│",
    _LEFT | _RIGHT: "─",
    _UP | _LEFT: "╯",
    _UP | _RIGHT: "╰",
    _DOWN | _LEFT: "╮",
    _DOWN | _RIGHT: "╭",
    _UP | _DOWN | _LEFT: "┤",
    _UP | _DOWN | _RIGHT: "├",
    _LEFT | _RIGHT | _UP: "┴",
    _LEFT | _RIGHT | _DOWN: "┬",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
}


@dataclass(frozen=True)
class Spot:
    """Where a node stands."""

    column: int  # which column
    x: int  # its first cell
    y: int  # its line
    width: int  # its cells


@dataclass
class Drawing:
    """A graph as it is drawn."""

    spots: dict[str, Spot]  # node -> where it stands
    lines: list[str]  # the lines between nodes; blank where nodes stand
    width: int  # cells


@dataclass
class _Column:
    """Nodes, and lines that pass, from the top."""

    things: list[str] = field(default_factory=list[str])
    width: int = NARROW


def draw(needs: Mapping[str, Sequence[str]], widths: Mapping[str, int]) -> Drawing:
    """Return how a graph is drawn: `needs` of each node (unknown ones are passed over), and cells each would like."""
    known = {name: [one for one in dict.fromkeys(wanted) if one in needs] for name, wanted in needs.items()}
    depths = _depths(known)
    columns = [_Column() for _ in range(max(depths.values(), default=-1) + 1)]
    edges: list[tuple[str, str]] = []  # between things of neighbouring columns
    for name in known:
        columns[depths[name]].things.append(name)
        columns[depths[name]].width = min(WIDE, max(columns[depths[name]].width, widths.get(name, NARROW)))
    for name, wanted in known.items():
        for one in wanted:
            before = one
            for depth in range(depths[one] + 1, depths[name]):
                passing = f"{one}\0{depth}"  # one line for all that need it further on
                if passing not in columns[depth].things:
                    columns[depth].things.append(passing)
                if (before, passing) not in edges:
                    edges.append((before, passing))
                before = passing
            edges.append((before, name))
    _order(columns, edges)
    return _paint(columns, edges)


def _depths(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the column of each node; a cycle, which no pipeline has, ends somewhere."""
    depths: dict[str, int] = {}

    def depth(name: str, above: frozenset[str]) -> int:
        if name not in depths:
            found = [depth(one, above | {name}) + 1 for one in needs[name] if one not in above]
            depths[name] = max(found, default=0)
        return depths[name]

    for name in needs:
        depth(name, frozenset({name}))
    return depths


def _order(columns: Sequence[_Column], edges: Sequence[tuple[str, str]]) -> None:
    """Put things near those that they are connected with, looking from the left and from the right in turns."""
    for turn in range(_PASSES):
        forward = turn % 2 == 0
        for place in range(1, len(columns)) if forward else range(len(columns) - 2, -1, -1):
            neighbour = columns[place - 1 if forward else place + 1].things
            rank = {thing: number for number, thing in enumerate(neighbour)}
            linked: dict[str, list[int]] = {}
            for begin, end in edges:
                here, there = (end, begin) if forward else (begin, end)
                if there in rank:
                    linked.setdefault(here, []).append(rank[there])
            before = {thing: number for number, thing in enumerate(columns[place].things)}
            columns[place].things.sort(
                key=lambda thing: (
                    sum(linked[thing]) / len(linked[thing]) if thing in linked else float(before[thing]),
                    before[thing],
                )
            )


def _paint(columns: Sequence[_Column], edges: Sequence[tuple[str, str]]) -> Drawing:
    rows = _rows(columns)
    tracks = [_tracks(column.things, edges, rows) for column in columns]
    spots: dict[str, Spot] = {}
    x = 0
    for number, column in enumerate(columns):
        for thing in column.things:
            spots[thing] = Spot(number, x, rows[thing], column.width)
        x += column.width + GUTTER + max(tracks[number].values(), default=0)
    canvas = _Canvas()
    for begin, end in edges:
        left, right = spots[begin], spots[end]
        canvas.connect(left, right, left.x + left.width + GUTTER // 2 + tracks[left.column][begin])
    for thing, spot in spots.items():
        if "\0" in thing:  # a line that passes
            canvas.across(spot.x, spot.x + spot.width, spot.y)
    height = max(rows.values(), default=-1) + 1
    width = max((spot.x + spot.width for spot in spots.values()), default=0)
    return Drawing(
        {thing: spot for thing, spot in spots.items() if "\0" not in thing}, canvas.lines(width, height), width
    )


def _rows(columns: Sequence[_Column]) -> dict[str, int]:
    """Return the line of each thing: every other one, each column in the middle."""
    most = max((len(one.things) for one in columns), default=0)
    return {
        thing: 2 * place + most - len(column.things) for column in columns for place, thing in enumerate(column.things)
    }


def _tracks(things: Sequence[str], edges: Sequence[tuple[str, str]], rows: Mapping[str, int]) -> dict[str, int]:
    """Return in which place of the gutter the lines from each thing turn: no two run in the same one side by side."""
    taken: list[list[tuple[int, int, int]]] = []  # of each track, the stretches in use, and where their lines come from
    found: dict[str, int] = {}
    for thing in things:
        ends = [rows[end] for begin, end in edges if begin == thing]
        stretch = (min([rows[thing], *ends]), max([rows[thing], *ends]))
        if stretch[0] == stretch[1]:
            found[thing] = 0
            continue
        free = (
            track
            for track in range(len(taken) + 1)
            if track == len(taken) or all(_apart((*stretch, rows[thing]), one) for one in taken[track])
        )
        found[thing] = next(free)
        if found[thing] == len(taken):
            taken.append([])
        taken[found[thing]].append((*stretch, rows[thing]))
    return found


def _apart(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    """Whether lines do not meet but where both arrive."""
    (low, high, begin), (other_low, other_high, other_begin) = one, other
    if high == other_low or other_high == low:
        return (high if high == other_low else low) not in {begin, other_begin}
    return high < other_low or other_high < low


class _Canvas:
    """Lines, as directions that leave cells."""

    def __init__(self) -> None:
        self._ways: dict[tuple[int, int], int] = {}

    def _add(self, x: int, y: int, way: int) -> None:
        self._ways[x, y] = self._ways.get((x, y), 0) | way

    def across(self, begin: int, end: int, y: int) -> None:
        """Draw a line from left to right."""
        for x in range(begin, end):
            self._add(x, y, _LEFT | _RIGHT)

    def connect(self, left: Spot, right: Spot, turn: int) -> None:
        """Draw a line from the end of one thing to the beginning of another, which turns at `turn`."""
        self.across(left.x + left.width, turn, left.y)
        if left.y == right.y:
            self.across(turn, right.x, right.y)
            return
        down = left.y < right.y
        self._add(turn, left.y, _LEFT | (_DOWN if down else _UP))
        for y in range(min(left.y, right.y) + 1, max(left.y, right.y)):
            self._add(turn, y, _UP | _DOWN)
        self._add(turn, right.y, _RIGHT | (_UP if down else _DOWN))
        self.across(turn + 1, right.x, right.y)

    def lines(self, width: int, height: int) -> list[str]:
        """Return what was drawn."""
        return ["".join(_SIGNS.get(self._ways.get((x, y), 0), " ") for x in range(width)) for y in range(height)]
