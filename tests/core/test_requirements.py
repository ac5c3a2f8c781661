"""What a job may ask of an agent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.requirements import Requirement, matches, number, parse_requirement, why_not

LABELS = {"os": "linux", "arch": "arm64", "host": "build-7", "gpu": "", "zone": "lab", "memory": "8G", "cores": "2.5"}
LABELS |= {"distribution": "debian", "python": "3.13"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpu", Requirement("gpu")),
        ("  linux  ", Requirement("linux")),
        ("build-7", Requirement("build-7")),
        ("zone=lab", Requirement("zone", "=", "lab")),
        (" zone = lab ", Requirement("zone", "=", "lab")),
        ("zone!=lab", Requirement("zone", "!=", "lab")),
        ("memory>=8G", Requirement("memory", ">=", "8G")),
        ("memory<=8GiB", Requirement("memory", "<=", "8GiB")),
        ("cores>2", Requirement("cores", ">", "2")),
        ("python>=3.11.2", Requirement("python", ">=", "3.11.2")),
        ("cores < 2.5", Requirement("cores", "<", "2.5")),
        ("a.b/c+d-e=x:y/z", Requirement("a.b/c+d-e", "=", "x:y/z")),
        ("größe=groß", Requirement("größe", "=", "groß")),
    ],
)
def test_requirements_are_read(text: str, found: Requirement) -> None:
    assert parse_requirement(text) == found
    assert parse_requirement(str(found)) == found, "its text means the same"


@pytest.mark.parametrize(
    "text", ["", " ", "=", "=lab", "zone=", "zone==lab", "a b", "-gpu", "_x", "!gpu", "a=b=c", "a,b", "a=\n"]
)
def test_what_is_none_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_requirement(text)
    form = "is no requirement; write a label (linux), label=value, label!=value or label>=number"
    assert str(refused.value) == f"{text!r} {form}"


@pytest.mark.parametrize("text", ["memory>=lots", "memory>8GG", "memory<-1", "memory<=8g"])
def test_only_numbers_compare(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"which is no number; write one such as 4, 8G or 3.11$"):
        parse_requirement(text)


def test_long_texts_are_shown_shortened() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_requirement("?" * 10_000)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("gpu", True),
        ("linux", True),
        ("arm64", True),
        ("build-7", True),
        ("lab", False),
        ("tpu", False),
        ("os", True),
        ("os=linux", True),
        ("os=windows", False),
        ("gpu=1", False),
        ("tpu=1", False),
        ("zone!=lab", False),
        ("zone!=roof", True),
        ("tpu!=1", True),
        ("memory>=8G", True),
        ("memory>=8192M", True),
        ("memory>8G", False),
        ("memory<=8388608K", True),
        ("memory<8G", False),
        ("memory>=1T", False),
        ("cores>=2", True),
        ("cores<3", True),
        ("gpu>=1", False),
        ("zone>=1", False),
        ("tpu>=0", False),
        ("aarch64", True),
        ("arch=aarch64", True),
        ("arch!=aarch64", False),
        ("arch=amd64", False),
        ("debian", True),
        ("python>=3.9", True),
        ("python>3.9.2", True),
        ("python<3.9", False),
        ("python>=3.13.0", True),
        ("python<=3.13", True),
        ("python>=3.13.1", False),
        ("python>=4", False),
        ("python>=3K", False),
        ("memory>=3.9.1", False),
    ],
)
def test_an_agent_meets_them_or_not(text: str, met: bool) -> None:
    assert matches(parse_requirement(text), LABELS) is met


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tpu", "needs tpu, has no label tpu"),
        ("os=windows", "needs os=windows, has os=linux"),
        ("gpu=1", "needs gpu=1, has gpu without a value"),
        ("memory >= 16G", "needs memory>=16G, has memory=8G"),
    ],
)
def test_why_not(text: str, why: str) -> None:
    assert why_not(parse_requirement(text), LABELS) == why


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("8G", 8 << 30), ("8GB", 8 << 30), ("8GiB", 8 << 30), ("1.5K", 1536), ("2T", 2 << 40), ("3M", 3 << 20)],
)
def test_numbers(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "G", "8g", "-1", "1e3", "1.", ".5", "8 G", "8X"])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


@given(st.text())
def test_any_text_is_a_requirement_or_refused(text: str) -> None:
    try:
        found = parse_requirement(text)
    except InvalidInput:
        return
    assert parse_requirement(str(found)) == found
    assert matches(found, LABELS) in {True, False}


@given(st.sampled_from([">=", "<=", ">", "<", "="]), st.integers(0, 50), st.integers(0, 50))
def test_comparing_is_that_of_numbers(compare: str, have: int, wanted: int) -> None:
    right = {">=": have >= wanted, "<=": have <= wanted, ">": have > wanted, "<": have < wanted, "=": have == wanted}
    assert matches(Requirement("n", compare, str(wanted)), {"n": str(have)}) is right[compare]
