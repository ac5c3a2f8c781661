"""How things look to a client."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.definition import Matrix, Need, Parameter, Spec, Step, When
from job_orchestra.core.instants import instant, stamp
from job_orchestra.core.model import BuildState, StepResult, StepState, TaskState
from job_orchestra.core.views.agents import agent_view
from job_orchestra.core.views.builds import build_line, build_summary, build_view
from job_orchestra.core.views.jobs import job_view
from job_orchestra.core.views.tasks import task_view
from tests.kit.builders import T0, agent, attempt, build, job, task

S = BuildState


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_795_464_313_042, "2026-11-23T20:05:13.042Z"),
    ],
)
def test_stamps(at: int | None, text: str | None) -> None:
    assert stamp(at) == text


@given(st.integers(-(2**40), 2**46))
def test_a_stamp_names_its_instant(at: int) -> None:
    text = stamp(at)
    assert text is not None
    assert instant(text) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01 00:00:00.5+00:00", 500),
        ("1970-01-02T00:00Z", 86_400_000),
        ("1970-01-01T00:00:00.0019Z", 1),
        ("1969-12-31T23:59:59.9999Z", -1),
    ],
)
def test_instants(text: str, at: int) -> None:
    assert instant(text) == at


@pytest.mark.parametrize("text", ["", "now", "2026-11-23", "2026-11-23T20:05:13", "2026-13-01T00:00:00Z", "1763900000"])
def test_what_names_no_instant(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are partly Python's
        instant(text)


def test_an_instant_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match=r"^'2026-11-23T20:05:13' has no time zone; end it with Z for UTC$"):
        instant("2026-11-23T20:05:13")


def shape(value: object) -> object:
    return json.loads(msgspec.json.encode(value))


PENDING = {
    "id": build().id,
    "project": "shop",
    "job": "test",
    "number": 1,
    "state": "pending",
    "reason": "",
    "agent": None,
    "attempt": 0,
    "parameters": {},
    "results": {},
    "cause": "submit",
    "requester": "",
    "priority": 0,
    "pipeline": None,
    "created": "2025-11-23T12:13:20.001Z",
    "started": None,
    "finished": None,
    "log_bytes": 0,
    "matrix": {},
    "branch": "",
    "revision": "",
    "pin": None,
}
"""The shape of the contract, version 1: members are added, never taken away."""


def test_a_build_as_it_is_listed() -> None:
    assert shape(build_summary(build())) == PENDING
    assert shape(build_line(build())) == {key: PENDING[key] for key in ("id", "project", "job", "number", "state")}


NOTHING = {"attempts": [], "steps": [], "artifacts": [], "terminal": False, "input": False}


def test_a_build_that_waits_has_no_attempts() -> None:
    assert shape(build_view(build(), [])) == {**PENDING, **NOTHING}


def test_a_build_with_everything() -> None:
    one = build(
        state=S.FAILED,
        reason="step test: exit code 2",
        requester="ann",
        cause="rerun of x",
        parameters={"level": "2"},
        priority=7,
        pipeline="p1",
        agent="a1",
        attempt=2,
        started=T0,
        finished=T0 + 1500,
        results={"k": "v"},
        log_bytes=9,
    )
    steps = (
        StepResult("run", StepState.SUCCEEDED, exit_code=0, started=T0, finished=T0 + 1, log_start=0, log_end=4),
        StepResult("test", StepState.FAILED, signal=9, started=T0 + 1, log_start=4),
    )
    tries = [
        attempt(one, 1, state=S.LOST, steps=(StepResult("old", StepState.RUNNING),)),
        attempt(one, 2, state=S.FAILED, assigned=T0 - 5, started=T0, finished=T0 + 1500, steps=steps, log_bytes=9),
    ]
    assert shape(build_view(one, tries)) == {
        **PENDING,
        "state": "failed",
        "reason": "step test: exit code 2",
        "requester": "ann",
        "cause": "rerun of x",
        "parameters": {"level": "2"},
        "priority": 7,
        "pipeline": "p1",
        "agent": "a1",
        "attempt": 2,
        "started": "2025-11-23T12:13:20.000Z",
        "finished": "2025-11-23T12:13:21.500Z",
        "results": {"k": "v"},
        "log_bytes": 9,
        "matrix": {},
        "branch": "",
        "revision": "",
        "attempts": [
            {
                "number": 1,
                "agent": "a1",
                "state": "lost",
                "reason": "",
                "assigned": "1970-01-01T00:00:00.000Z",
                "started": None,
                "finished": None,
                "log_bytes": 0,
            },
            {
                "number": 2,
                "agent": "a1",
                "state": "failed",
                "reason": "",
                "assigned": "2025-11-23T12:13:19.995Z",
                "started": "2025-11-23T12:13:20.000Z",
                "finished": "2025-11-23T12:13:21.500Z",
                "log_bytes": 9,
            },
        ],
        "steps": [
            {
                "name": "run",
                "state": "succeeded",
                "exit_code": 0,
                "signal": None,
                "started": "2025-11-23T12:13:20.000Z",
                "finished": "2025-11-23T12:13:20.001Z",
                "log_start": 0,
                "log_end": 4,
            },
            {
                "name": "test",
                "state": "failed",
                "exit_code": None,
                "signal": 9,
                "started": "2025-11-23T12:13:20.001Z",
                "finished": None,
                "log_start": 4,
                "log_end": None,
            },
        ],
        "artifacts": [],
        "terminal": False,
        "input": False,
    }


@pytest.mark.parametrize(
    ("fields", "reachable", "state"),
    [
        ({}, True, "ready"),
        ({"enabled": False}, True, "disabled"),
        ({"draining": True}, True, "draining"),
        ({"enabled": False, "draining": True}, True, "disabled"),
        ({"enabled": False, "draining": True}, False, "unreachable"),
        ({}, False, "unreachable"),
    ],
)
def test_the_state_of_an_agent(fields: dict[str, Any], reachable: bool, state: str) -> None:
    assert agent_view(agent(**fields), reachable=reachable, used=0, roles=(), addresses=()).state == state


def test_an_agent() -> None:
    found = agent(slots=2, labels={"os": "linux"}, version="1.2.3")
    seen = agent_view(found, reachable=True, used=5, roles=("master", "worker"), addresses=("tcp://h:1",))
    assert shape(seen) == {
        "id": "a1",
        "name": "ant",
        "state": "ready",
        "roles": ["master", "worker"],
        "labels": {"os": "linux"},
        "slots": {"total": 2, "used": 2},
        "enabled": True,
        "draining": False,
        "version": "1.2.3",
        "addresses": ["tcp://h:1"],
        "paused": "",
        "offer": {
            "slots": 2,
            "hours": [],
            "pause_when_used": False,
            "idle": 300.0,
            "pause_on_battery": False,
            "nice": False,
            "changed": [],
        },
        "resources": {},
    }


def test_a_job_with_all_its_defaults_written_out() -> None:
    steps = (Step("build", "make"), Step("tell", ("mail", "-s"), env={"A": "b"}, when=When.ALWAYS, timeout_s=5.0))
    one = job(
        spec=Spec(steps, env={"E": "1"}, runs_on=("gpu",), timeout_s=60.0),
        parameters=(Parameter("level", choices=("1", "2")),),
        description="tests",
        priority=3,
        needs=(Need("lint", When.ALWAYS),),
        matrix=Matrix({"python": ("3.11", "3.13")}),
        condition="branch == 'main'",
    )
    assert shape(job_view(one)) == {
        "project": "shop",
        "name": "test",
        "description": "tests",
        "priority": 3,
        "parameters": [
            {"name": "level", "description": "", "default": None, "required": False, "choices": ["1", "2"]},
        ],
        "runs_on": ["gpu"],
        "env": {"E": "1"},
        "timeout": 60.0,
        "shell": ["/bin/sh", "-e"],
        "steps": [
            {"name": "build", "run": "make", "env": {}, "when": "success", "timeout": None},
            {"name": "tell", "run": ["mail", "-s"], "env": {"A": "b"}, "when": "always", "timeout": 5.0},
        ],
        "needs": [{"job": "lint", "when": "always"}],
        "condition": "branch == 'main'",
        "matrix": {"python": ["3.11", "3.13"]},
    }


def test_a_line_of_the_audit_trail() -> None:
    one = task(7, state=TaskState.REFUSED, target="k3x9", outcome="may not", builds=("k3x9",))
    assert shape(task_view(one)) == {
        "id": 7,
        "kind": "builds.submit",
        "requester": "ann",
        "at": "2025-11-23T12:13:20.007Z",
        "state": "refused",
        "target": "k3x9",
        "outcome": "may not",
        "builds": ["k3x9"],
    }
