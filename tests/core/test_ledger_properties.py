"""What holds of the ledger whatever is asked of it, in whatever order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from job_orchestra.core import lifecycle
from job_orchestra.core.commands import Command, decode, encode
from job_orchestra.core.ledger import REQUEST_MEMORY_MS, Ledger, Outcome
from job_orchestra.core.model import BuildState, Stop
from job_orchestra.store.contract import batch_of
from job_orchestra.store.memory import MemoryStore
from tests.kit.lives import lives


def replay(life: list[Command], ends: list[int]) -> tuple[Ledger, list[Outcome]]:
    """Apply a life in entries that end at `ends`; each has the number of its last command as its index."""
    ledger, outcomes, begin = Ledger(), list[Outcome](), 0
    for end in [*ends, len(life)]:
        if end > begin:
            outcomes += ledger.apply(end, life[begin:end])[0]
            begin = end
    return ledger, outcomes


def plain(outcomes: list[Outcome]) -> list[tuple[object, ...]]:
    return [(one.builds, one.task, type(one.error), str(one.error), one.changed) for one in outcomes]


@settings(max_examples=150)
@given(lives, st.data())
def test_how_commands_are_cut_into_entries_does_not_matter(life: list[Command], data: st.DataObject) -> None:
    one, outcomes = replay(life, list(range(1, len(life))))
    ends = sorted(data.draw(st.sets(st.integers(1, len(life)))))
    other, others = replay(life, ends)
    assert other.digest() == one.digest()
    assert plain(others) == plain(outcomes)


@settings(max_examples=150)
@given(lives)
def test_commands_survive_the_log(life: list[Command]) -> None:
    direct, _ = replay(life, [])
    read, _ = replay(list(decode(encode(tuple(life)))), [])
    assert read.digest() == direct.digest()


@settings(max_examples=150)
@given(lives, st.data())
def test_a_ledger_rebuilt_from_a_store_is_equal_and_goes_on_equally(life: list[Command], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(life)))
    store, ledger = MemoryStore(), Ledger()
    for index, command in enumerate(life[:cut], 1):
        store.write(batch_of(ledger.apply(index, [command])[1]))
    again = Ledger(store.live(0))
    for part in ("index", "builds", "attempts", "jobs", "specs", "agents", "counters", "numbers"):
        assert getattr(again, part) == getattr(ledger, part), part
    assert dict(again.requests) == dict(ledger.requests)
    assert [at for at, _ in again.requests.values()] == [at for at, _ in ledger.requests.values()], "oldest first"
    assert again.digest() == ledger.digest()
    for index, command in enumerate(life[cut:], cut + 1):
        told, changes = ledger.apply(index, [command])
        also, same = again.apply(index, [command])
        assert plain(also) == plain(told)
        assert same == changes
    assert again.digest() == ledger.digest()


@settings(max_examples=150)
@given(lives)
def test_merged_changes_leave_a_store_as_single_ones_do(life: list[Command]) -> None:
    each, once, ledger = MemoryStore(), MemoryStore(), Ledger()
    total = None
    for index, command in enumerate(life, 1):
        _, changes = ledger.apply(index, [command])
        each.write(batch_of(changes))
        if total is None:
            total = Ledger().apply(index, [command])[1]
        else:
            total.merge(changes)
    assert total is not None
    once.write(batch_of(total))
    assert once.live(0) == each.live(0)
    assert {key: once.get("tasks", key) for key in total.tasks} == {key: each.get("tasks", key) for key in total.tasks}


@settings(max_examples=150)
@given(lives)
def test_a_build_moves_only_as_the_lifecycle_allows_and_ends_once(life: list[Command]) -> None:
    ledger, states = Ledger(), dict[str, BuildState]()
    for index, command in enumerate(life, 1):
        _, changes = ledger.apply(index, [command])
        for build in changes.builds.values():
            before = states.get(build.id)
            if before is None:
                assert build.state is BuildState.PENDING or (build.pipeline and build.state is BuildState.SKIPPED)
            else:
                assert not before.ended, "nothing changes what has ended"
                assert build.state is before or build.state in lifecycle.BUILD[before]
            states[build.id] = build.state
        assert {one: build.state for one, build in ledger.builds.items()} == {
            one: state for one, state in states.items() if not state.ended
        }


@settings(max_examples=150)
@given(lives)
def test_what_is_held_fits_together(life: list[Command]) -> None:
    ledger = Ledger()
    for index, command in enumerate(life, 1):
        _, changes = ledger.apply(index, [command])
        builds = ledger.builds.values()
        assert set(ledger.attempts) == {one.id for one in builds if one.state is not BuildState.PENDING}
        for build in builds:
            attempt = ledger.attempts.get(build.id)
            if attempt is not None:
                assert (attempt.number, attempt.agent, attempt.state) == (build.attempt, build.agent, build.state)
                assert ledger.agents[attempt.agent].session == attempt.session
            else:
                assert build.stop is None
            assert build.stop is not Stop.CANCEL or build.state is BuildState.ASSIGNED
        used = {one.spec for one in builds} | {one.spec.digest() for one in ledger.jobs.values()}
        assert set(ledger.specs) == used
        assert all(one.digest() == digest for digest, one in ledger.specs.items())
        assert changes.index == ledger.index == index


@settings(max_examples=150)
@given(lives)
def test_numbers_only_grow_and_time_with_them(life: list[Command]) -> None:
    ledger, created, tasks, numbers = Ledger(), list[tuple[int, int]](), list[tuple[int, int]](), set[str]()
    for index, command in enumerate(life, 1):
        fresh = ledger.counters.serial
        _, changes = ledger.apply(index, [command])
        born = [one for one in changes.builds.values() if one.serial > fresh]
        created += [(one.serial, one.created) for one in born]
        tasks += [(one.id, one.at) for one in changes.tasks.values()]
        assert not numbers & {one.label for one in born}
        numbers |= {one.label for one in born}
        assert len({one.id for one in born}) == len(born)
    assert [serial for serial, _ in created] == list(range(1, len(created) + 1))
    assert [number for number, _ in tasks] == list(range(1, len(tasks) + 1))
    assert [at for _, at in created] == sorted(at for _, at in created)
    assert [at for _, at in tasks] == sorted(at for _, at in tasks)


@settings(max_examples=150)
@given(lives)
def test_within_a_day_a_request_has_one_answer(life: list[Command]) -> None:
    ledger, answers = Ledger(), dict[str, tuple[int, tuple[str, ...]]]()
    for index, command in enumerate(life, 1):
        outcomes, _ = ledger.apply(index, [command])
        request = getattr(command, "request", "")
        if not request or outcomes[0].error is not None:
            continue
        at, builds = answers.get(request, (0, ()))
        if ledger.counters.at - at <= REQUEST_MEMORY_MS:
            assert outcomes[0].builds == builds
            assert not outcomes[0].changed
        else:
            assert outcomes[0].changed
            answers[request] = (ledger.counters.at, outcomes[0].builds)
