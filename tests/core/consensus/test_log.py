"""The log: truncation only on conflict, never at or below what is committed."""

from __future__ import annotations

import pytest

from job_orchestra.core.consensus import Configuration, Entry, EntryKind, HardState, MemoryLog, Snapshot
from job_orchestra.core.consensus.log import Log
from job_orchestra.core.errors import Damaged, InvariantError


def entries(*terms: int, first: int = 1) -> tuple[Entry, ...]:
    return tuple(Entry(term, index) for index, term in enumerate(terms, first))


def log_of(*terms: int, committed: int = 0, stored: bool = True) -> Log:
    view = MemoryLog()
    if stored:
        view.append(entries(*terms))
    log = Log(view, committed if stored else 0, 0)
    if not stored and terms:
        log.append(entries(*terms))
        log.commit_to(committed)
    return log


def terms_of(log: Log) -> list[int | None]:
    return [log.term(index) for index in range(1, log.last + 1)]


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize(
    ("index", "term", "new", "matched", "after", "truncated"),
    [
        (3, 3, (), 3, [1, 2, 3, 3], False),  # a heartbeat in other clothes
        (4, 3, (4,), 5, [1, 2, 3, 3, 4], False),  # behind the end
        (2, 2, (3, 3), 4, [1, 2, 3, 3], False),  # already there
        (1, 1, (2,), 2, [1, 2, 3, 3], False),  # an old message, already there: what is behind stays
        (2, 2, (4, 4), 4, [1, 2, 4, 4], True),  # conflict
        (2, 2, (3, 4, 4), 5, [1, 2, 3, 4, 4], True),  # conflict behind a part that matches
        (3, 2, (4,), None, [1, 2, 3, 3], False),  # another term before
        (5, 3, (4,), None, [1, 2, 3, 3], False),  # a gap
    ],
)
def test_entries_of_a_leader(  # noqa: PLR0917 - a table
    stored: bool, index: int, term: int, new: tuple[int, ...], matched: int | None, after: list[int], truncated: bool
) -> None:
    log = log_of(1, 2, 3, 3, committed=1, stored=stored)
    assert log.accept(index, term, entries(*new, first=index + 1), commit=0) == matched
    assert terms_of(log) == after
    assert log.truncations == truncated


def test_commit_is_clamped_to_what_is_matched_not_to_the_end_of_the_log() -> None:
    # The tail (3, 3) may differ from the leader's: the message only says that the log matches up to 2.
    log = log_of(1, 2, 3, 3)
    assert log.accept(1, 1, entries(2, first=2), commit=4) == 2
    assert log.committed == 2


def test_what_is_committed_is_never_replaced() -> None:
    log = log_of(1, 2, 3, committed=2)
    with pytest.raises(InvariantError, match="entry 2 would replace"):
        log.accept(1, 1, entries(4, first=2), commit=0)
    assert terms_of(log) == [1, 2, 3]


def test_a_commit_beyond_the_end_means_lost_entries() -> None:
    with pytest.raises(InvariantError, match="the log ends at 2"):
        log_of(1, 2).commit_to(3)


def test_a_stored_log_that_does_not_fit_is_refused_with_the_remedy() -> None:
    view = MemoryLog()
    view.append(entries(1, 1))
    with pytest.raises(Damaged, match="let it join again with an empty folder"):
        Log(view, 5, 0)


def test_what_was_applied_was_committed_even_if_the_note_of_it_was_lost() -> None:
    view = MemoryLog()
    view.append(entries(1, 1, 1))
    assert Log(view, 1, 2).committed == 2


def test_only_what_was_handed_out_and_not_replaced_counts_as_stored() -> None:
    log = log_of(1, 1, stored=False)
    assert log.unstored() == entries(1, 1)
    log.handed = log.last + 1
    log.accept(1, 1, entries(2, 2, first=2), commit=0)
    assert log.unstored() == entries(2, 2, first=2)
    log.stored(2, 1)  # the driver stored the old entry 2
    assert log.unstored() == entries(2, 2, first=2)


@pytest.mark.parametrize(
    ("index", "term", "expected"),
    [(4, 3, (4, 3)), (4, 2, (2, 2)), (4, 1, (1, 1)), (4, 0, (0, 0)), (2, 9, (2, 2)), (0, 5, (0, 0))],
)
def test_where_logs_may_match(index: int, term: int, expected: tuple[int, int]) -> None:
    assert log_of(1, 2, 3, 3).match_before(index, term) == expected


@pytest.mark.parametrize(
    ("index", "term", "expected"),
    [(2, 3, True), (1, 3, True), (3, 2, True), (2, 2, True), (1, 2, False), (9, 1, False)],
)
def test_whether_a_candidate_has_everything(index: int, term: int, expected: bool) -> None:
    assert log_of(1, 2).up_to_date(index, term) is expected


def test_a_snapshot_takes_the_place_of_the_log_and_holds_back_what_is_behind_it() -> None:
    log = log_of(1, 1, 1, committed=3)
    log.restore(Snapshot(7, 2, Configuration((1,))))
    assert (log.first_index(), log.last, log.committed, log.last_term()) == (8, 7, 7, 2)
    assert log.term(3) is None
    log.append(entries(2, first=8))
    log.commit_to(8)
    assert log.next_committed(100) == ()
    assert isinstance(log.view, MemoryLog)
    log.view.install(Snapshot(7, 2, Configuration((1,))))
    log.installed(7)
    assert log.next_committed(100) == entries(2, first=8)


def test_portions_hold_at_least_one_entry() -> None:
    view = MemoryLog()
    view.append(tuple(Entry(1, index, b"x" * 100) for index in range(1, 4)))
    log = Log(view, 3, 0)
    assert [entry.index for entry in log.next_committed(1)] == [1]
    assert [entry.index for entry in log.next_committed(220)] == [1, 2]
    assert len(log.entries(1, 10_000) or ()) == 3
    view.compact(1)
    assert log.entries(1, 10_000) is None


def test_an_unapplied_change_is_seen() -> None:
    view = MemoryLog()
    view.append((Entry(1, 1), Entry(1, 2, b"", EntryKind.CHANGE), Entry(1, 3)))
    assert not Log(view, 1, 0).has_unapplied_change()
    assert Log(view, 2, 0).has_unapplied_change()
    assert not Log(view, 3, 2).has_unapplied_change()


def test_a_view_drops_what_is_replaced_and_refuses_gaps() -> None:
    view = MemoryLog(Snapshot(2, 1, Configuration((1,))))
    assert view.initial_state() == (HardState(commit=2), Configuration((1,)))
    view.append(entries(1, 1, 1, first=3))
    view.append(entries(2, first=4))
    assert [view.term(index) for index in range(1, 6)] == [None, 1, 1, 2, None]
    view.compact(3)
    view.compact(1)
    assert (view.first_index(), view.last_index(), view.term(3)) == (4, 4, 1)
    with pytest.raises(InvariantError, match="leaves a gap"):
        view.append(entries(2, first=6))
    with pytest.raises(InvariantError, match="cannot compact to 9"):
        view.compact(9)
