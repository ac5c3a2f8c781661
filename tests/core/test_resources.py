"""Amounts that builds take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core import resources
from job_orchestra.core.errors import InvalidInput

G = 1 << 30


@pytest.mark.parametrize(
    ("name", "amount"), [("cpus", 0), ("cpus", 0.25), ("memory", 8 * G), ("gpus", 0.5), ("gpus", 3), ("licence", 1.5)]
)
def test_amounts_that_can_be_had(name: str, amount: float) -> None:
    resources.check({name: amount})


@pytest.mark.parametrize(
    ("name", "amount", "why"),
    [
        ("slots", 1, "every build takes one slot; say cpus, memory or gpus instead"),
        ("a b", 1, "'a b' is no name of a resource"),
        ("", 1, "'' is no name of a resource"),
        ("cpus", -1, "cpus must be 0 or more, not -1"),
        ("cpus", float("nan"), "cpus must be 0 or more, not nan"),
        ("cpus", float("inf"), "cpus must be 0 or more, not inf"),
        ("gpus", 1.5, "gpus must be a whole number, or a fraction of one GPU that is shared, not 1.5"),
    ],
)
def test_amounts_that_nobody_can_give(name: str, amount: float, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{why}"):
        resources.check({name: amount})


def test_what_a_worker_has_and_a_build_wants() -> None:
    assert resources.units({"cpus": 2.5, "memory": 8.0 * G, "a": 0.0009}) == {"cpus": 2500, "memory": 8000 * G, "a": 0}
    assert resources.wanted({"cpus": 0, "a": 0, "b": 0.0001, "c": 0.1}) == {"cpus": 0, "b": 1, "c": 100}


@pytest.mark.parametrize(
    ("amount", "part"),
    [(0.5, 500), (0.6, 1000), (0.4, 500), (0.33, 333), (0.3, 333), (0.1, 100), (0.001, 1), (2, 2000)],
)
def test_a_part_of_a_gpu_is_as_large_as_fits_as_often(amount: float, part: int) -> None:
    assert resources.wanted({"gpus": amount}) == {"gpus": part}


@given(st.integers(1, 999))
def test_parts_of_a_gpu_fill_it(thousandths: int) -> None:
    part = resources.part_of_gpu(thousandths)
    assert thousandths <= part <= 1000
    assert 1000 // part == 1000 // thousandths


@pytest.mark.parametrize(
    ("name", "amount", "text"),
    [
        ("cpus", 2500, "2.5"),
        ("cpus", 4000, "4"),
        ("memory", 8000 * G, "8G"),
        ("memory", 1500 * 1024, "1.5K"),
        ("memory", 500, "0.5"),
        ("memory", 3000 << 40, "3T"),
        ("memory", 2500 << 20, "2.5M"),
        ("licence", 0, "0"),
    ],
)
def test_amounts_for_people(name: str, amount: int, text: str) -> None:
    assert resources.text(name, amount) == text


def test_amounts_are_read() -> None:
    assert resources.amount("memory", "8G") == 8 * G
    with pytest.raises(InvalidInput, match="a resource is NAME=AMOUNT, such as memory=8G or licences=3, not a=many"):
        resources.amount("a", "many")
    with pytest.raises(InvalidInput, match="not 7=1"):
        resources.amount("7", "1")
