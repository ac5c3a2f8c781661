"""A damaged store is recognised, set aside and rebuilt; nothing that was promised is forgotten."""

import sqlite3
from pathlib import Path
from unittest.mock import AsyncMock, patch

import pytest

from job_orchestra.agent import logview, rebuilding
from job_orchestra.agent.history import History
from job_orchestra.agent.journal import Journal
from job_orchestra.agent.paths import Paths
from job_orchestra.agent.snapshots import finish_install, note_install
from job_orchestra.core.consensus import Entry
from job_orchestra.core.errors import Damaged
from job_orchestra.core.ledger import Remembered
from job_orchestra.store import soundness
from tests.agent.test_snapshots import holds_all
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town


def spoil(path: Path) -> bytes:
    """Overwrite the middle of a store's file, as a failing disk does; return what is there then."""
    file = sqlite3.connect(path)
    file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    for place in range(4096, middle, 4096):  # all but the head, of some pages
        content[place : place + 64] = b"\xff" * 64
    path.write_bytes(content)
    return bytes(content)


def content(aside: rebuilding.SetAside) -> bytes:
    return Path(aside.files[0]).read_bytes()


async def shortened(one: Citizen) -> None:
    """Let an agent's log begin behind what its store holds."""
    with patch.object(logview, "TAIL_ENTRIES", 0):
        await until(lambda: one.agent.history.applied == one.agent.replica.ledger.index, "the store follows")
        await one.agent.history._flush()
    assert one.agent.replica._journal.first > 2


async def test_a_voter_rebuilds_its_store_from_another_and_sets_the_damaged_one_aside(town: Town) -> None:
    first, second, third = await town.grow(3)
    ended, waiting = await first.submit(), await first.submit(request="r")
    await first.ask("builds.cancel", id=ended)
    for one in (second, third):
        await holds_all(one, first)
    await shortened(third)
    vote = third.agent.replica._journal.state()
    await third.stop()
    spoiled = spoil(third.paths.history)
    await first.submit()
    await third.start()
    await holds_all(third, first)
    assert third.agent.replica.term >= vote.term
    assert (await third.ask("builds.get", id=ended))["build"]["state"] == "cancelled"
    assert await third.submit(request="r") == waiting
    (aside,) = rebuilding.aside(third.paths)
    assert content(aside) == spoiled, "it is as it was"
    assert "is damaged" in aside.why
    assert aside.rebuilt in {"a", "b"}
    await third.stop()
    await third.start()
    await holds_all(third, first)
    assert len(rebuilding.aside(third.paths)) == 1


async def test_a_store_that_is_gone_or_too_old_is_rebuilt_too(town: Town, tmp_path: Path) -> None:
    first, second, _ = await town.grow(3)
    await first.submit()
    await holds_all(second, first)
    await second.stop()
    old = second.paths.history.read_bytes()
    await first.submit()
    await second.start()
    await holds_all(second, first)
    await shortened(second)
    await second.stop()
    second.paths.history.unlink()
    await second.start()
    await holds_all(second, first)
    assert rebuilding.aside(second.paths) == [], "there was nothing to be set aside"
    await second.stop()
    second.paths.history.write_bytes(old)
    await second.start()
    await holds_all(second, first)
    (aside,) = rebuilding.aside(second.paths)
    assert "the log begins at entry" in aside.why


async def test_an_only_voter_rebuilds_its_store_from_its_log(town: Town) -> None:
    first = await town.found()
    build = await first.submit()
    with patch.object(History, "_flush", AsyncMock()):  # as if it were killed, with all of its log
        await first.stop()
    spoil(first.paths.history)
    await first.start()
    await until(lambda: first.leads, "it leads")
    assert (await first.ask("builds.get", id=build))["build"]["id"] == build
    (aside,) = rebuilding.aside(first.paths)
    assert aside.rebuilt == "its log"


async def test_what_cannot_be_rebuilt_is_left_alone(town: Town) -> None:
    first = await town.found()
    await first.submit()
    await shortened(first)
    await first.stop()
    spoiled = spoil(first.paths.history)
    with pytest.raises(Damaged, match=r"no other agent has a copy\. Restore a backup: orchestra store restore FILE"):
        await first.start()
    assert first.paths.history.read_bytes() == spoiled


async def test_where_no_other_agent_answers_the_remedy_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "PATIENCE_S", 0.3)
    first, second, third = await town.grow(3)
    await first.submit()
    await holds_all(third, first)
    await shortened(third)
    await third.stop()
    spoil(third.paths.history)
    await first.stop()
    await second.stop()
    with pytest.raises(Damaged, match=r"Start one of (a, b|b, a) and try again"):
        await third.start()
    assert third.paths.history.exists()


async def test_damage_that_is_met_while_working_is_told_and_mended_at_the_next_start(town: Town) -> None:
    first = await town.found()
    build = await first.submit()
    await first.agent.history.reached(first.agent.replica.ledger.index)
    file = sqlite3.connect(first.paths.history)
    file.execute("UPDATE builds SET doc = '{'")
    file.commit()
    file.close()
    with pytest.raises(Damaged, match="a record of builds cannot be read"):
        await first.agent.history.read(lambda: list(first.agent.history.store.scan("builds")))
    (notice,) = (await first.ask("network.status"))["notices"]
    assert "a record of builds cannot be read" in notice
    assert notice.endswith("orchestra down --keep, then orchestra up")
    with patch.object(History, "_flush", AsyncMock()):
        await first.stop()
    await first.start()
    assert (await first.ask("builds.get", id=build))["build"]["id"] == build
    assert not first.paths.suspected.exists()


async def test_what_is_left_of_a_large_store_is_looked_at_while_the_agent_works(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await town.found()
    await first.submit()
    await first.stop()
    monkeypatch.setattr(rebuilding, "CHECK_S", -1.0)
    monkeypatch.setattr(soundness, "_STEPS", 1)
    looked: list[str] = []

    def check(url: str, patience_s: float = 0.0) -> bool:
        looked.append(url)
        raise Damaged("there is a hole in it")

    with monkeypatch.context() as planted:
        whole = soundness.check

        def first_look(url: str, patience_s: float = 0.0) -> bool:
            planted.setattr(soundness, "check", check)
            return whole(url, patience_s)

        planted.setattr(soundness, "check", first_look)
        await first.start()
        await until(lambda: first.agent.history.damaged, "the hole was found")
    assert looked == [first.settings.store_url(first.paths)]
    assert first.paths.suspected.read_text() == "there is a hole in it"


@pytest.mark.parametrize(("term", "known", "left"), [(2, 2, (7, 9)), (3, 2, (9, 8)), (3, 1, (9, 8))])
def test_a_log_goes_on_behind_a_copy_only_if_both_say_the_same(
    tmp_path: Path, term: int, known: int, left: tuple[int, int]
) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.install(6, 1)
    journal.append([Entry(known, index, b"") for index in (7, 8, 9)])
    note = tmp_path / "installing.json"
    note_install(note, Remembered(8, meta={"term": str(term)}))
    assert finish_install(note, journal, 8) is (term != known)
    assert (journal.first, journal.last) == left
    journal.close()


def test_stores_that_are_set_aside_in_one_second_all_stay(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    for text in ("first", "second", "third"):
        for suffix in ("", "-wal"):
            paths.history.with_name(paths.history.name + suffix).write_text(text)
        rebuilding.set_aside(paths, f"sqlite:///{paths.history}", "damaged", "its log")
    found = rebuilding.aside(paths)
    assert [Path(one.files[0]).read_text() for one in found] == ["first", "second", "third"]
    assert len({file for one in found for file in one.files}) == 6
