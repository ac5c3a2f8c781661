"""The ledger, told as short stories: what each command changes, and what it leaves alone."""

from typing import Any

import pytest
from msgspec.structs import replace

from job_orchestra.core.commands import Expire, NewBuild, Refuse, SetAgent, StopBuild
from job_orchestra.core.definition import Retry
from job_orchestra.core.errors import Conflict, NotFound
from job_orchestra.core.ids import build_id
from job_orchestra.core.lateness import MAX_LOST
from job_orchestra.core.ledger import REQUEST_MEMORY_MS, Changes, Ledger
from job_orchestra.core.model import Attempt, BuildState, Stop, TaskState
from job_orchestra.store.contract import batch_of
from tests.kit.builders import (
    T0,
    Network,
    agent,
    apply,
    assign,
    attempt,
    job,
    join,
    new,
    record,
    spec,
    stop,
    submit,
)

S = BuildState


@pytest.fixture
def net() -> Network:
    return Network()


# -- submit


def test_builds_are_accepted_in_order_and_counted_by_job(net: Network) -> None:
    outcome = net.do(submit(builds=(new(), new(job="lint"), new())))
    builds = [net.ledger.builds[one] for one in outcome.builds]
    assert [one.serial for one in builds] == [1, 2, 3]
    assert [one.id for one in builds] == [build_id(1), build_id(2), build_id(3)]
    assert [one.label for one in builds] == ["shop/test#1", "shop/lint#1", "shop/test#2"]
    assert {one.state for one in builds} == {S.PENDING}
    assert {one.created for one in builds} == {T0}
    assert net.kinds() == {"builds": list(outcome.builds), "tasks": [1], "specs": [spec().digest()]}


def test_a_submission_is_a_task(net: Network) -> None:
    one = net.do(submit())
    two = net.do(submit(2, requester="ben", kind="builds.rerun"))
    first, second = net.store.get("tasks", one.task), net.store.get("tasks", two.task)
    assert first is not None
    assert second is not None
    assert (first.kind, first.requester, first.outcome) == ("builds.submit", "ann", "shop/test#1")
    assert (second.kind, second.requester) == ("builds.rerun", "ben")
    assert second.outcome == "2 builds, the first is shop/test#2"
    assert second.builds == two.builds


def test_the_same_request_returns_the_same_builds(net: Network) -> None:
    first = net.do(submit(2, request="r"))
    before = net.ledger.builds
    again = net.do(submit(1, run="other", request="r", at=T0 + REQUEST_MEMORY_MS))
    assert again.builds == first.builds
    assert (again.task, again.changed, again.error) == (0, False, None)
    assert net.ledger.builds == before
    assert net.kinds() == {}


@pytest.mark.parametrize("together", [True, False])
def test_a_request_is_forgotten_after_a_day_wherever_entries_end(net: Network, together: bool) -> None:
    (first,) = net.submitted(request="r")
    late = submit(request="r", at=T0 + REQUEST_MEMORY_MS + 1)
    other = submit(at=late.at)
    second = net.entry(other, late)[1] if together else [net.do(one) for one in (other, late)][1]
    assert second.builds == (build_id(3),) != (first,)
    assert net.ledger.requests == {"r": (late.at, second.builds)}


def test_requests_without_an_id_are_all_new(net: Network) -> None:
    assert net.submitted() != net.submitted()
    assert not net.ledger.requests


def test_a_spec_that_nobody_knows_refuses_the_whole_submission(net: Network) -> None:
    known = spec()
    outcome = net.do(submit(builds=(new(), new("gone")), specs={known.digest(): known}))
    assert isinstance(outcome.error, Conflict)
    assert str(outcome.error) == "shop/test was redefined while it was being submitted; submit it again"
    assert not outcome.changed
    assert net.kinds() == {"tasks": [1]}
    assert net.changes.tasks[1].state is TaskState.REFUSED
    assert (net.ledger.builds, net.ledger.specs, net.ledger.counters.serial) == ({}, {}, 0)


def test_a_spec_known_from_a_definition_need_not_come_along(net: Network) -> None:
    net.do(apply(job()))
    (one,) = net.submitted(specs={})
    assert net.ledger.specs == {net.ledger.builds[one].spec: spec()}
    assert "specs" not in net.kinds()


def test_a_spec_is_told_once(net: Network) -> None:
    net.submitted()
    assert net.kinds()["specs"] == [spec().digest()]
    net.submitted()
    assert "specs" not in net.kinds()


