"""A plugin of pytest that lets the command line say which store the suite tests."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from ..contract import Store
from ..opening import open_store
from .fixtures import full, own, store, used

__all__ = ["full", "make", "own", "pytest_addoption", "store", "used"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line name the store."""
    parser.addoption("--store-url", help="URL of a new store, with {folder} and {number} (job_orchestra.store.suite)")


@pytest.fixture(scope="module")
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Store]]:
    """Return a function that opens a new, empty store."""
    url = request.config.getoption("--store-url")
    if not url:
        pytest.fail("say which store is tested, as: --store-url 'sqlite:///{folder}/{number}.db'")
    folder, numbers, opened = tmp_path_factory.mktemp("stores"), count(), list[Store]()

    def new() -> Store:
        opened.append(open_store(url.format(folder=str(folder).lstrip("/"), number=next(numbers))))
        return opened[-1]

    yield new
    for one in opened:
        one.close()
