"""The stores that the tests of the contract open, each as an agent opens it."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pkgutil import iter_modules

import pytest

from job_orchestra.store import suite
from job_orchestra.store.contract import Store
from job_orchestra.store.opening import open_store
from tests.kit.databases import SERVERS, Server

pytest.register_assert_rewrite(
    *(f"{suite.__name__}.{one.name}" for one in iter_modules(suite.__path__) if one.name.startswith("test_"))
)

FILES = {
    "memory": "memory:",
    "sqlite": "sqlite:///{folder}/{number}.db",
    "json": "json:///{folder}/{number}",
}
"""Kind of store that needs no server -> URL of a new one."""


@pytest.fixture(scope="module")
def opened(
    tmp_path_factory: pytest.TempPathFactory, database: Callable[[str], Server]
) -> Iterator[Callable[[str], Store]]:
    """Return a function that opens a new, empty store of a kind."""
    folder, numbers, stores = tmp_path_factory.mktemp("stores"), count(), list[Store]()

    def new(kind: str) -> Store:
        if kind in FILES:
            stores.append(open_store(FILES[kind].format(folder=folder, number=next(numbers))))
        else:
            stores.append(open_store(database(kind).new()))
        return stores[-1]

    yield new
    for one in stores:
        one.close()


@pytest.fixture(scope="module", params=[*FILES, *SERVERS])
def make(request: pytest.FixtureRequest, opened: Callable[[str], Store]) -> Callable[[], Store]:
    """Return a function that opens a new, empty store of each kind in turn."""
    return partial(opened, request.param)
