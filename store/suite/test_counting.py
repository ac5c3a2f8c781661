"""What every store must say of how many rows there are: the truth, or no more than that."""

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from .. import counting
from ..contract import Store
from ..query import Counted, Filter, Operator, Query
from .fixtures import PROFILE, examples
from .model import expected, queries
from .records import batch, build


def test_counts_are_what_a_model_finds(full: Store) -> None:
    @settings(PROFILE, max_examples=examples(full, 80))
    @given(queries())
    def check(query: Query) -> None:
        found = full.count(query)
        assert (found.rows, found.counted) == (len(expected(query)), Counted.EXACT)

    check()


def test_what_is_cut_short_is_never_too_many(full: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_COUNT", 7)  # most of the model's queries have more rows
    monkeypatch.setattr(counting, "MAX_LOOKED", 5)

    @settings(PROFILE, max_examples=examples(full, 80))
    @given(queries())
    def check(query: Query) -> None:
        found, wanted = full.count(query), len(expected(query))
        assert found.rows == wanted or (found.counted is Counted.AT_LEAST and found.rows < wanted)

    check()


def test_a_cursor_and_a_limit_change_no_count(full: Store) -> None:
    query = Query("builds", (Filter("agent", Operator.EQ, "a1"),), limit=3)
    after = full.find(query).next
    assert after is not None
    assert full.count(replace(query, after=after)) == full.count(query)


def test_a_record_with_several_of_the_words_counts_once(store: Store) -> None:
    builds = (
        build(1, reason="time timeout timer", requester="ann"),
        build(2, reason="timer"),
        build(3, requester="ann"),
        build(4, reason="timeout", requester="ann"),
    )
    store.write(batch(1, builds=builds))
    assert store.count(Query("builds", search="tim")).rows == 3
    ann = (Filter("requester", Operator.EQ, "ann"),)
    assert store.count(Query("builds", ann, search="tim")).rows == 2
    assert store.count(Query("builds", ann, search="shop tim")).rows == 2
    since = (Filter("created", Operator.GE, builds[1].created),)
    assert store.count(Query("builds", since, search="tim")).rows == 2
    assert store.count(Query("builds", since, search="timeout shop")).rows == 1
