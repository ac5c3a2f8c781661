"""Consoles over made-up feeds, and what is on their screens."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from job_orchestra.console.terminal.app import Console
from job_orchestra.core.model import Attempt, Build, BuildState, StepResult, StepState, Task, TaskState
from job_orchestra.core.views import AgentView
from tests.kit.builders import build
from tests.kit.feeds import FakeFeed
from tests.kit.standing import status

NOW = datetime(2026, 11, 23, 20, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)

ANNA, BERT, CORA = (f"{name}{'0' * 12}" for name in ("anna", "bert", "cora"))


async def settled(pilot: Pilot[Any]) -> None:
    """Return when all that was asked for has been answered and drawn."""
    for _ in range(3):
        await pilot.pause()
        workers = [
            worker for worker in pilot.app.workers if worker.group not in {"feed", "log"} and not worker.is_finished
        ]
        if workers:
            await asyncio.wait([asyncio.ensure_future(worker.wait()) for worker in workers], timeout=60)
    await pilot.pause()


def screen_text(app: App[Any]) -> str:
    """Return what is on the screen."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def console(feed: FakeFeed, **fields: Any) -> Console:  # noqa: ANN401 - as Console
    """Return a console whose clock stands still."""
    return Console(feed, now=lambda: NOW, **fields)


def story() -> FakeFeed:
    """Return a feed of a network with a past."""
    feed = FakeFeed(status())
    feed.agents = [
        _agent(ANNA, "anna", roles=["master", "voter", "worker"], used=2),
        _agent(BERT, "bert", roles=["voter", "worker"], used=1),
        _agent(CORA, "cora", roles=["voter", "worker"], state="unreachable"),
    ]
    builds = [_build(number) for number in range(1, 41)]
    feed.put(
        *builds, attempts=[one for build in builds for one in _attempts(build)], tasks=[_task(n) for n in range(1, 30)]
    )
    for one in builds:
        for attempt in _attempts(one):
            feed.logs[attempt.key] = _log(one)
    for one in builds:
        if one.state is BuildState.PENDING:
            feed.reasons[one.id] = ["anna: all 2 slots are taken", "bert: lacks gpu", "cora: cannot be reached"]
    return feed


def _agent(identity: str, name: str, *, roles: list[str], used: int = 0, state: str = "ready") -> AgentView:
    labels = {"os": "linux", "arch": "x86_64", "cpus": "8", "memory": "33554432000", "host": name}
    return AgentView(identity, name, state, roles, labels, {"total": 2, "used": used}, True, False, "5.0.0", [])


_JOBS = ("test", "lint", "package", "deploy")
_STATES = (BuildState.SUCCEEDED, BuildState.FAILED, BuildState.SUCCEEDED, BuildState.SUCCEEDED, BuildState.ABORTED)


def _build(number: int) -> Build:
    state = _STATES[number % 5]
    if number > 36:
        state = BuildState.RUNNING if number < 39 else BuildState.PENDING
    created = NOW_MS - (41 - number) * 90_000
    took = 20_000 + number * 1_500
    ended = state.ended
    return build(
        number,
        project="shop" if number % 3 else "site",
        job=_JOBS[number % 4],
        state=state,
        created=created,
        reason="step unit failed with exit code 1" if state is BuildState.FAILED else "",
        requester="ann@anna" if number % 2 else "ben@bert",
        agent="" if state is BuildState.PENDING else (ANNA if number % 2 else BERT),
        attempt=0 if state is BuildState.PENDING else 1,
        started=None if state is BuildState.PENDING else created + 800,
        finished=created + took if ended else None,
        parameters={"marker": "slow"} if number % 4 == 0 else {},
        results={"coverage": "93.1"} if state is BuildState.SUCCEEDED and number % 4 == 0 else {},
        log_bytes=len(_log_text(state)) if ended else 0,
    )


def _attempts(one: Build) -> list[Attempt]:
    if not one.attempt:
        return []
    text = _log_text(one.state)
    first = text.index(b"== unit")
    failed = one.state is BuildState.FAILED
    unit = StepState.FAILED if failed else StepState.RUNNING if not one.state.ended else StepState.SUCCEEDED
    assert one.started is not None
    middle = one.started + 4_000
    steps = (
        StepResult("install", StepState.SUCCEEDED, 0, None, one.started, middle, 0, first),
        StepResult(
            "unit",
            unit,
            1 if failed else None if unit is StepState.RUNNING else 0,
            None,
            middle,
            one.finished,
            first,
            len(text) if one.state.ended else None,
        ),
    )
    return [
        Attempt(
            one.id, 1, one.agent, "s1", one.state, one.reason, one.created, one.started, one.finished, steps, len(text)
        )
    ]


def _log(one: Build) -> bytes:
    return _log_text(one.state)


def _log_text(state: BuildState) -> bytes:
    lines = [b"== install"]
    lines += [b"fetching wheel %d of 12 ... \x1b[32mok\x1b[0m" % number for number in range(1, 13)]
    lines += [b"== unit"]
    lines += [b"tests/test_cart.py::test_total[%d] \x1b[32mPASSED\x1b[0m" % number for number in range(1, 25)]
    if state is BuildState.FAILED:
        lines += [b"tests/test_cart.py::test_refund \x1b[31mFAILED\x1b[0m", b"E   assert 12 == 13"]
    return b"\n".join(lines) + b"\n"


def _task(number: int) -> Task:
    refused = number % 7 == 0
    return Task(
        number,
        "builds.submit" if number % 3 else "jobs.apply",
        "ann@anna" if number % 2 else "ben@bert",
        NOW_MS - (30 - number) * 100_000,
        TaskState.REFUSED if refused else TaskState.DONE,
        "shop/test",
        "no job shop/tset; did you mean shop/test?" if refused else "accepted",
    )
