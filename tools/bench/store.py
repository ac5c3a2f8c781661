"""What a store of a million builds takes: writing it, asking it everything that the faces offer, moving it.

`--store URL` names an empty database in place of SQLite; `--builds N` makes a smaller one.
"""

from __future__ import annotations

import gc
import time
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psutil
from msgspec.structs import replace

from job_orchestra.core.model import BuildState, PipelineState, TaskState
from job_orchestra.store import transfer
from job_orchestra.store.contract import Batch, Store
from job_orchestra.store.opening import open_store
from job_orchestra.store.statistics import DAY_MS
from job_orchestra.store.suite.records import T0, agent, attempt, batch, build, job, pipeline_record, spec, task
from tests.kit.offered import AGENTS, JOBS, PEOPLE, PROJECTS, offered

from .figures import Figure, percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANY = 1_000_000
BATCH = 1_000
ROUNDS = 15
SLOW_MS = 1_000
PACE_MS = 500  # between two builds
REASONS = ("exit code 1", "exit code 2", "timeout after 60 s", "its agent was lost", "stopped")


def store(url: str = "", builds: int = MANY) -> Iterator[Figure]:
    """Yield figures of one kind of store."""
    with TemporaryDirectory(prefix="bench-store-") as folder:
        opened = open_store(url or f"sqlite:///{folder}/history.db")
        quick = opened.url.startswith("sqlite:")
        try:
            yield from _writing(opened, builds, ">= 20000" if quick else ">= 8000" if "mongo" in opened.url else "")
            yield from _asking(opened, builds, "<= 10" if quick else "<= 20")
            yield from _moving(opened, Path(folder))
        finally:
            opened.close()


# -- writing


