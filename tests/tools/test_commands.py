"""What each command plans, and that planning and simulating change nothing."""

import shutil
from pathlib import Path

import pytest

from tools import cli
from tools.commands import COMMANDS, SIDE_BY_SIDE, Request, plan
from tools.environment import Environment, wanted
from tools.plan import Refusal, Remove, Run, Say, Step

from .conftest import Tree

ARGUMENTS = {"transcripts": ("folder",)}


def request_for(tree: Tree, *arguments: str) -> Request:
    return Request(tree.root, Environment(Path(".venv")), arguments)


@pytest.fixture
def ready(tree: Tree) -> Tree:
    """Return a project whose environment needs nothing, so that a plan is the command alone."""
    tree.write(".venv/bin/python", "")
    extras = {"bench", "lint", "node", "release", "test"}
    tree.write(".venv/job-orchestra.json", wanted(tree.root, extras).text())
    (tree.root / ".typing").mkdir()
    (tree.root / ".typing/job_orchestra").symlink_to("..")
    return tree


def lines(steps: list[Step]) -> list[str]:
    return [" ".join(step.argv) for step in steps if isinstance(step, Run)]


@pytest.mark.parametrize("name", COMMANDS)
def test_planning_changes_nothing(tree: Tree, name: str) -> None:
    before = tree.snapshot()
    assert plan(name, request_for(tree, *ARGUMENTS.get(name, ())))
    assert tree.snapshot() == before


@pytest.mark.parametrize("name", COMMANDS)
def test_simulating_prints_the_plan_and_changes_nothing(
    tree: Tree, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "ROOT", tree.root)
    before = tree.snapshot()
    assert cli.main(["--simulate", name, *ARGUMENTS.get(name, ())]) == 0
    first, *steps = capsys.readouterr().out.splitlines()
    assert first == f"# in {tree.root}; nothing is changed"
    assert steps
    assert tree.snapshot() == before


def test_simulate_counts_wherever_it_stands(
    ready: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "ROOT", ready.root)
    assert cli.main(["test", "-k", "foo", "--simulate"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["run     .venv/bin/python -m pytest -k foo"]


def test_all_tests_run_side_by_side(ready: Tree) -> None:
    assert plan("test", request_for(ready))[-1] == Run((".venv/bin/python", "-m", "pytest", *SIDE_BY_SIDE), says="test")


@pytest.mark.parametrize("name", ["develop", "clean", "release"])
def test_arguments_that_a_command_does_not_take_are_refused(tree: Tree, name: str) -> None:
    with pytest.raises(Refusal, match=f"{name} takes no arguments"):
        plan(name, request_for(tree, "extra"))


def test_a_refusal_is_two_lines_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["clean", "extra"]) == 2
    assert capsys.readouterr().err == "tools: clean takes no arguments\ntools: leave out extra\n"


def test_arguments_go_to_what_the_command_runs(ready: Tree) -> None:
    assert lines(plan("bench", request_for(ready, "throughput", "--json"))) == [
        ".venv/bin/python -m tools.bench throughput --json"
    ]


def test_lint_runs_every_check_whatever_the_others_say(ready: Tree) -> None:
    steps = [step for step in plan("lint", request_for(ready)) if isinstance(step, Run)]
    programs = [Path(step.argv[0]).name if step.argv[1] != "-m" else step.argv[2] for step in steps]
    checks = ["ruff", "ruff", "pyright", "lint-imports", "tools.packages", "tools.reference"]
    assert programs == [*checks, "pip", "tools.wheel"]
    assert all(step.keep_going for step in steps[: len(checks)])


def test_lint_repairs_only_when_asked(ready: Tree) -> None:
    assert lines(plan("lint", request_for(ready)))[:2] == [".venv/bin/ruff check .", ".venv/bin/ruff format --check ."]
    fixing = lines(plan("lint", request_for(ready, "--fix")))
    assert fixing[:2] == [".venv/bin/ruff check --fix .", ".venv/bin/ruff format ."]
    with pytest.raises(Refusal):
        plan("lint", request_for(ready, "--fast"))


def test_pyright_brings_node_where_there_is_none(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert any(line.endswith(".[lint,node,test]") for line in lines(plan("lint", request_for(tree))))


def test_a_wheel_is_built_on_clean_ground(ready: Tree) -> None:
    ready.write("build/lib/job_orchestra/gone.py", "")
    steps = plan("lint", request_for(ready))
    built = next(index for index, step in enumerate(steps) if isinstance(step, Run) and "wheel" in step.argv)
    assert steps.index(Remove(Path("build"))) < built


def test_clean_removes_products_and_keeps_the_rest(ready: Tree) -> None:
    for path in ("build/lib/x", "dist/x", "job_orchestra.egg-info/x", "core/__pycache__/x", "build/__pycache__/x"):
        ready.write(path, "")
    ready.write(".venv/lib/__pycache__/x", "")
    removed = {str(step.path) for step in plan("clean", request_for(ready)) if isinstance(step, Remove)}
    assert removed == {"build", "dist", "job_orchestra.egg-info", "core/__pycache__"}


def test_clean_says_so_when_there_is_nothing(ready: Tree) -> None:
    assert plan("clean", request_for(ready)) == [Say("Nothing to remove.")]


def test_release_checks_first_tries_the_wheel_and_uploads_nothing(ready: Tree) -> None:
    steps = plan("release", request_for(ready))
    ran = lines(steps)
    assert ran[0] == ".venv/bin/python -m tools.release"
    assert ran[-1] == "build/trial/bin/orchestra --version"
    assert any(line.endswith("dist/job_orchestra-1.2.3-py3-none-any.whl") for line in ran)
    assert not any("upload" in line or "push" in line for line in ran)
    assert isinstance(steps[-1], Say)
    assert "git push origin v1.2.3" in steps[-1].text
