"""What builds leave, in networks of whole agents with real executors: kept, found from anywhere, and handed on."""

import base64
import time
from typing import Any

import pytest

from job_orchestra.agent import attic
from job_orchestra.agent.attic import Attic
from job_orchestra.agent.blobs import Why, forgetting
from job_orchestra.core.errors import InvalidInput, NotFound
from job_orchestra.core.model import BuildState, Context
from job_orchestra.store.retention import Policy, prune
from tests.kit.builders import attempt, batch, build, spec
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town

LINE = """\
project: line
jobs:
  make:
    matrix: {{ kind: [a, b] }}
    run: mkdir -p dist; echo $MATRIX_KIND > dist/$MATRIX_KIND; echo $MATRIX_KIND > dist/same; echo no > other
    artifacts: dist
    runs-on: [{maker}]
  use:
    needs: make
    run: cat dist/a dist/b dist/same; test ! -e other
    runs-on: [{user}]
  without:
    needs: [{{ job: make, artifacts: false }}]
    run: test ! -e dist
"""


async def ended(at: Citizen, build: str) -> dict[str, Any]:
    return (await at.ask("builds.wait", id=build, timeout=60))["build"]


async def leave(at: Citizen, text: str, *paths: str) -> str:
    """Run a shell command at an agent, and keep files; return the build's id."""
    build = await at.submit("sh", "-c", text, artifacts=list(paths or ["**"]))
    assert (await ended(at, build))["state"] == "succeeded"
    return build


async def read(at: Citizen, build: str, path: str, **params: int) -> tuple[bytes, dict[str, Any]]:
    found = await at.ask("artifacts.get", id=build, path=path, **params)
    return base64.b64decode(found["data"]), found


async def test_what_one_agent_made_is_listed_read_and_fetched_at_any_other(town: Town) -> None:
    master = await town.found("master")
    worker = await town.admit("worker", worker=True)
    far = await town.admit("far", votes=False)
    build = await leave(master, "mkdir sub; echo small > sub/small; head -c 3000000 /dev/zero >large; ln -s large link")
    for one in (master, worker, far):
        found = await one.ask("artifacts.list", id=build)
        assert [(file["path"], file["size"], file["mode"][0]) for file in found["files"]] == [
            ("large", 3_000_000, "-"),
            ("link", 0, "l"),
            ("sub/small", 6, "-"),
        ]
        assert found["agent"] == worker.id
        assert (await read(one, build, "sub/small"))[0] == b"small\n"
        data, part = await read(one, build, "large", offset=2_999_990, limit=100)
        assert (data, part["size"], part["complete"]) == (bytes(10), 3_000_000, True)
    assert [file["path"] for file in (await far.ask("artifacts.list", id=build, glob="sub"))["files"]] == ["sub/small"]
    view = (await far.ask("builds.get", id=build))["build"]
    assert view["artifacts"] == [
        {"path": name, "size": size} for name, size in (("large", 3_000_000), ("link", 0), ("sub/small", 6))
    ]
    root = bytes.fromhex(found["tree"])
    assert not far.agent.trees.contents.holds(root)
    await far.ask("artifacts.fetch", tree=found["tree"], agent=found["agent"])
    assert far.agent.trees.contents.holds(root)


