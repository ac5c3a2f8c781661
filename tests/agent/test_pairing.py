"""Being let in by a code: what it is made of, how few tries there are at it, and who waits for how long."""

import random

import pytest

from job_orchestra.agent import pairing as module
from job_orchestra.agent.pairing import (
    EXPIRES_S,
    MAX_PENDING,
    PER_MINUTE,
    Pending,
    code,
    commitment,
    normal,
)
from job_orchestra.core.errors import Conflict, InvalidInput, LimitReached, NotAllowed, NotFound
from job_orchestra.core.model import AgentRecord


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pending(clock: Clock) -> Pending:
    return Pending(clock)


def machine(name: str) -> AgentRecord:
    return AgentRecord(f"id of {name}", name)


def test_both_sides_make_the_same_code_and_everything_in_it_counts() -> None:
    facts = ("0" * 16, "member's key", "joiner's key", b"one nonce", b"another")
    same = code(*facts)
    assert same == code(*facts)
    assert normal(same) == same
    changed = [("1" * 16, *facts[1:])]
    changed += [(*facts[:1], "a middleman's key", *facts[2:]), (*facts[:2], "a middleman's key", *facts[3:])]
    changed += [(*facts[:3], b"other", facts[4]), (*facts[:4], b"other")]
    assert all(code(*one) != same for one in changed)
    assert code("ab", "c", "d", b"", b"") != code("a", "bc", "d", b"", b"")


def test_a_middleman_hits_by_chance_only() -> None:
    """Between two sides it has other keys towards each; both codes are what two random numbers are to each other."""
    chance = random.Random(1)
    same = 0
    for _ in range(20_000):
        nonces = [chance.randbytes(32) for _ in range(4)]
        same += code("n", "member", "middle", nonces[0], nonces[1]) == code(
            "n", "middle", "joiner", nonces[2], nonces[3]
        )
    assert same <= 2


def test_a_commitment_binds() -> None:
    assert commitment(b"one") == commitment(b"one") != commitment(b"other")
    assert len(commitment(b"")) == 32


@pytest.mark.parametrize("typed", ["482-913", "482913", " 482 913 ", "4-8-2-9-1-3"])
def test_codes_are_read_as_people_type_them(typed: str) -> None:
    assert normal(typed) == "482-913"


@pytest.mark.parametrize("typed", ["", "48291", "4829133", "48291x", "\u0664\u0668\u0662-913", "482-913-1"])
def test_what_is_no_code_costs_nothing(pending: Pending, typed: str) -> None:
    pending.ask(machine("bee"), "482-913", "192.0.2.9")
    with pytest.raises(InvalidInput, match="six digits"):
        pending.approve(typed)
    assert len(pending.requests()) == 1


def test_the_right_code_finds_the_machine_once(pending: Pending) -> None:
    pending.ask(machine("bee"), "482-913", "192.0.2.9")
    assert pending.approve("482913").record.name == "bee"
    with pytest.raises(NotFound):
        pending.approve("482913")


def test_a_wrong_code_refuses_all_that_wait(pending: Pending) -> None:
    pending.ask(machine("bee"), "482-913", "192.0.2.9")
    pending.ask(machine("cow"), "111-222", "192.0.2.8")
    with pytest.raises(NotAllowed, match="all 2 requests"):
        pending.approve("000-000")
    assert pending.requests() == []


def test_a_request_expires(pending: Pending, clock: Clock) -> None:
    pending.ask(machine("bee"), "482-913", "192.0.2.9")
    clock.now += EXPIRES_S
    with pytest.raises(NotFound, match="run orchestra join there again"):
        pending.approve("482-913")


def test_so_many_requests_in_a_minute_whoever_asks(pending: Pending, clock: Clock) -> None:
    for number in range(PER_MINUTE):
        pending.ask(machine("bee"), f"000-00{number}", "192.0.2.9")
    for name in ("bee", "cow"):
        with pytest.raises(LimitReached, match="60 s"):
            pending.ask(machine(name), "999-999", "192.0.2.9")
    assert [one.code for one in pending.requests()] == [f"000-00{PER_MINUTE - 1}"]
    clock.now += 60
    pending.ask(machine("cow"), "999-999", "192.0.2.9")


def test_so_many_machines_wait_at_a_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PER_MINUTE", MAX_PENDING + 1)
    pending = Pending(clock)
    for number in range(MAX_PENDING):
        pending.ask(machine(str(number)), f"000-0{number:02}", "192.0.2.9")
    with pytest.raises(LimitReached):
        pending.ask(machine("one more"), "999-999", "192.0.2.9")


def test_two_machines_with_one_code_are_told(pending: Pending) -> None:
    pending.ask(machine("bee"), "482-913", "192.0.2.9")
    with pytest.raises(Conflict, match="again"):
        pending.ask(machine("cow"), "482-913", "192.0.2.8")


def test_who_asks_again_replaces_what_it_asked(pending: Pending) -> None:
    first = pending.ask(machine("bee"), "482-913", "192.0.2.9")
    second = pending.ask(machine("bee"), "111-222", "192.0.2.9")
    pending.withdraw(first)
    assert pending.requests() == [second]
    pending.withdraw(second)
    assert pending.requests() == []
