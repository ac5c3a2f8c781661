"""The values that a submission gives to a job's parameters."""

import pytest

from job_orchestra.core.definition import Job, Parameter
from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.jobfile import bind
from tests.kit.builders import job


def of(*parameters: Parameter) -> Job:
    return job(parameters=parameters)


LEVEL = Parameter("level", default="1", choices=("1", "2"))
TARGET = Parameter("target", required=True)
NOTE = Parameter("note")


@pytest.mark.parametrize(
    ("given", "bound"),
    [
        ({"target": "x"}, {"level": "1", "target": "x", "note": ""}),
        ({"target": "", "level": "2", "note": "a\nb"}, {"level": "2", "target": "", "note": "a\nb"}),
    ],
)
def test_values_are_filled_in_in_the_order_of_the_file(given: dict[str, str], bound: dict[str, str]) -> None:
    found = bind(of(LEVEL, TARGET, NOTE), given)
    assert found == bound
    assert list(found) == ["level", "target", "note"]


def test_an_empty_value_is_a_value() -> None:
    assert bind(of(Parameter("note", default="x")), {"note": ""}) == {"note": ""}


def test_a_job_without_parameters() -> None:
    assert bind(of(), {}) == {}


@pytest.mark.parametrize(
    ("parameters", "given", "told"),
    [
        ((LEVEL, NOTE), {"levle": "1"}, "shop/test has no parameter 'levle'; did you mean level?"),
        ((LEVEL, NOTE), {"xyz": "1"}, "shop/test has no parameter 'xyz'; it has: level, note"),
        ((), {"xyz": "1"}, "shop/test has no parameter 'xyz'; it has: none"),
        ((LEVEL,), {"level": "3"}, "parameter level of shop/test cannot be '3'; choose one of: 1, 2"),
        ((LEVEL,), {"level": ""}, "parameter level of shop/test cannot be ''; choose one of: 1, 2"),
        ((NOTE,), {"note": "a\0b"}, "parameter note holds a NUL character, which no program can receive; remove it"),
        ((TARGET, LEVEL), {}, "shop/test needs a value for target; give it with -p target=VALUE"),
        (
            (TARGET, Parameter("b", required=True)),
            {"b": "x"},
            "shop/test needs a value for target; give it with -p target=VALUE",
        ),
        (
            (TARGET, Parameter("b", required=True)),
            {},
            "shop/test needs a value for target, b; give it with -p target=VALUE",
        ),
    ],
)
def test_what_does_not_fit_is_refused(parameters: tuple[Parameter, ...], given: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        bind(of(*parameters), given)
    assert str(refused.value) == told


def test_long_values_are_shown_shortened() -> None:
    with pytest.raises(InvalidInput) as refused:
        bind(of(LEVEL), {"level": "x" * 10_000})
    assert len(str(refused.value)) < 200