def test_specs_stay_as_long_as_a_build_or_a_job_refers_to_them(net: Network) -> None:
    net.do(apply(job()))
    (one,) = net.submitted(specs={})
    net.do(apply(job(run="other")))
    assert set(net.ledger.specs) == {spec().digest(), spec("other").digest()}
    net.do(stop(one))
    assert set(net.ledger.specs) == {spec("other").digest()}
    net.do(apply())
    assert net.ledger.specs == {}


# -- definitions


def test_a_project_has_just_the_jobs_of_its_last_file(net: Network) -> None:
    net.do(apply(job("a"), job("b")))
    net.do(apply(job("x", project="other"), project="other"))
    outcome = net.do(apply(job("b", run="new"), job("c")))
    assert list(net.ledger.jobs) == ["shop/b", "other/x", "shop/c"]
    assert net.changes.tasks[outcome.task].outcome == "defined shop/b, shop/c; removed shop/a"
    assert net.kinds()["removed_jobs"] == ["shop/a"]
    assert net.store.get("jobs", ("shop", "a")) is None
    assert net.store.get("jobs", ("shop", "b")) == job("b", run="new")


def test_applying_the_same_again_changes_nothing_but_is_a_task(net: Network) -> None:
    net.do(apply(job()))
    outcome = net.do(apply(job()))
    assert not outcome.changed
    assert net.changes.tasks[outcome.task].outcome == "nothing to change"
    assert net.kinds() == {"tasks": [outcome.task]}


def test_a_job_that_comes_and_goes_in_one_entry_is_not_stored(net: Network) -> None:
    net.entry(apply(job("a")), apply())
    assert net.changes.jobs == {}
    assert net.store.get("jobs", ("shop", "a")) is None
    net.entry(apply(), apply(job("a")))
    net.entry(apply(), apply(job("a")))
    assert net.store.get("jobs", ("shop", "a")) == job("a")
    assert set(net.ledger.jobs) == {"shop/a"}


def test_changes_of_entries_merge_to_their_last_values() -> None:
    ledger = Ledger()
    _, total = ledger.apply(1, [apply(job("a"), job("b")), submit()])
    _, later = ledger.apply(2, [apply(job("b", run="new"), job("c")), stop(build_id(1))])
    total.merge(later)
    _, last = ledger.apply(3, [apply(job("a"), job("b", run="new"))])
    total.merge(last)
    assert total.index == 3
    assert set(total.jobs) == {"shop/a", "shop/b"}
    assert set(total.removed_jobs) == {"shop/c"}
    assert total.builds[build_id(1)].state is S.ABORTED
    assert sorted(total.tasks) == [1, 2, 3, 4, 5]
    assert total.meta["number/shop/test"] == "1"


# -- assign


def test_a_pending_build_is_assigned_as_its_next_attempt(net: Network) -> None:
    one, two = net.submitted(2)
    net.do(join())
    outcome = net.do(assign(one, two, at=T0 + 7))
    assert outcome.builds == (one, two)
    found = net.ledger.builds[one]
    assert (found.state, found.agent, found.attempt, found.reason) == (S.ASSIGNED, "a1", 1, "")
    assert net.ledger.attempts[one] == Attempt(one, 1, "a1", "s1", S.ASSIGNED, assigned=T0 + 7)


def test_what_is_no_longer_pending_is_passed_over(net: Network) -> None:
    gone, given, one = net.submitted(3)
    net.do(join())
    net.do(stop(gone))
    net.do(assign(given))
    outcome = net.do(assign(gone, given, "00000000", one))
    assert outcome.builds == (one,)
    assert net.ledger.attempts[given].number == 1
    assert not net.do(assign(one)).changed


@pytest.mark.parametrize(("who", "session"), [("a1", "s0"), ("a2", "s1"), ("a1", "")])
def test_a_session_that_is_over_gets_nothing(net: Network, who: str, session: str) -> None:
    (one,) = net.submitted()
    net.do(join())
    outcome = net.do(assign(one, agent=who, session=session))
    assert (outcome.builds, outcome.changed) == ((), False)
    assert net.ledger.builds[one].state is S.PENDING
    assert net.kinds() == {}


# -- reports


