"""The stores that the tests are given; how many examples each of them can be asked to try.

`make`, which opens a new one, is not here: who runs the suite says what is tested (plugin.py, or one's own module).
"""

from collections.abc import Callable

import pytest
from hypothesis import settings

from ..contract import Batch, Store
from .model import DATA

PROFILE = settings(deadline=None, derandomize=True, database=None)


@pytest.fixture(scope="module")
def used(make: Callable[[], Store]) -> Store:
    return make()


@pytest.fixture
def store(used: Store) -> Store:
    return emptied(used)


def emptied(store: Store) -> Store:
    """Return a store as if it were new. Making a new one takes some databases long."""
    store.clear()
    store.finish(0, {})
    return store


@pytest.fixture
def own(store: Store) -> Store:
    if store.shared:
        pytest.skip("it is no file")
    return store


@pytest.fixture(scope="module")
def full(make: Callable[[], Store]) -> Store:
    store = make()
    assert store.write(Batch(1, DATA))
    return store


def examples(store: Store, number: int) -> int:
    """Return how many examples are tried: fewer where each takes a server's time."""
    return number // 5 if store.shared else number
