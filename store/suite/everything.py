"""A record of each kind, some of each state, in one batch; and how to read all that a store holds."""

from collections.abc import Mapping
from typing import Any

from ...core.model import BuildState, PipelineState
from ..collections import COLLECTIONS
from ..contract import Store
from ..query import Query
from .records import T0, agent, attempt, batch, build, job, pin, pipeline_record, schedule, spec, task

S = BuildState


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