async def test_a_list_comes_in_pages(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    master = await town.found("master", worker=True)
    other = await town.admit("other", votes=False)
    build = await leave(master, "for i in 1 2 3 4 5; do printf $i > $i; done; printf x > $(printf 'o\\377')")

    async def pages(**params: int | str) -> list[list[str]]:
        found: list[list[str]] = []
        after = None
        while True:
            page = await other.ask("artifacts.list", id=build, after=after, **params)
            found.append([one["path"] for one in page["files"]])
            assert (page["count"], page["size"]) == ((5, 5) if "glob" in params else (6, 6))
            after = page["next"]
            if after is None:
                return found

    assert await pages() == [["1", "2", "3", "4", "5", "o\\xff"]]
    assert await pages(limit=6) == await pages()
    assert await pages(limit=2, glob="[0-9]") == [["1", "2"], ["3", "4"], ["5"]]
    monkeypatch.setattr("job_orchestra.agent.service.artifacts.MAX_PAGE", 400)
    assert await pages() == [["1", "2"], ["3", "4"], ["5", "o\\xff"]]
    for wrong in ({"limit": 0}, {"limit": 10_001}, {"after": "?"}):
        with pytest.raises(InvalidInput):
            await other.ask("artifacts.list", id=build, **wrong)


async def test_the_voters_keep_what_a_worker_made_that_is_gone(town: Town) -> None:
    a, b, _ = await town.grow(3)
    worker = await town.admit("worker", worker=True, voter="never")
    build = await leave(a, "echo made > file")
    root = bytes.fromhex((await a.ask("artifacts.list", id=build))["tree"])
    voters = [a, b, town.citizens["c"]]
    await until(lambda: sum(one.agent.trees.contents.holds(root) for one in voters) >= 2, "a majority has it")
    await until(lambda: not worker.agent.worker or not worker.agent.worker.knows(f"{build}.1"), "the worker is done")
    await worker.stop()
    for one in voters:
        assert (await read(one, build, "file"))[0] == b"made\n"


async def test_those_who_need_a_job_find_what_it_left_where_they_run(town: Town) -> None:
    master = await town.found("master")
    await town.admit("maker", worker=True, label={"maker": ""})
    await town.admit("user", worker=True, label={"user": ""})
    await master.ask("jobs.apply", file=LINE.format(maker="maker", user="user"))
    found = await master.ask("builds.submit", jobs=["line/use", "line/without"])
    states = {one["job"]: await ended(master, one["id"]) for one in found["builds"]}
    assert {job: (one["state"], one["reason"]) for job, one in states.items()} == dict.fromkeys(
        ("make", "use", "without"), ("succeeded", "")
    )
    log = (await master.ask("builds.log", id=states["use"]["id"]))["data"].splitlines()
    assert log == [
        "artifacts: several builds of make left different files dist/same; the last of them is here",
        *("a", "b", "b"),
    ]


async def test_who_needs_a_job_that_is_run_again_finds_the_same(town: Town) -> None:
    master = await town.found("master", worker=True)
    text = "\n".join(
        (
            *("project: p", "jobs:", "  make: { run: echo made > file, artifacts: file }"),
            '  use: { needs: make, run: "cat file; exit 1" }',
        )
    )
    await master.ask("jobs.apply", file=text)
    found = await master.ask("builds.submit", job="p/use")
    (use,) = [one["id"] for one in found["builds"] if one["job"] == "use"]
    assert (await ended(master, use))["state"] == "failed"
    again = await master.ask("pipelines.rerun", id=found["pipeline"], failed=True)
    (other,) = again["builds"]
    await ended(master, other["id"])
    assert (await master.ask("builds.log", id=other["id"]))["data"] == "made\n"


async def test_each_attempt_has_its_own(town: Town) -> None:
    master = await town.found("master", worker=True)
    build = await master.submit(
        *("sh", "-c", "echo $ORCHESTRA_ATTEMPT > number; exit 1"), artifacts=["number"], retry=1, retry_when=["failed"]
    )
    await ended(master, build)
    assert (await read(master, build, "number"))[0] == b"2\n"
    assert (await read(master, build, "number", attempt=1))[0] == b"1\n"
    with pytest.raises(NotFound, match="has no attempt 3"):
        await read(master, build, "number", attempt=3)


async def test_what_is_asked_for_wrongly(town: Town) -> None:
    master = await town.found("master", worker=True)
    build = await leave(master, "echo x > file")
    with pytest.raises(NotFound, match="orchestra artifacts list"):
        await read(master, build, "../file")
    for params in ({"limit": 0}, {"limit": 1 << 21}, {"offset": -1}):
        with pytest.raises(InvalidInput, match="limit must be"):
            await read(master, build, "file", **params)
    with pytest.raises(InvalidInput, match=r"without `\.\.`"):
        await master.ask("artifacts.list", id=build, glob="../*")
    with pytest.raises(InvalidInput, match=r"without `\.\.`"):
        await master.submit("true", artifacts=["/etc/passwd"])
    with pytest.raises(InvalidInput, match="SHA-256"):
        await master.ask("artifacts.fetch", tree="../../x")
    none = await master.submit("true")
    await ended(master, none)
    assert (await master.ask("artifacts.list", id=none))["files"] == []


async def test_too_much_ends_the_build_as_error(town: Town) -> None:
    master = await town.found("master", worker=True, artifact_limit=1000)
    build = await master.submit("sh", "-c", "head -c 2000 /dev/zero > file", artifacts=["file"])
    found = await ended(master, build)
    assert (found["state"], found["reason"]) == ("error", "what it leaves could not be collected; the log says why")
    assert "more than 1000 bytes" in (await master.ask("builds.log", id=build))["data"]


async def test_they_go_with_the_build_when_that_is_pruned(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attic, "SETTLED_S", -1.0)
    master = await town.found("master", worker=True)
    worker = await town.admit("worker", votes=False)
    old, new = [await leave(master, f"echo {text} > file") for text in ("old", "new")]
    roots = {one: (await worker.ask("artifacts.list", id=one))["tree"] for one in (old, new)}
    await worker.ask("artifacts.fetch", tree=roots[old])
    contents = master.agent.trees.contents
    await until(lambda: master.agent.worker is not None and not master.agent.worker.running, "all is settled")
    keeper = master.agent._attic()
    assert await keeper.tidy() == [], "the history knows both"
    store = master.agent.history.store
    assert await master.agent.history.reached(master.agent.replica.ledger.index)
    done = prune(store, Policy(0, keep=1), 1 << 60)
    assert done.builds == 1
    assert [one.name for one in await keeper.tidy()] == [f"{old}.1"]
    assert {build: contents.holds(bytes.fromhex(root)) for build, root in roots.items()} == {old: False, new: True}
    assert contents.lacking([bytes.fromhex(roots[old])]), "the contents are gone, too"


@pytest.mark.parametrize("swept", [True, False], ids=["seen by a sweep", "seen when it is asked for"])
async def test_one_lost_file_takes_no_others_with_it_and_comes_back(town: Town, swept: bool) -> None:
    master = await town.found("master", worker=True)
    build = await leave(master, "echo small > small; head -c 3000000 /dev/zero >large")
    root = bytes.fromhex((await master.ask("artifacts.list", id=build))["tree"])
    contents = master.agent.trees.contents
    (lost,) = [one.digest for one in contents.entries(root) if one.path == b"large"]
    kept = contents.large.file(lost.hex()).read_bytes()
    contents.large.remove(lost.hex())
    if swept:
        forgetting.sweep(contents)
    assert (await read(master, build, "small"))[0] == b"small\n"
    assert [one["path"] for one in (await master.ask("artifacts.list", id=build))["files"]] == ["large", "small"]
    with pytest.raises(NotFound):
        await read(master, build, "large")
    other = await town.admit("other")
    partial = other.agent.trees.contents.large.partial(lost.hex())
    partial.write_bytes(kept)
    mine = other.agent.trees.contents
    mine.large.adopt(partial, lost.hex(), size=3_000_000)
    lists = [
        root,
        *contents.tree(root).digests(),
        *(one.digest for one in contents.entries(root) if one.digest != lost),
    ]
    mine.put_frames([(one, contents.frame(one)) for one in lists])
    mine.hold(root, Why.ARTIFACTS, f"{build}.1")
    await until(lambda: master.agent.peers.records[other.id].bulk, "it is known where it is")
    assert (await read(master, build, "large", offset=2_999_999))[0] == b"\0"
    assert contents.holds(root)


async def test_what_is_used_while_it_is_let_go_stays(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attic, "SETTLED_S", -1.0)
    master = await town.found("master", worker=True)
    build = await leave(master, "echo x > file")
    contents = master.agent.trees.contents
    assert await master.agent.history.reached(master.agent.replica.ledger.index)
    prune(master.agent.history.store, Policy(0, keep=0), 1 << 60)
    (held,) = contents.held()

    def busy(_: str) -> bool:
        now = time.time() + 100
        with monkeypatch.context() as later:
            later.setattr("job_orchestra.agent.blobs.contents.time.time", lambda: now)
            contents.hold(held.root, held.why, held.name)
        return False

    keeper = Attic(contents, master.agent._knowledge.of, lambda: True, busy)
    assert await keeper.tidy() == []
    assert contents.holds(held.root), build


async def test_an_agent_without_the_history_lets_them_go_when_others_have_them(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attic, "SETTLED_S", -1.0)
    master = await town.found("master")
    worker = await town.admit("worker", votes=False, worker=True, voter="never")
    build = await leave(master, "echo x > file")
    contents = worker.agent.trees.contents
    await until(
        lambda: worker.agent.worker is not None and not worker.agent.worker.knows(f"{build}.1"), "it is settled"
    )
    assert len(await worker.agent._attic().tidy()) == 1
    assert [one.why for one in contents.held()] == [Why.SOURCE], "it may be forgotten when room is wanted"


async def test_a_build_whose_workspace_cannot_be_ordered_ends_and_says_why(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    master = await town.found("master", worker=True)
    with monkeypatch.context() as patch:
        patch.setattr("job_orchestra.agent.furnishing.order.write", refuse)
        build = await master.submit("true", artifacts=["x"])
        found = await ended(master, build)
    assert (found["state"], "No space left on device" in found["reason"]) == ("error", True)
    await leave(master, "echo x > x", "x")


async def test_what_a_history_calls_artifacts_and_is_none_cannot_be_found(town: Town) -> None:
    first = await town.found()
    odd = build(1, state=BuildState.SUCCEEDED, attempt=1, context=Context(kept="../odd"))
    told = attempt(odd, state=BuildState.SUCCEEDED, artifacts="../odd")
    store = first.agent.history.store
    while not store.write(batch(store.applied() + 1, builds=[odd], attempts=[told], specs=[spec()])):
        pass  # the agent writes, too
    for method, more in (("artifacts.list", {}), ("artifacts.get", {"path": "x"})):
        with pytest.raises(NotFound, match=f"what shop/test#1 kept cannot be found any more; orchestra rerun {odd.id}"):
            await first.ask(method, id=odd.id, **more)
