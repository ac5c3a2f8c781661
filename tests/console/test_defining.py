"""Job files and what they define, as a user sees it: what is different, how a job is defined, what a build executes."""

from pathlib import Path

import pytest

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
    for words in (["jobs"], ["jobs", "shop"], ["jobs", "list"]):
        assert "shop/lint" in orchestra(running_agent.data, *words).out, words
    assert [one["name"] for one in orchestra(running_agent.data, "jobs", "--json").json()["jobs"]] == ["lint", "test"]  # type: ignore[index,attr-defined]
    assert "No jobs." in orchestra(running_agent.data, "jobs", "nothing").err
    assert orchestra(running_agent.data, "jobs", "shop/nothing").code == 5


def test_a_build_keeps_the_definition_it_was_submitted_with(running_agent: AgentProcess, tmp_path: Path) -> None:
    apply(
        running_agent, f"project: shop\njobs:\n  hold: {{ run: 'until test -e {tmp_path}/go; do :; done', lock: l }}\n"
    )
    hold = orchestra(running_agent.data, "submit", "shop/hold").out.strip()
    file = "project: late\njobs:\n  job: { run: echo WHAT, lock: l, env: { B: WHAT } }\n"
    apply(running_agent, file.replace("WHAT", "old"))
    build = orchestra(running_agent.data, "submit", "late/job").out.strip()
    reasons = orchestra(running_agent.data, "explain", build).out
    assert "lock" in reasons
    assert "~ job job: steps, env" in apply(running_agent, file.replace("WHAT", "new")).err
    (tmp_path / "go").touch()
    assert orchestra(running_agent.data, "logs", "-f", build).out == "old\n"
    found = orchestra(running_agent.data, "show", build, "--definition").out
    assert "env      B=old\n" in found
    assert "\nrun\n  $ echo old\n" in found
    assert orchestra(running_agent.data, "rerun", build, "--follow").out == "old\n"
    assert orchestra(running_agent.data, "submit", "late/job", "--follow").out == "new\n"
    assert orchestra(running_agent.data, "watch", hold).code == 0
    done = orchestra(running_agent.data, "run", "--no-copy", "-e", "X=y", "--", "echo", "a b")
    assert done.out == "a b\n"
    found = orchestra(running_agent.data, "show", "last", "--definition").out
    assert "env      X=y\n" in found
    assert "  $ echo 'a b'\n" in found
