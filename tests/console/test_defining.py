"""Job files and what they define, as a user sees it: what is different, how a job is defined, what a build executes."""

from pathlib import Path
from typing import Any

import pytest

from job_orchestra.core.api.submitting import LockParam
from job_orchestra.core.differences import Difference
from job_orchestra.core.model import BuildState
from tests.kit.agents import AgentProcess
from tests.kit.commands import Result, orchestra

FIRST = """
project: shop
jobs:
  lint: echo one
  test:
    description: all tests
    needs: lint
    matrix: { python: ["3.11", "3.13"] }
    parameters: [{ name: marker, description: which, default: slow, choices: [slow, fast] }]
    env: { A: "1" }
    timeout: 90s
    if: branch == ''
    steps:
      - "echo $PARAM_MARKER"
      - { name: tidy, run: "echo a\\necho b", when: always, timeout: 5s }
"""
SECOND = FIRST.replace("echo one", "echo two").replace("90s", "80s")


def apply(agent: AgentProcess, text: str, *options: str) -> Result:
    found = orchestra(agent.data, "apply", *options, "-", stdin=text.encode())
    assert found.code == 0, found.err
    return found


def test_what_a_job_file_changes_is_shown_and_only_shown_with_check(running_agent: AgentProcess) -> None:
    new = "  + job lint\n  + job test\n"
    checked = apply(running_agent, FIRST, "--check").err
    assert checked == f"shop: lint, test (would be changed)\n{new}"
    assert f"shop: lint, test (changed)\n{new}Next: " in apply(running_agent, FIRST).err
    assert "shop: lint, test (nothing to change)\nNext: " in apply(running_agent, FIRST).err
    found = apply(running_agent, SECOND.replace("  test:", "  unit:")).err
    assert "shop: lint, unit (changed)\n  ~ job lint: steps\n  + job unit\n  - job test\n" in found
    found = apply(running_agent, SECOND, "--json").json()
    assert found["changes"] == [
        {"kind": "job", "name": "test", "change": "new", "keys": []},
        {"kind": "job", "name": "unit", "change": "gone", "keys": []},
    ]


SHOWN = """\
job      shop/test
about    all tests
needs    lint (success)
if       branch == ''
matrix   python: 3.11, 3.13
given    marker=slow of slow, fast: which
timeout  90 s
shell    /bin/sh -e
env      A=1

step-1
  $ echo $PARAM_MARKER

tidy (when: always) (timeout: 5 s)
  $ echo a
  $ echo b
"""


@pytest.mark.parametrize("words", [["shop/test"], ["show", "shop/test"]])
def test_a_job_is_shown_as_it_is_defined(running_agent: AgentProcess, words: list[str]) -> None:
    apply(running_agent, FIRST)
    assert orchestra(running_agent.data, "jobs", *words).out == SHOWN
    assert orchestra(running_agent.data, "jobs", *words, "--json").json()["job"]["name"] == "test"  # type: ignore[index]


def test_jobs_are_listed(running_agent: AgentProcess) -> None:
    apply(running_agent, FIRST)
    assert "shop/lint" in orchestra(running_agent.data, "jobs", "shop").out
    listed: Any = orchestra(running_agent.data, "jobs", "--json").json()["jobs"]
    assert [one["name"] for one in listed if one["project"] == "shop"] == ["lint", "test"]
    assert "No jobs." in orchestra(running_agent.data, "jobs", "list", "nothing").err


def test_a_build_keeps_the_definition_it_was_submitted_with(running_agent: AgentProcess, tmp_path: Path) -> None:
    wait = f"until test -e {tmp_path}/go; do sleep 0.1; done"
    file = "project: late\njobs:\n  job: { run: echo WHAT, lock: l, env: { B: WHAT } }\n"
    with running_agent.client() as net:
        hold = net.builds.submit(["sh", "-c", wait], locks=[LockParam("l")])[0]
        net.jobs.apply(file.replace("WHAT", "old"))
        build = net.builds.submit("late/job")[0]
        assert "lock" in net.builds.explain(build.id).reasons[0]
        assert net.jobs.apply(file.replace("WHAT", "new")).changes == [
            Difference("job", "job", "changed", ["steps", "env"])
        ]
        (tmp_path / "go").touch()
        assert b"".join(build.log()) == b"old\n"
        again = net.call("builds.rerun", id=build.id).builds[0].id
        assert b"".join(net.log(again)) == b"old\n"
        assert b"".join(net.builds.submit("late/job")[0].log()) == b"new\n"
        assert hold.wait().state is BuildState.SUCCEEDED
    found = orchestra(running_agent.data, "show", build.id, "--definition").out
    assert "env      B=old\n" in found
    assert "\nrun\n  $ echo old\n" in found


def test_the_words_of_a_command_are_shown_as_one_would_write_them(running_agent: AgentProcess) -> None:
    with running_agent.client() as net:
        build = net.builds.submit(["echo", "a b"], env={"X": "y"})[0]
    found = orchestra(running_agent.data, "show", build.id, "--definition").out
    assert "env      X=y\n" in found
    assert "  $ echo 'a b'\n" in found
