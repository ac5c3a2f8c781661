"""The command `offer`, as the owner of a machine has it, with a real agent that is killed in between."""

from datetime import datetime, timedelta

import pytest

from job_orchestra.agent.client.blocking import Client
from tests.kit.agents import AgentProcess
from tests.kit.commands import orchestra
from tests.kit.waiting import wait_until

LATER = (datetime.now() + timedelta(hours=11)).strftime("%H:%M-") + (  # noqa: DTZ005 - a clock on a wall
    datetime.now() + timedelta(hours=12)  # noqa: DTZ005 - a clock on a wall
).strftime("%H:%M")
"""Hours that are not now, whenever the test is run."""


def pauses(net: Client) -> None:
    """Wait until the network knows that its only agent takes no builds."""
    wait_until(lambda: [one.state for one in net.agents.list().agents] == ["paused"], "it pauses")


def test_an_offer_is_changed_outlives_the_agent_and_is_reset(agent: AgentProcess) -> None:
    agent.start("--name", "desk", "--slots", "2")
    done = orchestra(agent.data, "offer", "desk", "--hours", LATER, "--nice", "--slots", "1")
    assert f"desk offers 1 slots, {LATER}, nice" in done.err
    with agent.client() as net:
        pauses(net)
        build = net.builds.submit(["nice"])[0].id
    agent.kill()
    agent.start("--name", "desk", "--slots", "2")
    with agent.client() as net:
        pauses(net)
    paused = f"paused: it is outside its hours ({LATER})"
    shown = orchestra(agent.data, "offer").out
    assert f", {paused}" in shown
    assert "slots      1, of which 0 taken" in shown
    assert "changed    slots, hours, nice" in shown
    assert f"{LATER}, nice (now {paused})" in orchestra(agent.data, "agents").out
    assert f"desk: is {paused}" in orchestra(agent.data, "explain", build).out
    orchestra(agent.data, "offer", "--always")
    with agent.client() as net:
        assert net.call("builds.wait", id=build).build.state == "succeeded"
        assert b"".join(net.log(build)) == b"19\n"  # it gave way to everything else
        assert "agent    desk\n" in orchestra(agent.data, "show", build).out
        orchestra(agent.data, "offer", "--reset")
        again = net.builds.submit(["nice"])[0]
        assert again.wait().state == "succeeded"
        assert b"".join(net.log(again.id)) == b"0\n"
        assert net.agents.list().agents[0].offer.changed == []


def test_what_an_agent_is_started_with_is_its_offer(agent: AgentProcess) -> None:
    agent.start("--name", "desk", "--hours", LATER, environment={"ORCHESTRA_PAUSE_ON_BATTERY": "true"})
    with agent.client() as net:
        pauses(net)
        offer = net.agents.list().agents[0].offer
    assert (offer.hours, offer.pause_on_battery, offer.changed) == ([LATER], True, [])


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
    with running_agent.client() as net:
        build = net.builds.submit(["true"])[0]
        assert net.builds.explain(build.id).reasons == ["box: offers no slots; orchestra offer box changes that"]
        net.call("agents.offer", agent="box", slots=1)
        assert build.wait().state == "succeeded"
