"""Records with few different values, queries over them, and what each must find, worked out in the simplest way."""

from functools import cmp_to_key
from random import Random
from typing import Any

from hypothesis import strategies as st

from ...core.model import Attempt, Build, BuildState, PipelineState
from ..collections import COLLECTIONS, Kind
from ..query import RANGE, Filter, Operator, Order, Query
from .records import T0, agent, attempt, build, job, pin, pipeline_record, schedule, spec, task

S = BuildState
EQ, IN, PREFIX = Operator.EQ, Operator.IN, Operator.PREFIX


def dataset() -> dict[str, list[Any]]:
    """Return records with few different values, so that orders have ties and filters meet something."""
    random = Random(7)
    builds: list[Build] = []
    attempts: list[Attempt] = []
    numbers: dict[tuple[str, str], int] = {}
    for serial in range(1, 61):
        name = (random.choice(("p", "q")), random.choice(("x", "y", "yy")))
        number = numbers[name] = numbers.get(name, 0) + 1
        state = random.choice(list(S))
        one = build(
            serial,
            project=name[0],
            job=name[1],
            number=number,
            state=state,
            created=T0 + serial // 3,
            priority=random.choice((-1, 0, 5)),
            agent=random.choice(("", "a1", "a2")),
            requester=random.choice(("ann", "anna", "ben")),
            attempt=random.choice((0, 1, 2)),
            started=random.choice((None, T0, T0 + 10)),
            finished=random.choice((None, T0 + 5, T0 + 20)),
            log_bytes=random.choice((0, 10)),
        )
        builds.append(one)
        attempts += [
            attempt(one, place, agent=random.choice(("a1", "a2")), state=state, started=random.choice((None, T0)))
            for place in range(1, one.attempt + 1)
        ]
    tasks = [
        task(
            place,
            kind=random.choice(("builds.submit", "jobs.apply")),
            at=T0 + place // 4,
            target=random.choice(("", "p")),
        )
        for place in range(1, 31)
    ]
    jobs = [job(name, project) for project in ("p", "q") for name in ("x", "y", "yy")]
    return {
        "builds": builds,
        "attempts": attempts,
        "tasks": tasks,
        "jobs": jobs,
        "pipelines": [
            pipeline_record(
                place,
                project=random.choice(("p", "q")),
                state=random.choice(list(PipelineState)),
                created=T0 + place,
                finished=random.choice((None, T0)),
            )
            for place in range(1, 21)
        ],
        "schedules": [
            schedule(
                f"s{place}",
                project=random.choice(("p", "q")),
                enabled=random.choice((True, False)),
                fired=random.choice((None, T0, T0 + 1)),
                outcome=random.choice(("", "done")),
            )
            for place in range(10)
        ],
        "pins": [pin(build(place), at=T0 + place % 3, note=random.choice(("", "kept"))) for place in range(1, 6)],
        "agents": [agent(name, id=f"a{place}") for place, name in enumerate(("ant", "bee", "bee"))],
        "specs": [spec(f"run {place}") for place in range(5)],
    }


DATA = dataset()
VALUES: dict[tuple[str, str], list[Any]] = {
    (collection, name): [*{COLLECTIONS[collection].value(row, name) for row in rows}]
    for collection, rows in DATA.items()
    for name in COLLECTIONS[collection].fields
}


def value(collection: str, row: Any, name: str) -> Any:  # noqa: ANN401 - any record, any value
    return COLLECTIONS[collection].value(row, name)


def holds(found: Any, operator: Operator, wanted: Any) -> bool:  # noqa: ANN401 - any values
    if operator is Operator.EQ:
        return found == wanted
    if operator is Operator.NE:
        return found != wanted
    if operator is Operator.IN:
        return found in wanted
    if found is None or wanted is None:
        return False
    if operator is Operator.PREFIX:
        return found[: len(wanted)] == wanted
    return {
        Operator.LT: found < wanted,
        Operator.LE: found <= wanted,
        Operator.GT: found > wanted,
        Operator.GE: found >= wanted,
    }[operator]


def expected(query: Query) -> list[Any]:
    """Return all rows that a query asks for, found in the simplest way."""
    name = query.collection
    rows = [
        row
        for row in DATA[name]
        if all(holds(value(name, row, one.field), one.operator, one.value) for one in query.where)
    ]
    # as time never runs backwards, by age and by number is the same
    same = {("builds", "created"): "serial", ("tasks", "at"): "id"}
    order = [(same.get((name, one.field), one.field), one.descending) for one in query.order]
    newest = order[-1][1] if order else COLLECTIONS[name].newest_first
    if not order:
        bounds = [one.field for one in query.where if one.operator in RANGE and one.field == "finished"]
        order = [(one, newest) for one in bounds[:1] if name == "builds"]
    order += [(key, newest) for key in COLLECTIONS[name].key]

    def compare(one: Any, two: Any) -> int:  # noqa: ANN401 - records
        for key, descending in order:
            left: Any = 0 if value(name, one, key) is None else value(name, one, key)
            right: Any = 0 if value(name, two, key) is None else value(name, two, key)
            if left != right:
                return (1 if left > right else -1) * (-1 if descending else 1)
        return 0

    return sorted(rows, key=cmp_to_key(compare))


@st.composite
def queries(draw: st.DrawFn) -> Query:
    collection = draw(st.sampled_from(("builds", "builds", *COLLECTIONS)))
    fields = COLLECTIONS[collection].fields
    where: list[Filter] = []
    for name in draw(st.lists(st.sampled_from(list(fields)), max_size=3)):
        known = st.sampled_from(VALUES[collection, name])
        strange = (
            st.text("apxyz19", max_size=3)
            if fields[name].kind is Kind.TEXT
            else st.integers(-1, 70) | st.integers(T0, T0 + 30)
        )
        any_value = known | strange | st.none()
        operator = draw(st.sampled_from(list(Operator)))
        if operator is Operator.IN:
            wanted: Any = tuple(draw(st.lists(any_value, max_size=4)))
        elif operator is Operator.PREFIX:
            if fields[name].kind is not Kind.TEXT:
                continue
            wanted = draw(known)[: draw(st.integers(0, 8))]
        else:
            wanted = draw(any_value)
        where.append(Filter(name, operator, wanted))
    if collection == "builds" and draw(st.booleans()):
        where += [Filter("project", EQ, draw(st.sampled_from("pq"))), Filter("job", EQ, draw(st.sampled_from("xy")))]
    names = draw(st.lists(st.sampled_from(list(fields)), max_size=3, unique=True))
    order = tuple(Order(name, draw(st.booleans())) for name in names)
    return Query(collection, tuple(where), order, limit=draw(st.integers(1, 9)))
