"""From a matrix to its combinations of values. Pure; refuses to know what is done with each.

As GitHub's: `exclude` leaves out all combinations that agree with one of its entries; then each entry of `include` adds
its other values to all combinations whose axes it agrees with, and where there is none it is a combination of its own.
"""

from collections.abc import Mapping
from itertools import product

from .definition import Matrix

MAX_COMBINATIONS = 1_000
"""Combinations of one matrix."""


def combinations(matrix: Matrix) -> list[dict[str, str]]:
    """Return the combinations in their order: the last axis changes first, those of `include` come last."""
    found = [dict(zip(matrix.axes, values, strict=True)) for values in product(*matrix.axes.values())]
    found = [one for one in found if one and not any(_agrees(left_out, one) for left_out in matrix.exclude)]
    own: list[dict[str, str]] = []
    for entry in matrix.include:
        fits = [one for one in found if _agrees({name: entry[name] for name in entry if name in matrix.axes}, one)]
        for one in fits:
            one.update(entry)
        if not fits:
            own.append(dict(entry))
    return found + own


def _agrees(entry: Mapping[str, str], combination: Mapping[str, str]) -> bool:
    return all(combination.get(name) == value for name, value in entry.items())