def _writing(opened: Store, builds: int, target: str) -> Iterator[Figure]:
    took, worked, early, number = 0.0, 0.0, 0.0, 0
    rates: list[float] = []
    for one in history(builds):
        began, busy = time.perf_counter(), time.process_time()
        opened.write(one)
        spent = time.perf_counter() - began
        worked += time.process_time() - busy
        took += spent
        rates.append(BATCH / spent)
        number += BATCH
        if number == builds // 10:
            early = _resident()
    began = time.perf_counter()
    opened.flush()
    took += time.perf_counter() - began
    note = f"with attempts; {builds / worked:,.0f} per second of processor"
    yield Figure(f"write {builds:,} builds, {BATCH:,} at a time", builds / took, "builds/s", target, note)
    yield Figure("the last tenth of them", sum(rates[-len(rates) // 10 :]) / (len(rates) // 10), "builds/s")
    yield Figure("memory grown while writing the last nine tenths", _resident() - early, "MiB", "<= 64")
    yield Figure("taken on disk", opened.describe().bytes / (1 << 20), "MiB")


def history(builds: int) -> Iterator[Batch]:
    """Yield a made-up history, so many builds in a batch; each ends as soon as it comes."""
    random = Random(7)  # noqa: S311 - a made-up history, each time the same
    names = list(product(PROJECTS, JOBS))
    numbers = dict.fromkeys(names, 0)
    one_spec = spec()
    model, tried = build(1, spec=one_spec.digest()), attempt(build(1))
    jobs = [job(name, project) for project, name in names]
    yield batch(1, jobs=jobs, specs=[one_spec], agents=[agent(one, id=one) for one in AGENTS])
    states = [BuildState.SUCCEEDED] * 95 + [BuildState.FAILED] * 3 + [BuildState.ERROR, BuildState.LOST]
    for first in range(1, builds + 1, BATCH):
        made: list[Any] = []
        tries: list[Any] = []
        for serial in range(first, min(first + BATCH, builds + 1)):
            name = random.choice(names)
            numbers[name] += 1
            at, state = T0 + serial * PACE_MS, random.choice(states)
            if serial > builds - BATCH // 2:
                state = BuildState.PENDING
            ended = None if state is BuildState.PENDING else at + random.randrange(1_000, 600_000)
            who = random.choice(AGENTS) if ended else ""
            fresh = build(serial)
            one = replace(
                model,
                id=fresh.id,
                serial=serial,
                project=name[0],
                job=name[1],
                number=numbers[name],
                state=state,
                reason="" if state is BuildState.SUCCEEDED or not ended else random.choice(REASONS),
                requester=random.choice(PEOPLE),
                cause="submit" if serial % 50 else f"rerun of {made[-1].id if made else fresh.id}",
                pipeline=f"p-{serial // 10}" if serial % 4 == 0 else "",
                agent=who,
                attempt=int(bool(ended)),
                created=at,
                started=at + 500 if ended else None,
                finished=ended,
                log_bytes=random.randrange(100_000),
            )
            made.append(one)
            if ended:
                tries.append(
                    replace(
                        tried, build=one.id, agent=who, state=state, started=one.started, finished=ended, assigned=at
                    )
                )
        tasks = [
            task(
                number,
                kind=random.choice(("builds.submit", "builds.submit", "builds.abort", "jobs.apply")),
                requester=random.choice(PEOPLE),
                target="/".join(random.choice(names)),
                state=random.choice((TaskState.DONE, TaskState.DONE, TaskState.REFUSED)),
            )
            for number in range(first // 10 + 1, (first + BATCH) // 10 + 1)
        ]
        lives = first + BATCH > builds  # a pipeline ends with its last build
        state, ended = (PipelineState.RUNNING, None) if lives else (PipelineState.SUCCEEDED, T0 + first * PACE_MS)
        project = random.choice(PROJECTS)
        serial = first // BATCH + 1
        pipelines = [
            pipeline_record(serial, project=project, state=state, created=T0 + first * PACE_MS, finished=ended)
        ]
        yield batch(first + BATCH, builds=made, attempts=tries, tasks=tasks, pipelines=pipelines)


# -- asking


def _asking(opened: Store, builds: int, target: str) -> Iterator[Figure]:
    at = T0 + builds // 2 * PACE_MS
    project, name = PROJECTS[1], JOBS[2]
    questions: dict[str, Callable[[], object]] = {}
    for which, query in offered(builds, at).items():
        questions[which] = lambda query=query: opened.find(query)
        cursor = opened.find(replace(query, limit=5)).next
        if cursor is not None:
            questions[f"{which}: a later page"] = lambda query=query, cursor=cursor: opened.find(
                replace(query, after=cursor)
            )
        questions[f"{which}: how many"] = lambda query=query: opened.count(query)
    questions |= {
        "what is in the store": opened.describe,
        "tallies": opened.tallies,
        "tallies of a job": lambda: opened.tallies(project, name),
        "durations of a job": lambda: opened.durations(project, name),
        "what fails": opened.failing,
        "a month of all agents": lambda: opened.usage(T0 - T0 % DAY_MS, T0 + 31 * DAY_MS),
        "what an agent starts from": lambda: opened.live(T0 + builds * PACE_MS),
    }
    p50: dict[str, float] = {}
    busy: dict[str, float] = {}
    for which, ask in questions.items():
        took: list[float] = []
        spent: list[float] = []
        for _ in range(ROUNDS):
            began, worked = time.perf_counter(), time.process_time()
            ask()
            took.append((time.perf_counter() - began) * 1000)
            spent.append((time.process_time() - worked) * 1000)
            if took[-1] > SLOW_MS:
                break  # it need not be asked again to be known as slow
        p50[which], busy[which] = percentile(took, 50), percentile(spent, 50)
    slowest = sorted(p50, key=lambda which: p50[which], reverse=True)
    for place, which in enumerate(slowest[:8]):
        what = f"the slowest of {len(p50)} questions, p50" if not place else "  the next one"
        yield Figure(what, p50[which], "ms", target, f"{which} (processor: {busy[which]:.1f} ms)")
    yield Figure("the median question's p50", percentile(p50.values(), 50), "ms")


# -- moving


def _moving(opened: Store, folder: Path) -> Iterator[Figure]:
    file = folder / "history.jsonl"
    rows = sum(one.rows for one in opened.describe().sizes)
    gc.collect()
    before, began = _resident(), time.perf_counter()
    with file.open("wb") as out:
        for line in transfer.lines_of(opened):
            out.write(line)
    took = time.perf_counter() - began
    yield Figure(f"export {rows:,} records", rows / took, "rows/s", ">= 20000")
    yield Figure("memory grown meanwhile", _resident() - before, "MiB", "<= 64")
    target = open_store(f"sqlite:///{folder}/imported.db")
    try:
        gc.collect()
        before, began = _resident(), time.perf_counter()
        with file.open("rb") as lines:
            transfer.fill(target, lines)
        took = time.perf_counter() - began
        yield Figure("import them into SQLite", rows / took, "rows/s", ">= 20000")
        yield Figure("memory grown meanwhile", _resident() - before, "MiB", "<= 64")
    finally:
        target.close()


def _resident() -> float:
    return psutil.Process().memory_info().rss / (1 << 20)
