"""What the orders of attempts tell of what they need on this machine."""

import math
import os
from pathlib import Path
from typing import cast

from job_orchestra.agent.furnishing import Furnisher
from job_orchestra.agent.paths import Paths
from job_orchestra.agent.trees import Trees
from job_orchestra.agent.warm import Warm
from job_orchestra.agent.workspace import order
from job_orchestra.agent.workspace.order import Order
from job_orchestra.core.definition import Source


async def nothing(_: str) -> None: ...


def furnishing(paths: Paths) -> Furnisher:
    return Furnisher(paths, cast("Trees", None), Warm(paths.warm, 1, lambda _: False), nothing)


def test_checkouts_count_from_when_they_were_ordered_until_their_attempts_are_over(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.prepare()
    assert furnishing(paths).oldest_checkout() == math.inf
    for number, source in enumerate(
        (Source(), Source(git="https://example.org/x"), Source(git="https://example.org/x"))
    ):
        path = paths.order(f"b{number}.1")
        order.write(path, Order("contents", source=source))
        os.utime(path, (1000 + number, 1000 + number))
    furnisher = furnishing(paths)
    assert furnisher.oldest_checkout() == 1001
    furnisher.clear("b1.1")
    assert furnisher.oldest_checkout() == 1002
