"""Who pins a build keeps it until somebody unpins it, also one that left the ledger long ago."""

from collections.abc import Iterable

import pytest

from job_orchestra.core import pinning
from job_orchestra.core.commands import PinBuilds, UnpinBuilds, decode, encode
from job_orchestra.core.errors import LimitReached, NotFound
from job_orchestra.core.ledger import Ledger, Outcome
from job_orchestra.core.model import BuildState, Pin, TaskState
from tests.kit.builders import T0, Network

LONG_GONE = "AAAAAAAA"


@pytest.fixture
def net() -> Network:
    return Network()


def pin(net: Network, *builds: str, note: str = "", at: int = T0) -> Outcome:
    return net.do(PinBuilds(at, "ann", builds[0], {one: f"shop/test#{one}" for one in builds}, note))


def unpin(net: Network, *builds: str) -> Outcome:
    return net.do(UnpinBuilds(T0, "bob", builds[0], builds))


def stored(net: Network) -> Iterable[Pin]:
    return list(net.store.scan("pins"))


def test_a_pin_is_in_the_ledger_and_in_the_store_with_a_line_in_the_audit_trail(net: Network) -> None:
    outcome = pin(net, LONG_GONE, note="the release", at=T0 + 5)
    expected = Pin(LONG_GONE, f"shop/test#{LONG_GONE}", T0 + 5, "ann", "the release")
    assert net.ledger.pinning.pins == {LONG_GONE: expected}
    assert stored(net) == [expected]
    task = net.changes.tasks[outcome.task]
    assert (task.kind, task.outcome, task.builds) == ("builds.pin", f"pinned shop/test#{LONG_GONE}", (LONG_GONE,))
    unpin(net, LONG_GONE)
    assert net.ledger.pinning.pins == {}
    assert stored(net) == []


def test_who_pins_again_gives_it_another_note(net: Network) -> None:
    pin(net, LONG_GONE, note="first")
    pin(net, LONG_GONE, note="second")
    assert [one.note for one in stored(net)] == ["second"]


def test_what_is_not_pinned_cannot_be_unpinned_and_of_several_those_are_that_were(net: Network) -> None:
    refused = unpin(net, LONG_GONE)
    assert isinstance(refused.error, NotFound)
    assert net.changes.tasks[refused.task].state is TaskState.REFUSED
    pin(net, LONG_GONE)
    assert unpin(net, "BBBBBBBB", LONG_GONE).builds == (LONG_GONE,)


def test_a_pin_outlives_the_build_in_the_ledger_and_a_restart(net: Network) -> None:
    build = net.running()
    pin(net, build.id)
    net.report(build.id, BuildState.SUCCEEDED, finished=T0 + 9)
    assert build.id not in net.ledger.builds
    again = Ledger(net.store.live(0))
    assert again.pinning.pins.keys() == {build.id}
    assert again.digest() == net.ledger.digest()
    again.apply(again.index + 1, [UnpinBuilds(T0, "ann", build.id, (build.id,))])
    assert again.digest() != net.ledger.digest()


def test_pins_that_come_and_go_in_one_batch_leave_what_was_last(net: Network) -> None:
    one, two = "AAAAAAAA", "BBBBBBBB"
    pin(net, one)
    net.entry(
        UnpinBuilds(T0, "ann", one, (one,)),
        PinBuilds(T0, "ann", one, {one: "shop/test#1"}, "again"),
        PinBuilds(T0, "ann", two, {two: "shop/test#2"}),
        UnpinBuilds(T0, "ann", two, (two,)),
    )
    assert [(pin.build, pin.note) for pin in stored(net)] == [(one, "again")]
    _, earlier = net.ledger.apply(net.ledger.index + 1, [UnpinBuilds(T0, "ann", one, (one,))])
    _, later = net.ledger.apply(net.ledger.index + 1, [PinBuilds(T0, "ann", one, {one: "shop/test#1"})])
    earlier.merge(later)
    assert (list(earlier.pins), list(earlier.removed_pins)) == ([one], [])


def test_only_so_many_can_be_pinned(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinning, "MAX_PINS", 2)
    assert pin(net, "AAAAAAAA", "BBBBBBBB").error is None
    refused = pin(net, "AAAAAAAA", "CCCCCCCC")
    assert isinstance(refused.error, LimitReached)
    assert "orchestra pins" in str(refused.error)
    assert net.ledger.pinning.pins.keys() == {"AAAAAAAA", "BBBBBBBB"}
    assert pin(net, "AAAAAAAA", note="those that are pinned may be pinned again").error is None


def test_both_commands_are_read_as_they_were_written() -> None:
    entry = (
        PinBuilds(T0, "ann", "p-1", {"AAAAAAAA": "shop/test#1"}, "why", "pipelines.pin"),
        UnpinBuilds(T0, "ann", "p-1", ("AAAAAAAA",), "pipelines.unpin"),
    )
    assert decode(encode(entry)) == entry
