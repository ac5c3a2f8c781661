"""The worked example: a real project, built and tested by two compilers on three agents, with cache and artifacts."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from job_orchestra.agent.client.blocking import BuildHandle, Client
from tests.conftest import needs
from tests.kit import debian
from tests.kit.commands import orchestra
from tests.kit.gitting import commit, repository
from tests.kit.lab.hosts import Host, form, hosts
from tests.kit.waiting import wait_until

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "zlib.yaml"
TOOLS = ("gcc", "clang", "make", "ccache", "git")


def test_the_page_shows_the_very_file() -> None:
    assert f"```yaml\n{EXAMPLE.read_text()}```\n" in (ROOT / "docs" / "example.md").read_text()


def test_zlib_is_built_and_tested_on_three_agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs(os.getuid() == 0, "network namespaces need root")
    lacking = [one for one in TOOLS if shutil.which(one) is None]
    needs(not lacking, f"not found: {', '.join(lacking)}")
    needs(not debian.missing(), debian.missing())
    try:
        source = debian.source("zlib", tmp_path / "debian")
    except (OSError, subprocess.TimeoutExpired) as problem:
        needs(condition=False, reason=f"no source of zlib: {problem}")
        raise
    origin = repository(tmp_path / "forge" / "zlib.git", {})
    shutil.copytree(source, origin, dirs_exist_ok=True)
    first = commit(origin, {})
    monkeypatch.setenv("ORCHESTRA_GIT_PROTOCOL", "git")
    with hosts(tmp_path, 4, namespaces=True) as (*made, forge), serving(forge, origin.parent):
        form(made)
        wait_until(lambda: ready(made[0]) == len(made), "all are there")
        text = EXAMPLE.read_text().replace("https://git.example/", f"git://{forge.address}/")
        with made[0].agent.client() as net:
            net.call("jobs.apply", file=text)
            builds = submit(net)
            assert [one.get().revision for one in builds] == [first] * 3
            assert len({one.get().agent for one in builds[:2]}) == 2, "each compiler on a machine of its own"
            assert "zlib 64-bit test OK" in log(builds[0])
            assert log(builds[2]).endswith("each reads what the other one wrote\n")
            assert [one.get().results["reused"] for one in builds[:2]] == ["0", "0"]
            second = commit(origin, {"adler32.c": (origin / "adler32.c").read_text() + "/* a change */\n"})
            again = submit(net)
            found = [one.get() for one in again]
            assert [one.revision for one in found] == [second] * 3
            compiled = [int(one.results["reused"]) for one in found[:2]]
            assert min(compiled) > 20, "all but the file that changed was in the cache"
        there = tmp_path / "there"
        for build in again[:2]:
            done = orchestra(made[2].agent.data, "artifacts", "get", build.id, "--out", str(there))
            assert done.code == 0, done.err
        for one in ("gcc", "clang"):
            assert (there / "out" / one / "lib" / "libz.a").stat().st_size > 50_000
            assert (there / "out" / one / "lib" / "libz.so").is_symlink()


def submit(net: Client) -> list[BuildHandle]:
    """Run the whole project; return its builds when all have succeeded."""
    builds = net.builds.submit("zlib")
    ended = [one.wait(100) for one in builds]
    assert [one.state for one in ended] == ["succeeded"] * 3, "\n".join(map(log, builds))
    return builds


def log(build: BuildHandle) -> str:
    return b"".join(build.log()).decode()


@contextmanager
def serving(forge: Host, folder: Path) -> Iterator[None]:
    """Let git serve the repositories in a folder on a machine of its own."""
    assert forge.machine is not None
    words = ["git", "daemon", "--export-all", f"--base-path={folder}", "--reuseaddr", f"--listen={forge.address}"]
    with subprocess.Popen(forge.machine.command(words), stderr=subprocess.DEVNULL) as daemon:
        try:
            yield
        finally:
            daemon.terminate()


def ready(host: Host) -> int:
    with host.agent.client() as net:
        return net.network.status().agents["ready"]
