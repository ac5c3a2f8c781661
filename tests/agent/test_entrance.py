"""Who is let in, decided by the master whichever agent's door was knocked at."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from job_orchestra.agent import entrance, identity, joining
from job_orchestra.agent.paths import Paths
from job_orchestra.agent.settings import Settings
from job_orchestra.core import tokens
from job_orchestra.core.entering import Welcome
from job_orchestra.core.errors import InvalidInput, LimitReached, NoMaster, NotAllowed, NotFound, OrchestraError
from job_orchestra.core.messages import Entrant
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town


def machine(folder: Path, name: str, **fields: str) -> Entrant:
    """Return what a machine that wants to join says."""
    paths = Paths(folder / "machines" / name)
    paths.prepare()
    return Entrant(joining.applicant(identity.prepare_keys(paths), Settings(name=name)), **fields)


async def invited(master: Citizen, seconds: float = 60) -> str:
    """Return the digest of an invitation's secret."""
    token, _ = await master.agent.entrance.invite("ann", seconds, votes=True)
    return tokens.digest(tokens.parse(token).secret)


async def test_an_invitation_lets_one_machine_in_at_any_door(town: Town, tmp_path: Path) -> None:
    first, *others = await town.grow(3)
    digest = await invited(first)
    bee = machine(tmp_path, "bee", invite=digest)
    welcome = await others[0].agent.entrance.enter(bee)
    assert (welcome.network_name, welcome.master, welcome.member) == ("town", first.id, 4)
    assert {one.name for one in welcome.roster} == {"a", "b", "c", "bee"}
    again = await others[1].agent.entrance.enter(bee)  # it missed the answer
    assert again.member == 5, "a number is never given twice"
    with pytest.raises(NotAllowed, match="used already"):
        await first.agent.entrance.enter(machine(tmp_path, "wasp", invite=digest))
    assert bee.record.id in first.agent.replica.ledger.agents


async def test_what_is_no_invitation_is_refused_before_anything_is_written(town: Town, tmp_path: Path) -> None:
    first = await town.found()
    now = first.agent.master.time()
    digest = await invited(first)
    index = first.agent.replica.ledger.index
    first.agent.master._clock = lambda: now + 61_000
    for guess, why in ((digest, "expired"), ("0" * 64, "not known"), ("", "not known"), (digest.upper(), "not known")):
        with pytest.raises(NotAllowed, match=why):
            await first.agent.entrance._decide(machine(tmp_path, "bee", invite=guess))
    assert first.agent.replica.ledger.index == index
    for seconds in (0.5, 31 * 24 * 3600.0, float("nan")):
        with pytest.raises(InvalidInput, match="an invitation is good for"):
            await first.agent.entrance.invite("ann", seconds, votes=True)


def knock(at: Citizen, entrant: Entrant) -> "asyncio.Task[Welcome]":
    """Let a machine wait at a door."""
    return asyncio.ensure_future(at.agent.entrance.enter(entrant))


async def test_a_code_lets_in_who_shows_it_and_a_wrong_one_nobody(town: Town, tmp_path: Path) -> None:
    first = await town.found()
    door = await town.admit("b", votes=False)
    bee, wasp = (machine(tmp_path, name, code=code) for name, code in (("bee", "111-111"), ("wasp", "222-222")))
    waiting = [knock(door, bee), knock(door, wasp)]
    await until(lambda: len(first.agent.entrance.requests()) == 2, "both wait")
    shown = (await door.ask("network.requests"))["requests"]
    assert {one["name"] for one in shown} == {"bee", "wasp"}
    assert not any("111" in str(one) for one in shown), "somebody has to look at the machine"
    await door.ask("network.approve", code="111 111")
    assert (await waiting[0]).member
    with pytest.raises(NotAllowed, match="refused now"):
        await door.ask("network.approve", code="333-333")
    with pytest.raises(NotAllowed, match="a wrong code was typed"):
        await waiting[1]
    with pytest.raises(NotFound, match="nobody asks"):
        await door.ask("network.approve", code="222-222")
    with pytest.raises(LimitReached, match="too many"):  # the third in a minute waits, the fourth does not
        await asyncio.gather(*(knock(door, replace_code(bee, code)) for code in ("444-444", "555-555")))
    assert wasp.record.id not in first.agent.replica.ledger.agents


def replace_code(entrant: Entrant, code: str) -> Entrant:
    return replace(entrant, code=code)


async def test_who_waits_is_told_when_another_master_is_elected_or_nobody_comes(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = await town.grow(3)
    waiting = knock(first, machine(tmp_path, "bee", code="111-111"))
    await until(first.agent.entrance.requests, "it waits")
    town.cut(first)
    with pytest.raises(NoMaster, match="another master leads now"):
        await waiting
    new = await town.elected(others)
    town.heal()
    monkeypatch.setattr(entrance, "EXPIRES_S", 0.05)
    with pytest.raises(OrchestraError, match="nobody let this machine in"):
        await new.agent.entrance.enter(machine(tmp_path, "bee", code="222-222"))
    assert not new.agent.entrance.requests()
