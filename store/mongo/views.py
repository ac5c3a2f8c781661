"""Views for reports, by whatever tool speaks to MongoDB: those of the SQL databases (docs/stores.md), as documents."""

from typing import Any, TypeAlias

from ...core.model import BuildState
from ..statistics import FAILURES

Pipeline: TypeAlias = list[dict[str, Any]]

_FAILED = [str(one) for one in FAILURES]
_COUNTED = {"state": {"$in": [*_FAILED, str(BuildState.SUCCEEDED)]}}  # others say nothing of whether a job is sound
_ENDED = {"finished": {"$type": "date"}}
_KEPT = ("project", "job", "number", "state", "agent", "requester", "created", "started", "finished")


def _seconds(earlier: str, later: str) -> dict[str, Any]:
    return {"$divide": [{"$subtract": [later, earlier]}, 1000]}


def _if_failed(then: Any) -> dict[str, Any]:  # noqa: ANN401 - an expression
    return {"$sum": {"$cond": [{"$in": ["$state", _FAILED]}, then, 0]}}


def _rates(*names: str) -> dict[str, Any]:
    """Return the last step: the parts of what was grouped by as fields, and the share of failures."""
    parts = {name: f"$_id.{name}" for name in names}
    return {"_id": 0, **parts, "ended": 1, "failed": 1, "failure_rate": {"$divide": ["$failed", "$ended"]}}


VIEWS: dict[str, tuple[str, Pipeline]] = {
    "build_times": (
        "builds",
        [
            {"$match": _ENDED},
            {
                "$project": {
                    "_id": 0,
                    "id": 1,
                    **dict.fromkeys(_KEPT, 1),
                    "waited_s": _seconds("$created", "$started"),
                    "took_s": _seconds("$started", "$finished"),
                }
            },
        ],
    ),
    "failure_rates": (
        "tallies",
        [
            {"$match": {**_COUNTED, "builds": {"$gt": 0}}},
            {
                "$group": {
                    "_id": {"project": "$project", "job": "$job"},
                    "ended": {"$sum": "$builds"},
                    "failed": _if_failed("$builds"),
                }
            },
            {"$project": _rates("project", "job")},
        ],
    ),
    "job_days": (
        "builds",
        [
            {"$match": {**_ENDED, **_COUNTED}},
            {
                "$group": {
                    "_id": {
                        "project": "$project",
                        "job": "$job",
                        "day": {"$dateTrunc": {"date": "$finished", "unit": "day"}},
                    },
                    "ended": {"$sum": 1},
                    "failed": _if_failed(1),
                    "average_s": {"$avg": _seconds("$started", "$finished")},
                    "longest_s": {"$max": _seconds("$started", "$finished")},
                }
            },
            {"$project": {**_rates("project", "job", "day"), "average_s": 1, "longest_s": 1}},
        ],
    ),
}
"""By name: the collection that it shows, and how."""
