"""Typing for builds that run elsewhere, in networks of whole agents with real executors."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from job_orchestra.agent.executor import keyboards
from job_orchestra.core.errors import Conflict, InvalidInput, LimitReached, NotAllowed, NotFound
from tests.kit.hands import Hand
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town

ECHO = 'echo ready; read -r line; echo "got $line"; stty size'
TERMINAL = {"columns": 90, "rows": 30, "term": "xterm"}


async def submit(at: Citizen, text: str = ECHO, **params: Any) -> str:  # noqa: ANN401 - as in Submit
    return await at.submit("sh", "-c", text, **{"terminal": TERMINAL, "input": True, **params})


async def type_at(at: Citizen, build: str, offset: int, data: str, **params: Any) -> int:  # noqa: ANN401 - as in BuildsInput
    return (await at.ask("builds.input", id=build, stream="me", offset=offset, data=data, **params))["next"]


async def log(at: Citizen, build: str) -> str:
    return (await at.ask("builds.log", id=build))["data"]


async def shown(at: Citizen, build: str, text: str) -> None:
    async with asyncio.timeout(60):
        while text not in await log(at, build):
            await at.ask("builds.log", id=build, offset=len(await log(at, build)), wait=1)


async def ended(at: Citizen, build: str) -> dict[str, Any]:
    return (await at.ask("builds.wait", id=build, timeout=60))["build"]


@pytest.mark.parametrize("asked", ["master", "worker", "far"])
async def test_keys_find_their_build_from_any_agent(town: Town, asked: str) -> None:
    master = await town.found("master")
    worker = await town.admit("worker", worker=True)
    far = await town.admit("far", votes=False)
    assert not far.agent.peers.holds_copy
    at = town.citizens[asked]
    await town.linked(at, worker)
    build = await submit(at)
    await shown(at, build, "ready")
    assert (await at.ask("builds.resize", id=build, columns=44, rows=11)) == {"columns": 44, "rows": 11}
    assert await type_at(at, build, 0, "wor") == 3
    assert await type_at(at, build, 0, "world\n") == 6, "what was taken before is passed over"
    assert (await ended(at, build))["state"] == "succeeded"
    assert await log(at, build) == "ready\r\nworld\r\ngot world\r\n11 44\r\n"
    with pytest.raises(Conflict, match="has ended: succeeded"):
        await type_at(master, build, 6, "x")


async def test_only_who_submitted_a_build_types_for_it(town: Town) -> None:
    master = await town.found("master", worker=True)
    other = await town.admit("other", votes=False)
    build = await submit(other)
    await shown(master, build, "ready")
    with pytest.raises(NotAllowed, match="@other, who submitted it, may type for it"):
        await type_at(master, build, 0, "evil\n")
    assert await type_at(other, build, 0, "good\n") == 5
    assert (await ended(master, build))["state"] == "succeeded"


async def test_what_reads_nothing_or_waits_says_so(town: Town) -> None:
    master = await town.found("master", worker=True)
    silent = await master.submit("tail", "-f", "/dev/null")
    await until(lambda: town.master.agent.replica.ledger.builds[silent].started, "it runs")
    with pytest.raises(Conflict, match="it reads no input"):
        await type_at(master, silent, 0, "x")
    waiting = await submit(master, runs_on=["moon"])
    with pytest.raises(Conflict, match="has not been given to an agent yet"):
        await type_at(master, waiting, 0, "x")
    with pytest.raises(NotFound):
        await type_at(master, "00000000", 0, "x")


async def test_input_without_a_terminal_is_a_pipe_that_ends(town: Town) -> None:
    master = await town.found("master", worker=True)
    build = await submit(master, "wc -c; test -t 0 || echo pipe", terminal=None)
    await until(lambda: town.master.agent.replica.ledger.builds[build].started, "it runs")
    assert await type_at(master, build, 0, "/wAAAQ==", encoding="base64") == 4
    assert await type_at(master, build, 4, "", over=True) == 4
    assert (await ended(master, build))["state"] == "succeeded"
    assert await log(master, build) == "4\npipe\n"


@pytest.mark.parametrize(
    ("method", "params", "part"),
    [
        ("builds.input", {"data": "x" * 65537}, "more than 65536"),
        ("builds.input", {"data": "?", "encoding": "base64"}, "no base64"),
        ("builds.input", {"data": "x", "encoding": "rot13"}, "encoding must be"),
        ("builds.input", {"data": "x", "offset": -1}, "offset must be"),
        ("builds.input", {"data": "x", "stream": ""}, "stream a text"),
        ("builds.resize", {"columns": 0, "rows": 1}, "1 to 10000 columns"),
        ("builds.submit", {"terminal": {"columns": 20_000}}, "1 to 10000 columns"),
        ("builds.submit", {"terminal": {"term": "x\ny"}}, "names no terminal"),
    ],
)
async def test_what_cannot_be_typed(town: Town, method: str, params: dict[str, Any], part: str) -> None:
    master = await town.found("master")
    usual = {
        "builds.input": {"id": "last", "stream": "me", "offset": 0},
        "builds.resize": {"id": "last"},
        "builds.submit": {"command": ["true"]},
    }
    with pytest.raises(InvalidInput, match=part):
        await master.ask(method, **{**usual[method], **params})


async def test_keys_follow_a_build_to_its_next_attempt(town: Town) -> None:
    hand = Hand()
    master, _ = await town.grow(2, b=hand)
    build = await submit(master, retry=1)
    await hand.given(build)
    assert await type_at(master, build, 0, "first") == 5
    hand.has.clear()
    hand.record = replace(hand.record, session="s2")  # its executor died, and there is another one
    hand.join_again()
    await until(lambda: build in hand.has and hand.has[build].number == 2, "it is tried again")
    assert await type_at(master, build, 5, "second") == 11
    assert [(one.key, one.offset) for one in hand.typed] == [(f"{build}.1", 0), (f"{build}.2", 5)]


async def test_a_name_that_means_another_build_by_now_leads_to_that(town: Town) -> None:
    hand = Hand()
    master, _ = await town.grow(2, b=hand)
    found: list[str] = []
    for number in range(2):
        found.append(await submit(master))
        await hand.given(found[-1])
        await type_at(master, "last", 0, str(number))
    assert [one.key for one in hand.typed] == [f"{one}.1" for one in found]


async def test_what_is_piped_in_ends_with_who_pipes_it(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    master = await town.found("master")
    await town.admit("worker", worker=True)
    piped, typed = [await submit(master, "echo ready; cat; echo over", terminal=None) for _ in range(2)]
    for build in (piped, typed):
        await shown(master, build, "ready")
    assert await type_at(master, typed, 0, "typed\n") == 6
    assert await type_at(master, piped, 0, "part\n", bound=True) == 5
    monkeypatch.setattr(keyboards, "SILENCE_S", 0.01)
    assert await type_at(master, piped, 5, "", bound=True) == 5, "the last sign of life"
    assert (await ended(master, piped))["state"] == "succeeded"
    assert await log(master, piped) == "ready\npart\nover\n"
    assert "over" not in await log(master, typed), "somebody may come back and type on"
    assert await type_at(master, typed, 6, "", over=True, bound=True) == 6
    assert (await ended(master, typed))["state"] == "succeeded"


async def test_a_build_whose_client_is_gone_before_it_begins_reads_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyboards, "SILENCE_S", 0.01)
    master = await town.found("master", worker=True)
    build = await submit(master, "cat; echo over", terminal=None, bound=True)
    assert (await ended(master, build))["state"] == "succeeded"
    assert await log(master, build) == "over\n"


async def test_who_stood_still_for_too_long_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyboards, "SILENCE_S", 0.01)
    master = await town.found("master", worker=True)
    build = await submit(master, "cat; echo over; exec tail -f /dev/null", terminal=None, bound=True)
    await shown(master, build, "over")
    assert await type_at(master, build, 0, "", bound=True) == 0
    with pytest.raises(LimitReached, match=r"its input ended behind byte 0, for nothing came for 0.01 s"):
        await type_at(master, build, 0, "late", bound=True)
