"""Caches: left by one build, taken by the next; never a reason to fail, never a way out of their own paths."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from job_orchestra.agent.blobs import Contents, Why
from job_orchestra.agent.workspace.beneath import Beneath
from job_orchestra.agent.workspace.caching import Caches, digest_of, stored
from job_orchestra.agent.workspace.order import Taken
from job_orchestra.core.caching import Name, Wish
from job_orchestra.core.definition import Cache
from job_orchestra.core.errors import NoAgent
from job_orchestra.core.manifest import Entry, Tree, write

FILE = stat.S_IFREG | 0o644
LINK = stat.S_IFLNK | 0o777
DEPS = Cache("deps-${{ hash('lock') }}", ("deps",), ("deps-",))


class Machine:
    """A machine with contents, and builds that run on it, each in a workspace of its own."""

    def __init__(self, folder: Path, contents: Contents) -> None:
        self.folder = folder
        self.contents = contents
        self.told: list[str] = []
        self.asked: list[Wish] = []
        self.builds = 0

    def ask(self, wish: Wish) -> bool:
        self.asked.append(wish)
        return False

    def workspace(self, files: dict[str, str]) -> Path:
        self.builds += 1
        made = self.folder / f"workspace{self.builds}"
        made.mkdir()
        add(made, files)
        return made

    def caches(self, workspace: Path, *caches: Cache, project: str = "shop") -> Caches:
        self.told.clear()
        return Caches(project, caches or (DEPS,), self.contents, workspace, self.told.append)

    def build(self, files: dict[str, str], makes: dict[str, str], *caches: Cache, project: str = "shop") -> Path:
        """Run a build that makes these files; return its workspace."""
        workspace = self.workspace(files)
        own = self.caches(workspace, *caches, project=project)
        taken = own.take(self.ask)
        add(workspace, makes)
        own.leave(taken, 0)
        return workspace

    def hold(self, entries: list[Entry], key: str = "deps-", contents: dict[bytes, bytes] | None = None) -> None:
        """Have a cache of one's own making."""
        with self.contents.writer() as writer:
            for one in (contents or {}).values():
                writer.put(one)
            root = writer.put_directory(write(entries))
        self.contents.hold(root, Why.CACHE, str(Name("cache:0", "shop", key)))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Contents(tmp_path / "contents") as contents:
        yield Machine(tmp_path, contents)


