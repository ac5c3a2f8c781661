"""Which files are people's own, and do not go when something comes back from a build."""

from hashlib import sha256
from pathlib import Path

import pytest

from job_orchestra.agent.shipping.listing import list_directory
from job_orchestra.agent.shipping.owning import Owning
from job_orchestra.core.manifest import Entry
from tests.kit.gitting import git, repository


def entries(*paths: str) -> list[Entry]:
    return [Entry(path.encode(), 0o100644) for path in paths]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return repository(tmp_path / "project", {"kept.c": "x\n", ".gitignore": "dist/\n*.o\n", "forced.o": "x\n"})


def owning(project: Path, tmp_path: Path) -> Owning:
    return Owning(list_directory(project), tmp_path / "memories")


def may_go(found: Owning, *paths: str) -> set[str]:
    may = found.guard(entries(*paths))
    return {path for path in paths if may(path.encode())}


def test_what_git_tracks_or_would_stays_and_what_it_ignores_goes(project: Path, tmp_path: Path) -> None:
    (project / "dist").mkdir()
    git(project, "add", "--force", "forced.o")
    for name in ("dist/old", "made.o", "new.c"):
        (project / name).write_text("mine")
    found = owning(project, tmp_path)
    (project / "later.c").write_text("written while the build ran")
    names = ("kept.c", "forced.o", "new.c", "later.c", "made.o", "dist/old")
    assert may_go(found, *names) == {"made.o", "dist/old"}


def test_what_came_back_goes_until_somebody_changes_it(project: Path, tmp_path: Path) -> None:
    (project / "report.txt").write_text("one")
    first = owning(project, tmp_path)
    first.on_returned([Entry(b"report.txt", 0o100644, 3, sha256(b"one").digest())])
    again = owning(project, tmp_path)
    assert may_go(again, "report.txt") == {"report.txt"}
    (project / "report.txt").write_text("edited")
    assert may_go(again, "report.txt") == set()


def test_without_git_everything_that_lies_there_is_ones_own(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "before").write_text("x")
    found = owning(plain, tmp_path)
    (plain / "after").write_text("x")
    assert may_go(found, "before", "after") == set()


def test_an_ignored_file_that_was_to_travel_stays(project: Path, tmp_path: Path) -> None:
    for name in ("made.o", "asked.o"):
        (project / name).write_text("mine")
    found = Owning(list_directory(project, ["asked.o"]), tmp_path / "memories")
    assert may_go(found, "made.o", "asked.o") == {"made.o"}
