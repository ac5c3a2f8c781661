"""What stands against a release."""

import pytest

from tools.release import problems

from .conftest import SETUP, Tree


def test_a_tree_that_is_ready(tree: Tree) -> None:
    assert problems(tree.root, changes="", tags=["v1.2.2"]) == []


def test_uncommitted_files(tree: Tree) -> None:
    (found,) = problems(tree.root, changes=" M setup.cfg\n?? new\n", tags=[])
    assert found.startswith("2 files are changed")


@pytest.mark.parametrize("version", ["1.2.3.dev0", "1.2", "1.2.3+local", "next"])
def test_a_version_that_is_not_to_publish(tree: Tree, version: str) -> None:
    tree.write("setup.cfg", SETUP.format(version=version))
    assert any("not a version to publish" in found for found in problems(tree.root, changes="", tags=[]))


def test_a_version_that_was_released(tree: Tree) -> None:
    assert problems(tree.root, changes="", tags=["v1.2.3"]) == [
        "v1.2.3 exists already: set the next version in setup.cfg"
    ]


def test_a_version_without_its_changes(tree: Tree) -> None:
    tree.write("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n")
    (found,) = problems(tree.root, changes="", tags=[])
    assert "## [1.2.3] - YYYY-MM-DD" in found
