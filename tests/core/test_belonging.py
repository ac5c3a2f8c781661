"""Who belongs: invitations are used once, numbers never twice, and who is removed stays removed."""

import pytest
from msgspec.structs import replace

from job_orchestra.core.belonging import MAX_INVITES, Invited, worthless
from job_orchestra.core.commands import Admit, Expire, Invite, Join, Remove, SetAgent
from job_orchestra.core.errors import Conflict, NotAllowed, NotFound
from job_orchestra.core.ledger import Ledger, Outcome
from job_orchestra.core.model import AgentRecord, BuildState
from tests.kit.builders import T0, Network, assign, submit

NAMES = ("ant", "bee", "cow")
FIRST, SECOND, THIRD = (AgentRecord(f"a{one}", name, public=name * 10) for one, name in enumerate(NAMES, 1))


@pytest.fixture
def net() -> Network:
    """Give a network that its first agent has made."""
    one = Network()
    one.do(Admit(T0, "network", FIRST, member=1))
    return one


def invite(net: Network, digest: str = "d", *, at: int = T0, votes: bool = True) -> None:
    assert net.do(Invite(at, "ann", digest, T0 + 1_000, votes)).error is None


def admit(net: Network, agent: AgentRecord = SECOND, digest: str = "d", at: int = T0 + 1) -> Outcome:
    return net.do(Admit(at, agent.name, agent, invite=digest))


def test_an_invited_agent_becomes_a_member_with_the_next_number(net: Network) -> None:
    invite(net)
    assert admit(net).error is None
    assert net.ledger.agents["a2"] == replace(SECOND, member=2, joined=T0 + 1, seen=T0 + 1)


def test_an_invitation_lets_one_agent_in(net: Network) -> None:
    invite(net)
    admit(net)
    error = admit(net, THIRD).error
    assert isinstance(error, NotAllowed)
    assert "used already" in str(error)
    assert "a3" not in net.ledger.agents


def test_who_missed_the_answer_may_use_its_invitation_again_and_gets_a_number_of_its_own(net: Network) -> None:
    invite(net)
    admit(net)
    assert admit(net).error is None
    assert net.ledger.agents["a2"].member == 3


def test_an_invitation_expires(net: Network) -> None:
    invite(net)
    error = admit(net, at=T0 + 1_000).error
    assert isinstance(error, NotAllowed)
    assert "expired" in str(error)


def test_an_unknown_invitation_is_refused(net: Network) -> None:
    error = admit(net, digest="guessed").error
    assert isinstance(error, NotAllowed)
    assert "not known" in str(error)


@pytest.mark.parametrize(
    ("invited", "agent", "at", "why"),
    [
        (None, "a", 0, "not known"),
        (Invited(10), "a", 10, "expired"),
        (Invited(10, used="b"), "a", 9, "used already"),
        (Invited(10, used="a"), "a", 9, ""),
        (Invited(10), "a", 9, ""),
    ],
)
def test_what_an_invitation_is_worth(invited: Invited | None, agent: str, at: int, why: str) -> None:
    found = worthless(invited, agent, at)
    assert why in found
    assert bool(why) == bool(found)


def test_an_invitation_for_a_worker_gives_no_vote(net: Network) -> None:
    invite(net, votes=False)
    admit(net)
    assert not net.ledger.agents["a2"].votes


def test_expired_invitations_are_forgotten_and_too_many_are_refused(net: Network) -> None:
    for number in range(MAX_INVITES):
        invite(net, f"d{number}")
    assert isinstance(net.do(Invite(T0, "ann", "one more", T0 + 9_000)).error, Conflict)
    assert net.do(Invite(T0 + 1_000, "ann", "later", T0 + 9_000)).error is None
    assert set(net.ledger.invites) == {"later"}


def test_open_invitations_survive_a_restart(net: Network) -> None:
    invite(net)
    admit(net)
    assert Ledger(net.store.live(0)).invites == {"d": Invited(T0 + 1_000, used="a2")}


def test_a_member_that_is_admitted_anew_keeps_what_others_decided(net: Network) -> None:
    invite(net)
    admit(net)
    net.do(Join(T0 + 2, replace(SECOND, session="s", slots=4, labels={"gpu": ""})))
    net.do(SetAgent(T0 + 3, "ann", "a2", enabled=False))
    admit(net)
    found = net.ledger.agents["a2"]
    assert (found.member, found.slots, found.labels, found.session) == (3, 4, {"gpu": ""}, "s")


def test_who_is_removed_is_gone_with_what_it_had_and_its_number(net: Network) -> None:
    invite(net)
    admit(net)
    net.do(Join(T0 + 2, replace(SECOND, session="s2")))
    (build,) = net.do(submit()).builds
    net.do(assign(build, agent="a2", session="s2"))
    net.do(Remove(T0 + 3, "ann", "a2"))
    assert "a2" not in net.ledger.agents
    assert net.ledger.attempts == {}
    assert Ledger(net.store.live(0)).agents.keys() == {"a1"}
    stored = net.store.get("builds", build)
    assert stored is not None
    assert stored.state is BuildState.LOST
    assert "removed" in stored.reason
    invite(net, "again")
    admit(net, digest="again")
    assert net.ledger.agents["a2"].member == 3


def test_a_join_that_was_on_its_way_does_not_bring_a_removed_agent_back(net: Network) -> None:
    invite(net)
    admit(net)
    net.do(Remove(T0 + 3, "ann", "a2"))
    assert not net.do(Join(T0 + 4, replace(SECOND, session="s2"))).changed
    assert "a2" not in net.ledger.agents


def test_the_only_agent_stays(net: Network) -> None:
    assert isinstance(net.do(Remove(T0, "ann", "a1")).error, Conflict)
    assert isinstance(net.do(SetAgent(T0, "ann", "a1", leaving=True)).error, Conflict)


def test_nobody_is_removed_twice(net: Network) -> None:
    assert isinstance(net.do(Remove(T0, "ann", "a9")).error, NotFound)
    assert isinstance(net.do(SetAgent(T0, "ann", "a9", leaving=True)).error, NotFound)


def test_a_lease_that_is_over_loses_what_that_session_had_and_no_other(net: Network) -> None:
    invite(net)
    admit(net)
    net.do(Join(T0 + 2, replace(SECOND, session="s2")))
    (build,) = net.do(submit()).builds
    net.do(assign(build, agent="a2", session="s2"))
    assert not net.do(Expire(T0 + 9, "a2", "an older session")).changed
    assert net.do(Expire(T0 + 9, "a2", "s2")).builds == (build,)
    assert net.ledger.agents["a2"].session == ""
