"""Consoles over made-up feeds, and what is on their screens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from job_orchestra.console.feed.contract import Feed
from job_orchestra.console.terminal.app import Console
from job_orchestra.console.terminal.session import Session
from job_orchestra.core.definition import Missed, Overlap, When
from job_orchestra.core.ids import build_id
from job_orchestra.core.instants import stamp
from job_orchestra.core.model import (
    Attempt,
    Build,
    BuildState,
    PipelineState,
    StepResult,
    StepState,
    Task,
    TaskState,
)
from job_orchestra.core.views.agents import AgentView
from job_orchestra.core.views.builds import BuildLine
from job_orchestra.core.views.jobs import JobView, NeedView, ParameterDefinition, StepDefinition
from job_orchestra.core.views.pipelines import NodeView, PipelineView
from job_orchestra.core.views.schedules import ScheduleView
from tests.kit.builders import build
from tests.kit.feeds import FakeFeed
from tests.kit.standing import status
from tests.kit.waiting import until

NOW = datetime(2026, 11, 23, 20, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)

ANNA, BERT, CORA = (f"{name}{'0' * 12}" for name in ("anna", "bert", "cora"))


async def settled(pilot: Pilot[Any]) -> None:
    """Return when all that was asked for has been answered and drawn."""
    for _ in range(5):
        await pilot.pause()
        workers = [
            worker for worker in pilot.app.workers if worker.group not in {"feed", "log"} and not worker.is_finished
        ]
        if not workers:
            return
        await asyncio.wait([asyncio.ensure_future(worker.wait()) for worker in workers], timeout=60)


def screen_text(app: App[Any]) -> str:
    """Return what is on the screen."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def shown(pilot: Pilot[Any], text: str) -> str:
    """Wait until a text is on the screen; return what is there then."""
    await until(lambda: text in screen_text(pilot.app), f"{text!r} is shown")
    return screen_text(pilot.app)


def console(feed: Feed, **fields: Any) -> Console:  # noqa: ANN401 - as Console
    """Return a console whose clock stands still."""
    return Console(feed, now=lambda: NOW, **fields)


@asynccontextmanager
async def opened(
    feed: Feed,
    place: str,
    size: tuple[int, int] = (100, 30),
    **fields: Any,  # noqa: ANN401 - as Console
) -> AsyncIterator[Pilot[None]]:
    """Give a console whose clock stands still, at one of its main screens."""
    session: Session = fields.pop("session", None) or Session()
    session.state.place = place
    app = console(feed, session=session, **fields)
    async with app.run_test(size=size, notifications=True) as pilot:
        await settled(pilot)
        yield pilot


async def press(pilot: Pilot[Any], *keys: str) -> str:
    """Press keys, one after the other answered; return what is on the screen then."""
    await settled(pilot)
    for key in keys:
        await pilot.press(key)
        await settled(pilot)
    return screen_text(pilot.app)


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
    feed.jobs = [
        _job("lint", "Style and types"),
        _job("test", "All tests", "lint", parameters=True),
        _job("package", "The wheel and its documentation", "test"),
        _job("deploy", "To the shop's machines", "package", "docs"),
        _job("docs", ""),
    ]
    feed.pipelines = [_pipeline(12, PipelineState.RUNNING), _pipeline(11, PipelineState.FAILED)]
    feed.files = {
        "dist/shop-1.0-py3-none-any.whl": ("-rw-r--r--", bytes(48_200)),
        "report.xml": ("-rw-r--r--", b"<testsuite/>\n"),
    }
    feed.schedules = [
        _schedule("nightly", "0 3 * * *", enabled=True),
        _schedule("weekly", "30 5 * * 1", enabled=False),
    ]
    for one in builds:
        if one.state is BuildState.PENDING:
            feed.reasons[one.id] = ["anna: all 2 slots are taken", "bert: lacks gpu", "cora: cannot be reached"]
    return feed


def _agent(identity: str, name: str, *, roles: list[str], used: int = 0, state: str = "ready") -> AgentView:
    labels = {"os": "linux", "arch": "x86_64", "cpus": "8", "memory": "33554432000", "host": name}
    return AgentView(identity, name, state, roles, labels, {"total": 2, "used": used}, True, False, "5.0.0", [])


def _job(name: str, description: str, *needs: str, parameters: bool = False) -> JobView:
    asked = [
        ParameterDefinition("marker", "which tests to run", "", False, []),
        ParameterDefinition("python", "version of Python", "3.13", False, ["3.11", "3.13"]),
        ParameterDefinition("branch", "what to check out", None, True, []),
    ]
    return JobView(
        project="shop",
        name=name,
        description=description,
        priority=0,
        parameters=asked if parameters else [],
        runs_on=["linux"],
        env={"PIP_NO_INPUT": "1"},
        timeout=1800.0,
        shell=["/bin/sh", "-e"],
        steps=[
            StepDefinition("install", "uv sync", {}, When.SUCCESS, None),
            StepDefinition("unit", f"uv run {name}\necho done", {}, When.SUCCESS, None),
        ],
        needs=[NeedView(one, When.SUCCESS) for one in needs],
        matrix={"python": ["3.11", "3.13"]} if parameters else {},
    )


def _pipeline(number: int, state: PipelineState) -> PipelineView:
    ended = state is not PipelineState.RUNNING
    done, bad = BuildState.SUCCEEDED, BuildState.FAILED
    nodes = [
        _node("lint", done, {"succeeded": 1}),
        _node("docs", done, {"succeeded": 1}),
        _node(
            "test", bad if ended else BuildState.RUNNING, {"succeeded": 3, "failed" if ended else "running": 1}, "lint"
        ),
        _node("package", BuildState.SKIPPED if ended else BuildState.PENDING, {"pending": 1}, "test"),
        _node("deploy", BuildState.SKIPPED if ended else BuildState.PENDING, {"pending": 1}, "package", "docs"),
    ]
    created = NOW_MS - (14 - number) * 400_000
    return PipelineView(
        id=f"p-{number}",
        project="shop",
        state=state,
        reason="test failed" if ended else "",
        jobs=[one.job for one in nodes],
        builds=8,
        requester="ann@anna",
        cause="submit",
        created=stamp(created),
        finished=stamp(created + 300_000) if ended else None,
        nodes=nodes,
    )


def _node(job: str, state: BuildState, states: dict[str, int], *needs: str) -> NodeView:
    builds = [build_id(number) for number in range(1, 1 + sum(states.values()))]
    condition = "branch == 'main'" if job == "deploy" else ""
    return NodeView(job, state, [NeedView(one, When.SUCCESS) for one in needs], condition, states, builds, [])


def _schedule(name: str, cron: str, *, enabled: bool) -> ScheduleView:
    return ScheduleView(
        project="shop",
        name=name,
        cron=cron,
        timezone="Europe/Paris",
        jobs=["test", "package"],
        parameters={"marker": "slow"},
        missed=Missed.ONCE,
        overlap=Overlap.SKIP,
        enabled=enabled,
        switched=False,
        next=[stamp(NOW_MS + hours * 3_600_000) for hours in (6, 30, 54)] if enabled else [],
        last=stamp(NOW_MS - 18 * 3_600_000),
        outcome="submitted p-11",
        builds=[BuildLine(build_id(7), "shop", "test", 7, BuildState.FAILED)],
    )


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
