"""Copies of repositories: only what lacks is fetched, by one process at a time, and what is used least goes."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count as count_up
from pathlib import Path
from types import SimpleNamespace

import pytest

from job_orchestra.agent.repositories import git as gitting
from job_orchestra.agent.repositories.git import Git
from job_orchestra.agent.repositories.mirrors import Mirrors, Wanted
from job_orchestra.core.errors import InvalidInput, LimitReached, NotAllowed, NotFound, TimedOut
from tests.agent.repositories.conftest import Forge
from tests.kit.gitting import commit, git


def head(forge: Forge) -> str:
    return git(forge.origin, "rev-parse", "HEAD")


def fetch(mirrors: Mirrors, wanted: Wanted) -> None:
    with mirrors.having(wanted):
        pass


def count(mirror: Path, what: str) -> int:
    return int(git(mirror, "rev-list", "--count", what))


def test_a_revision_that_is_here_is_not_fetched_again(forge: Forge) -> None:
    wanted = Wanted(forge.address, head(forge), "main")
    with forge.mirrors.having(wanted) as mirror:
        assert git(mirror, "show", f"{wanted.revision}:src/a.c") == "int a;"
    forge.take_away()
    with forge.mirrors.having(wanted) as again:
        assert again == mirror
    assert forge.mirrors.addresses() == [forge.address]


def test_only_what_lacks_is_fetched(forge: Forge) -> None:
    noise = os.urandom(300_000).hex()
    commit(forge.origin, {"large": noise})
    with forge.mirrors.having(Wanted(forge.address, head(forge))) as mirror:
        before = {one.name for one in mirror.glob("objects/**/*")}
    commit(forge.origin, {"small": "x"})
    with forge.mirrors.having(Wanted(forge.address, head(forge))):
        new = [one for one in mirror.glob("objects/**/*") if one.is_file() and one.name not in before]
        assert sum(one.stat().st_size for one in new if one.suffix != ".idx") < 100_000
        assert git(mirror, "show", "main:large") == noise


def test_branches_that_were_rewritten_removed_or_made_a_folder_are_followed(forge: Forge) -> None:
    for name in ("gone", "kind", "back"):
        git(forge.origin, "branch", name)
    old = head(forge)
    with forge.mirrors.having(Wanted(forge.address, old)):
        pass
    git(forge.origin, "branch", "-D", "gone", "kind")
    git(forge.origin, "branch", "kind/of")
    git(forge.origin, "commit", "--quiet", "--amend", "--message", "another")
    git(forge.origin, "branch", "--force", "back", "main")
    with forge.mirrors.having(Wanted(forge.address, head(forge))) as mirror:
        names = git(mirror, "for-each-ref", "--format=%(refname:short)").split()
        assert names == ["back", "kind/of", "main"]
        assert git(mirror, "rev-parse", "back") == head(forge)
    with forge.mirrors.having(Wanted(forge.address, old)):
        pass  # what was fetched once is still there


def test_a_revision_that_no_branch_has_is_asked_for_by_itself(forge: Forge) -> None:
    lone = commit(forge.origin, {"lone": "x"})
    git(forge.origin, "reset", "--quiet", "--hard", "HEAD^")
    git(forge.origin, "update-ref", "refs/pull/1/head", lone)
    with forge.mirrors.having(Wanted(forge.address, lone, "refs/pull/1/head")) as mirror:
        assert git(mirror, "show", f"{lone}:lone") == "x"


def test_a_revision_that_is_nowhere_is_told(forge: Forge) -> None:
    lost = "1234567890" * 4
    with pytest.raises(NotFound, match="does not give revision 123456789012, nor is main there any more"):
        fetch(forge.mirrors, Wanted(forge.address, lost, "main"))


@pytest.mark.parametrize("depth", [1, 2])
def test_a_shallow_copy_has_as_much_history_as_was_asked_for(forge: Forge, depth: int) -> None:
    for one in range(5):
        commit(forge.origin, {"file": str(one)})
    with forge.mirrors.having(Wanted(forge.address, head(forge), "main", depth)) as mirror:
        assert count(mirror, head(forge)) == depth
    commit(forge.origin, {"file": "more"})
    with forge.mirrors.having(Wanted(forge.address, head(forge), "main", depth)):
        assert count(mirror, head(forge)) >= depth
    with forge.mirrors.having(Wanted(forge.address, head(forge))) as whole:
        assert whole != mirror
        assert count(whole, head(forge)) == 7


def test_what_a_killed_process_left_is_cleared_away(forge: Forge) -> None:
    with forge.mirrors.having(Wanted(forge.address, head(forge))) as mirror:
        pass
    for name in ("packed-refs.lock", "config.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_x"):
        (mirror / name).write_text("")
    (mirror.with_suffix(".new")).mkdir()
    commit(forge.origin, {"a": "b"})
    with forge.mirrors.having(Wanted(forge.address, head(forge))):
        assert list(mirror.glob("**/*.lock")) == []


def test_a_copy_that_was_begun_and_not_made_is_made(forge: Forge) -> None:
    with forge.mirrors.having(Wanted(forge.address, head(forge))) as mirror:
        pass
    mirror.rename(mirror.with_suffix(".new"))
    with forge.mirrors.having(Wanted(forge.address, head(forge))) as again:
        assert again == mirror


def test_several_at_a_time_fetch_once(forge: Forge) -> None:
    wanted = Wanted(forge.address, head(forge))
    found: list[Path] = []

    def work() -> None:
        with Mirrors(forge.mirrors.folder, forge.git).having(wanted) as mirror:
            found.append(mirror)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 6
    assert len(list(found[0].glob("objects/pack/*.pack"))) == 1


def test_many_packs_are_put_together(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("job_orchestra.agent.repositories.mirrors.PACKS", 3)
    revisions: list[str] = []
    for one in range(8):
        revisions.append(commit(forge.origin, {"file": str(one)}))
        with forge.mirrors.having(Wanted(forge.address, revisions[-1])) as mirror:
            assert len(list(mirror.glob("objects/pack/*.pack"))) <= 4
    with forge.mirrors.having(Wanted(forge.address, revisions[0])) as mirror:
        assert [git(mirror, "show", f"{one}:file") for one in revisions] == [str(one) for one in range(8)]


def test_a_protocol_that_is_not_allowed_is_refused_before_git_is_asked(forge: Forge) -> None:
    mirrors = Mirrors(forge.mirrors.folder, Git())
    with pytest.raises(NotAllowed, match="reached by file, which this agent does not allow"):
        fetch(mirrors, Wanted(forge.address, head(forge)))
    with pytest.raises(NotAllowed, match="--git-protocol http"):
        fetch(mirrors, Wanted("http://127.0.0.1:9/x", head(forge)))


def test_without_git_that_is_said(forge: Forge) -> None:
    mirrors = Mirrors(forge.mirrors.folder, Git(("file",), {"PATH": str(forge.folder)}))
    with pytest.raises(NotFound, match="there is no git on the PATH"):
        fetch(mirrors, Wanted(forge.address, head(forge)))


def test_a_git_that_cannot_be_run_is_an_error_like_others(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "git")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(NotFound, match="cannot run git: Permission denied"):
        forge.git.within(5, "version")
    with pytest.raises(NotFound, match="cannot run git: Permission denied"):
        forge.git(forge.folder, "version")


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], Git]:
    """Return a git that does something else where it should fetch."""

    def made(instead: str) -> Git:
        program = tmp_path / "bin" / "git"
        program.parent.mkdir()
        program.write_text(
            f'#!/bin/sh\ncase " $* " in *" fetch "*) {instead};; esac\nexec {shutil.which("git")} "$@"\n'
        )
        program.chmod(0o755)
        return Git(("file",), {**os.environ, "PATH": f"{program.parent}:/usr/bin:/bin"})

    return made


def test_a_git_that_hangs_while_it_fetches_is_given_up(
    forge: Forge, fake: Callable[[str], Git], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitting, "SILENT_S", 0.2)
    with pytest.raises(TimedOut, match=r"origin: git has said nothing for 0.2 s; see whether its server is well"):
        fetch(Mirrors(forge.mirrors.folder, fake("exec tail -f /dev/null")), Wanted(forge.address, head(forge)))


def test_a_git_that_hangs_on_this_machine_is_given_up(
    forge: Forge, fake: Callable[[str], Git], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitting, "ALONE_S", 0.2)
    with pytest.raises(TimedOut, match=r"git has not ended within 0.2 s"):
        fake("exec tail -f /dev/null")(forge.folder, "fetch")


def test_as_long_as_git_says_how_far_it_is_it_may_go_on(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gitting, "ALONE_S", 20.0)
    monkeypatch.setattr(gitting, "SILENT_S", 20.0)
    for talks in (True, False):
        moments = count_up(0.0, 15.0)  # the clock, each time that it is looked at
        monkeypatch.setattr(gitting, "time", SimpleNamespace(monotonic=moments.__next__))
        words = ("-c", "alias.talk=!echo 1; echo 2 >&2; :", "talk")
        if talks:
            assert forge.git(forge.folder, *words, talks=True) == b"1\n"
        else:
            with pytest.raises(TimedOut):
                forge.git(forge.folder, *words)


def test_a_git_that_says_too_much_is_given_up(
    forge: Forge, fake: Callable[[str], Git], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitting, "MAX_LISTED", 1 << 20)
    with pytest.raises(LimitReached, match="git says more than 1 MiB"):
        fetch(Mirrors(forge.mirrors.folder, fake("exec yes >&2")), Wanted(forge.address, head(forge)))


def test_what_git_says_of_how_far_it_is_hides_no_error(forge: Forge, fake: Callable[[str], Git]) -> None:
    lines = (
        "remote: Enumerating objects: 5, done.",
        r"remote: Counting objects:  20% (1/5)\rremote: Counting objects: 100% (5/5), done.",
        "remote: Total 5 (delta 0), reused 0 (delta 0), pack-reused 0",
        "Receiving objects: 100% (5/5), 1.2 KiB | 1.2 MiB/s, done.",
        "fatal: the disk is full",
    )
    say = "; ".join(f"printf '{line}\\n' >&2" for line in lines).replace("%", "%%")
    with pytest.raises(InvalidInput, match=r"origin: the disk is full|origin: fatal: the disk is full$"):
        fetch(Mirrors(forge.mirrors.folder, fake(f"{say}; exit 128")), Wanted(forge.address, head(forge)))


# -- what is forgotten


def long_ago(forge: Forge, *mirrors: Path) -> None:
    for place, one in enumerate(mirrors):
        then = time.time() - 10_000 + 100 * place
        os.utime(one.with_suffix(".lock"), (then, then))


def copies(forge: Forge, number: int) -> list[Path]:
    found = []
    for one in range(number):
        shutil.copytree(forge.origin, forge.folder / f"origin{one}")
        address = (forge.folder / f"origin{one}").as_uri()
        with forge.mirrors.having(Wanted(address, head(forge))) as mirror:
            found.append(mirror)
    return found


def test_the_least_recently_used_copies_go(forge: Forge) -> None:
    found = copies(forge, 3)
    long_ago(forge, *found)
    size = sum(one.stat().st_size for one in found[0].rglob("*") if one.is_file())
    assert forge.mirrors.tidy(size * 2.5) == [(forge.folder / "origin0").as_uri()]
    assert [one.exists() for one in found] == [False, True, True]
    assert forge.mirrors.tidy(size * 100, short=1) == [(forge.folder / "origin1").as_uri()]
    with forge.mirrors.having(Wanted((forge.folder / "origin0").as_uri(), head(forge))):
        assert found[0].exists(), "it is fetched again"


def test_copies_in_use_and_lately_used_stay(forge: Forge) -> None:
    used, lately = copies(forge, 2)
    with forge.mirrors.having(Wanted((forge.folder / "origin0").as_uri(), head(forge))):
        long_ago(forge, used)
        assert forge.mirrors.tidy(0) == []
    assert used.exists()
    assert lately.exists()


def test_copies_stay_whose_objects_a_checkout_may_need(forge: Forge) -> None:
    found = copies(forge, 2)
    long_ago(forge, *found)
    began = time.time() - 9_950  # after the first was used last, before the second was
    assert forge.mirrors.tidy(0, needed_since=began) == [(forge.folder / "origin0").as_uri()]
    assert [one.exists() for one in found] == [False, True]


def test_who_waits_for_a_copy_in_another_process_gets_it(forge: Forge, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from job_orchestra.agent.repositories.git import Git;"
        "from job_orchestra.agent.repositories.mirrors import Mirrors, Wanted;"
        "wanted = Wanted(sys.argv[2], sys.argv[3]);"
        "m = Mirrors(Path(sys.argv[1]), Git(('file',)));\n"
        "with m.having(wanted) as found: print(found)"
    )
    words = [sys.executable, "-c", code, str(forge.mirrors.folder), forge.address, head(forge)]
    several = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert len({one.communicate(timeout=60)[0] for one in several}) == 1
    assert [one.returncode for one in several] == [0, 0, 0]
