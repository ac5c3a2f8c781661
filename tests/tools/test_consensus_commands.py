"""The commands that play transcripts and simulate networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools import simulate, transcripts

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

GOOD = "add-nodes 1 voters=(1) index=2\n----\nok\n\nraft-state\n----\n1: StateFollower (Voter) Term:0 Lead:0\n"


def test_transcripts_pass_fail_and_are_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a_good.txt").write_text(GOOD)
    (tmp_path / "b_bad.txt").write_text(GOOD.replace("Term:0", "Term:1"))
    (tmp_path / "c_other.txt").write_text("add-nodes 1 voters=(1) index=2 async-storage-writes=true\n----\nok\n")
    (tmp_path / "d_unknown.txt").write_text("dance\n----\nok\n")
    assert transcripts.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "PASS a_good.txt",
        "FAIL b_bad.txt:5: raft-state",
        "  expected: 1: StateFollower (Voter) Term:1 Lead:0",
        "  found:    1: StateFollower (Voter) Term:0 Lead:0",
        "SKIP c_other.txt: asynchronous storage writes: our driver stores one Ready at a time",
        "FAIL d_unknown.txt: line 1: unknown command 'dance'",
    ]


def test_transcripts_are_rewritten_to_what_is_found(tmp_path: Path) -> None:
    script = tmp_path / "a.txt"
    script.write_text("# kept\n\n" + GOOD.replace("Term:0", "Term:1"))
    assert transcripts.main([str(tmp_path), "--rewrite"]) == 0
    assert script.read_text() == "# kept\n\n" + GOOD


def test_a_folder_without_transcripts_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert transcripts.main([str(tmp_path)]) == 2
    assert "name the folder" in capsys.readouterr().err


def test_simulate_reports_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--seeds", "0..20", "--steps", "100"]) == 0
    out = capsys.readouterr().out
    assert "20 schedules of 100 steps" in out
    assert "  elections " in out


def test_simulate_names_the_seed_that_finds_a_planted_bug(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--mutants", "--only", "skip the sync", "--seeds", "0..5"]) == 0
    out = capsys.readouterr().out
    assert "caught  skip the sync before acknowledging: seed 0, step " in out
    assert "1 of 1 planted bugs caught" in out


def test_a_planted_bug_that_is_missed_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--mutants", "--only", "older terms", "--seeds", "0..1", "--steps", "5"]) == 1
    assert "MISSED  accept acknowledgements of older terms" in capsys.readouterr().out


def test_a_schedule_is_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--replay", "3", "--steps", "50", "--last", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[-1] == "seed 3: all is well"
