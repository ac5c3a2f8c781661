"""When the environment is made, when it is extended, and when it is left alone."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from tools import environment
from tools.environment import Environment, Stamp, prepare, typing_link, wanted
from tools.plan import Link, Refusal, Run, Step, Write

from .conftest import Tree

VENV = Environment(Path(".venv"))


def install(tree: Tree, stamp: Stamp) -> None:
    """Leave an environment as a finished plan leaves it."""
    tree.write(VENV.python, "")
    tree.write(str(VENV.stamp), stamp.text())


def commands(steps: list[Step]) -> list[str]:
    return [" ".join(step.argv[1:]) for step in steps if isinstance(step, Run)]


def test_from_nothing_it_is_made_filled_and_stamped(tree: Tree) -> None:
    steps = prepare(tree.root, VENV, {"test", "lint"})
    assert commands(steps) == [
        "-m venv --clear .venv",
        "-m pip install --disable-pip-version-check --editable .[lint,test]",
    ]
    assert steps[-1] == Write(VENV.stamp, wanted(tree.root, {"lint", "test"}).text())


@pytest.mark.parametrize("extras", [set[str](), {"lint"}, {"lint", "test"}])
def test_what_is_covered_costs_nothing(tree: Tree, extras: set[str]) -> None:
    install(tree, wanted(tree.root, {"lint", "test"}))
    assert prepare(tree.root, VENV, extras) == []


def test_a_further_extra_is_added_to_those_that_are_there(tree: Tree) -> None:
    install(tree, wanted(tree.root, {"test"}))
    steps = prepare(tree.root, VENV, {"lint"})
    assert commands(steps) == ["-m pip install --disable-pip-version-check --editable .[lint,test]"]


def test_changed_requirements_are_installed_into_what_is_there(tree: Tree) -> None:
    install(tree, wanted(tree.root, {"test"}))
    tree.write("setup.cfg", (tree.root / "setup.cfg").read_text() + "install_requires = click\n")
    assert commands(prepare(tree.root, VENV, {"test"})) == [
        "-m pip install --disable-pip-version-check --editable .[test]"
    ]


def test_settings_of_linters_are_not_requirements(tree: Tree) -> None:
    install(tree, wanted(tree.root, {"test"}))
    tree.write("pyproject.toml", (tree.root / "pyproject.toml").read_text() + "[tool.ruff]\nline-length = 99\n")
    assert prepare(tree.root, VENV, {"test"}) == []


@pytest.mark.parametrize("other", [{"python": "3.11.0"}, {"root": "/moved/from"}])
def test_another_python_or_place_makes_it_anew(tree: Tree, other: dict[str, str]) -> None:
    install(tree, dataclasses.replace(wanted(tree.root, {"test"}), **other))
    assert commands(prepare(tree.root, VENV, {"test"}))[0] == "-m venv --clear .venv"


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"python": "3.11"}', "null"])
def test_a_broken_stamp_counts_as_none(tree: Tree, broken: str) -> None:
    install(tree, wanted(tree.root, {"test"}))
    tree.write(str(VENV.stamp), broken)
    assert len(commands(prepare(tree.root, VENV, {"test"}))) == 1


@pytest.mark.parametrize("lacking", ["venv", "ensurepip"])
def test_a_python_without_venv_is_refused_with_the_remedy(
    tree: Tree, lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None if name == lacking else there(name))
    with pytest.raises(Refusal, match=f"lacks the module {lacking}") as refused:
        prepare(tree.root, VENV, {"test"})
    assert "python3-venv" in refused.value.remedy


def test_the_link_for_type_checkers_is_made_once(tree: Tree) -> None:
    assert typing_link(tree.root) == [Link(Path(".typing/job_orchestra"), "..")]
    (tree.root / ".typing").mkdir()
    (tree.root / ".typing/job_orchestra").symlink_to("..")
    assert typing_link(tree.root) == []