def add(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def read(folder: Path) -> dict[str, str]:
    return {str(one.relative_to(folder)): one.read_text() for one in sorted(folder.rglob("*")) if one.is_file()}


def key(machine: Machine, workspace: Path) -> str:
    with Beneath(workspace) as top:
        return f"deps-{digest_of(top, ['lock'])}"


def test_what_one_build_leaves_the_next_one_takes(machine: Machine) -> None:
    first = machine.build({"lock": "1"}, {"deps/a/b": "made", "other": "not kept"})
    name = key(machine, first)
    assert machine.told == [f"cache {name}: there is none yet", f"cache {name}: kept 1 file"]
    (first / "deps/a/b").chmod(0o755)
    second = machine.workspace({"lock": "1"})
    taken = machine.caches(second).take(machine.ask)
    assert read(second) == {"lock": "1", "deps/a/b": "made"}
    assert taken == [Taken(name, exact=True)]
    assert machine.told == [f"cache {name}: took 1 file"]
    assert len(machine.asked) == 1, "others are asked only for what is not here"


def test_times_modes_and_links_are_as_they_were(machine: Machine) -> None:
    workspace = machine.workspace({"lock": "1", "deps/tool": "#!/bin/sh\n"})
    (workspace / "deps/tool").chmod(0o755)
    os.utime(workspace / "deps/tool", ns=(10**18, 10**18))
    (workspace / "deps/python").symlink_to("/usr/bin/python3")
    (workspace / "deps/near").symlink_to("tool")
    machine.caches(workspace).leave([Taken("deps-x")], 0)
    again = machine.workspace({"lock": "1"})
    machine.caches(again).take(machine.ask)
    about = (again / "deps/tool").stat()
    assert (about.st_mtime_ns, stat.S_IMODE(about.st_mode)) == (10**18, 0o755)
    assert (again / "deps/python").readlink() == Path("/usr/bin/python3")
    assert (again / "deps/near").readlink() == Path("tool")


def test_another_key_takes_the_best_prefix_and_leaves_a_new_one(machine: Machine) -> None:
    machine.build({"lock": "1"}, {"deps/a": "1"})
    second = machine.build({"lock": "2"}, {"deps/b": "2"})
    assert read(second / "deps") == {"a": "1", "b": "2"}
    assert [one.name.key for one in stored(machine.contents)].count(key(machine, second)) == 1
    third = machine.workspace({"lock": "2"})
    machine.caches(third).take(machine.ask)
    assert read(third / "deps") == {"a": "1", "b": "2"}


def test_a_key_that_changes_while_the_build_runs_is_that_of_the_beginning(machine: Machine) -> None:
    workspace = machine.workspace({"lock": "1"})
    name = key(machine, workspace)
    own = machine.caches(workspace)
    taken = own.take(machine.ask)
    add(workspace, {"lock": "changed", "deps/a": "1"})
    own.leave(taken, 0)
    assert [one.name.key for one in stored(machine.contents)] == [name]


def test_what_was_taken_whole_is_not_kept_again_and_a_race_leaves_one(machine: Machine) -> None:
    machine.build({"lock": "1"}, {"deps/a": "1"})
    machine.build({"lock": "1"}, {"deps/a": "2"})
    (only,) = stored(machine.contents)
    own = machine.caches(machine.workspace({"lock": "1", "deps/a": "3"}))
    own.leave([Taken(only.name.key)], 0)  # it began when there was none
    (last,) = stored(machine.contents)
    assert last.root != only.root


def test_projects_do_not_see_each_others(machine: Machine) -> None:
    machine.build({"lock": "1"}, {"deps/a": "1"})
    other = machine.build({"lock": "1"}, {}, project="other")
    assert read(other) == {"lock": "1"}


def test_what_others_have_is_asked_for_where_just_the_key_is_not_here(machine: Machine) -> None:
    machine.build({"lock": "1"}, {"deps/a": "1"})
    machine.asked.clear()

    def bring(wish: Wish) -> bool:
        machine.hold([Entry(b"deps/b", FILE, 1, write_one(machine, b"2"))], wish.key)
        return True

    workspace = machine.workspace({"lock": "2"})
    assert machine.caches(workspace).take(bring) == [Taken(key(machine, workspace), exact=True)]
    assert read(workspace / "deps") == {"b": "2"}


def test_where_others_cannot_be_asked_what_is_here_will_do(machine: Machine) -> None:
    machine.build({"lock": "1"}, {"deps/a": "1"})

    def fail(_: Wish) -> bool:
        raise NoAgent("it is gone")

    workspace = machine.workspace({"lock": "2"})
    machine.caches(workspace).take(fail)
    assert read(workspace / "deps") == {"a": "1"}
    assert "what other agents have cannot be had: it is gone" in machine.told[0]


def write_one(machine: Machine, content: bytes) -> bytes:
    with machine.contents.writer() as writer:
        return writer.put(content)


def test_a_warm_workspace_keeps_what_it_has(machine: Machine) -> None:
    machine.build({"lock": "1"}, {"deps/a": "1"})
    warm = machine.workspace({"lock": "1", "deps/a": "newer"})
    assert machine.caches(warm).take(machine.ask, warm=True)[0].exact
    assert read(warm / "deps") == {"a": "newer"}
    empty = machine.workspace({"lock": "1"})
    machine.caches(empty).take(machine.ask, warm=True)
    assert read(empty / "deps") == {"a": "1"}


def test_more_than_may_be_kept_is_not(machine: Machine) -> None:
    workspace = machine.workspace({"lock": "1", "deps/a": "x" * 1000})
    machine.caches(workspace).leave([Taken("deps-x")], 999)
    assert machine.told == ["cache deps-x: it is more than 999 bytes, and not kept; name less, or raise content-quota"]
    assert stored(machine.contents) == []
    machine.caches(workspace, Cache("k", ("nothing",))).leave([Taken("k")], 0)
    assert machine.told == ["cache k: there is nothing at nothing to keep"]


def test_the_hash_is_of_names_and_contents_and_of_nothing_else(machine: Machine) -> None:
    with Beneath(machine.workspace({"a/x.lock": "1", "b.lock": "2"})) as top:
        found = digest_of(top, ["**/*.lock"])
        assert found == digest_of(top, ["*.lock", "a"])
        assert digest_of(top, ["none"]) == ""
    moved = machine.workspace({"a/y.lock": "1", "b.lock": "2"})
    changed = machine.workspace({"a/x.lock": "1", "b.lock": "3"})
    same = machine.workspace({"a/x.lock": "1", "b.lock": "2", "other": "x"})
    os.utime(same / "b.lock", (1, 1))
    digests = []
    for one in (moved, changed, same):
        with Beneath(one) as top:
            digests.append(digest_of(top, ["**/*.lock"]))
    assert [one == found for one in digests] == [False, False, True]


# -- hostile ones


def test_a_cache_does_not_touch_what_the_job_does_not_name(machine: Machine) -> None:
    digest = write_one(machine, b"evil")
    machine.hold([Entry(b"Makefile", FILE, 4, digest), Entry(b"deps/a", FILE, 4, digest)])
    workspace = machine.workspace({"lock": "1", "Makefile": "good"})
    machine.caches(workspace).take(machine.ask)
    assert read(workspace) == {"lock": "1", "Makefile": "good", "deps/a": "evil"}
    assert machine.told[0] == "cache deps-: Makefile is left out: the job's paths do not name it"


@pytest.mark.parametrize("path", [b"../x", b"deps/../../x", b"/tmp/x", b"deps//x", b"deps/./x", b"", b"deps/x\0"])
def test_names_that_lead_elsewhere_are_refused_whole(machine: Machine, path: bytes) -> None:
    leaf = msgspec.msgpack.encode([Entry(path, FILE, 4, write_one(machine, b"evil"))])
    with machine.contents.writer() as writer:
        digest = writer.put(leaf)
        root = writer.put(msgspec.msgpack.encode(Tree(digest, 1, 4)))
    machine.contents.hold(root, Why.CACHE, str(Name("cache:0", "shop", "deps-")))
    workspace = machine.workspace({"lock": "1"})
    assert not machine.caches(workspace).take(machine.ask)[0].exact
    assert "it is done without: a directory's list" in machine.told[-1]
    assert read(workspace) == {"lock": "1"}
    assert not (machine.folder / "x").exists()


@pytest.mark.parametrize(
    "mode", [stat.S_IFIFO | 0o644, stat.S_IFCHR | 0o644, stat.S_IFSOCK | 0o644, FILE | stat.S_ISUID]
)
def test_devices_pipes_and_set_id_bits_are_refused_whole(machine: Machine, mode: int) -> None:
    leaf = msgspec.msgpack.encode([Entry(b"deps/x", mode, 4, write_one(machine, b"evil"))])
    with machine.contents.writer() as writer:
        root = writer.put(msgspec.msgpack.encode(Tree(writer.put(leaf), 1, 4)))
    machine.contents.hold(root, Why.CACHE, str(Name("cache:0", "shop", "deps-")))
    workspace = machine.workspace({"lock": "1"})
    machine.caches(workspace).take(machine.ask)
    assert read(workspace) == {"lock": "1"}


def test_links_of_the_workspace_or_of_other_caches_are_not_followed(machine: Machine) -> None:
    outside = machine.folder / "outside"
    outside.mkdir()
    machine.hold([Entry(b"deps", LINK, 0, os.fsencode(outside))], "links")
    machine.hold([Entry(b"deps/a", FILE, 4, write_one(machine, b"evil"))], "files")
    workspace = machine.workspace({"lock": "1"})
    (workspace / "other").symlink_to(outside)
    machine.hold([Entry(b"other/a", FILE, 4, write_one(machine, b"evil"))], "other")
    own = (Cache("links", ("deps",)), Cache("files", ("deps",)), Cache("other", ("other",)))
    machine.caches(workspace, *own).take(machine.ask)
    assert list(outside.iterdir()) == []
    assert read(workspace) == {"lock": "1", "deps/a": "evil", "other/a": "evil"}


def test_a_file_and_a_link_of_one_name_are_refused(machine: Machine) -> None:
    entries = [Entry(b"deps", LINK, 0, b"/tmp"), Entry(b"deps/a", FILE, 4, write_one(machine, b"evil"))]
    machine.hold(entries)
    workspace = machine.workspace({"lock": "1"})
    machine.caches(workspace).take(machine.ask)
    assert read(workspace) == {"lock": "1"}


def test_a_cache_that_lies_about_its_size_or_is_damaged_leaves_nothing_behind(machine: Machine) -> None:
    good = write_one(machine, b"good")
    for entry in (
        Entry(b"deps/z", FILE, 5, good),
        Entry(b"deps/z", FILE, 4, b"x" * 32),
        Entry(b"deps/z", FILE, 1 << 60, good),
    ):
        machine.hold([Entry(b"deps/a", FILE, 4, good), entry])
        workspace = machine.workspace({"lock": "1"})
        machine.caches(workspace).take(machine.ask)
        assert "it is done without" in machine.told[-1]
        assert read(workspace) == {"lock": "1"}


def test_what_is_collected_does_not_lead_out_of_the_workspace(machine: Machine) -> None:
    secret = machine.folder / "secret"
    secret.mkdir()
    add(secret, {"key": "s3cret"})
    workspace = machine.workspace({"lock": "1"})
    (workspace / "deps").symlink_to(secret)
    machine.caches(workspace, DEPS, Cache("in", ("deps/key",))).leave([Taken("deps-x"), Taken("in")], 0)
    kept = {
        one.path: one.mode
        for cache in stored(machine.contents)
        for one in machine.contents.entries(bytes.fromhex(cache.root))
    }
    assert kept == {b"deps": LINK}, "the link itself, not what it leads to"
