"""The list of packages in setup.cfg, against a tree that is broken in each possible way."""

from tools.packages import problems

from .conftest import Tree


def test_a_complete_list_has_no_problems(tree: Tree) -> None:
    assert problems(tree.root) == []


def test_a_package_that_is_not_listed_is_found(tree: Tree) -> None:
    tree.write("agent/executor/__init__.py", "")
    assert problems(tree.root) == ["job_orchestra.agent.executor is missing: add it to packages in setup.cfg"]


def test_a_package_that_is_gone_is_found(tree: Tree) -> None:
    for module in ("core/__init__.py", "core/model.py"):
        (tree.root / module).unlink()
    assert problems(tree.root) == ["job_orchestra.core is listed but not there: take it out of packages in setup.cfg"]


def test_a_package_that_is_listed_twice_is_found(tree: Tree) -> None:
    tree.write("setup.cfg", (tree.root / "setup.cfg").read_text() + "    job_orchestra.core\n")
    assert problems(tree.root) == ["job_orchestra.core is listed twice"]


def test_a_folder_without_its_map_is_found(tree: Tree) -> None:
    (tree.root / "core/__init__.py").unlink()
    assert problems(tree.root) == ["core/ has no __init__.py: write what the package is for in its docstring"]


def test_tests_and_tools_are_not_packages(tree: Tree) -> None:
    tree.write("tools/__init__.py", "")
    tree.write("tests/test_it.py", "")
    assert problems(tree.root) == []
