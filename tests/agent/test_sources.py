"""Builds that begin in a git repository, on real agents: one revision for all, and what is wrong is said plainly."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from job_orchestra.agent.repositories.git import Git
from job_orchestra.agent.repositories.resolving import Resolver
from job_orchestra.core.errors import NotAllowed, NotFound
from job_orchestra.core.messages import Call, Tip, TipOf, pack, unpack
from job_orchestra.core.model import BuildState
from tests.kit.agents import AgentProcess
from tests.kit.gitting import commit, git, repository
from tests.kit.hands import Hand
from tests.kit.meshes import until
from tests.kit.towns import Town

JOBS = """
project: shop
source: {{ git: "{address}", branch: main }}
jobs:
  lint: git rev-parse HEAD; until test -e "{gate}"; do sleep 0.05; done
  test:
    needs: lint
    matrix: {{ n: ["1", "2"] }}
    run: echo $MATRIX_N $ORCHESTRA_BRANCH $ORCHESTRA_REVISION; cat file
  missing: {{ source: {{ git: "{address}", branch: mian }}, run: "true" }}
  refused: {{ source: {{ git: "http://127.0.0.1:9/x" }}, run: "true" }}
"""


def test_all_builds_of_a_pipeline_have_the_revision_of_its_submission(agent: AgentProcess, tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", {"file": "one\n"})
    first = git(origin, "rev-parse", "HEAD")
    gate = tmp_path / "gate"
    agent.start("--git-protocol", "file")
    with agent.client() as net:
        net.call("jobs.apply", file=JOBS.format(address=origin.as_uri(), gate=gate))
        pipeline = net.builds.submit("shop/test")
        commit(origin, {"file": "two\n"})  # the branch moves on while the first build waits
        gate.touch()
        found = [one.wait() for one in pipeline]
        logs = [b"".join(one.log()).decode() for one in pipeline]
        assert [one.state for one in found] == [BuildState.SUCCEEDED] * 3, logs
        assert [(one.branch, one.revision) for one in found] == [("main", first)] * 3
        told = f"checked out {first[:12]} of {origin.as_uri()} (main)\n"
        assert logs[0].startswith(f"fetching {origin.as_uri()}\n")
        logs[0] = logs[0].partition("\n")[2]
        assert logs == [f"{told}{first}\n", f"{told}1 main {first}\none\n", f"{told}2 main {first}\none\n"]
        # what was submitted later has what was there then; where it fails, that is told at once
        assert net.builds.submit("shop/lint")[0].get().revision != first
        with pytest.raises(NotFound, match="has no branch or tag 'mian'; did you mean main"):
            net.builds.submit("shop/missing")
        with pytest.raises(NotAllowed, match="--git-protocol http"):
            net.builds.submit("shop/refused")


async def test_a_master_that_cannot_ask_a_repository_asks_an_agent_that_can(town: Town, tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", {"file": "one\n"})
    head = git(origin, "rev-parse", "HEAD")
    master = await town.found()
    hand = Hand()
    worker = await town.admit("b", hand, git_protocol=("file",))
    resolver = Resolver(Git(), master.agent.peers, master.mesh)
    asked = (origin.as_uri(), "main")
    with pytest.raises(NotAllowed, match="--git-protocol file"):
        await resolver.tips([asked])
    await hand.joined()
    hand.record = replace(hand.record, labels={"git": "2.39"})
    hand.join_again()
    await until(lambda: master.agent.peers.records[worker.id].labels, "the master knows that the worker has git")
    assert (await resolver.tips([asked]))[asked].revision == head
    reply = await master.mesh.call(worker.id, Call.TIP, pack(TipOf(*asked)), 20)
    assert unpack(reply, Tip) == Tip(head, "main")
