"""The published suite is whole: what a provider takes over with one line are all its tests."""

from importlib import import_module
from pkgutil import iter_modules

from job_orchestra.store import suite
from job_orchestra.store.suite import whole


def names_in(module: object) -> set[str]:
    return {name for name in vars(module) if name.startswith("test_") and callable(getattr(module, name))}


def test_the_whole_holds_every_test_once() -> None:
    parts = [name for _, name, _ in iter_modules(suite.__path__) if name.startswith("test_")]
    tests = [name for part in parts for name in names_in(import_module(f"{suite.__name__}.{part}"))]
    assert set(tests) == names_in(whole)
    assert len(tests) == len(set(tests)) > 40
