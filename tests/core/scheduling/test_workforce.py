"""Which worker a build gets: one that is warm for it, one with nothing rare, and one that is kept free for it."""

from msgspec.structs import replace

from job_orchestra.core.affinity import key
from job_orchestra.core.definition import Cache, Spec
from job_orchestra.core.model import Build, BuildState
from job_orchestra.core.scheduling import Scheduler, Worker
from job_orchestra.core.scheduling.workforce import COLD_MS, KEEP_MS, LINGER_MS
from tests.kit.builders import T0, build, spec

S = BuildState
CACHED = spec(caches=(Cache("py", (".venv",)),))
BOTH = spec(caches=(Cache("py", (".venv",)), Cache("js", ("node_modules",))))
WARM, WARMER = frozenset({key("cache", "py")}), frozenset({key("cache", "py"), key("cache", "js")})


class Team:
    """A scheduler with workers, and the builds that wait or are with them."""

    def __init__(self, **workers: dict[str, object]) -> None:
        self.scheduler = Scheduler()
        self.specs: dict[str, Spec] = {}
        self.builds: dict[str, Build] = {}
        for name, fields in workers.items():
            self.worker(name, **fields)

    def worker(self, name: str, **fields: object) -> None:
        self.scheduler.on_worker(Worker(**{"id": name, "name": name, "labels": {}, "slots": 1, **fields}))  # type: ignore[arg-type]

    def submit(self, wanted: Spec, count: int = 1, **fields: object) -> list[str]:
        made = [build(len(self.builds) + number, **fields) for number in range(1, count + 1)]
        for one in made:
            self.builds[one.id], self.specs[one.id] = one, wanted
            self.scheduler.on_build(one, wanted)
        return [one.id for one in made]

    def given(self, now: int = T0) -> dict[str, str]:
        """Return who got what now."""
        return {one: given.worker for given in self.scheduler.assignments(now) for one in given.builds}

    def end(self, *ids: str) -> None:
        for one in ids:
            ended = replace(self.builds[one], state=S.SUCCEEDED, started=T0, finished=T0 + 60_000)
            self.scheduler.on_build(ended, self.specs[one])


# -- warm


def test_a_warm_worker_is_preferred_and_the_warmest_most() -> None:
    team = Team(cold={"slots": 9}, warm={"slots": 2, "warm": WARM}, warmer={"slots": 1, "warm": WARMER})
    ids = team.submit(BOTH, 3)
    assert team.given() == dict(zip(ids, ("warmer", "warm", "warm"), strict=True))
    (plain,) = team.submit(spec())
    assert team.given() == {plain: "cold"}


def test_of_two_as_warm_the_one_with_more_room() -> None:
    team = Team(one={"slots": 2, "warm": WARM}, two={"slots": 4, "warm": WARM})
    ids = team.submit(CACHED, 3)
    assert list(team.given().values()) == ["one", "two", "two"]
    team.end(*ids)


def test_where_nobody_is_warm_nothing_waits() -> None:
    team = Team(a={"warm": frozenset({"other"})})
    (one,) = team.submit(CACHED)
    assert team.given() == {one: "a"}


def test_a_build_lingers_for_a_busy_warm_worker_but_not_for_long() -> None:
    team = Team(warm={"warm": WARM}, cold={"slots": 5})
    first, second, third = team.submit(CACHED, 3)
    assert team.given() == {first: "warm"}
    assert team.scheduler.next_look() == T0 + LINGER_MS
    reasons = team.scheduler.explain(second, T0)
    assert reasons == [
        "waits a moment for warm, which has at hand what it needs",
        "warm: all 1 slots are taken",
        "cold: has room",
    ]
    (plain,) = team.submit(spec())
    assert team.given(T0 + 1) == {plain: "cold"}, "others do not wait with it"
    assert team.given(T0 + LINGER_MS - 1) == {}
    assert team.given(T0 + LINGER_MS) == {second: "cold", third: "cold"}, "and it does not linger build by build"
    assert team.scheduler.next_look() is None


def test_a_warm_worker_that_comes_free_is_taken_at_once() -> None:
    team = Team(warm={"warm": WARM}, cold={"slots": 5})
    first, second = team.submit(CACHED, 2)
    team.given()
    team.end(first)
    assert team.given(T0 + 5) == {second: "warm"}
    assert team.scheduler.next_look() is None


def test_after_a_while_it_lingers_again() -> None:
    team = Team(warm={"warm": WARM}, cold={"slots": 1})
    _, second, third, fourth = team.submit(CACHED, 4)
    team.given()
    assert team.given(T0 + LINGER_MS) == {second: "cold"}
    team.end(second)
    assert team.given(T0 + LINGER_MS + COLD_MS - 1) == {third: "cold"}
    team.end(third)
    assert team.given(T0 + LINGER_MS + COLD_MS) == {}
    assert team.given(T0 + 2 * LINGER_MS + COLD_MS) == {fourth: "cold"}


