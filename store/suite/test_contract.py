"""What every store must do. One suite for all of them; the fixture `make` says which (see the package)."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import cmp_to_key
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ...core.changes import Remembered
from ...core.errors import InvalidInput, StorageError
from ...core.model import Attempt, Build, BuildState, PipelineState
from ..collections import COLLECTIONS, Kind
from ..contract import Batch, Store
from ..query import MAX_CHOICES, MAX_LIMIT, RANGE, Filter, Operator, Order, Page, Query
from .records import T0, agent, attempt, batch, build, job, pin, pipeline_record, schedule, spec, task

S = BuildState
PROFILE = settings(deadline=None, derandomize=True, database=None)
EQ, IN, PREFIX = Operator.EQ, Operator.IN, Operator.PREFIX


@pytest.fixture(scope="module")
def used(make: Callable[[], Store]) -> Store:
    return make()


@pytest.fixture
def store(used: Store) -> Store:
    return emptied(used)


def emptied(store: Store) -> Store:
    """Return a store as if it were new. Making a new one takes some databases long."""
    store.clear()
    store.finish(0, {})
    return store


EVERYTHING = batch(
    index=5,
    builds=(build(1), build(2, state=S.RUNNING, agent="a1", attempt=1), build(3, state=S.SUCCEEDED, attempt=1)),
    attempts=(attempt(build(2)), attempt(build(3), state=S.SUCCEEDED)),
    tasks=(task(1), task(2)),
    pipelines=(pipeline_record(1), pipeline_record(2, state=PipelineState.FAILED)),
    jobs=(job(), job("lint")),
    schedules=(schedule(), schedule("weekly", enabled=False, fired=T0, outcome="shop/test#1")),
    pins=(pin(build(1)), pin(build(3), note="the release")),
    specs=(spec(),),
    agents=(agent(), agent("bee", id="a2")),
    meta={"counters": "{}", "number/shop/test": "3"},
)

RECORDS: Mapping[str, Any] = EVERYTHING.records
KEYS_OF = {
    "builds": [one.id for one in RECORDS["builds"]],
    "attempts": [(one.build, one.number) for one in RECORDS["attempts"]],
    "tasks": [1, 2],
    "pipelines": ["p-1", "p-2"],
    "jobs": [("shop", "test"), ("shop", "lint")],
    "schedules": [("shop", "nightly"), ("shop", "weekly")],
    "pins": [build(1).id, build(3).id],
    "agents": ["a1", "a2"],
    "specs": [spec().digest()],
}


def every(store: Store, collection: str, **query: Any) -> list[Any]:  # noqa: ANN401 - fields of Query
    """Return the rows of all pages."""
    rows: list[Any] = []
    after = None
    while True:
        page = store.find(Query(collection, **query, after=after))
        rows += page.rows
        assert page.rows or after is None, "only a first page may be empty"
        if page.next is None:
            return rows
        after = page.next


def content(store: Store) -> dict[str, object]:
    """Return all that a store holds."""
    return {
        **{name: every(store, name) for name in COLLECTIONS},
        "live": store.live(0),
        "applied": store.applied(),
    }


# -- writing


def test_a_new_store_is_empty(make: Callable[[], Store]) -> None:
    store = make()
    assert store.applied() == 0
    assert store.live(0) == Remembered(0)
    assert all(store.find(Query(name)) == Page(()) for name in COLLECTIONS)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_what_is_written_is_found_by_its_key(store: Store, collection: str) -> None:
    assert store.write(EVERYTHING)
    assert store.applied() == 5
    assert [store.get(collection, key) for key in KEYS_OF[collection]] == list(RECORDS[collection])


@pytest.mark.parametrize(
    ("collection", "key"),
    [
        ("builds", "00000000"),
        ("builds", ""),
        ("attempts", (build(2).id, 2)),
        ("tasks", 3),
        ("pipelines", "p-3"),
        ("jobs", ("shop", "nope")),
        ("schedules", ("shop", "nope")),
        ("agents", "a9"),
        ("specs", "0" * 32),
    ],
)
def test_what_is_not_there_is_none(store: Store, collection: str, key: object) -> None:
    store.write(EVERYTHING)
    assert store.get(collection, key) is None


@pytest.mark.parametrize("index", [5, 4, 1, 0, -1])
def test_a_batch_that_is_already_in_changes_nothing(store: Store, index: int) -> None:
    store.write(EVERYTHING)
    before = content(store)
    late = batch(
        index,
        builds=(build(1, state=S.CANCELLED), build(9)),
        removed_jobs=(("shop", "test"),),
        removed_agents=("a1",),
        meta={"counters": "x"},
    )
    assert store.write(late) is False
    assert content(store) == before


def test_indexes_may_leap(store: Store) -> None:
    assert store.write(batch(10))
    assert store.write(batch(1_000_000_000_000))
    assert store.applied() == 1_000_000_000_000


def test_newer_values_replace_older_ones(store: Store) -> None:
    store.write(EVERYTHING)
    later = batch(
        6,
        builds=(build(1, state=S.CANCELLED, reason="x", finished=T0),),
        attempts=(attempt(build(2), state=S.RUNNING, log_bytes=7),),
        tasks=(task(2, outcome="new"),),
        jobs=(job(run="new"),),
        agents=(agent("ant", slots=9),),
        meta={"counters": "new"},
    )
    assert store.write(later)
    assert store.get("builds", build(1).id) == later.records["builds"][0]
    assert store.get("attempts", (build(2).id, 1)) == later.records["attempts"][0]
    assert store.get("tasks", 2) == later.records["tasks"][0]
    assert store.get("jobs", ("shop", "test")) == later.records["jobs"][0]
    assert store.get("agents", "a1") == later.records["agents"][0]
    assert store.live(0).meta == {"counters": "new", "number/shop/test": "3"}
    assert {name: len(every(store, name)) for name in COLLECTIONS} == {
        name: len(keys) for name, keys in KEYS_OF.items()
    }


def test_jobs_and_agents_can_be_removed(store: Store) -> None:
    store.write(EVERYTHING)
    gone = (("shop", "test"), ("other", "lint"), ("shop", "nope"))
    assert store.write(batch(6, removed_jobs=gone, removed_agents=("a2", "a9")))
    assert every(store, "jobs") == [job("lint")]
    assert every(store, "agents") == [agent()]
    assert store.write(batch(7, jobs=(job(),)))
    assert [one.name for one in every(store, "jobs")] == ["lint", "test"]


def test_large_batches(store: Store) -> None:
    builds = tuple(build(serial) for serial in range(1, 2002))
    specs = (spec(), *(spec(f"run {place}") for place in range(449)))
    assert store.write(batch(1, builds=builds, specs=specs, meta={f"number/{place}": "1" for place in range(450)}))
    assert every(store, "builds", limit=500, order=(Order("serial"),)) == list(builds)
    assert len(store.live(0).meta) == 450
    assert len(every(store, "specs")) == 450


def test_texts_come_back_as_they_were(store: Store) -> None:
    strange = "a'b\"c;--\0\n\\ %_ é 😀 \U0010fffd"
    one = build(1, requester=strange, parameters={strange: strange}, reason=strange)
    store.write(batch(1, builds=(one,), jobs=(job(strange),), specs=RECORDS["specs"], meta={strange: strange}))
    assert store.get("builds", one.id) == one
    assert every(store, "builds", where=(Filter("requester", EQ, strange),)) == [one]
    assert every(store, "builds", where=(Filter("requester", PREFIX, strange[:9]),)) == [one]
    assert every(store, "builds", where=(Filter("requester", PREFIX, "a%"),)) == []
    assert store.get("jobs", ("shop", strange)) == job(strange)
    assert store.live(0).meta == {strange: strange}


# -- what an agent starts from


def test_only_what_is_alive_is_remembered(store: Store) -> None:
    other = spec("other")
    ended = build(3, state=S.SUCCEEDED, attempt=1, spec=other.digest())
    store.write(EVERYTHING)
    store.write(batch(6, builds=(ended,), specs=(other,)))
    assert store.live(0) == Remembered(
        index=6,
        builds=RECORDS["builds"][:2],
        attempts=RECORDS["attempts"][:1],
        jobs=RECORDS["jobs"][::-1],
        specs={spec().digest(): spec()},
        agents=RECORDS["agents"],
        meta=dict(EVERYTHING.meta),
        pipelines=RECORDS["pipelines"][:1],
        pins=RECORDS["pins"],
    )


def test_of_live_pipelines_the_builds_that_ended_are_remembered_too(store: Store) -> None:
    builds = (
        build(1, state=S.SUCCEEDED, pipeline="p-1"),
        build(2, pipeline="p-1"),
        build(3, state=S.FAILED, pipeline="p-2"),
        build(4, state=S.SKIPPED, pipeline="p-1"),
        build(5, state=S.FAILED),
    )
    store.write(batch(1, builds=builds, specs=RECORDS["specs"], pipelines=RECORDS["pipelines"]))
    found = store.live(0)
    assert found.builds == builds[1:2]
    assert found.ended == (builds[0], builds[3])


def test_requests_are_remembered_since_an_instant(store: Store) -> None:
    builds = (
        build(1, request="old", created=T0 + 1),
        build(2, request="two", created=T0 + 5),
        build(3, request="two", created=T0 + 5, state=S.FAILED),
        build(4, request="", created=T0 + 6),
        build(5, request="again", created=T0 + 7),
        build(6, request="again", created=T0 + 9, state=S.FAILED),
    )
    store.write(batch(1, builds=builds, specs=RECORDS["specs"]))
    again = {"two": (T0 + 5, (build(2).id, build(3).id)), "again": (T0 + 9, (build(6).id,))}
    assert store.live(T0).requests == {"old": (T0 + 1, (build(1).id,)), **again}
    assert store.live(T0 + 5).requests == again
    assert store.live(T0 + 6).requests == {"again": again["again"]}
    assert store.live(T0 + 10).requests == {}


def examples(store: Store, number: int) -> int:
    """Return how many examples are tried: fewer where each takes a server's time."""
    return number // 5 if store.shared else number


