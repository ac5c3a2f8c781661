"""A workspace from a repository: the revision and nothing else; nothing that a repository says is executed."""

import os
import shutil
from pathlib import Path

import pytest

from job_orchestra.agent.repositories.checkout import check_out
from job_orchestra.agent.repositories.git import Git
from job_orchestra.core.definition import Source
from job_orchestra.core.errors import InvalidInput, NotAllowed, NotFound, UserError
from job_orchestra.core.repository import related
from tests.agent.repositories.conftest import Forge
from tests.conftest import needs
from tests.kit.gitting import commit, git, repository


def fill(forge: Forge, name: str = "workspace", **source: object) -> tuple[Path, list[str]]:
    """Check out; return the workspace and what was told."""
    told: list[str] = []
    workspace = forge.workspace(name)
    check_out(forge.git, forge.mirrors, Source(**{"git": forge.address, **source}), workspace, told.append)  # type: ignore[arg-type]
    return workspace, told


def files(workspace: Path) -> dict[str, str]:
    found = [one for one in workspace.rglob("*") if ".git" not in one.relative_to(workspace).parts]
    return {str(one.relative_to(workspace)): one.read_text() for one in found if one.is_file()}


WHOLE = {"src/a.c": "int a;\n", "docs/a.md": "# a\n"}


def test_a_branch_a_tag_and_a_revision(forge: Forge) -> None:
    old = git(forge.origin, "rev-parse", "HEAD")
    git(forge.origin, "tag", "--annotate", "--message=x", "v1")
    new = commit(forge.origin, {"src/a.c": "int b;\n"})
    assert files(fill(forge)[0]) == {**WHOLE, "src/a.c": "int b;\n"}
    assert files(fill(forge, branch="v1")[0]) == WHOLE
    workspace, told = fill(forge, branch="main", revision=old)
    assert files(workspace) == WHOLE
    assert git(workspace, "rev-parse", "HEAD", "origin/main").split() == [old, new]
    assert git(workspace, "status", "--porcelain") == ""
    assert told == [f"checked out {old[:12]} of {forge.address} (main)"]
    assert git(workspace, "describe", "--tags") == "v1"
    commit(forge.origin, {"src/a.c": "int c;\n"})
    assert fill(forge)[1][0] == f"fetching {forge.address}", "what may take long is told before"


def test_the_objects_are_those_of_the_mirror(forge: Forge) -> None:
    commit(forge.origin, {"large": os.urandom(200_000).hex()})
    workspace, _ = fill(forge)
    assert sum(one.stat().st_size for one in (workspace / ".git").rglob("*") if one.is_file()) < 100_000
    git(workspace, "fsck")


def test_what_a_build_does_in_its_workspace_stays_there(forge: Forge) -> None:
    workspace, _ = fill(forge)
    commit(workspace, {"mine": "x"})
    git(workspace, "branch", "mine")
    again, _ = fill(forge, "again")
    assert files(again) == WHOLE
    assert "mine" not in git(again, "branch", "--all")


def test_only_the_directories_that_were_asked_for(forge: Forge) -> None:
    commit(forge.origin, {"top": "t", "other/deep/x": "x", "other/y": "y"})
    assert files(fill(forge, sparse=("src", "other/deep"))[0]) == {
        "top": "t",
        "src/a.c": "int a;\n",
        "other/deep/x": "x",
        "other/y": "y",  # a directory comes with what lies beside it, as git has it
    }


def test_only_as_much_history_as_was_asked_for(forge: Forge) -> None:
    for one in range(4):
        commit(forge.origin, {"file": str(one)})
    workspace, _ = fill(forge, depth=2)
    assert git(workspace, "rev-list", "--count", "HEAD") == "2"
    assert files(workspace)["file"] == "3"


def test_names_of_all_kinds(forge: Forge) -> None:
    commit(forge.origin, {"-f": "dash", "with blank": "b", "ünï": "u", "a\nb": "newline"})
    (forge.origin / "link").symlink_to("src/a.c")
    (forge.origin / "tool").write_text("#!/bin/sh\n")
    (forge.origin / "tool").chmod(0o755)
    commit(forge.origin, {})
    workspace, _ = fill(forge)
    assert (workspace / "a\nb").read_text() == "newline"
    assert (workspace / "link").readlink() == Path("src/a.c")
    assert os.access(workspace / "tool", os.X_OK)


