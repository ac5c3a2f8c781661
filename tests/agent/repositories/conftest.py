"""What tests of repositories share: real ones, made by git."""

import shutil
from pathlib import Path

import pytest

from job_orchestra.agent.repositories.git import Git
from job_orchestra.agent.repositories.mirrors import Mirrors
from tests.kit.gitting import repository


class Forge:
    """A machine with repositories, and an agent's mirrors of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git = Git(("file", "git"))
        (folder / "mirrors").mkdir()
        self.mirrors = Mirrors(folder / "mirrors", self.git)
        self.origin = repository(folder / "origin", {"src/a.c": "int a;\n", "docs/a.md": "# a\n"})

    @property
    def address(self) -> str:
        """Where the first repository is."""
        return self.origin.as_uri()

    def take_away(self) -> None:
        """Let the first repository be out of reach."""
        self.origin.rename(self.origin.with_name("gone"))

    def workspace(self, name: str = "workspace") -> Path:
        """Return a new, empty directory."""
        made = self.folder / name
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        return made


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path)
