"""What is told of job files that are wrong: each file in jobfile/golden beside what is said of it, word for word.

`REGENERATE=1 pytest tests/core/test_jobfile_golden.py` writes the texts anew, to be read as a diff.
"""

import os
from pathlib import Path

import pytest

from job_orchestra.core.errors import JobFileError
from job_orchestra.core.jobfile import parse

FILES = sorted((Path(__file__).parent / "jobfile" / "golden").glob("*.yaml"))


def told(path: Path) -> str:
    with pytest.raises(JobFileError) as refused:
        parse(path.read_text(encoding="utf-8"), path.name)
    return f"{refused.value}\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_told(path: Path) -> None:
    expected = path.with_suffix(".txt")
    if os.environ.get("REGENERATE"):
        expected.write_text(told(path), encoding="utf-8")
    assert told(path) == expected.read_text(encoding="utf-8")


def test_there_is_no_text_without_a_file() -> None:
    texts = {path.stem for path in FILES[0].parent.glob("*.txt")}
    assert texts == {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_problem_has_its_place_its_key_and_a_remedy(path: Path) -> None:
    for line in told(path).splitlines():
        name, row, column, _ = line.split(":", 3)
        assert name == path.name
        assert int(row) >= 1
        assert int(column) >= 1
