"""How a job is multiplied, as it is written."""

from ..definition import Matrix
from ..matrix import MAX_COMBINATIONS, combinations
from ..names import wrong_axis
from ..nearest import nearest
from ..shapes import TEXT, TRUTH, Key, Problems, Shape, expected, listing, table, whole
from ..variables import variable
from ..yamltree import Entry, Listing, Table, Tree

_VALUES = listing(TEXT, "values")
_COMBINATIONS = listing(table(wrong_axis, TEXT, "a combination"), "combinations")

_OTHER = {
    "include": Key(_COMBINATIONS, "combinations to add, or values to add to those they agree with"),
    "exclude": Key(_COMBINATIONS, "combinations to leave out: all that agree with one of these"),
    "most": Key(whole(1, 1_000_000), "builds of it that are with workers at a time; all by default"),
    "stop-early": Key(TRUTH, "the first that fails ends those that have not started"),
}

_FOREIGN = {"max-parallel": "most", "fail-fast": "stop-early", "stop_early": "stop-early", "matrix": "its keys"}


def _read_matrix(node: Tree, key: str, problems: Problems) -> Matrix | None:
    if not isinstance(node, Table):
        return expected(node, key, problems, "a mapping of lists", '`{ python: ["3.11", "3.13"] }`')
    before = len(problems.found)
    axes: dict[str, tuple[str, ...]] = {}
    other: dict[str, object] = {}
    for name, entry in node.entries.items():
        where = f"{key}.{name[:60]}"
        if name in _OTHER:
            other[name] = _OTHER[name].shape.read(entry.value, where, problems)
        elif name in _FOREIGN:
            problems.add(entry.key, where, f"is called {_FOREIGN[name]} here; rename it")
        elif name == "concurrency" and not isinstance(entry.value, Listing):
            problems.add(entry.key, where, "is the job's key, beside `matrix`; here `most` says how many run at a time")
        else:
            axes[name] = _read_axis(name, entry, where, problems)
    if len(problems.found) > before:
        return None
    found = Matrix(
        axes,
        other.get("include") or (),  # type: ignore[arg-type] - as the table says
        other.get("exclude") or (),  # type: ignore[arg-type]
        other.get("most") or 0,  # type: ignore[arg-type]
        bool(other.get("stop-early")),
    )
    return found if _fits(found, node, key, problems) else None


def _read_axis(name: str, entry: Entry, key: str, problems: Problems) -> tuple[str, ...]:
    wrong = wrong_axis(name)
    if wrong:
        problems.add(entry.key, key, wrong)
    before = len(problems.found)
    values = _VALUES.read(entry.value, key, problems) or ()
    if not values and len(problems.found) == before:
        problems.add(entry.value, key, "has no values; write at least one, as [one, two]")
    for twice in sorted({one for one in values if values.count(one) > 1}):
        problems.add(entry.value, key, f"names {twice!r} twice; remove one")
    return values


def _fits(found: Matrix, node: Table, key: str, problems: Problems) -> bool:
    """Whether the parts of a matrix fit together, each of which is right by itself."""
    before = len(problems.found)
    variables: dict[str, str] = {}
    for name in dict.fromkeys([*found.axes, *(name for one in found.include for name in one)]):
        called = variable("matrix", name)
        if called in variables:
            problems.add(node, key, f"{variables[called]!r} and {name!r} are both {called}; rename one")
        variables[called] = name
    for place, one in enumerate(found.exclude):
        for name in one:
            if name not in found.axes:
                guess = nearest(name, found.axes)
                hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(found.axes) or 'none'}"
                problems.add(node, f"{key}.exclude[{place}]", f"there is no axis {name!r}; {hint}")
    if not found.axes and not found.include:
        problems.add(node, key, 'has no values; write at least one axis, as { python: ["3.11", "3.13"] }')
    size = 1
    for values in found.axes.values():
        size *= len(values)
    if size + len(found.include) > MAX_COMBINATIONS:
        problems.add(node, key, f"makes {size} builds; up to {MAX_COMBINATIONS} are possible: leave out values")
    elif len(problems.found) == before and not combinations(found):
        problems.add(node, key, "leaves no combination; exclude fewer of them")
    return len(problems.found) == before


MATRIX: Shape[Matrix] = Shape(
    _read_matrix,
    {
        "type": "object",
        "properties": {name: {"description": one.about, **one.shape.schema} for name, one in _OTHER.items()},
        "additionalProperties": {**_VALUES.schema, "minItems": 1},
        "minProperties": 1,
    },
)
