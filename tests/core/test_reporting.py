"""What a worker says: reports without what makes no sense, and records that are refused."""

from math import inf, nan
from typing import Any

import pytest
from msgspec.structs import replace

from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.model import Attempt, BuildState, StepResult, StepState
from job_orchestra.core.offer import Offer
from job_orchestra.core.reporting import MAX_AHEAD_MS, MAX_REASON, check_record, sound
from tests.kit.builders import T0, agent, attempt, build

DIGEST = "0123456789abcdef" * 4


def ended(**fields: Any) -> Attempt:  # noqa: ANN401 - any field of Attempt
    """Return a report of an end."""
    return attempt(build(1), **{"state": BuildState.SUCCEEDED, "started": T0, "finished": T0, **fields})


def step(**fields: Any) -> StepResult:  # noqa: ANN401 - any field of StepResult
    """Return what became of a step."""
    return StepResult("make", StepState.SUCCEEDED, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"log": DIGEST, "artifacts": DIGEST, "log_bytes": 1 << 40},
        {"steps": (step(exit_code=-9, signal=9, started=T0, finished=T0, log_start=1, log_end=2),)},
        {"reason": "x" * MAX_REASON, "results": {"a": "\0"}},
        {"finished": T0 + MAX_AHEAD_MS},
        {"state": BuildState.RUNNING, "finished": None},
    ],
)
def test_what_makes_sense_is_taken_as_it_is(fields: dict[str, Any]) -> None:
    told = ended(**fields)
    assert sound(told, T0) is told


@pytest.mark.parametrize(
    ("fields", "taken"),
    [
        ({"log": "../odd"}, {"log": ""}),
        ({"log": DIGEST.upper()}, {"log": ""}),
        ({"artifacts": "x" * 64}, {"artifacts": ""}),
        ({"log_bytes": -1}, {"log_bytes": 0}),
        ({"log_bytes": 1 << 63}, {"log_bytes": 0}),
        ({"started": -1}, {"started": None}),
        ({"started": 1 << 63}, {"started": None}),
        ({"finished": T0 + MAX_AHEAD_MS + 1}, {"finished": T0}),
        ({"results": {str(one): "" for one in range(300)}}, {"results": {}}),
        ({"steps": (step(started=1 << 63),)}, {"steps": ()}),
        ({"steps": (step(), step(finished=-1))}, {"steps": ()}),
        ({"steps": (step(log_start=-1),)}, {"steps": ()}),
        ({"steps": (step(log_end=1 << 63),)}, {"steps": ()}),
        ({"steps": (step(exit_code=1 << 63),)}, {"steps": ()}),
        ({"steps": (step(signal=-1),)}, {"steps": ()}),
    ],
)
def test_what_makes_no_sense_is_left_out_and_the_reason_says_so(fields: dict[str, Any], taken: dict[str, Any]) -> None:
    (name,) = fields
    because = f"what its worker said of {name} makes no sense and was left out; exit code 1"
    assert sound(ended(**fields, reason="exit code 1"), T0) == ended(**taken, reason=because)


def test_an_end_without_its_time_was_now() -> None:
    assert sound(ended(finished=None), T0 + 5) == ended(finished=T0 + 5)


def test_a_reason_is_cut() -> None:
    found = sound(ended(log="odd", reason="x" * 10_000), T0)
    assert len(found.reason) == MAX_REASON
    assert found.reason.startswith("what its worker said of log makes no sense")


def test_an_agent_may_say_of_itself_what_can_be() -> None:
    check_record(agent("ant", slots=8, resources={"cpus": 8.0, "memory": 1e12}, bulk=65_535, labels={"os": "linux"}))


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": ""}, "name has 1 to 64"),
        ({"name": "ant\x1b[2J"}, "name has 1 to 64"),
        ({"name": "a" * 65}, "name has 1 to 64"),
        ({"slots": 0}, "slots"),
        ({"slots": 1 << 62}, "slots"),
        ({"resources": {"cpus": nan}}, "resource 'cpus'"),
        ({"resources": {"cpus": inf}}, "resource 'cpus'"),
        ({"resources": {"cpus": -1.0}}, "resource 'cpus'"),
        ({"bulk": 65_536}, "ports"),
        ({"door": -1}, "ports"),
        ({"labels": {"os": "x" * 1_001}}, "labels"),
        ({"addresses": ("x" * 1_001,)}, "labels"),
        ({"offer": Offer(idle_s=nan)}, "idle"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidInput, match=wrong):
        check_record(replace(agent("ant"), **fields))
