"""Large pipelines of real builds, while the master is killed again and again at random moments; then the judgement.

Builds bear witness of their begin and end by lines in one file, which all of them append to: the order of its lines is
the order of what happened, whatever clocks and agents say. The judge (tests/kit/witness) reads that file and the
stores of the agents, when all is over. Refuses to know the ledger of a network that runs.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from job_orchestra.core.model import Build, BuildState, Pipeline, PipelineState
from job_orchestra.store.sql.store import SqlStore
from tests.kit.waiting import wait_until
from tests.kit.witness import Witness

from .asking import Refused, ask
from .events import now
from .hosts import Host, form, hosts
from .load import wait_idle

PATIENCE_S = 6.0
"""Seconds for one answer before another agent is asked."""

LIMIT_S = 600.0
"""Seconds for a pipeline to end."""

PROJECT = "tower"


@dataclass(frozen=True)
class Shape:
    """What is built: layers of jobs that each need the layer before, then one large matrix, then one build."""

    layers: int = 20
    abreast: int = 5  # jobs of a layer
    side: int = 10  # builds of each
    axes: tuple[int, ...] = (16, 16)  # of the matrix behind them

    @property
    def builds(self) -> int:
        """Count all builds."""
        wide = 1
        for axis in self.axes:
            wide *= axis
        return self.layers * self.abreast * self.side + wide + 1

    def file(self, witness: Path) -> str:
        """Return the job file; its builds append to `witness`."""
        mark = 'w="$ORCHESTRA_BUILD_ID.$ORCHESTRA_ATTEMPT"'
        run = f'{mark}; echo "begin $w" >> "{witness}"; echo "end $w" >> "{witness}"'
        jobs: dict[str, dict[str, object]] = {}
        before: list[str] = []
        for layer in range(self.layers):
            names = [f"l{layer}-{one}" for one in range(self.abreast)]
            jobs |= {one: {"run": run, "needs": before, "matrix": {"n": _axis(self.side)}} for one in names}
            before = names
        axes = {f"a{place}": _axis(size) for place, size in enumerate(self.axes)}
        jobs["wide"] = {"run": run, "needs": before, "matrix": axes}
        jobs["roof"] = {"run": run, "needs": ["wide"]}
        return json.dumps({"project": PROJECT, "defaults": {"retry": {"max": 5}}, "jobs": jobs})


def _axis(size: int) -> list[str]:
    return [str(one) for one in range(size)]


@dataclass
class Tally:
    """What a run came to."""

    pipelines: int = 0  # that ended
    builds: int = 0  # of them
    executed: int = 0  # attempts that bore witness
    kills: int = 0  # of the master
    seconds: list[float] = field(default_factory=list[float])  # of each pipeline, kills included
    breaches: list[str] = field(default_factory=list[str])


def run(
    folder: Path,
    *,
    seed: int,
    kills: int,
    minutes: float = 0.0,
    agents: int = 3,
    shape: Shape | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Tally:
    """Run a pipeline, and further ones until the minutes are over, and kill the master `kills` times in each."""
    chance, shape, tally = random.Random(seed), shape or Shape(), Tally()
    witness = folder / "witness"
    folder.mkdir(parents=True, exist_ok=True)
    with hosts(folder, agents, namespaces=False) as made:
        form(made)
        wait_idle(made, LIMIT_S)
        client = _Client(made)
        client.ask("jobs.apply", file=shape.file(witness))
        end = now() + minutes * 60
        while not tally.pipelines or now() < end:
            began = now()
            client.ask("builds.submit", job=PROJECT, request=f"{seed}-{tally.pipelines}")
            moments = sorted(chance.randrange(shape.builds) for _ in range(kills))
            _kill_along(client, moments, chance, lambda: _ends(witness) - tally.pipelines * shape.builds)
            tally.kills += kills
            waited, missing = wait_idle(made, LIMIT_S)
            if missing:
                tally.breaches.append(f"after {waited:.0f} s {missing}")
                break
            tally.pipelines += 1
            tally.seconds.append(now() - began)
            say(f"{tally.pipelines} pipelines of {shape.builds} builds, {tally.kills} kills")
        wait_until(lambda: len({str(one) for one in client.of_each("network.digest")}) == 1, "all are at one state")
        for host in made:
            host.agent.stop()
        tally.builds = tally.pipelines * shape.builds
        tally.executed = _ends(witness)
        tally.breaches += [f"{host.name}: {one}" for host in made for one in judge(host, witness, tally.builds)]
    return tally


def judge(host: Host, witness: Path, builds: int) -> Iterator[str]:
    """Yield what is wrong with what an agent's store remembers, beside what was witnessed."""
    store = SqlStore.sqlite(host.agent.data / "history.db")
    try:
        rows: list[Build] = [one for one in store.scan("builds") if one.project == PROJECT]
        pipelines: list[Pipeline] = list(store.scan("pipelines"))
    finally:
        store.close()
    lines = [tuple(line.split()) for line in witness.read_text().splitlines()]
    yield from weighed(rows, pipelines, lines)
    if len(rows) != builds:
        yield f"it has {len(rows)} builds, not {builds}"


