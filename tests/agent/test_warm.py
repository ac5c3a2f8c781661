"""Workspaces that stay: one build's at a time, found again, and nobody else's."""

import asyncio
from pathlib import Path

import pytest

from job_orchestra.agent.warm import Warm, name_of


@pytest.fixture
def living() -> set[str]:
    return set()


@pytest.fixture
def warm(tmp_path: Path, living: set[str]) -> Warm:
    return Warm(tmp_path, 2, living.__contains__)


def test_the_next_build_finds_what_the_last_one_left(warm: Warm, living: set[str]) -> None:
    living.add("a.1")
    first = warm.take("name", "a.1")
    (first.workspace / "built").write_text("x")
    living.clear()
    warm.release("a.1")
    assert warm.take("name", "b.1") == first
    assert (first.workspace / "built").exists()


def test_who_comes_while_it_is_in_use_gets_another_copy_and_a_third_waits(warm: Warm, living: set[str]) -> None:
    living |= {"a.1", "b.1"}
    first, second = warm.take("name", "a.1"), warm.take("name", "b.1")
    assert first.workspace != second.workspace
    assert not warm.available("name")
    assert warm.available("other")
    with pytest.raises(ValueError, match="in use"):
        warm.take("name", "c.1")
    assert warm.take("name", "a.1") == first


async def test_who_waits_goes_on_when_a_copy_is_free(warm: Warm, living: set[str]) -> None:
    living |= {"a.1", "b.1"}
    warm.take("name", "a.1")
    held = warm.take("name", "b.1")
    waiting = asyncio.ensure_future(warm.wait("name"))
    await asyncio.sleep(0)
    assert not waiting.done()
    living.discard("b.1")
    warm.release("b.1")
    await waiting
    assert warm.take("name", "c.1") == held


def test_an_agent_that_starts_anew_knows_what_is_in_use(tmp_path: Path, warm: Warm, living: set[str]) -> None:
    living |= {"a.1", "b.1"}
    first = warm.take("name", "a.1")
    warm.take("name", "b.1")
    again = Warm(tmp_path, 2, living.__contains__)
    assert not again.available("name")
    living.discard("a.1")
    assert again.take("name", "c.1") == first


def test_nobody_else_gets_it() -> None:
    names = {
        name_of("ann@box", "tree"),
        name_of("ben@box", "tree"),
        name_of("ann@box", "other"),
        name_of("ann", "box@tree"),
    }
    assert len(names) == 4


def test_those_that_nobody_has_are_told_with_the_longest_unused_first(warm: Warm, living: set[str]) -> None:
    living |= {"a.1", "b.1", "c.1"}
    copies = {one: warm.take(one, f"{one}.1") for one in ("a", "b", "c")}
    living.discard("a.1")
    living.discard("c.1")
    assert {one.directory for one in warm.idle()} == {copies["a"].directory, copies["c"].directory}
    assert set(warm.names()) == {"a", "b", "c"}
