"""The logs of a pipeline's builds as they come, each line with the name of its build before it."""

import contextlib
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import NoReturn

from ...agent.client.blocking import connect
from ...core.api.builds import Builds
from ...core.errors import Exit, OrchestraError
from ...core.model import BuildState, PipelineState
from ...core.views.builds import BuildSummary
from ...core.views.pipelines import PipelineView
from ..escapes import Neutraliser
from .output import say, state
from .session import Client

FOLLOWED = 32
"""Logs that are followed at a time. Larger: more connections to the agent; smaller: lines of many builds come later."""

_PAGE = 1000


def see_pipeline(net: Client, pipeline: str, *, aborts: bool = True) -> PipelineView:
    """Copy the logs of a pipeline's builds until it has ended; Ctrl-C aborts it, or leaves it to itself."""
    events = net.events(kinds=["build", "pipeline"])
    found = members(net, pipeline)
    choir = _Choir(net, {one.id: name_of(one) for one in found})
    with ThreadPoolExecutor(FOLLOWED) as threads:
        try:
            for one in found:
                choir.hear(one.id, one.state, one.attempt, threads)
            if net.call("pipelines.get", id=pipeline).pipeline.state is PipelineState.RUNNING:
                for event in events:
                    if event["kind"] == "build":
                        build = event["build"]
                        choir.hear(build["id"], BuildState(build["state"]), build["attempt"], threads)
                    elif event["pipeline"]["id"] == pipeline and event["pipeline"]["state"] != PipelineState.RUNNING:
                        break
            for one in members(net, pipeline):  # some may have begun and ended while nobody listened yet
                choir.hear(one.id, one.state, one.attempt, threads)
            choir.finish()
        except KeyboardInterrupt:
            _interrupted(net.data, pipeline, aborts=aborts)
    return net.call("pipelines.wait", id=pipeline).pipeline


def _interrupted(data: Path, pipeline: str, *, aborts: bool) -> NoReturn:
    """Leave a pipeline whose logs are being copied, or abort it and see it end. Ends this process."""
    try:
        if aborts:
            say("Interrupted: aborting the pipeline (Ctrl-C again leaves it to itself).")
            with connect(data) as net:  # what was interrupted may have left half an answer on the other connection
                with contextlib.suppress(OrchestraError):
                    net.call("pipelines.abort", id=pipeline)
                tell_pipeline(net, net.call("pipelines.wait", id=pipeline).pipeline)
        else:
            say(f"Left to itself: the pipeline goes on. To stop it: orchestra abort {pipeline}")
    finally:
        sys.stdout.flush()
        # threads may still wait for logs that go on; whoever waits for them waits as long as those builds run
        os._exit(int(Exit.INTERRUPTED))


class _Choir:
    """Who sings: the builds whose logs are being copied."""

    def __init__(self, net: Client, names: dict[str, str]) -> None:
        self._data = net.data
        self._names = names
        self._width = max(map(len, names.values()), default=0)
        self._sung: dict[str, Future[None]] = {}
        self._lock = Lock()

    def hear(self, build: str, at: BuildState, attempt: int, threads: ThreadPoolExecutor) -> None:
        """Copy the log of a build of ours that has begun; tell of one that ended without."""
        if build not in self._names or build in self._sung or at in {BuildState.PENDING, BuildState.ASSIGNED}:
            return
        if attempt:
            self._sung[build] = threads.submit(self._copy, build)
        else:
            self._sung[build] = threads.submit(self._print, build, f"({at})".encode())

    def finish(self) -> None:
        """Return when all is copied; raises what went wrong with one."""
        for one in self._sung.values():
            one.result()

    def _copy(self, build: str) -> None:
        filtering = Neutraliser() if sys.stdout.isatty() else None
        rest = b""
        with connect(self._data) as net:
            for part in net.log(build):
                *lines, rest = (rest + (filtering.feed(part) if filtering else part)).split(b"\n")
                self._print(build, *lines)
        rest += filtering.end() if filtering else b""
        if rest:
            self._print(build, rest)

    def _print(self, build: str, *lines: bytes) -> None:
        prefix = f"{self._names[build]:<{self._width}} | ".encode()
        with self._lock:
            sys.stdout.buffer.write(b"".join(prefix + line + b"\n" for line in lines))
            sys.stdout.buffer.flush()


def members(net: Client, pipeline: str) -> list[BuildSummary]:
    """Return the builds of a pipeline, in their order."""
    found: list[BuildSummary] = []
    after: str | None = None
    while True:
        page: Builds = net.call("builds.list", where={"pipeline": pipeline}, order="serial", limit=_PAGE, after=after)
        found += page.builds
        after = page.next
        if after is None:
            return found


def name_of(build: BuildSummary) -> str:
    """Return what a build is called among those of its pipeline: its job, with its combination of the matrix."""
    return f"{build.job} ({', '.join(build.matrix.values())})" if build.matrix else build.job


def tell_pipeline(net: Client, found: PipelineView) -> None:
    """Say on stderr how a pipeline ended, and which of its builds did not succeed."""
    for build in members(net, found.id):
        if build.state not in {BuildState.SUCCEEDED, BuildState.SKIPPED}:
            why = f": {build.reason}" if build.reason else ""
            say(f"{name_of(build)} ({build.id}) {state(build.state)}{why}")
    say(f"Pipeline {found.id} {found.state}{f': {found.reason}' if found.reason else ''}")


def pipeline_code(found: PipelineView) -> int:
    """Return the exit code that tells of a pipeline's end."""
    good = found.state in {PipelineState.SUCCEEDED, PipelineState.SKIPPED}
    return int(Exit.OK if good else Exit.FAILED)
