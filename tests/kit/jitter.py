"""A machine that is far too busy, at random: `pytest --jitter SEED` finds tests that hold on a quick one only.

What a test waits for comes late, and nearly no processor time goes into that: threads begin and end late, processes
take their time to start, event loops stand still, a disk is slow to flush, and the mesh in memory delivers later, in
order. All of it in this process: what runs in others is as quick as ever. Refuses to know what is tested.
"""

import asyncio
import os
import subprocess
import threading
import time
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from random import Random
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from job_orchestra.agent.mesh.memory import MemoryNetwork

SOMETIMES = 0.2
"""Part of all that happens which comes late."""

LATE_S = 0.08
"""Seconds that it may come late, at most."""

STALL_EVERY_S = 1.0
"""Seconds between two stalls of an event loop, on average."""

STALL_S = 0.4
"""Seconds that a loop stands still, at most."""


class Jitter:
    """Slowness of one process, from one seed."""

    def __init__(self, seed: str) -> None:
        """Begin with none."""
        self._chance = Random(seed)
        self._patches = ExitStack()
        self._stalls: WeakKeyDictionary[BaseEventLoop, float] = WeakKeyDictionary()  # when the next one begins
        self._arrivals: WeakKeyDictionary[Any, float] = WeakKeyDictionary()  # of the last message to a peer

    def start(self) -> None:
        """Let things come late from now on."""
        for owner, name, late in (
            (ThreadPoolExecutor, "submit", self._submit),
            (BaseEventLoop, "_run_once", self._run_once),
            (threading.Thread, "run", self._before),
            (subprocess.Popen, "__init__", self._around),
            (os, "fsync", self._around),
            (os, "fdatasync", self._around),
            (MemoryNetwork, "_arrive", self._arrive),
        ):
            self._patches.enter_context(patch.object(owner, name, late(getattr(owner, name))))

    def stop(self) -> None:
        """Be as quick as before."""
        self._patches.close()

    def _late_s(self) -> float:
        return self._chance.uniform(0, LATE_S) if self._chance.random() < SOMETIMES else 0.0

    def _before(self, true: Callable[..., Any]) -> Callable[..., Any]:
        def late(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - of any function
            time.sleep(self._late_s())
            return true(*arguments, **named)

        return late

    def _around(self, true: Callable[..., Any]) -> Callable[..., Any]:
        def late(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - of any function
            time.sleep(self._late_s())
            try:
                return true(*arguments, **named)
            finally:
                time.sleep(self._late_s())

        return late

    def _submit(self, true: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
        def submit(
            pool: ThreadPoolExecutor,
            work: Callable[..., Any],
            /,
            *arguments: Any,  # noqa: ANN401 - of any function
            **named: Any,  # noqa: ANN401 - likewise
        ) -> Future[Any]:
            return true(pool, self._around(work), *arguments, **named)

        return submit

    def _run_once(self, true: Callable[[BaseEventLoop], None]) -> Callable[[BaseEventLoop], None]:
        def run_once(loop: BaseEventLoop) -> None:
            now = time.monotonic()
            if now >= self._stalls.setdefault(loop, now + self._chance.expovariate(1 / STALL_EVERY_S)):
                time.sleep(self._chance.uniform(0, STALL_S))
                self._stalls[loop] = time.monotonic() + self._chance.expovariate(1 / STALL_EVERY_S)
            true(loop)

        return run_once

    def _arrive(self, true: Callable[..., None]) -> Callable[..., None]:
        def arrive(network: MemoryNetwork, mesh: object, peer: object, *further: object) -> None:
            loop = asyncio.get_running_loop()
            behind = self._arrivals.get(peer, 0.0) + 1e-6  # whatever comes later comes behind
            self._arrivals[peer] = max(loop.time() + self._late_s(), behind)
            loop.call_at(self._arrivals[peer], true, network, mesh, peer, *further)

        return arrive