def test_a_build_follows_its_worker_to_the_end(net: Network) -> None:
    one = net.running()
    assert (one.state, one.started, one.finished) == (S.RUNNING, T0 + 5, None)
    outcome = net.report(
        one.id, S.FAILED, finished=T0 + 9, reason="step run: exit code 1", log_bytes=12, results={"k": "v"}
    )
    assert outcome.builds == (one.id,)
    ended = net.changes.builds[one.id]
    assert (ended.state, ended.started, ended.finished) == (S.FAILED, T0 + 5, T0 + 9)
    assert (ended.reason, ended.log_bytes, ended.results) == ("step run: exit code 1", 12, {"k": "v"})
    assert (net.ledger.builds, net.ledger.attempts, net.ledger.specs) == ({}, {}, {})
    assert net.kinds() == {"builds": [one.id], "attempts": [f"{one.id}.1"]}


def test_news_of_a_running_attempt_leave_the_build_alone(net: Network) -> None:
    one = net.running()
    net.report(one.id, S.RUNNING, started=T0 + 5, log_bytes=100)
    assert net.kinds() == {"attempts": [f"{one.id}.1"]}
    assert net.ledger.builds[one.id] == one
    assert net.ledger.attempts[one.id].log_bytes == 100


def test_when_it_was_assigned_is_the_masters_to_say(net: Network) -> None:
    (one,) = net.submitted()
    net.entry(join(), assign(one, at=T0 + 3))
    net.report(one, S.RUNNING, assigned=1)
    assert net.ledger.attempts[one].assigned == T0 + 3


def foreign(current: Attempt) -> dict[str, tuple[str, Attempt]]:
    """Return reports, with who sends them, that must not change the build that `current` belongs to."""
    ended = replace(current, state=S.SUCCEEDED, finished=T0 + 9)
    return {
        "another session": ("a1", replace(ended, session="s0")),
        "another agent's attempt": ("a1", replace(ended, agent="a2")),
        "sent by another agent": ("a2", ended),
        "another agent, for itself": ("a2", replace(ended, agent="a2")),
        "superseded": ("a1", replace(ended, number=0)),
        "of the future": ("a1", replace(ended, number=2)),
        "superseded and running": ("a1", replace(current, state=S.RUNNING, number=0)),
        "no build of ours": ("a1", replace(ended, build="00000000")),
    }


@pytest.mark.parametrize("which", list(foreign(attempt())))
def test_foreign_late_and_superseded_reports_change_no_build(net: Network, which: str) -> None:
    one = net.running()
    before = net.ledger.attempts[one.id]
    who, report = foreign(before)[which]
    outcome = net.do(record(report, agent=who))
    assert (outcome.builds, outcome.changed) == ((), False)
    assert net.ledger.builds == {one.id: one}
    assert net.ledger.attempts == {one.id: before}
    assert net.kinds() == {}


def lost(net: Network, again: int = 0) -> Attempt:
    """Return an attempt that its worker had when contact with it was lost; it has joined again since."""
    wanted = spec(retry=Retry(max=again))
    digest = wanted.digest()
    one = net.running(builds=(NewBuild("shop", "test", digest),), specs={digest: wanted})
    attempt = net.ledger.attempts[one.id]
    net.entry(Expire(T0 + 50, "a1", "s1"), join())
    return attempt


@pytest.mark.parametrize("again", [0, 1])
def test_how_a_lost_attempt_really_ended_is_told_once_and_changes_no_build(net: Network, again: int) -> None:
    before = lost(net, again)
    build = net.stored(before.build)
    assert build.state is (S.PENDING if again else S.LOST)
    late = replace(before, state=S.FAILED, finished=T0 + 60, assigned=0, session="a later life's")
    outcome = net.do(record(late))
    assert (outcome.builds, outcome.changed) == ((), False)
    assert net.kinds() == {"attempts": [late.key]}
    assert net.changes.attempts[late.key] == replace(before, state=S.FAILED, finished=T0 + 60)
    assert net.stored(before.build) == build
    net.do(record(replace(late, state=S.SUCCEEDED)))
    assert net.kinds() == {}


def test_the_history_of_an_attempt_is_its_own_workers_to_tell(net: Network) -> None:
    before = lost(net)
    ended = replace(before, state=S.SUCCEEDED)
    for sender, report in (
        ("a2", ended),
        ("a2", replace(ended, agent="a2")),
        ("a1", replace(ended, agent="a2")),
        ("a1", replace(ended, number=2)),
        ("a1", before),
    ):
        net.do(record(report, agent=sender))
        assert net.kinds() == {}


