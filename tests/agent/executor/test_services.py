"""A real executor: services beside the steps of an attempt."""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from job_orchestra.agent.executor import probing
from job_orchestra.agent.executor.link import ExecutorLink
from job_orchestra.agent.executor.protocol import Plan, ServicePlan, StepPlan
from job_orchestra.core.definition import When
from job_orchestra.core.model import BuildState
from tests.kit.agents import alive
from tests.kit.executors import AgentEnd

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/good" else 503)
        self.end_headers()
print("listening", flush=True)
http.server.HTTPServer(("localhost", int(os.environ["SERVICE_WEB_PORT"])), Handler).serve_forever()
"""

HOLD = "exec tail -f /dev/null"


def probe(*words: str, within: str = "60") -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", probing.__name__, within, *words)


def shell(name: str, text: str, ready: tuple[str, ...] = (), ready_s: float = 60.0, port: str = "") -> ServicePlan:
    return ServicePlan(name, ("sh", "-c", text), ready=ready, ready_s=ready_s, port=port)


async def run(end: AgentEnd, link: ExecutorLink, plan: Plan) -> tuple[BuildState, str]:
    link.start([plan])
    status = await end.told_end(plan.key)
    return status.state, status.reason


@pytest.mark.parametrize("way", ["tcp", "http", "run"])
async def test_steps_begin_when_a_service_is_ready_and_it_ends_with_them(
    end: AgentEnd, link: ExecutorLink, tmp_path: Path, way: str
) -> None:
    words = {
        "tcp": ("tcp", "$SERVICE_WEB_PORT"),
        "http": ("http", "http://localhost:$SERVICE_WEB_PORT/good"),
        "run": ("run", "sh", "-c", f"test -e {tmp_path}/pid"),
    }
    text = f"echo up; echo $$ > new; mv new {tmp_path}/pid; exec {sys.executable} -c '{SERVER}'"
    service = shell("web", text, probe(*words[way]), port="SERVICE_WEB_PORT")
    plan = end.shell(1, f"test -e {tmp_path}/pid; printf $SERVICE_WEB_PORT", services=(service,))
    assert await run(end, link, plan) == (BuildState.SUCCEEDED, "")
    assert not alive(int((tmp_path / "pid").read_text()))
    status = await end.told_end(plan.key)
    web, step = status.steps
    assert (web.name, web.state.value, step.state.value) == ("service:web", "succeeded", "succeeded")
    log = end.log(plan)
    assert log[step.log_start : step.log_end].isdigit(), "what the step wrote is as it wrote it"
    assert log[web.log_start : web.log_end].startswith(b"\n--- service web ---\nup\n")


async def test_a_service_that_is_not_ready_in_time_is_an_error_that_says_what_it_saw(
    end: AgentEnd, link: ExecutorLink
) -> None:
    service = shell("db", HOLD, probe("tcp", "$SERVICE_DB_PORT", within="0.5"), ready_s=0.5, port="SERVICE_DB_PORT")
    state, reason = await run(end, link, end.shell(1, "echo not this", services=(service,)))
    assert state is BuildState.ERROR
    assert reason.startswith("service db is not ready after 0.5 s: not ready: port ")
    assert "refused" in reason


class Complaining(BaseHTTPRequestHandler):
    """Answers, and says no more than that it cannot."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


async def test_an_http_service_that_only_complains_is_not_ready(end: AgentEnd, link: ExecutorLink) -> None:
    with HTTPServer(("localhost", 0), Complaining) as server:  # it listens already, however slowly processes start
        answering = threading.Thread(target=server.serve_forever)
        answering.start()
        words = probe("http", f"http://localhost:{server.server_port}", within="0.5")
        service = shell("web", HOLD, words, ready_s=0.5)
        _, reason = await run(end, link, end.shell(1, "echo not this", services=(service,)))
        server.shutdown()
        answering.join()
    assert "answers 503" in reason


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("echo out of luck; exit 3", "service db failed with exit code 3: out of luck"),
        ("echo gone; exit 0", "service db ended, and should stay in the foreground: gone"),
        ("kill -9 $$", "service db was ended by signal 9 (SIGKILL)"),
    ],
)
async def test_a_service_that_ends_early_fails_the_build_with_its_last_lines(
    end: AgentEnd, link: ExecutorLink, text: str, part: str
) -> None:
    ready = "while [ ! -e began ]; do sleep 0.01; done"
    service = shell("db", f"{ready}; {text}")
    plan = end.shell(1, f"touch began; {HOLD}", "echo not this", services=(service,))
    steps = (*plan.steps, StepPlan("tidy", ("echo", "tidied"), when=When.ALWAYS))
    plan = Plan(plan.key, plan.log, plan.env, steps, services=plan.services)
    assert await run(end, link, plan) == (BuildState.FAILED, part)
    status = await end.told_end(plan.key)
    assert [one.state.value for one in status.steps] == ["failed", "aborted", "skipped", "succeeded"]
    assert end.log(plan).startswith(b"tidied\n")


