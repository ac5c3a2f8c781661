"""Which imports are outside the home of a library."""

import pytest

from tools.homes import Import, parse, strays

HOMES = parse(["zmq: agent.mesh agent.client", "peewee: store"])


@pytest.mark.parametrize(
    "inside", [("agent.mesh", "zmq"), ("agent.client", "zmq"), ("store.sql.tables", "peewee"), ("core.model", "typing")]
)
def test_at_home_and_the_standard_library(inside: tuple[str, str]) -> None:
    assert strays([Import(*inside)], HOMES) == []


@pytest.mark.parametrize(("module", "library"), [("agent.meshes", "zmq"), ("agent", "zmq"), ("core.store", "peewee")])
def test_outside_its_home(module: str, library: str) -> None:
    (found,) = strays([Import(module, library)], HOMES)
    assert found.startswith(f"{module} imports {library}, which is at home in")


def test_a_library_without_a_home() -> None:
    assert strays([Import("core.model", "requests")], HOMES) == [
        "core.model imports requests, which has no home: ask who keeps it, then give it a line"
    ]


@pytest.mark.parametrize("lines", [["zmq"], ["zmq:"], ["zmq: a", "zmq: b"]])
def test_a_line_that_says_nothing_is_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="expected one line"):
        parse(lines)
