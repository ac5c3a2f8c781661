"""`orchestra run` as a user has it: the directory as it is, what was built before, and nothing that was not meant."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.agents import AgentProcess, agent_in
from tests.kit.commands import Result, orchestra
from tests.kit.gitting import commit, git, repository
from tests.kit.waiting import wait_until

MAKEFILE = """\
program: main.o other.o
\tcat main.o other.o > program
%.o: %.c
\tcat $< > $@
\techo made $@
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    with agent_in(tmp_path_factory.mktemp("box") / "agent") as found:
        yield found.start("--slots", "2", "--name", "box")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {"Makefile": MAKEFILE, "main.c": "main\n", "other.c": "other\n", ".gitignore": "*.o\nprogram\n"}
    return repository(tmp_path / "project", files)


def run(box: AgentProcess, project: Path, command: str, *options: str, code: int = 0) -> str:
    """Run a shell command in the project; return what it printed."""
    found = orchestra(box.data, "run", *options, "--", "sh", "-c", command, cwd=project)
    assert found.code == code, found.err
    return found.out


def test_only_what_changed_is_built_again(box: AgentProcess, project: Path) -> None:
    assert run(box, project, "make -s") == "made main.o\nmade other.o\n"
    assert run(box, project, "make -s") == ""
    (project / "other.c").write_text("changed\n")
    assert run(box, project, "make -s; cat program") == "made other.o\nmain\nchanged\n"
    assert run(box, project, "make -s", "--fresh") == "made main.o\nmade other.o\n"
    assert run(box, project, "make -s") == ""


def test_what_is_gone_here_is_gone_there(box: AgentProcess, project: Path) -> None:
    (project / "new.c").write_text("new\n")
    assert "new.c" in run(box, project, "ls; touch left.o")
    (project / "new.c").unlink()
    git(project, "rm", "--quiet", "other.c")
    assert run(box, project, "ls") == "Makefile\nleft.o\nmain.c\n"


def test_what_a_build_did_to_its_copy_is_put_right(box: AgentProcess, project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "main.c").write_text("precious\n")
    commit(project, {"src/main.c": "source\n"})
    run(
        box,
        project,
        f"rm -r src; ln -s {shlex.quote(str(outside))} src; echo worse > main.c; chmod 0 Makefile; rm other.c",
    )
    assert run(box, project, "cat src/main.c main.c other.c; test -r Makefile") == "source\nmain\nother\n"
    assert (outside / "main.c").read_text() == "precious\n"


def test_two_at_a_time_do_not_meet(box: AgentProcess, project: Path) -> None:
    look = "if [ -e mark ]; then echo marked; fi; pwd"
    build = run(box, project, "touch mark; pwd; exec tail -f /dev/null", "--detach").strip()
    with box.client() as net:
        place = wait_until(lambda: net.builds.log(build).data, "it runs")
        other = run(box, project, look)
        assert (len(other.splitlines()), other != place) == (1, True)
        net.builds.abort(build)
        net.builds.wait(build)
    assert run(box, project, look) == f"marked\n{place}"


