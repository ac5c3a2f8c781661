"""The table of legal changes of state."""

import pytest

from job_orchestra.core import lifecycle
from job_orchestra.core.errors import IllegalTransition, InvariantError
from job_orchestra.core.model import LIVE_STATES, BuildState

S = BuildState
EVERY = [(one, two) for one in S for two in S]


def test_every_state_has_a_row() -> None:
    assert set(lifecycle.BUILD) == set(S)


def test_ends_have_no_way_out_and_only_ends() -> None:
    assert {state for state, ways in lifecycle.BUILD.items() if not ways} == {one for one in S if one.ended}
    assert {one for one in S if not one.ended} == LIVE_STATES


def test_every_state_can_be_reached() -> None:
    reached, rest = {S.PENDING}, [S.PENDING]
    while rest:
        new = lifecycle.BUILD[rest.pop()] - reached
        reached |= new
        rest += new
    assert reached == set(S)


@pytest.mark.parametrize(("current", "new"), EVERY)
def test_the_table_decides(current: BuildState, new: BuildState) -> None:
    if new in lifecycle.BUILD[current]:
        lifecycle.check(current, new)
    else:
        with pytest.raises(IllegalTransition, match=f"a build cannot change from {current} to {new}; "):
            lifecycle.check(current, new)


def test_an_illegal_change_says_what_would_be_legal() -> None:
    with pytest.raises(InvariantError) as live:
        lifecycle.check(S.RUNNING, S.CANCELLED)
    assert str(live.value) == (
        "a build cannot change from running to cancelled; from running it may become "
        "aborted, error, failed, lost, pending, succeeded"
    )
    with pytest.raises(InvariantError, match=r"from lost it may become nothing: it has ended$"):
        lifecycle.check(S.LOST, S.RUNNING)


def test_the_table_describes_itself() -> None:
    lines = lifecycle.describe().splitlines()
    assert len(lines) == len(S)
    assert lines[0] == "pending    -> aborted, assigned, cancelled, error, skipped"
    assert lines[-1] == "lost       -> (end)"
