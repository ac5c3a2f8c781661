"""Workspaces that stay: one build's at a time, found again, and nobody else's."""

import asyncio
import os
from pathlib import Path

import pytest

from job_orchestra.agent.warm import Copy, Warm, name_of
from job_orchestra.agent.workspace.beneath import Beneath
from job_orchestra.core.affinity import key


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


def sized(warm: Warm, name: str, attempt: str, number: int) -> Copy:
    """Let an attempt leave a megabyte in a copy that was used at this time; what it leaves cannot be written to."""
    copy = warm.take(name, attempt)
    inside = copy.workspace / "deep" / "read-only"
    inside.mkdir(parents=True)
    (inside / "file").write_bytes(b"x" * (1 << 20))
    (copy.workspace / "link").symlink_to("/")
    inside.chmod(0o500)
    os.utime(copy.directory, (1000 + number, 1000 + number))
    return copy


async def test_the_longest_unused_go_where_all_take_too_much(tmp_path: Path, warm: Warm, living: set[str]) -> None:
    living |= {"a.1", "b.1", "c.1", "d.1"}
    copies = [sized(warm, name, f"{name}.1", number) for number, name in enumerate("abcd")]
    living -= {"b.1", "c.1", "d.1"}
    assert await warm.tidy(10 << 20, 0) == 0
    assert await warm.tidy(3 << 20, 0) == 2
    assert [one.directory.exists() for one in copies] == [True, False, False, True], "the first is in use"
    assert warm.keys() == {"tree:a", "tree:d"}
    assert await warm.tidy(100 << 20, 1) == 1
    assert await warm.tidy(0, 0) == 0
    assert warm.keys() == {"tree:a"}
    assert list(tmp_path.with_name(f"{tmp_path.name}-gone").iterdir()) == []


def test_what_was_about_to_be_removed_is_removed_at_the_next_start(
    tmp_path: Path, warm: Warm, living: set[str]
) -> None:
    living.add("a.1")
    copy = sized(warm, "a", "a.1", 1)
    warm._set_aside(copy)
    Warm(tmp_path, 2, living.__contains__)
    assert list(tmp_path.with_name(f"{tmp_path.name}-gone").iterdir()) == []


async def test_none_goes_while_it_is_not_known_which_attempts_live(warm: Warm, living: set[str]) -> None:
    living.add("a.1")
    copy = sized(warm, "a", "a.1", 1)
    living.clear()  # the agent started anew, and has not asked its executor
    warm.sure = lambda: False
    assert await warm.tidy(0, 1) == 0
    assert copy.directory.exists()
    warm.sure = lambda: True
    assert await warm.tidy(0, 1) == 1


async def test_what_cannot_be_removed_keeps_no_agent_from_working_or_starting(
    tmp_path: Path, warm: Warm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: Beneath, path: bytes) -> None:
        raise PermissionError(1, "Operation not permitted", os.fsdecode(path))

    sized(warm, "a", "a.1", 1)
    monkeypatch.setattr(Beneath, "remove", refuse)
    assert await warm.tidy(0, 0) == 1
    assert warm.keys() == set(), "nobody gets it any more"
    assert "remove it as root" in caplog.text
    Warm(tmp_path, 2, lambda _: False)
    monkeypatch.undo()
    Warm(tmp_path, 2, lambda _: False)
    assert list(tmp_path.with_name(f"{tmp_path.name}-gone").iterdir()) == []


def test_the_key_of_a_warm_workspace_is_what_a_build_looks_for(warm: Warm) -> None:
    warm.take(name_of("ann@box", "tree"), "a.1")
    assert warm.keys() == {key("tree", "ann@box", "tree")}
