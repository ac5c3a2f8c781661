"""Views for reports, by whatever tool speaks SQL: how long builds took, and how many of them failed.

Described for people in docs/stores.md. Nothing in Job Orchestra reads them.
"""

from collections.abc import Iterable, Iterator

from ...core.model import BuildState
from ..statistics import FAILURES
from .statements import Syntax
from .tables import TALLIES

BUILD_TIMES, FAILURE_RATES, JOB_DAYS = "build_times", "failure_rates", "job_days"
"""Their names."""

_FAILED = ", ".join(f"'{one}'" for one in FAILURES)
_COUNTED = f"{_FAILED}, '{BuildState.SUCCEEDED}'"  # the others say nothing of whether a job is sound


def views(syntax: Syntax) -> Iterator[tuple[str, str]]:
    """Yield name and content of each view."""
    created, started, finished = (syntax.name(one) for one in ("created", "started", "finished"))
    took = syntax.seconds(started, finished)
    times = (
        *("id", "project", "job", "number", "state", "agent", "requester"),
        *(f"{syntax.shown(one)} AS {one}" for one in (created, started, finished)),
        f"{syntax.seconds(created, started)} AS waited_s",
        f"{took} AS took_s",
    )
    yield BUILD_TIMES, _select(times, "builds WHERE finished IS NOT NULL")
    rates = _rates("SUM(builds)", f"SUM(CASE WHEN state IN ({_FAILED}) THEN builds ELSE 0 END)")
    names = ("project", "job")
    counted = f"{TALLIES} WHERE builds > 0 AND state IN ({_COUNTED})"
    yield FAILURE_RATES, _select((*names, *rates), counted, names)
    rates = _rates("COUNT(*)", f"SUM(CASE WHEN state IN ({_FAILED}) THEN 1 ELSE 0 END)")
    day = syntax.day(finished)
    days = (*names, f"{day} AS day", *rates, f"AVG({took}) AS average_s", f"MAX({took}) AS longest_s")
    ended = f"builds WHERE finished IS NOT NULL AND state IN ({_COUNTED})"
    yield JOB_DAYS, _select(days, ended, (*names, day))


def _select(columns: Iterable[str], source: str, groups: Iterable[str] = ()) -> str:
    grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
    return f"SELECT {', '.join(columns)} FROM {source}{grouped}"  # noqa: S608 - only our own words


def _rates(ended: str, failed: str) -> tuple[str, ...]:
    return f"{ended} AS ended", f"{failed} AS failed", f"{failed} * 1.0 / {ended} AS failure_rate"