# -- flush, backup


def test_what_is_flushed_was_applied(store: Store) -> None:
    assert store.flush() == 0
    store.write(EVERYTHING)
    assert store.flush() in {0, 5}
    assert store.applied() == 5


def test_a_shared_store_is_no_file(store: Store, tmp_path: Path) -> None:
    if not store.shared:
        pytest.skip("it is a file, or none but this process has it")
    for what in (store.backup, store.inspect, store.restore):
        with pytest.raises(StorageError, match="orchestra store export"):
            what(tmp_path / "copy")


@pytest.fixture
def own(store: Store) -> Store:
    if store.shared:
        pytest.skip("it is no file")
    return store


def test_a_backup_is_a_new_file(own: Store, tmp_path: Path) -> None:
    store = own
    store.write(EVERYTHING)
    target = tmp_path / "copy"
    store.backup(target)
    assert target.stat().st_size > 100
    store.write(batch(6))
    assert store.applied() == 6


def test_a_backup_never_replaces_a_file(own: Store, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.write_bytes(b"mine")
    with pytest.raises(StorageError) as refused:
        own.backup(target)
    assert str(target) in str(refused.value)
    assert "name a new file" in str(refused.value)
    assert target.read_bytes() == b"mine"


def test_a_backup_that_cannot_be_written(own: Store, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "copy"
    with pytest.raises(StorageError) as refused:
        own.backup(target)
    assert str(refused.value).startswith(f"cannot write the backup {target}: ")
    assert str(refused.value).endswith("; name a new file in a directory with room")
    assert not target.exists()
    assert own.write(EVERYTHING), "the store goes on"


# -- find, against a model


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


@pytest.fixture(scope="module")
def full(make: Callable[[], Store]) -> Store:
    store = make()
    assert store.write(Batch(1, DATA))
    return store


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


def test_pages_hold_what_a_model_finds(full: Store) -> None:
    @settings(PROFILE, max_examples=examples(full, 400))
    @given(queries())
    def check(query: Query) -> None:
        wanted = expected(query)
        whole = full.find(replace(query, limit=MAX_LIMIT))
        assert list(whole.rows) == wanted
        assert whole.next is None
        paged = every(full, query.collection, where=query.where, order=query.order, limit=query.limit)
        assert paged == wanted

    check()


def test_a_page_goes_on_where_the_last_one_ended_whatever_is_written_meanwhile(store: Store) -> None:
    store.write(batch(1, builds=tuple(build(serial) for serial in range(1, 11))))
    first = store.find(Query("builds", limit=4))
    assert [one.serial for one in first.rows] == [10, 9, 8, 7]
    store.write(batch(2, builds=(build(11), build(12), build(7, state=S.CANCELLED))))
    second = store.find(Query("builds", limit=4, after=first.next))
    assert [one.serial for one in second.rows] == [6, 5, 4, 3]
    third = store.find(Query("builds", limit=4, after=second.next))
    assert ([one.serial for one in third.rows], third.next) == ([2, 1], None)


def test_instants_may_be_given_as_texts(store: Store) -> None:
    store.write(EVERYTHING)
    since = Filter("created", Operator.GE, "2025-11-23T13:13:20.002+01:00")
    assert [one.serial for one in every(store, "builds", where=(since,))] == [3, 2]


def test_lists_may_hold_nothing(store: Store) -> None:
    builds = (build(1), build(2, finished=T0), build(3, finished=T0 + 1))
    store.write(batch(1, builds=builds))

    def found(operator: Operator, value: object) -> list[int]:
        return [one.serial for one in every(store, "builds", where=(Filter("finished", operator, value),))]

    assert found(IN, (None, T0)) == [2, 1]
    assert found(IN, (None,)) == found(EQ, None) == [1]
    assert found(IN, (T0, T0 + 1)) == found(Operator.NE, None) == [3, 2]
    assert found(IN, ()) == []
    assert found(Operator.NE, T0) == [3, 1]
    assert found(Operator.LE, T0 + 1) == [3, 2]


def test_texts_compare_by_case(store: Store) -> None:
    builds = (
        build(1, requester="ann"),
        build(2, requester="Ann"),
        build(3, requester="änn"),
        build(4, requester="zoe"),
    )
    store.write(batch(1, builds=builds))
    assert every(store, "builds", where=(Filter("requester", PREFIX, "a"),)) == [builds[0]]
    assert every(store, "builds", where=(Filter("requester", EQ, "Ann"),)) == [builds[1]]
    assert [one.serial for one in every(store, "builds", order=(Order("requester"),), limit=1)] == [2, 1, 4, 3]


# -- queries that are wrong

WRONG: dict[str, tuple[Query, str]] = {
    "collection": (
        Query("bilds"),
        "no collection 'bilds'; did you mean builds?",
    ),
    "field": (Query("builds", (Filter("stat", EQ, "x"),)), "builds have no field 'stat'; did you mean state?"),
    "unlike any field": (
        Query("jobs", (Filter("zzz", EQ, "x"),)),
        "jobs have no field 'zzz'; there are: project, name, description, priority",
    ),
    "field of an order": (
        Query("builds", order=(Order("finshed"),)),
        "builds have no field 'finshed'; did you mean finished?",
    ),
    "limit 0": (Query("builds", limit=0), "limit must be 1 to 1000, not 0; ask for the next page with `after`"),
    "limit 1001": (
        Query("builds", limit=1001),
        "limit must be 1 to 1000, not 1001; ask for the next page with `after`",
    ),
    "a number as text": (Query("builds", (Filter("id", EQ, 5),)), "id holds text values; '5' is none"),
    "a text as number": (Query("builds", (Filter("serial", EQ, "5"),)), "serial holds integer values; '5' is none"),
    "a truth as number": (
        Query("builds", (Filter("serial", EQ, True),)),
        "serial holds integer values; 'True' is none",
    ),
    "a fraction": (Query("builds", (Filter("serial", EQ, 1.5),)), "serial holds integer values; '1.5' is none"),
    "too large": (
        Query("builds", (Filter("serial", EQ, 1 << 62),)),
        "serial holds integer values; '4611686018427387904' is none",
    ),
    "no instant": (
        Query("builds", (Filter("created", EQ, "yesterday"),)),
        "created is an instant; 'yesterday' is none. Write it as 2026-01-31T09:30:00Z",
    ),
    "in of one": (Query("builds", (Filter("id", IN, "x"),)), "`in` for id takes a list of up to 1000 values"),
    "in of too many": (
        Query("builds", (Filter("serial", IN, tuple(range(MAX_CHOICES + 1))),)),
        "`in` for serial takes a list of up to 1000 values",
    ),
    "in with another type": (Query("builds", (Filter("id", IN, ("x", 5)),)), "id holds text values; '5' is none"),
    "prefix of a number": (
        Query("builds", (Filter("serial", PREFIX, "1"),)),
        "`prefix` takes a text, and a field that holds texts; serial holds integer",
    ),
    "prefix of nothing": (
        Query("builds", (Filter("id", PREFIX, None),)),
        "`prefix` takes a text, and a field that holds texts; id holds text",
    ),
}


@pytest.mark.parametrize("which", WRONG)
def test_wrong_queries_are_told_what_would_be_right(store: Store, which: str) -> None:
    query, told = WRONG[which]
    with pytest.raises(InvalidInput) as refused:
        store.find(query)
    assert str(refused.value) == told


def test_a_collection_that_is_none_has_no_records(store: Store) -> None:
    with pytest.raises(InvalidInput, match="no collection 'bilds'"):
        store.get("bilds", "x")


def cursor(*values: object) -> str:
    return urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


BY_SERIAL = "builds,-serial"
CURSORS = {
    "nothing": "",
    "no base 64": "%%%",
    "not even ASCII": "é",
    "no JSON": urlsafe_b64encode(b"hello").decode(),
    "no list": urlsafe_b64encode(b'{"a": 1}').decode(),
    "bottomless": urlsafe_b64encode(b"[" * 100_000).decode(),
    "empty": cursor(),
    "only the order": cursor(BY_SERIAL),
    "too many values": cursor(BY_SERIAL, 1, 2),
    "of another collection": cursor("tasks,-id", 1),
    "of another order": cursor("builds,serial", 1),
    "of other fields": cursor("builds,-finished,-serial", 1, 1),
    "a text": cursor(BY_SERIAL, "1"),
    "nothing as value": cursor(BY_SERIAL, None),
    "a truth": cursor(BY_SERIAL, True),
    "a fraction": cursor(BY_SERIAL, 1.5),
    "a list": cursor(BY_SERIAL, [1]),
    "more than any number": cursor(BY_SERIAL, 1 << 63),
    "the order is no text": cursor(5, 1),
}


@pytest.mark.parametrize("which", CURSORS)
def test_cursors_that_do_not_fit_are_refused(store: Store, which: str) -> None:
    store.write(EVERYTHING)
    with pytest.raises(InvalidInput, match="the cursor is not of this query; use `next` of the page before"):
        store.find(Query("builds", after=CURSORS[which]))
    assert store.find(Query("builds", after=cursor(BY_SERIAL, 3))).rows == RECORDS["builds"][1::-1]


@settings(PROFILE, max_examples=60)
@given(st.text() | st.binary().map(lambda raw: urlsafe_b64encode(raw).decode()))
def test_any_cursor_is_understood_or_refused(full: Store, text: str) -> None:
    with pytest.raises(InvalidInput):
        full.find(Query("builds", after=text))


def test_the_url_says_how_it_was_opened(store: Store) -> None:
    scheme, colon, _ = store.url.partition(":")
    assert scheme.isidentifier()
    assert colon