def test_a_repository_with_longer_ids(tmp_path: Path) -> None:
    forge = Forge(tmp_path)
    long = tmp_path / "long"
    long.mkdir()
    git(long, "init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    revision = commit(long, {"a": "b"})
    assert len(revision) == 64
    workspace, _ = fill(forge, git=long.as_uri(), revision=revision)
    assert files(workspace) == {"a": "b"}


# -- submodules


@pytest.fixture
def family(forge: Forge) -> Forge:
    """Give a repository with a submodule, written relative, which has one itself."""
    repository(forge.folder / "inner", {"inner.h": "1\n"})
    repository(forge.folder / "middle", {"middle.h": "2\n"})
    git(forge.folder / "middle", "submodule", "--quiet", "add", "../inner", "deep/inner")
    commit(forge.folder / "middle", {})
    git(forge.origin, "submodule", "--quiet", "add", "../middle", "lib/middle")
    commit(forge.origin, {})
    return forge


def test_submodules_at_their_revisions(family: Forge) -> None:
    commit(family.folder / "inner", {"inner.h": "newer\n"})
    workspace, _ = fill(family, submodules=True)
    own = {name: text for name, text in files(workspace).items() if name.endswith(".h")}
    assert own == {"lib/middle/middle.h": "2\n", "lib/middle/deep/inner/inner.h": "1\n"}
    assert git(workspace, "status", "--porcelain") == ""
    listed = git(workspace, "submodule", "status", "--recursive").split("\n")
    assert [line.split()[1] for line in listed] == ["lib/middle", "lib/middle/deep/inner"]
    for name in ("origin", "middle", "inner"):
        (family.folder / name).rename(family.folder / f"{name}-gone")
    revision = git(workspace, "rev-parse", "HEAD")
    again, _ = fill(family, "again", submodules=True, revision=revision)
    assert (again / "lib/middle/deep/inner/inner.h").read_text() == "1\n", "all of it is in mirrors"


def test_submodules_are_left_empty_where_they_are_not_asked_for(family: Forge) -> None:
    workspace, _ = fill(family)
    assert list((workspace / "lib" / "middle").iterdir()) == []


def test_a_submodule_may_not_be_reached_by_what_is_not_allowed(family: Forge) -> None:
    strict = Git(("file",))
    marker = family.folder / "executed"
    bad = ["ext::sh -c touch% " + str(marker), "git://127.0.0.1:9/x", "-u./x", "http://127.0.0.1:9/x"]
    for address in bad:
        text = f'[submodule "lib/middle"]\n\tpath = lib/middle\n\turl = "{address}"\n'
        commit(family.origin, {".gitmodules": text})
        with pytest.raises(UserError, match="submodule lib/middle") as refused:
            check_out(
                strict, family.mirrors, Source(git=family.address, submodules=True), family.workspace(), lambda _: None
            )
        assert isinstance(refused.value, InvalidInput | NotAllowed)
    assert not marker.exists()


def test_a_submodule_does_not_lead_out_of_the_workspace(family: Forge, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    git(family.origin, "config", "--file", ".gitmodules", "submodule.lib/middle.path", "../../outside")
    commit(family.origin, {})
    workspace, _ = fill(family, submodules=True)
    assert list(outside.iterdir()) == []
    assert list((workspace / "lib" / "middle").iterdir()) == []


ADDRESSES = {
    ("../x", "https://h/a/b.git"): "https://h/a/x",
    ("../../x/y", "https://h/a/b.git/"): "https://h/x/y",
    ("./x", "https://h/a/b"): "https://h/a/b/x",
    ("../x", "git@h:a/b.git"): "git@h:a/x",
    ("../x", "git@h:b.git"): "git@h:x",
    ("https://o/x", "https://h/a"): "https://o/x",
}


@pytest.mark.parametrize(("given", "wanted"), ADDRESSES.items())
def test_addresses_of_submodules_as_git_understands_them(given: tuple[str, str], wanted: str) -> None:
    assert related(*given) == wanted


# -- large files


LFS = {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"}


def test_large_files_come_by_git_lfs_where_the_agents_user_has_it(forge: Forge, tmp_path: Path) -> None:
    needs(shutil.which("git-lfs"), "git-lfs")
    config = tmp_path / ".gitconfig"
    git(tmp_path, "lfs", "install", "--skip-repo", HOME=str(tmp_path), GIT_CONFIG_GLOBAL=str(config))
    git(forge.origin, "lfs", "version")
    for name, text in (LFS | {"large.bin": "x" * 3000}).items():
        (forge.origin / name).write_text(text)
    git(forge.origin, "add", "--all", GIT_CONFIG_GLOBAL=str(config))
    git(forge.origin, "commit", "--quiet", "--message=large", GIT_CONFIG_GLOBAL=str(config))
    assert git(forge.origin, "cat-file", "-p", "HEAD:large.bin").startswith("version https://git-lfs")
    forge.git = forge.mirrors._git = Git(("file",), {**os.environ, "HOME": str(tmp_path)})
    workspace, told = fill(forge)
    assert (workspace / "large.bin").read_text() == "x" * 3000
    assert not any("LFS" in one for one in told)


def test_pointers_are_told_of_where_nothing_fetches_what_they_stand_for(forge: Forge, tmp_path: Path) -> None:
    commit(forge.origin, LFS | {"large.bin": "version https://git-lfs.github.com/spec/v1\n"})
    (tmp_path / ".gitconfig").write_text('[filter "lfs"]\n\tprocess =\n\tsmudge =\n\trequired = false\n')
    forge.git = forge.mirrors._git = Git(("file",), {**os.environ, "HOME": str(tmp_path)})
    workspace, told = fill(forge)
    assert (workspace / "large.bin").read_text().startswith("version https://git-lfs")
    assert any("git lfs install" in one for one in told)


# -- nothing of a repository's is executed


def test_hooks_filters_and_configuration_of_the_repository_are_not_executed(forge: Forge) -> None:
    marker = forge.folder / "executed"
    hook = f"#!/bin/sh\ntouch {marker}\n"
    for name in ("post-checkout", "post-update", "reference-transaction"):
        for folder in (forge.origin / ".git" / "hooks", forge.folder / "template" / "hooks"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(hook)
            (folder / name).chmod(0o755)
    git(forge.origin, "config", "core.fsmonitor", f"touch {marker}")
    git(forge.origin, "config", "filter.x.smudge", f"touch {marker}")
    git(forge.origin, "-c", "core.fsmonitor=", "add", "--all")
    commit(forge.origin, {".gitattributes": "* filter=x\n", ".gitmodules": '[submodule "x"]\n\tupdate = !touch y\n'})
    marker.unlink(missing_ok=True)
    (forge.folder / ".gitconfig").write_text(f"[init]\n\ttemplateDir = {forge.folder / 'template'}\n")
    forge.git = Git(("file",), {**os.environ, "HOME": str(forge.folder)})
    forge.mirrors._git = forge.git
    workspace, _ = fill(forge, submodules=True)
    assert files(workspace)["src/a.c"] == "int a;\n"
    assert not marker.exists()


def test_variables_of_the_build_lead_git_nowhere_else(forge: Forge, tmp_path: Path) -> None:
    other = repository(tmp_path / "elsewhere", {"a": "b"})
    lies = {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / "index"),
        "GIT_ALLOW_PROTOCOL": "ext",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(tmp_path),
        "GIT_EXEC_PATH": str(tmp_path),
    }
    forge.git = Git(("file",), {**os.environ, **lies})
    assert files(fill(forge)[0]) == WHOLE


def test_an_unknown_branch_is_told_with_the_nearest_one(forge: Forge) -> None:
    with pytest.raises(NotFound, match="has no branch or tag 'mian'; did you mean main"):
        fill(forge, branch="mian")


def test_what_is_no_repository_is_told(forge: Forge) -> None:
    with pytest.raises(NotFound, match="there is no repository at"):
        fill(forge, git=(forge.folder / "nothing").as_uri())