def test_what_was_given_up_is_remembered_across_restarts_and_within_limits(net: Network) -> None:
    attempts = [lost(net) for _ in range(3)]
    again = Ledger(net.store.live(0))
    assert again.digest() == net.ledger.digest()
    assert list(again.lateness.lost) == [one.key for one in attempts]
    _, changes = again.apply(again.index + 1, [record(replace(attempts[1], state=S.FAILED))])
    assert list(changes.attempts) == [attempts[1].key]
    for number in range(MAX_LOST):
        again.lateness.give_up(replace(attempts[0], number=number + 2))
    assert len(again.lateness.lost) == MAX_LOST
    assert attempts[0].key not in again.lateness.lost


@pytest.mark.parametrize("state", list(S))
def test_after_its_end_nothing_changes_a_build(net: Network, state: BuildState) -> None:
    one = net.running()
    last = net.ledger.attempts[one.id]
    net.report(one.id, S.SUCCEEDED, finished=T0 + 9)
    outcome = net.do(record(replace(last, state=state)))
    assert (outcome.builds, outcome.changed) == ((), False)
    assert not net.changes.builds
    assert net.stored(one.id).state is S.SUCCEEDED


ILLEGAL = [
    *[(S.ASSIGNED, wrong) for wrong in (S.PENDING, S.SKIPPED)],
    *[(S.RUNNING, wrong) for wrong in (S.PENDING, S.ASSIGNED, S.CANCELLED, S.SKIPPED)],
]


@pytest.mark.parametrize(("state", "wrong"), ILLEGAL)
def test_a_report_against_the_lifecycle_is_not_taken(net: Network, state: BuildState, wrong: BuildState) -> None:
    one, other = net.submitted(2)
    net.entry(join(), assign(one, other))
    if state is S.RUNNING:
        net.report(one, S.RUNNING)
    before = (net.ledger.builds[one], net.ledger.attempts[one])
    good = replace(net.ledger.attempts[other], state=S.RUNNING)
    outcome = net.do(record(replace(before[1], state=wrong), good))
    assert outcome.builds == (other,)
    assert (net.ledger.builds[one], net.ledger.attempts[one]) == before
    assert net.kinds() == {"builds": [other], "attempts": [good.key]}


# -- stop


@pytest.mark.parametrize(("how", "state"), [(Stop.ABORT, S.ABORTED), (Stop.CANCEL, S.CANCELLED)])
def test_a_waiting_build_is_withdrawn_at_once(net: Network, how: Stop, state: BuildState) -> None:
    (one,) = net.submitted()
    outcome = net.do(stop(one, how, at=T0 + 4))
    ended = net.changes.builds[one]
    assert (ended.state, ended.finished, ended.reason) == (state, T0 + 4, f"{state} by ben")
    assert net.changes.tasks[outcome.task].outcome == f"shop/test#1 {state}"
    assert net.ledger.builds == {}


def test_to_stop_a_running_build_its_worker_is_asked(net: Network) -> None:
    one = net.running()
    outcome = net.do(stop(one.id))
    assert net.ledger.builds[one.id] == replace(one, stop=Stop.ABORT, reason="abort asked by ben")
    assert net.changes.tasks[outcome.task].outcome == "asked the worker of shop/test#1"
    net.report(one.id, S.ABORTED, reason="aborted by ben")
    assert (net.stored(one.id).state, net.stored(one.id).stop) == (S.ABORTED, None)


def test_a_running_build_cannot_be_cancelled(net: Network) -> None:
    one = net.running()
    outcome = net.do(stop(one.id, Stop.CANCEL))
    assert isinstance(outcome.error, Conflict)
    assert str(outcome.error) == f"shop/test#1 is already running; to stop it: orchestra abort {one.id}"
    assert net.ledger.builds[one.id] == one
    assert net.kinds() == {"tasks": [outcome.task]}


def test_a_cancel_that_came_too_late_is_forgotten_and_an_abort_is_not(net: Network) -> None:
    one, two = net.submitted(2)
    net.entry(join(), assign(one, two), stop(one, Stop.CANCEL), stop(two))
    assert (net.ledger.builds[one].stop, net.ledger.builds[two].stop) == (Stop.CANCEL, Stop.ABORT)
    net.report(one, S.RUNNING)
    net.report(two, S.RUNNING)
    assert (net.ledger.builds[one].stop, net.ledger.builds[two].stop) == (None, Stop.ABORT)


