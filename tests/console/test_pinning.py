"""The commands pin, unpin and pins, and what the others say of it, as a user has them."""

from pathlib import Path

from tests.kit.agents import agent_in
from tests.kit.commands import orchestra

FILE = """
project: shop
jobs:
  build: { run: "echo made" }
  test: { needs: build, run: "echo tested" }
"""


def test_builds_and_pipelines_are_pinned_shown_and_unpinned(tmp_path: Path) -> None:
    with agent_in(tmp_path / "agent") as agent:
        data = agent.start("--name", "box").data
        with agent.client() as net:
            net.call("jobs.apply", file=FILE)
            pipeline = net.call("builds.submit", job="shop/test").pipeline
            net.call("pipelines.wait", id=pipeline)
            told = orchestra(data, "pin", "shop/build#1", "--note", "shipped\n to ann").err
            assert "pinned shop/build#1." in told
            assert ": shipped to ann" in orchestra(data, "show", "shop/build#1").out
            head, *lines = orchestra(data, "builds").out.splitlines()
            assert head.split()[:4] == ["ID", "BUILD", "STATE", "KEPT"]
            assert {line.split()[1]: "pinned" in line for line in lines} == {"shop/test#1": False, "shop/build#1": True}
            assert net.call("pipelines.pin", id=pipeline).task.outcome == "pinned shop/build#1 and 1 more"
            assert [one.note for one in net.call("pins.list").pins] == ["", ""], "pinned again without a note"
            assert len(orchestra(data, "pins").out.splitlines()) == 3
            told = orchestra(data, "unpin", "shop/test#1", pipeline).err
            assert "unpinned shop/test#1." in told
            assert "unpinned shop/build#1." in told
            assert net.call("pins.list").pins == []
        again = orchestra(data, "unpin", "shop/test#1")
        assert again.code == 5
        assert "is not pinned; orchestra pins lists what is" in again.err
