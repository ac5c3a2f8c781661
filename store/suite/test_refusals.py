"""Queries and cursors that every store must refuse, and in which words."""

from base64 import urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ...core.errors import InvalidInput
from ..contract import Store
from ..query import MAX_CHOICES, Filter, Operator, Order, Query
from .everything import EVERYTHING, RECORDS
from .fixtures import PROFILE

EQ, IN, PREFIX = Operator.EQ, Operator.IN, Operator.PREFIX


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