def test_an_abort_replaces_a_cancel_and_never_the_other_way(net: Network) -> None:
    (one,) = net.submitted()
    net.entry(join(), assign(one))
    asked: list[Stop | None] = []
    for how in (Stop.CANCEL, Stop.ABORT, Stop.CANCEL):
        net.do(stop(one, how))
        asked.append(net.ledger.builds[one].stop)
    assert asked == [Stop.CANCEL, Stop.ABORT, Stop.ABORT]


def test_an_abort_that_is_asked_for_once_more_waits_for_nothing(net: Network) -> None:
    one, two = net.submitted(2)
    net.entry(join(), assign(one, two), stop(one), stop(two))
    net.report(one, S.RUNNING)
    net.do(stop(one))
    assert (net.ledger.builds[one].stop, net.ledger.builds[two].stop) == (Stop.KILL, Stop.ABORT)
    net.do(stop(one, Stop.CANCEL))
    assert net.ledger.builds[one].stop is Stop.KILL


@pytest.mark.parametrize("how", list(Stop))
def test_what_has_ended_or_never_was_cannot_be_stopped(net: Network, how: Stop) -> None:
    (one,) = net.submitted()
    net.do(stop(one))
    for build in (one, "00000000"):
        outcome = net.do(stop(build, how))
        assert isinstance(outcome.error, Conflict)
        assert str(outcome.error) == f"build {build} has already ended"
        assert net.kinds() == {"tasks": [outcome.task]}


# -- agents


def test_an_agent_joins_and_renews_its_record(net: Network) -> None:
    net.do(join(at=T0 + 1, labels={"os": "linux"}))
    assert net.ledger.agents["a1"] == agent(labels={"os": "linux"}, joined=T0 + 1, seen=T0 + 1)
    net.do(join(at=T0 + 2, labels={"os": "linux"}))
    assert net.kinds() == {}
    net.do(join(at=T0 + 3, slots=8))
    assert net.ledger.agents["a1"] == agent(slots=8, joined=T0 + 1, seen=T0 + 3)


def test_a_renewed_record_keeps_what_operators_said(net: Network) -> None:
    net.do(join())
    outcome = net.do(SetAgent(T0, "ben", "a1", enabled=False, draining=True))
    assert net.changes.tasks[outcome.task].outcome == "ant: disabled, draining"
    net.do(join("bee", enabled=True, draining=False))
    record_now = net.ledger.agents["a1"]
    assert (record_now.name, record_now.enabled, record_now.draining) == ("bee", False, True)
    outcome = net.do(SetAgent(T0, "ben", "a1", enabled=True))
    assert net.changes.tasks[outcome.task].outcome == "bee: enabled, draining"


def test_an_unknown_agent_cannot_be_set(net: Network) -> None:
    outcome = net.do(SetAgent(T0, "ben", "a9", enabled=False))
    assert isinstance(outcome.error, NotFound)
    assert str(outcome.error) == "no agent a9 in this network; orchestra agents lists them"
    assert net.kinds() == {"tasks": [outcome.task]}


def test_a_new_session_loses_the_attempts_of_the_one_before(net: Network) -> None:
    mine = net.running()
    (assigned, waits, others) = net.submitted(3)
    net.entry(join("bee", id="a2", session="t1"), assign(assigned), assign(others, agent="a2", session="t1"))
    outcome = net.do(join(session="s2", at=T0 + 50))
    assert outcome.builds == (mine.id, assigned)
    for one in outcome.builds:
        lost = net.stored(one)
        assert (lost.state, lost.finished) == (S.LOST, T0 + 50)
        assert lost.reason == "the executor on ant died while it ran"
    assert set(net.ledger.builds) == {waits, others}
    assert set(net.ledger.attempts) == {others}


def test_the_same_session_keeps_its_attempts(net: Network) -> None:
    one = net.running()
    assert net.do(join(labels={"new": ""})).builds == ()
    assert net.ledger.builds == {one.id: one}


# -- the rest


def test_a_refusal_is_written_down_and_nothing_else(net: Network) -> None:
    outcome = net.do(Refuse(T0, "eve", "builds.abort", "k3x9q7ab", "eve may only read"))
    found = net.changes.tasks[outcome.task]
    assert (found.state, found.requester, found.kind) == (TaskState.REFUSED, "eve", "builds.abort")
    assert (found.target, found.outcome) == ("k3x9q7ab", "eve may only read")
    assert net.kinds() == {"tasks": [1]}