async def test_a_service_without_its_program_or_that_dies_while_it_is_awaited(
    end: AgentEnd, link: ExecutorLink
) -> None:
    missing = ServicePlan("db", ("no-such-program",))
    assert await run(end, link, end.shell(1, "true", services=(missing,))) == (
        BuildState.ERROR,
        "service db is not there: cannot start 'no-such-program': there is no such program on the PATH of this agent",
    )
    dying = shell("db", "echo no disk; exit 1", probe("run", "false"))
    state, reason = await run(end, link, end.shell(2, "true", services=(dying,)))
    assert (state, reason.startswith("service db failed with exit code 1: ")) == (BuildState.ERROR, True)
    assert "no disk" in reason


async def test_services_live_while_a_step_is_stopped_and_what_always_runs_cleans_up(
    end: AgentEnd, link: ExecutorLink, tmp_path: Path
) -> None:
    service = shell("db", f"echo $$ > {tmp_path}/pid; {HOLD}", probe("run", "test", "-e", f"{tmp_path}/pid"))
    slow = StepPlan("slow", ("sh", "-c", HOLD), timeout_s=0.2)
    look = StepPlan("look", ("sh", "-c", f"kill -0 $(cat {tmp_path}/pid) && echo it lives"), when=When.ALWAYS)
    plan = Plan(end.shell(1).key, end.shell(1).log, end.shell(1).env, (slow, look), services=(service,))
    assert await run(end, link, plan) == (BuildState.FAILED, "step slow ran out of time")
    assert end.log(plan) == b"it lives\n"
    assert not alive(int((tmp_path / "pid").read_text()))
    stopped = Plan(end.shell(2).key, end.shell(2).log, end.shell(2).env, (look,), services=(service,))
    slow = StepPlan("slow", ("sh", "-c", f"touch {tmp_path}/running; {HOLD}"))
    stopped = Plan(stopped.key, stopped.log, stopped.env, (slow, look), services=(service,))
    link.start([stopped])
    await end.until((tmp_path / "running").exists)
    link.stop(stopped.key, "asked")
    assert (await end.told_end(stopped.key)).state is BuildState.ABORTED
    assert end.log(stopped) == b"it lives\n"
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_an_abort_while_services_are_awaited_and_a_stubborn_one(
    end: AgentEnd, link: ExecutorLink, tmp_path: Path
) -> None:
    stubborn = f"trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > {tmp_path}/pid; {HOLD}' & wait; wait"
    service = shell("db", stubborn, probe("run", "false"))
    plan = end.shell(1, "echo not this", services=(service,), grace_s=0.1)
    link.start([plan])
    await end.until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    link.stop(plan.key, "asked by ann")
    status = await end.told_end(plan.key)
    assert (status.state, status.reason) == (BuildState.ABORTED, "asked by ann")
    assert [one.state.value for one in status.steps] == ["aborted", "skipped"]
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_secrets_of_services_do_not_reach_the_disk(end: AgentEnd, link: ExecutorLink) -> None:
    secret = "correct-horse-battery-staple"
    service = shell("db", f"echo {secret}; touch said; {HOLD}", probe("run", "test", "-e", "said"))
    look = f"grep -r {secret} .. && echo found; true"
    plan = end.shell(1, look, services=(service,), secrets=(secret,))
    assert await run(end, link, plan) == (BuildState.SUCCEEDED, "")
    assert end.log(plan) == b"--- service db ---\n***\n"


async def test_a_long_log_of_a_service_is_cut_and_counts_for_the_limit(end: AgentEnd, link: ExecutorLink) -> None:
    service = shell("db", f"yes | head -c 3000000; touch said; {HOLD}", probe("run", "test", "-e", "said"))
    plan = end.shell(1, "true", services=(service,))
    assert await run(end, link, plan) == (BuildState.SUCCEEDED, "")
    assert end.log(plan).startswith(b"--- service db, the last 1 MiB of 3000000 bytes ---\ny\n")
    assert os.stat(plan.log).st_size < 1_100_000
    endless = end.shell(2, HOLD, services=(shell("db", "yes"),), log_limit=1_000_000)
    state, reason = await run(end, link, endless)
    assert (state, "limit of 1000000 bytes" in reason) == (BuildState.ERROR, True)
