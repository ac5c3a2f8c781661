"""Caches between agents: the best that any has comes to where it is wanted, and to no other project."""

import io
import stat

import pytest

from job_orchestra.agent.blobs import Why
from job_orchestra.agent.repositories.git import Git
from job_orchestra.agent.repositories.mirrors import Mirrors
from job_orchestra.agent.warmth import Warmth
from job_orchestra.core.affinity import warmth
from job_orchestra.core.caching import Name, name_of
from job_orchestra.core.definition import Cache, Spec, Step
from job_orchestra.core.errors import InvalidInput, NotFound
from job_orchestra.core.manifest import Entry, write
from job_orchestra.core.messages import CacheHeld, Caches, Call, pack
from tests.kit.hands import Hand
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town

FILE = stat.S_IFREG | 0o644
DEPS = Cache("deps-${{ hash('lock') }}", ("deps",))


def put(one: Citizen, key: str, text: str = "x", project: str = "shop") -> str:
    """Let an agent have a cache; return what it is called."""
    contents = one.agent.trees.contents
    with contents.writer() as writer:
        digest, size = writer.put_file(io.BytesIO(text.encode()))
        root = writer.put_directory(write([Entry(b"deps/file", FILE, size, digest)]))
    name = str(name_of(project, DEPS, key))
    contents.hold(root, Why.CACHE, name)
    return name


def keys(one: Citizen) -> list[str]:
    return sorted(held.name.split(" ", 2)[2] for held in one.agent.trees.contents.held(Why.CACHE))


async def bring(one: Citizen, key: str, *restore: str, project: str = "shop") -> str | None:
    return (await one.ask("caches.bring", project=project, key=key, restore=list(restore)))["key"]


async def neighbours(town: Town) -> tuple[Citizen, Citizen]:
    one, two = await town.grow(2, a=Hand(), b=Hand())
    for agent, other in ((one, two), (two, one)):
        await until(lambda agent=agent, other=other: agent.agent.peers.reachable(other.id), "they see each other")
    return one, two


async def test_the_best_cache_of_any_agent_comes_from_who_has_it_and_all_are_listed(town: Town) -> None:
    one, two = await neighbours(town)
    assert await bring(one, "deps-1", "deps-") is None
    put(two, "deps-1", "new")
    put(two, "deps-2", "old")
    assert await bring(one, "deps-1", "deps-") == "deps-1"
    assert keys(one) == ["deps-1"]
    assert await bring(one, "deps-9", "deps-2", "deps-") == "deps-2"
    contents = one.agent.trees.contents
    texts = {held.root: contents.entries(held.root) for held in contents.held(Why.CACHE)}
    assert sorted(b"".join(contents.stream(entry)) for (entry,) in texts.values()) == [b"new", b"old"]
    assert await bring(one, "deps-1", "d", project="other") is None, "another project gets nothing"
    await listed_and_removed(one, two)


async def listed_and_removed(one: Citizen, two: Citizen) -> None:
    """Caches are listed once, with all who have them, and removed everywhere."""
    await one.ask("caches.remove", project="shop", key="")
    with pytest.raises(InvalidInput, match="name the project"):
        await one.ask("caches.remove", project="", key="")
    for agent in (one, two):
        put(agent, "deps-1", "same")
    put(two, "deps-2")
    put(two, "deps-1", project="other")
    listed = (await two.ask("caches.list"))["caches"]
    assert sorted((line["project"], line["key"], line["agents"]) for line in listed) == [
        ("other", "deps-1", ["b"]),
        ("shop", "deps-1", ["a", "b"]),
        ("shop", "deps-2", ["b"]),
    ]
    assert (await two.ask("caches.remove", project="shop", key="deps-"))["keys"] == ["deps-1", "deps-2"]
    assert [line["project"] for line in (await one.ask("caches.list"))["caches"]] == ["other"]
    with pytest.raises(NotFound, match="no cache whose key begins with 'deps-'"):
        await two.ask("caches.remove", project="shop", key="deps-")
    put(one, "deps-3")
    assert (await two.ask("caches.remove", project="*", key="deps-"))["keys"] == ["deps-1", "deps-3"]
    assert (await one.ask("caches.list"))["caches"] == []


async def test_who_lies_or_is_away_costs_nothing(town: Town) -> None:
    one, two = await neighbours(town)
    lies = [
        b"\xc1 no message",
        pack(Caches((CacheHeld("no name", "0" * 64, 1, 1),))),
        pack(Caches((CacheHeld(str(Name("cache:0", "shop", "deps-1")), "0" * 64, 1, 1),))),
    ]

    async def answer(*_: object) -> bytes:
        return lies.pop(0)

    two.mesh.handle(Call.CACHES, answer)
    for _ in range(2):
        assert await bring(one, "deps-1") is None
    with pytest.raises(NotFound):  # it has it not, in truth
        await bring(one, "deps-1")
    town.long_silent(one)
    assert await bring(one, "deps-1") is None
    assert keys(one) == []


async def test_an_agent_is_warm_for_builds_whose_cache_or_repository_it_has(town: Town) -> None:
    one = await town.found()
    mirrors = Mirrors(one.paths.mirrors, Git())
    look = Warmth(one.agent._caches, mirrors, one.agent._furnisher.warm).look
    spec = Spec((Step("run", "x"),), caches=(DEPS,))
    assert look() == frozenset()
    put(one, "deps-1")
    assert look() == frozenset(warmth(spec, "ann"))


JOBS = """
project: shop
defaults:
  cache: { key: "deps-${{ hash('lock') }}", paths: [deps], restore: [deps-] }
jobs:
  make: { runs-on: place=a, run: "mkdir -p deps; echo made by a >> deps/file" }
  fail: { runs-on: place=a, run: "echo bad > deps/file; false" }
  use: { runs-on: place=b, run: "cat deps/file" }
"""


async def run(one: Citizen, name: str) -> tuple[str, str]:
    """Run a job; return how it ended, and what it wrote."""
    build = (await one.ask("builds.submit", job=f"shop/{name}"))["builds"][0]["id"]
    state = (await one.ask("builds.wait", id=build))["build"]["state"]
    return state, (await one.ask("builds.log", id=build))["data"]


async def test_a_build_takes_what_one_on_another_agent_left_where_all_went_well(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_orchestra.agent.warmth.LOOK_S", 0.1)
    monkeypatch.setattr("job_orchestra.agent.mastery.LEASE_S", 0.1)
    one = await town.found("a", worker=True, label={"place": "a"})
    two = await town.admit("b", worker=True, label={"place": "b"})
    await until(lambda: two.agent.peers.reachable(one.id), "they see each other")
    await one.ask("jobs.apply", file=JOBS)
    assert await run(one, "make") == ("succeeded", "cache deps-: there is none yet\ncache deps-: kept 1 file\n")
    assert await run(one, "fail") == ("failed", "cache deps-: took 1 file\n")
    assert await run(one, "use") == ("succeeded", "cache deps-: took 1 file\nmade by a\n")
    assert keys(two) == ["deps-"]
    spec = next(iter(one.agent.replica.ledger.jobs.values())).spec
    warm = one.agent.master._warm
    await until(
        lambda: not warm.get(two.id, frozenset()).isdisjoint(warmth(spec, "ann")), "the scheduler knows that it is warm"
    )
