"""The commands about caches, and what `show` says of a build's source, as a user has them."""

from pathlib import Path

from tests.kit.agents import agent_in
from tests.kit.commands import orchestra
from tests.kit.gitting import git, repository

FILE = """
project: pantry
source: {{ git: "{address}" }}
jobs:
  fill: {{ cache: {{ key: "jam-${{{{ hash('*.txt') }}}}", paths: [jars] }}, run: "mkdir jars; echo jam > jars/1" }}
"""


def test_caches_are_shown_and_removed_and_the_commit_of_a_build_is_told(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", {"a.txt": "1"}, branch="trunk")
    with agent_in(tmp_path / "agent") as agent:
        data = agent.start("--git-protocol", "file", "--name", "box").data
        with agent.client() as net:
            net.call("jobs.apply", file=FILE.format(address=origin.as_uri()))
            assert net.builds.submit("pantry/fill")[0].wait().state == "succeeded"
        shown = orchestra(data, "show", "last").out
        assert f"source   trunk {git(origin, 'rev-parse', 'HEAD')}" in shown
        head, line = orchestra(data, "caches", "list").out.splitlines()
        assert head.split() == ["PROJECT", "KEY", "SIZE", "USED", "AGENTS"]
        assert line.startswith("pantry   jam-")
        assert line.endswith("box")
        assert orchestra(data, "caches", "remove", "pantry", "jam").err.startswith("Removed: jam-")
        again = orchestra(data, "caches", "remove", "pantry", "jam")
        assert (again.code, again.out) == (5, "")
        assert "has no cache whose key begins with 'jam'" in again.err
