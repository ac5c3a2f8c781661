"""How long from the submission of a build to the start of its process, on an idle agent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .figures import Figure, percentile
from .temporary import agent

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILDS = 500


def latency() -> Iterator[Figure]:
    """Yield percentiles. The process tells its own start: `date` prints the clock, so its loading is counted in."""
    starts: list[float] = []
    ends: list[float] = []
    with agent() as running:
        for _ in range(BUILDS):
            began = time.time_ns()
            build = running.net.builds.submit(["date", "+%s%N"])[0]
            build.wait()
            ends.append((time.time_ns() - began) / 1e6)
            starts.append((int(b"".join(build.log())) - began) / 1e6)
    yield Figure("submit to process started, p50", percentile(starts, 50), "ms", "<= 5")
    yield Figure("submit to process started, p99", percentile(starts, 99), "ms", "<= 20")
    yield Figure("submit to end known to the client, p50", percentile(ends, 50), "ms")
    yield Figure("submit to end known to the client, p99", percentile(ends, 99), "ms")
