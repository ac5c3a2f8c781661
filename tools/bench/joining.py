"""From two fresh machines (network namespaces): how long from the entered token to the first build on the second."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kit.lab.hosts import hosts

from .figures import Figure, Missing

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 3


def joining() -> Iterator[Figure | Missing]:
    """Yield the longest of some rounds, each with its own network."""
    if os.getuid() != 0:
        yield Missing("token entered to the end of the first build there", "root, for network namespaces")
        return
    yield Figure("token entered to the end of the first build there", max(_once() for _ in range(ROUNDS)), "s", "<= 5")


def _once() -> float:
    with tempfile.TemporaryDirectory() as folder, hosts(Path(folder), 2, namespaces=True) as (first, second):
        first.start()
        with first.agent.client() as net:
            token = net.network.invite().token
            began = time.perf_counter()
            second.join(token)
            second.start()
            net.builds.submit(["true"], runs_on=[f"lab={second.name}"])[0].wait()
            return time.perf_counter() - began