def test_a_warm_worker_that_takes_nothing_is_not_waited_for() -> None:
    team = Team(warm={"warm": WARM, "draining": True}, cold={"slots": 5})
    (one,) = team.submit(CACHED)
    assert team.given() == {one: "cold"}


def test_nobody_lingers_for_a_worker_that_went() -> None:
    team = Team(warm={"warm": WARM}, cold={"slots": 5})
    _, second = team.submit(CACHED, 2)
    team.given()
    team.scheduler.on_worker_gone("warm")
    assert team.given(T0 + 1) == {second: "cold"}
    assert not team.scheduler._workers._warm


def test_warmth_changes() -> None:
    team = Team(a={"slots": 5}, b={"slots": 5})
    team.worker("b", slots=5, warm=WARM)
    (one,) = team.submit(CACHED)
    assert team.given() == {one: "b"}
    team.worker("b", slots=5)
    (two,) = team.submit(CACHED)
    assert team.given() == {two: "a"}


# -- rare


def test_a_build_that_needs_no_gpu_leaves_it_to_others_while_there_is_room() -> None:
    team = Team(gpu={"slots": 4, "resources": {"gpus": 4.0, "cpus": 8.0}}, plain={"slots": 2})
    ids = team.submit(spec(), 4)
    assert list(team.given().values()) == ["plain", "plain", "gpu", "gpu"]
    (one,) = team.submit(spec(resources={"gpus": 1.0}))
    assert team.given() == {one: "gpu"}
    team.end(*ids)


# -- kept free


def test_what_takes_much_is_not_passed_by_for_ever() -> None:
    team = Team(box={"slots": 4, "resources": {"cpus": 4.0}})
    small = team.submit(spec(), 4)
    team.given()
    (big,) = team.submit(spec(resources={"cpus": 4.0}))
    later = team.submit(spec(), 3)
    assert team.given() == {}
    team.end(small[0])
    assert team.given(T0 + KEEP_MS - 1) == {later[0]: "box"}, "what is free is used meanwhile"
    team.end(small[1])
    assert team.given(T0 + KEEP_MS) == {}
    assert team.scheduler.explain(later[1], T0 + KEEP_MS) == [
        "box: what comes free is kept for a build that takes more",
    ]
    team.end(small[2], small[3])
    assert team.given(T0 + KEEP_MS) == {}
    team.end(later[0])
    assert team.given(T0 + KEEP_MS) == {big: "box"}
    team.end(big)
    assert team.given(T0 + KEEP_MS) == {later[1]: "box", later[2]: "box"}


def test_what_comes_before_it_may_have_what_is_kept() -> None:
    team = Team(box={"slots": 4, "resources": {"cpus": 4.0}})
    small = team.submit(spec(), 4)
    team.given()
    team.submit(spec(resources={"cpus": 4.0}))
    team.given()
    team.end(small[0])
    assert team.given(T0 + KEEP_MS) == {}
    (urgent,) = team.submit(spec(), priority=9)
    assert team.given(T0 + KEEP_MS) == {urgent: "box"}


def test_what_was_kept_is_free_when_the_build_is_withdrawn() -> None:
    team = Team(box={"slots": 4, "resources": {"cpus": 4.0}})
    small = team.submit(spec(), 4)
    team.given()
    (big,) = team.submit(spec(resources={"cpus": 4.0}))
    (other,) = team.submit(spec())
    team.given()
    team.end(small[0])
    assert team.given(T0 + KEEP_MS) == {}
    team.end(big)
    assert team.given(T0 + KEEP_MS) == {other: "box"}
    assert not team.scheduler._workers._kept
    (again,) = team.submit(spec(resources={"cpus": 4.0}))
    (plain,) = team.submit(spec())
    team.end(small[1])
    assert team.given(T0 + KEEP_MS) == {plain: "box"}, f"{again} has waited for no time yet"


def test_what_was_kept_is_free_when_the_worker_changes() -> None:
    team = Team(box={"slots": 4, "resources": {"cpus": 4.0}})
    small = team.submit(spec(), 4)
    team.given()
    team.submit(spec(resources={"cpus": 4.0}))
    (plain,) = team.submit(spec())
    team.given()
    team.end(small[0])
    assert team.given(T0 + KEEP_MS) == {}
    team.worker("box", slots=4, resources={"cpus": 3.0})
    assert team.given(T0 + KEEP_MS) == {plain: "box"}, "nobody waits for this one any more"
