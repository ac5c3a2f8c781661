"""What every store must find, held against a model."""

from hypothesis import given, settings
from msgspec.structs import replace

from ...core.model import BuildState
from ..contract import Store
from ..query import MAX_LIMIT, Filter, Operator, Order, Query
from .everything import EVERYTHING, every
from .fixtures import PROFILE, examples
from .model import expected, queries
from .records import T0, batch, build

S = BuildState
EQ, IN, PREFIX = Operator.EQ, Operator.IN, Operator.PREFIX


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
