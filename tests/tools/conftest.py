"""A small project to plan for: just the files that the tools read, in a temporary folder."""

from pathlib import Path

import pytest

SETUP = """\
[metadata]
name = job-orchestra
version = {version}

[options]
packages =
    job_orchestra
    job_orchestra.core
"""


class Tree:
    """A throw-away project with the files that the tools read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("setup.cfg", SETUP.format(version="1.2.3"))
        self.write("pyproject.toml", '[build-system]\nrequires = ["setuptools>=77"]\n')
        self.write("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-23\n")
        for module in ("__init__.py", "core/__init__.py", "core/model.py"):
            self.write(module, f'"""{module}"""\n')

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def snapshot(self) -> dict[str, bytes]:
        """Return every file with its content, to show that nothing was changed."""
        return {str(file.relative_to(self.root)): file.read_bytes() for file in self.root.rglob("*") if file.is_file()}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "project")
