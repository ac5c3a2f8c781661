"""The command `offer`, as the owner of a machine has it, with a real agent that is killed in between."""

from datetime import datetime, timedelta

import pytest

from tests.kit.agents import AgentProcess
from tests.kit.commands import orchestra

LATER = (datetime.now() + timedelta(hours=11)).strftime("%H:%M-") + (  # noqa: DTZ005 - a clock on a wall
    datetime.now() + timedelta(hours=12)  # noqa: DTZ005 - a clock on a wall
).strftime("%H:%M")
"""Hours that are not now, whenever the test is run."""


def test_an_offer_is_changed_outlives_the_agent_and_is_reset(agent: AgentProcess) -> None:
    agent.start("--name", "desk", "--slots", "2")
    shown = orchestra(agent.data, "offer").out
    assert "slots      2, of which 0 taken" in shown
    assert "changed    nothing: as its settings say" in shown
    done = orchestra(agent.data, "offer", "desk", "--hours", LATER, "--nice", "--slots", "1")
    assert f"desk offers 1 slots, {LATER}, nice" in done.err
    build = orchestra(agent.data, "run", "--no-copy", "--detach", "--", "nice").out.strip()
    paused = f"paused: it is outside its hours ({LATER})"
    assert f"desk: is {paused}" in orchestra(agent.data, "explain", build).out
    agent.kill()
    agent.start("--name", "desk", "--slots", "2")
    shown = orchestra(agent.data, "offer").out
    assert f", {paused}" in shown
    assert "slots      1, of which 0 taken" in shown
    assert "changed    slots, hours, nice" in shown
    assert f"{LATER}, nice (now {paused})" in orchestra(agent.data, "agents").out
    assert f"desk: is {paused}" in orchestra(agent.data, "explain", build).out
    orchestra(agent.data, "offer", "--always")
    assert orchestra(agent.data, "watch", build).code == 0
    assert orchestra(agent.data, "logs", build).out == "19\n"  # it gave way to everything else
    assert "agent    desk\n" in orchestra(agent.data, "show", build).out
    orchestra(agent.data, "offer", "--reset")
    assert orchestra(agent.data, "run", "--no-copy", "--", "nice").out == "0\n"
    assert "changed    nothing" in orchestra(agent.data, "offer").out


def test_what_an_agent_is_started_with_is_its_offer(agent: AgentProcess) -> None:
    agent.start("--name", "desk", "--hours", LATER, environment={"ORCHESTRA_PAUSE_ON_BATTERY": "true"})
    shown = orchestra(agent.data, "offer", "--json").json()
    offer = shown["offer"]
    assert isinstance(offer, dict)
    assert (offer["hours"], offer["pause_on_battery"], offer["changed"]) == ([LATER], True, [])
    assert shown["state"] == "paused"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--hours", "9-5"], 2, "'9-5' are no hours; write 18:00-08:00"),
        (["--always", "--hours", "9:00-17:00"], 2, "either --hours or --always"),
        (["--idle", "soon"], 2, "--idle 'soon'"),
        (["nobody", "--slots", "1"], 5, "no agent 'nobody'"),
        (["nobody"], 5, "no agent 'nobody'"),
    ],
)
def test_what_cannot_be_offered(running_agent: AgentProcess, words: list[str], code: int, message: str) -> None:
    refused = orchestra(running_agent.data, "offer", *words)
    assert refused.code == code
    assert message in refused.err


def test_no_slots_are_no_builds(running_agent: AgentProcess) -> None:
    orchestra(running_agent.data, "offer", "--slots", "0")
    build = orchestra(running_agent.data, "run", "--no-copy", "--detach", "--", "true").out.strip()
    assert (
        "box: offers no slots; orchestra offer box changes that" in orchestra(running_agent.data, "explain", build).out
    )
    orchestra(running_agent.data, "offer", "--slots", "1")
    assert orchestra(running_agent.data, "watch", build).code == 0
