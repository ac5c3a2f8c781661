"""The combinations of a matrix."""

from job_orchestra.core.definition import Matrix
from job_orchestra.core.matrix import combinations


def test_all_values_with_all() -> None:
    assert combinations(Matrix({"a": ("1", "2"), "b": ("x", "y")})) == [
        {"a": "1", "b": "x"},
        {"a": "1", "b": "y"},
        {"a": "2", "b": "x"},
        {"a": "2", "b": "y"},
    ]


def test_what_is_excluded_is_left_out_wherever_it_agrees() -> None:
    axes = {"a": ("1", "2"), "b": ("x", "y")}
    assert combinations(Matrix(axes, exclude=({"a": "1"}, {"a": "2", "b": "y"}))) == [{"a": "2", "b": "x"}]


def test_what_is_included_adds_values_or_a_combination() -> None:
    matrix = Matrix(
        {"a": ("1", "2")},
        include=({"a": "1", "colour": "red"}, {"size": "big"}, {"a": "3"}, {"a": "1", "colour": "blue"}),
    )
    assert combinations(matrix) == [
        {"a": "1", "colour": "blue", "size": "big"},
        {"a": "2", "size": "big"},
        {"a": "3"},
    ]


def test_only_combinations_of_ones_own() -> None:
    assert combinations(Matrix({}, include=({"a": "1"}, {"a": "2", "b": "x"}))) == [{"a": "1"}, {"a": "2", "b": "x"}]