def test_a_directory_that_is_no_work_tree_travels_whole_and_stays_warm_too(box: AgentProcess, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    (plain / "empty").mkdir(parents=True)
    (plain / "Makefile").write_text(MAKEFILE)
    for name in ("main.c", "other.c"):
        (plain / name).write_text(name + "\n")
    assert run(box, plain, "ls; make -s") == "Makefile\nempty\nmain.c\nother.c\nmade main.o\nmade other.o\n"
    assert run(box, plain, "make -s") == ""


def test_inside_a_directory_of_the_work_tree_commands_begin_there(box: AgentProcess, project: Path) -> None:
    commit(project, {"sub/file": "x\n"})
    assert run(box, project / "sub", "basename $PWD; ls; ls ..").splitlines() == [
        *("sub", "file", "Makefile", "main.c", "other.c", "sub")
    ]
    (project / "sub" / "newer").mkdir()
    found = orchestra(box.data, "run", "--", "true", cwd=project / "sub" / "newer")
    assert (found.code, "there is no directory" in found.err) == (125, True)


def test_names_bits_and_links_arrive_as_they_are(box: AgentProcess, project: Path) -> None:
    odd = os.fsencode(project) + b"/odd\n\xff name"
    with open(odd, "wb") as file:
        file.write(b"odd")
    (project / "tool").write_text("#!/bin/sh\necho tool\n")
    (project / "tool").chmod(0o755)
    (project / "link").symlink_to("/nowhere/at all")
    (project / "suid").write_text("x")
    (project / "suid").chmod(0o4755)
    told = run(box, project, "./tool; readlink link; stat -c %a suid; cat odd*; ls -b odd*").splitlines()
    assert told == ["tool", "/nowhere/at all", "755", "oddodd\\n\\377\\ name"]


def test_the_revision_is_known_to_the_build_and_the_outer_repository_is_not(box: AgentProcess, project: Path) -> None:
    revision = git(project, "rev-parse", "HEAD")
    told = run(box, project, "echo $ORCHESTRA_REVISION $ORCHESTRA_BRANCH; git rev-parse --show-toplevel 2>&1 || true")
    assert told.splitlines()[0] == f"{revision} main"
    assert "not a git repository" in told


def test_ignored_files_travel_when_they_are_asked_for(box: AgentProcess, project: Path) -> None:
    (project / "program").write_text("built here")
    assert "program" not in run(box, project, "ls", "--fresh")
    assert run(box, project, "cat program", "--fresh", "--include", "program") == "built here"


def test_large_uploads_are_told_with_what_is_large(box: AgentProcess, project: Path) -> None:
    for number in range(7):
        with open(project / f"large{number}.bin", "wb") as file:
            file.truncate((20 + number) << 20)
    found = orchestra(box.data, "run", "--", "true", cwd=project)
    assert found.code == 0
    lines = found.err.splitlines()
    assert lines[0] == "161.0 MiB in 11 files are new and have to be sent. The largest:"
    assert [line.split()[-1] for line in lines[1:6]] == [f"large{number}.bin" for number in (6, 5, 4, 3, 2)]
    assert ".gitignore" in lines[6]
    again = orchestra(box.data, "run", "--", "true", cwd=project)
    assert "large" not in again.err


def test_what_the_command_leaves_comes_back_and_takes_nothing_from_its_owner(box: AgentProcess, project: Path) -> None:
    (project / "notes.txt").write_text("mine")
    text = "make -s; echo worse | tee main.c notes.txt > new.txt"
    found = orchestra(
        box.data, "run", "--out", "program", "--out", "*.c", "--out", "*.txt", "--", "sh", "-c", text, cwd=project
    )
    assert found.code == 0
    assert {
        name: (project / name).read_text() for name in ("program", "main.c", "other.c", "notes.txt", "new.txt")
    } == {
        "program": "main\nother\n",
        "main.c": "main\n",
        "other.c": "other\n",
        "notes.txt": "mine",
        "new.txt": "worse\n",
    }
    # whether it says before that where the build runs hangs on how soon the build is over
    told = found.err.splitlines()
    begin = told.index("Back from the build: new.txt and 2 more.")
    assert told[begin : begin + 3] == [
        "Back from the build: new.txt and 2 more.",
        *(f"Not overwritten: {name}" for name in ("main.c", "notes.txt")),
    ]
    (project / "other.c").write_text("changed\n")
    run(box, project, "make -s; echo newer > new.txt", "--out", "program", "--out", "new.txt")
    assert (project / "program").read_text() == "main\nchanged\n"
    assert (project / "new.txt").read_text() == "newer\n", "it came from a build, and nobody has changed it"
    assert git(project, "status", "--short").splitlines() == ["M other.c", "?? new.txt", "?? notes.txt"]


def test_what_a_command_that_fails_leaves_comes_back_to_where_one_was(box: AgentProcess, project: Path) -> None:
    commit(project, {"sub/[x]/file": "x\n"})
    run(box, project / "sub/[x]", "mkdir out; echo why > out/report; false", "--out", "out/*", code=1)
    assert (project / "sub/[x]/out/report").read_text() == "why\n"
    assert not (project / "out").exists()
    found = orchestra(box.data, "run", "--out", "../x", "--", "true", cwd=project / "sub")
    assert (found.code, "without `..`" in found.err) == (2, True)
    found = orchestra(box.data, "run", "--out", "x", "--detach", "--", "true", cwd=project)
    assert (found.code, "--out needs who waits" in found.err) == (2, True)


def test_artifacts_are_listed_and_got(box: AgentProcess, project: Path, tmp_path: Path) -> None:
    run(box, project, "mkdir -p dist/sub; echo a > dist/a; echo b > dist/sub/b", "--out", "dist")
    listed = orchestra(box.data, "artifacts", "list")
    assert [line.split()[-1] for line in listed.out.splitlines()] == ["PATH", "dist/a", "dist/sub/b"]
    out = tmp_path / "got"
    assert orchestra(box.data, "artifacts", "get", "last", "dist/sub", "--out", str(out)).code == 0
    assert [str(one.relative_to(out)) for one in out.rglob("*") if one.is_file()] == ["dist/sub/b"]
    (out / "dist/sub/b").write_text("mine")
    assert orchestra(box.data, "artifacts", "get", "--out", str(out)).code == 1
    assert (out / "dist/sub/b").read_text() == "mine"
    assert orchestra(box.data, "artifacts", "get", "--force", "--out", str(out)).code == 0
    assert (out / "dist/sub/b").read_text() == "b\n"
    aside = tmp_path / "aside"
    aside.symlink_to(out)
    assert orchestra(box.data, "artifacts", "get", "--out", str(aside)).code == 0, "a link to a directory is one"
    lost = orchestra(box.data, "artifacts", "get", "--out", str(out / "dist/sub/b/in"))
    assert (lost.code, lost.err.startswith("orchestra: cannot make "), "Traceback" in lost.err) == (125, True, False)
    assert "kept nothing that fits nothing" in orchestra(box.data, "artifacts", "get", "last", "nothing").err
    run(box, project, "true")
    assert "kept nothing" in orchestra(box.data, "artifacts", "get").err


def test_what_a_job_keeps_comes_back_as_far_as_it_is_wanted(box: AgentProcess, project: Path) -> None:
    text = "project: line\njobs:\n  make: { run: make -s, artifacts: [program] }\n"
    text += "  pack: { needs: make, run: 'cat program > pack.tar; echo x > log.txt', artifacts: ['*.tar', '*.txt'] }\n"
    (project / "orchestra.yaml").write_text(text)
    assert orchestra(box.data, "apply", "orchestra.yaml", cwd=project).code == 0
    found = orchestra(box.data, "run", "--job", "line/pack", "--out", "*.tar", cwd=project)
    assert found.code == 0, found.err
    assert (project / "pack.tar").read_text() == "main\nother\n"
    assert not (project / "log.txt").exists()
    assert not (project / "program").exists()


def test_a_directory_that_is_none_is_refused(box: AgentProcess, tmp_path: Path) -> None:
    found: Result = orchestra(box.data, "run", "-C", str(tmp_path / "nothing"), "--", "true")
    assert (found.code, "is not a directory" in found.err) == (2, True)


def test_sockets_and_pipes_stay_here_and_that_is_told(box: AgentProcess, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    os.mkfifo(plain / "pipe")
    found = orchestra(box.data, "run", "--", "ls", cwd=plain)
    assert (found.code, found.out) == (0, "")
    assert "1 sockets, pipes or devices do not travel: pipe" in found.err
