"""HyperQueue in a process of its own: `python -m tools.bench.comparison COUNT` prints its tasks per second."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator


def tasks_per_second(count: int) -> float:
    """Return how many runs of `true` a second one worker makes of so many, from submission to the end."""
    from hyperqueue import Job, LocalCluster  # pyright: ignore[reportMissingImports] - only `bench` installs it
    from hyperqueue.cluster import WorkerConfig  # pyright: ignore[reportMissingImports] - likewise

    # it wants the folder as a text, whatever it says of types
    with tempfile.TemporaryDirectory() as folder, _silence(), LocalCluster(cast("Any", folder)) as cluster:
        cluster.start_worker(WorkerConfig(cores=2))
        client = cluster.client()
        job = Job()
        for _ in range(count):
            job.program(["true"], stdout=None, stderr=None)
        began = time.perf_counter()
        client.wait_for_jobs([client.submit(job)])
        return count / (time.perf_counter() - began)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep back the tables and progress bars of a library, which writes past Python, too."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        for number, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(nowhere)


if __name__ == "__main__":
    print(tasks_per_second(int(sys.argv[1])))