def weighed(rows: Sequence[Build], pipelines: Sequence[Pipeline], lines: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield what is wrong with builds, as a store has them, by the lines that they wrote."""
    judge = Witness({one.id: one for one in pipelines}, {one.id: one for one in rows})
    yield from _hear(judge, lines)
    for build in rows:
        if build.state is not BuildState.SUCCEEDED:
            yield f"{build.label} {build.state}: {build.reason}"
        elif build.id not in judge.ended:
            yield f"{build.label} succeeded, and did not come to its end"
    for one in pipelines:
        if one.state is not PipelineState.SUCCEEDED:
            yield f"{one.id} {one.state}"
    try:
        judge.check()
    except (AssertionError, KeyError) as wrong:
        yield f"the order is wrong: {wrong}"


def _hear(judge: Witness, lines: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Let the judge know when builds began and ended; yield what cannot be."""
    for place, (what, key) in enumerate(lines):
        build, _, attempt = key.partition(".")
        if build not in judge.builds:
            yield f"{key} was executed, and is not known"
        elif what == "begin":
            judge.began.setdefault(build, place)
        elif int(attempt) == judge.builds[build].attempt:
            judge.ended[build] = place
    for line, count in Counter(lines).items():
        if count > 1:
            yield f"{' '.join(line)} was written {count} times"


def _ends(witness: Path) -> int:
    """Count the ends that were witnessed."""
    return witness.read_text().count("end ") if witness.exists() else 0


class _Client:
    """Asks one agent after the other until one answers."""

    def __init__(self, made: Sequence[Host]) -> None:
        self._made = made
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()

    def ask(self, method: str, **params: object) -> dict[str, object]:
        end = now() + LIMIT_S
        while True:
            for host in self._made:
                try:
                    return dict(ask(self._context, host.socket, method, PATIENCE_S, **params))
                except Refused:
                    if now() > end:
                        raise

    def of_each(self, method: str) -> list[object]:
        return [ask(self._context, host.socket, method, PATIENCE_S) for host in self._made]

    def master(self) -> Host:
        """Return the host whose agent leads, as most agree."""
        while True:
            for host in self._made:
                try:
                    found = ask(self._context, host.socket, "network.status", PATIENCE_S)["master"]
                except Refused:
                    continue
                if found is not None and (leads := [one for one in self._made if one.name == found["name"]]):
                    return leads[0]
            threading.Event().wait(0.05)


def _kill_along(client: _Client, moments: Sequence[int], chance: random.Random, ended: Callable[[], int]) -> None:
    """Kill the master when so many builds have ended, and start it again a moment later, with nothing lost on it."""
    for moment in moments:
        wait_until(lambda at=moment: ended() >= at, f"{moment} builds have ended", deadline_s=LIMIT_S)
        host = client.master()
        host.kill()
        threading.Event().wait(chance.uniform(0.0, 2.0))
        assert (answer := host.start()) == "ready", f"{host.name}: {answer}"
