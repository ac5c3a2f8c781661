"""What a machine wrote and the network keeps: on a majority of the voters, whole, and also on those who come later."""

import asyncio
import time
from hashlib import sha256

import pytest

from job_orchestra.agent import keeping
from job_orchestra.agent.keeping import SMALL
from job_orchestra.core.errors import OrchestraError
from job_orchestra.core.ids import build_id
from job_orchestra.core.messages import Call, Keep, pack
from job_orchestra.core.model import BuildState, Context
from tests.kit.builders import attempt, batch, build, spec
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town


def wrote(one: Citizen, serial: int, data: bytes) -> tuple[str, str]:
    """Let an attempt have written this on a machine; return its key and the digest."""
    key = f"{build_id(serial)}.1"
    path = one.paths.log(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return key, sha256(data).hexdigest()


def holders(town: Town, digest: str) -> set[str]:
    """Return the names of those who keep this content."""
    return {one.name for one in town.citizens.values() if one.agent.blobs.has(digest)}


async def test_logs_are_kept_by_a_majority_before_the_worker_forgets(town: Town) -> None:
    first, second, third = await town.grow(3)
    small, large = wrote(first, 1, b"few lines\n"), wrote(first, 2, b"x" * (SMALL + 1))
    logs = dict([small, large])
    keeper = first.agent.keeper
    assert await keeper.digests([*logs, f"{build_id(9)}.1"]) == logs
    town.cut(third)
    await keeper.keep(logs, {})
    assert holders(town, small[1]) == holders(town, large[1]) == {"b"}
    assert second.agent.blobs.read(large[1], SMALL - 1, 10) == b"xx"


async def test_without_a_majority_it_is_tried_until_there_is_one(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "RETRY_S", 0.02)
    first, *others = await town.grow(3)
    log = wrote(first, 1, b"a line\n")
    town.cut(first)
    waiting = asyncio.ensure_future(first.agent.keeper.keep(dict([log]), {}))
    assert not await first.agent.keeper._offer_all(dict([log]), [])
    assert not waiting.done()
    town.heal()
    await waiting
    assert holders(town, log[1]) & {one.name for one in others}


async def test_what_is_not_what_it_is_said_to_be_is_not_kept(town: Town) -> None:
    first = await town.found()
    liar = await town.admit("liar", votes=False)
    key, _ = wrote(liar, 1, b"y" * 10)
    for name, digest in (
        (f"log/{key}", "0" * 64),  # another content
        ("log/../../agent.key", "0" * 64),
        (f"log/{build_id(7)}.1", "0" * 64),  # nothing
        (f"log/{key}", "../" + "0" * 61),
    ):
        with pytest.raises(OrchestraError):
            await liar.mesh.call(first.id, Call.KEEP, pack(Keep(large=((name, digest),))), 20)
    assert holders(town, "0" * 64) == set()


async def test_a_voter_that_comes_later_fetches_the_logs_of_what_has_ended(town: Town) -> None:
    first = await town.found(worker=True)
    builds = [await first.submit("sh", "-c", script) for script in ("echo small", f"head -c {SMALL + 9} /dev/zero")]
    attempts = [(await first.ask("builds.wait", id=one))["build"]["attempts"][0] for one in builds]
    others = [await town.admit(name) for name in ("b", "c")]
    await until(lambda: town.voting() == 3, "all vote")
    late = others[1].agent
    await until(lambda: late.history.applied == first.agent.history.applied, "the copy follows")
    await late.keeper._fill()
    for one, told, text in zip(builds, attempts, (b"small\n", bytes(SMALL + 9)), strict=True):
        digest = sha256(text).hexdigest()
        assert late.blobs.read(digest, 0, 1 << 20) == text, (one, told)
    before = late.keeper._filled
    await late.keeper._fill()
    assert before == late.keeper._filled == 2
    await first.stop()
    await town.elected(others)
    assert (await others[1].ask("builds.log", id=builds[0]))["data"] == "small\n"


async def test_a_history_with_digests_that_are_none_is_looked_at_to_its_end(town: Town) -> None:
    first = await town.found()
    now = time.time_ns() // 1_000_000
    odd = build(1, state=BuildState.SUCCEEDED, attempt=1, log_bytes=5, context=Context(kept="../odd"))
    told = attempt(odd, state=BuildState.SUCCEEDED, log="../odd", artifacts="../odd", log_bytes=5, finished=now)
    store = first.agent.history.store
    while not store.write(batch(store.applied() + 1, builds=[odd], attempts=[told], specs=[spec()])):
        pass  # the agent writes, too
    await first.agent.keeper._fill()
    assert first.agent.keeper._filled == 1


async def test_a_voter_that_comes_later_fetches_what_an_attempt_wrote_whose_successor_wrote_nothing(town: Town) -> None:
    first, late, _ = await town.grow(3)
    key, digest = wrote(first, 1, b"the first attempt\n")
    ended = build(1, state=BuildState.LOST, attempt=2, log_bytes=0)
    tries = [
        attempt(ended, 1, agent=first.id, state=BuildState.LOST, log=digest, log_bytes=18),
        attempt(ended, 2, agent=first.id, state=BuildState.LOST),
    ]
    store = late.agent.history.store
    while not store.write(batch(store.applied() + 1, builds=[ended], attempts=tries, specs=[spec()])):
        pass  # the agent writes, too
    await late.agent.keeper._fill()
    assert late.agent.blobs.read(digest, 0, 100) == b"the first attempt\n", key
