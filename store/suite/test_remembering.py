"""What an agent starts from: the part of its history that is alive, as every store must return it."""

from ...core.changes import Remembered
from ...core.model import BuildState
from ..contract import Store
from .everything import EVERYTHING, RECORDS
from .records import T0, batch, build, spec

S = BuildState


def test_only_what_is_alive_is_remembered(store: Store) -> None:
    other = spec("other")
    ended = build(3, state=S.SUCCEEDED, attempt=1, spec=other.digest())
    store.write(EVERYTHING)
    store.write(batch(6, builds=(ended,), specs=(other,)))
    assert store.live(0) == Remembered(
        index=6,
        builds=RECORDS["builds"][:2],
        attempts=RECORDS["attempts"][:1],
        jobs=RECORDS["jobs"][::-1],
        specs={spec().digest(): spec()},
        agents=RECORDS["agents"],
        meta=dict(EVERYTHING.meta),
        pipelines=RECORDS["pipelines"][:1],
        pins=RECORDS["pins"],
    )


def test_of_live_pipelines_the_builds_that_ended_are_remembered_too(store: Store) -> None:
    builds = (
        build(1, state=S.SUCCEEDED, pipeline="p-1"),
        build(2, pipeline="p-1"),
        build(3, state=S.FAILED, pipeline="p-2"),
        build(4, state=S.SKIPPED, pipeline="p-1"),
        build(5, state=S.FAILED),
    )
    store.write(batch(1, builds=builds, specs=RECORDS["specs"], pipelines=RECORDS["pipelines"]))
    found = store.live(0)
    assert found.builds == builds[1:2]
    assert found.ended == (builds[0], builds[3])


def test_requests_are_remembered_since_an_instant(store: Store) -> None:
    builds = (
        build(1, request="old", created=T0 + 1),
        build(2, request="two", created=T0 + 5),
        build(3, request="two", created=T0 + 5, state=S.FAILED),
        build(4, request="", created=T0 + 6),
        build(5, request="again", created=T0 + 7),
        build(6, request="again", created=T0 + 9, state=S.FAILED),
    )
    store.write(batch(1, builds=builds, specs=RECORDS["specs"]))
    again = {"two": (T0 + 5, (build(2).id, build(3).id)), "again": (T0 + 9, (build(6).id,))}
    assert store.live(T0).requests == {"old": (T0 + 1, (build(1).id,)), **again}
    assert store.live(T0 + 5).requests == again
    assert store.live(T0 + 6).requests == {"again": again["again"]}
    assert store.live(T0 + 10).requests == {}