def test_time_never_runs_backwards(net: Network) -> None:
    net.submitted(at=T0 + 100)
    (late,) = net.submitted(at=T0)
    assert net.ledger.builds[late].created == T0 + 100
    assert [one.at for one in net.changes.tasks.values()] == [T0 + 100]
    assert net.ledger.counters.at == T0 + 100


def test_the_digest_is_of_the_whole_state() -> None:
    def digest(*commands: Any) -> str:  # noqa: ANN401 - commands
        ledger = Ledger()
        ledger.apply(1, commands)
        return ledger.digest()

    stories = [
        (),
        (submit(),),
        (submit(requester="ben"),),
        (submit(request="r"),),
        (submit(at=T0 + 1),),
        (submit(builds=(new(priority=1),)),),
        (join(),),
        (join(slots=2),),
        (apply(job()),),
        (submit(), stop(build_id(1))),
        (submit(), stop(build_id(1)), Refuse(T0, "eve", "builds.abort", "x", "may not")),
        (submit(), join(), assign(build_id(1))),
    ]
    assert len({digest(*one) for one in stories}) == len(stories)
    assert digest(*stories[-1]) == digest(*stories[-1])
    assert Ledger().digest() == Ledger().digest()


def test_a_ledger_from_a_store_numbers_on_where_it_stopped(net: Network) -> None:
    net.submitted(2, request="r")
    net.do(stop(build_id(1)))
    again = Ledger(net.store.live(0))
    assert again.digest() == net.ledger.digest()
    outcomes, changes = again.apply(again.index + 1, [submit(request="r"), submit()])
    assert outcomes[0].builds == (build_id(1), build_id(2))
    assert changes.builds[build_id(3)].label == "shop/test#3"
    assert min(changes.tasks) == 3


def test_a_request_used_again_after_a_day_is_restored_with_its_last_builds(net: Network) -> None:
    net.submitted(2, request="r")
    last = net.submitted(2, request="r", at=T0 + REQUEST_MEMORY_MS + 1)
    again = Ledger(net.store.live(0))
    assert again.requests == net.ledger.requests == {"r": (T0 + REQUEST_MEMORY_MS + 1, last)}


def test_an_attempt_of_an_earlier_try_is_not_restored_as_the_current_one(net: Network) -> None:
    old = lost(net, again=1)
    net.do(assign(old.build))
    stored = net.store.get("attempts", (old.build, 1))
    assert stored is not None
    assert stored.state is S.LOST
    assert net.ledger.attempts[old.build].number == 2
    assert Ledger(net.store.live(0)).attempts == net.ledger.attempts


def test_what_a_store_gets_of_nothing_is_the_index() -> None:
    _, changes = Ledger().apply(7, [])
    assert batch_of(changes) == batch_of(Changes(index=7, meta=changes.meta))
    assert set(changes.meta) == {"counters"}


def test_a_build_carries_what_was_asked_for(net: Network) -> None:
    wanted = NewBuild("shop", "test", spec().digest(), parameters={"level": "2"}, priority=7)
    (one,) = net.submitted(builds=(wanted,), cause="rerun of x", request="r")
    found = net.ledger.builds[one]
    assert (found.parameters, found.priority, found.cause, found.request) == ({"level": "2"}, 7, "rerun of x", "r")


def test_what_an_earlier_session_had_not_begun_goes_back_into_the_queue(net: Network) -> None:
    running = net.running()
    begun, held, stopped = net.submitted(3)
    net.entry(assign(begun), assign(held), assign(stopped))
    net.do(StopBuild(T0, "ben", stopped, Stop.CANCEL))
    net.do(replace(join(session="s2", at=T0 + 50), begun=(f"{begun}.1",)))
    assert net.stored(running.id).state is S.LOST, "what runs was surely begun, whatever the list says"
    assert net.stored(begun).state is S.LOST
    assert net.stored(stopped).state is S.CANCELLED
    back = net.stored(held)
    assert (back.state, back.agent, back.reason) == (S.PENDING, "", "the executor on ant died before it began")
    net.do(assign(held, session="s2"))
    assert (net.stored(held).state, net.stored(held).attempt) == (S.ASSIGNED, 2)
