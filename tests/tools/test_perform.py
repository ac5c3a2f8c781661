"""Carrying plans out, with real files and small real programs."""

import sys
from pathlib import Path

import pytest

from tools.perform import perform
from tools.plan import Link, Refusal, Remove, Run, Say, Write


def program(code: str, **options: object) -> Run:
    return Run((sys.executable, "-c", code), says="a program", **options)  # pyright: ignore[reportArgumentType]


def test_files_are_written_linked_and_removed(tmp_path: Path) -> None:
    (tmp_path / "old/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("elsewhere")
    steps = [
        Write(Path("new/deep/file"), "text"),
        Link(Path("link"), "new"),
        Remove(Path("old")),
        Remove(Path("never/there")),
    ]
    assert perform(steps, tmp_path, verbose=False) == 0
    assert (tmp_path / "link/deep/file").read_text() == "text"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "new"]


def test_removing_a_link_keeps_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    perform([Remove(Path("link"))], tmp_path, verbose=False)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_programs_run_in_the_root(tmp_path: Path) -> None:
    assert perform([program("open('here', 'w')")], tmp_path, verbose=False) == 0
    assert (tmp_path / "here").exists()


def test_the_first_failure_ends_the_plan_with_its_code(tmp_path: Path) -> None:
    steps = [program("raise SystemExit(7)"), Write(Path("later"), "")]
    assert perform(steps, tmp_path, verbose=False) == 7
    assert not (tmp_path / "later").exists()


def test_a_check_that_fails_lets_the_others_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = [program("raise SystemExit(7)", keep_going=True), Write(Path("later"), "")]
    assert perform(steps, tmp_path, verbose=False) == 7
    assert (tmp_path / "later").exists()
    assert "failed with exit code 7" in capsys.readouterr().err


def test_a_program_that_dies_of_a_signal_has_the_code_of_a_shell(tmp_path: Path) -> None:
    assert perform([program("import os; os.kill(os.getpid(), 9)")], tmp_path, verbose=False) == 128 + 9


def test_setup_is_silent_until_it_fails_and_then_names_the_remedy(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert perform([program("print('chatter')", setup=True)], tmp_path, verbose=False) == 0
    assert "chatter" not in "".join(capfd.readouterr())
    failing = program("print('no index'); raise SystemExit(1)", setup=True, remedy="check the network")
    assert perform([failing], tmp_path, verbose=False) == 2
    said = capfd.readouterr().err
    assert "tools: no index" in said
    assert said.splitlines()[-1] == "tools: check the network"


def test_a_program_that_is_not_there_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        perform([Run(("no-such-program-anywhere",), says="try", remedy="install it")], tmp_path, verbose=False)
    assert refused.value.remedy == "install it"


def test_what_is_said_goes_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    perform([Say("done")], tmp_path, verbose=True)
    captured = capsys.readouterr()
    assert captured.out == "done\n"
    assert captured.err == "tools: say     done\n"
