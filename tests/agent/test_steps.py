"""Jobs with steps, as they are defined in a file and run by a real agent."""

import sys
from pathlib import Path

from job_orchestra.core.model import BuildState, StepState
from job_orchestra.core.views.builds import BuildView
from tests.kit.agents import AgentProcess
from tests.kit.waiting import wait_until

FILE = """
project: steps
env: { SHARED: file }
jobs:
  simple: echo one job in a line
  list: [echo one, echo two]
  conditions:
    parameters:
      - { name: outcome, choices: [good, bad] }
    env: { SHARED: job }
    steps:
      - { name: first, run: 'test "$PARAM_OUTCOME" = good' }
      - { name: on-success, run: 'echo $SHARED $OWN', env: { OWN: step } }
      - { name: on-failure, run: echo cleaning, when: failure }
      - { name: always, run: echo always, when: always }
  slow:
    steps:
      - { name: wait, run: tail -f /dev/null, timeout: 200ms }
      - { name: tidy, run: echo tidied, when: always }
  cleanup:
    steps:
      - { name: wait, run: 'echo waiting; tail -f /dev/null' }
      - { name: not-this, run: echo wrong }
      - { name: tidy, run: echo tidied, when: always }
  python: { shell: python, run: "import os; print(6 * 7, os.environ['CI'])" }
  bash: { shell: bash, run: "false | true; echo unreachable" }
  results:
    steps:
      - 'echo VERSION=1.2 >> "$ORCHESTRA_RESULTS"'
      - 'echo "EMPTY=" >> "$ORCHESTRA_RESULTS"'
  json-results: "echo '{\\"n\\": 3, \\"ok\\": true, \\"text\\": \\"x\\"}' > \\"$ORCHESTRA_RESULTS\\""
  bad-results: echo nonsense > "$ORCHESTRA_RESULTS"
  workspace: 'pwd; echo "$ORCHESTRA_WORKSPACE"; touch file; ls; test "$TMPDIR" = "$ORCHESTRA_TMP"'
  served:
    services:
      web:
        run: exec python3 -m http.server $SERVICE_WEB_PORT
        port: auto
        ready: { http: "http://localhost:$SERVICE_WEB_PORT/", within: 30s }
      other: { run: 'exec python3 -m http.server $SERVICE_OTHER_PORT', port: auto }
    run:
      - test $SERVICE_WEB_PORT -ne $SERVICE_OTHER_PORT
      - python3 -c "import os, socket; socket.create_connection(('localhost', int(os.environ['SERVICE_OTHER_PORT'])))"
  asked:
    services: { db: { run: 'touch up; exec tail -f /dev/null', ready: { run: test -e up } } }
    run: test -e up
  awaited:
    services: { db: { run: 'echo hidden; exec tail -f /dev/null', port: auto, ready: { within: 1s } } }
    run: echo not this
  unserved: { run: exec tail -f /dev/null, services: { db: 'echo no disk; exit 3' } }
  elsewhere: { run: "true", runs-on: [moon-base] }
"""


def run(agent: AgentProcess, job: str, **parameters: str) -> tuple[BuildView, bytes]:
    with agent.client() as net:
        net.jobs.apply(FILE)
        build = net.builds.submit(f"steps/{job}", **parameters)[0]
        return build.wait(), b"".join(net.log(build.id))


def states(view: BuildView) -> dict[str, str]:
    return {step.name: str(step.state) for step in view.steps}


def test_simple_jobs(running_agent: AgentProcess) -> None:
    assert run(running_agent, "simple")[1] == b"one job in a line\n"
    view, log = run(running_agent, "list")
    assert (states(view), log) == ({"run-1": "succeeded", "run-2": "succeeded"}, b"one\ntwo\n")


def test_conditions_of_steps(running_agent: AgentProcess) -> None:
    good, log = run(running_agent, "conditions", outcome="good")
    assert good.state is BuildState.SUCCEEDED
    assert states(good) == {
        "first": "succeeded",
        "on-success": "succeeded",
        "on-failure": "skipped",
        "always": "succeeded",
    }
    assert log == b"job step\nalways\n"
    bad, log = run(running_agent, "conditions", outcome="bad")
    assert (bad.state, bad.reason) == (BuildState.FAILED, "step first failed with exit code 1")
    assert states(bad) == {"first": "failed", "on-success": "skipped", "on-failure": "succeeded", "always": "succeeded"}
    assert log == b"cleaning\nalways\n"


def test_a_step_runs_out_of_time(running_agent: AgentProcess) -> None:
    view, log = run(running_agent, "slow")
    assert (view.state, view.reason) == (BuildState.FAILED, "step wait ran out of time")
    assert (states(view), log) == ({"wait": "timeout", "tidy": "succeeded"}, b"tidied\n")


def test_an_abort_still_runs_what_always_runs(running_agent: AgentProcess) -> None:
    with running_agent.client() as net:
        net.jobs.apply(FILE)
        build = net.builds.submit("steps/cleanup")[0]
        wait_until(lambda: net.call("builds.log", id=build.id).data == "waiting\n", "it waits")
        build.abort()
        view = build.wait()
        assert view.state is BuildState.ABORTED
        assert states(view) == {"wait": "aborted", "not-this": "skipped", "tidy": "succeeded"}
        assert b"".join(net.log(build.id)) == b"waiting\ntidied\n"
        assert net.call("builds.log", id=build.id, step="tidy").data == "tidied\n"


def test_shells(running_agent: AgentProcess) -> None:
    assert run(running_agent, "python")[1] == b"42 true\n"
    view, log = run(running_agent, "bash")
    assert (view.state, log) == (BuildState.FAILED, b"")


def test_results(running_agent: AgentProcess) -> None:
    assert run(running_agent, "results")[0].results == {"VERSION": "1.2", "EMPTY": ""}
    assert run(running_agent, "json-results")[0].results == {"n": "3", "ok": "true", "text": "x"}
    view, _ = run(running_agent, "bad-results")
    assert view.state is BuildState.FAILED
    assert "line 1 of the results is not KEY=VALUE" in view.reason


def test_each_build_has_a_clean_workspace(running_agent: AgentProcess) -> None:
    for _ in range(3):
        view, log = run(running_agent, "workspace")
        assert view.state is BuildState.SUCCEEDED
        where, told, *content = log.decode().split()
        assert (Path(where), content) == (Path(told), ["file"])


def test_explain_says_what_is_missing(running_agent: AgentProcess) -> None:
    with running_agent.client() as net:
        net.jobs.apply(FILE)
        build = net.builds.submit("steps/elsewhere")[0]
        assert net.builds.explain(build.id).reasons == ["box: needs moon-base, has no label moon-base"]
        net.builds.cancel(build.id)
        view = build.wait()
        assert view.state is BuildState.CANCELLED
        assert net.builds.explain(build.id).reasons[0].startswith("it has ended: cancelled")


def test_the_environment_is_the_documented_one(running_agent: AgentProcess) -> None:
    with running_agent.client() as net:
        build = net.builds.submit(["env"], env={"MINE": "x"})[0]
        view = build.wait()
        found = dict(line.split("=", 1) for line in b"".join(net.log(build.id)).decode().splitlines())
    assert found["CI"] == "true"
    assert found["MINE"] == "x"
    assert found["ORCHESTRA_BUILD_ID"] == view.id
    assert (found["ORCHESTRA_PROJECT"], found["ORCHESTRA_JOB"]) == ("run", "env")
    assert (found["ORCHESTRA_NUMBER"], found["ORCHESTRA_ATTEMPT"]) == (str(view.number), "1")
    assert found["ORCHESTRA_AGENT"] == "box"
    assert not [name for name in found if name.startswith(("PYTEST", "VIRTUAL_ENV"))]


def test_output_that_is_not_utf8_is_kept_byte_for_byte(running_agent: AgentProcess) -> None:
    everything = bytes(range(256)) * 300
    script = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 300)"
    with running_agent.client() as net:
        build = net.builds.submit([sys.executable, "-c", script])[0]
        assert build.wait().state is BuildState.SUCCEEDED
        assert b"".join(net.log(build.id)) == everything
        part = net.call("builds.log", id=build.id, offset=65, limit=26)
        assert (part.encoding, part.data, part.next) == ("utf-8", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 91)
        assert net.call("builds.log", id=build.id, offset=250, limit=10).encoding == "base64"


def test_services_stand_beside_the_steps(running_agent: AgentProcess) -> None:
    view, log = run(running_agent, "served")
    assert states(view) == {
        "service:web": "succeeded",
        "service:other": "succeeded",
        "run-1": "succeeded",
        "run-2": "succeeded",
    }
    assert b"--- service web ---" in log
    assert states(run(running_agent, "asked")[0]) == {"service:db": "succeeded", "run": "succeeded"}
    view, log = run(running_agent, "awaited")
    assert (view.state, states(view)) == (BuildState.ERROR, {"service:db": "error", "run": "skipped"})
    assert view.reason.startswith("service db is not ready after 1 s: hidden | not ready: port ")
    view, log = run(running_agent, "unserved")
    assert view.state in {BuildState.ERROR, BuildState.FAILED}, "before or after the first step began"
    assert view.reason == "service db failed with exit code 3: no disk"
    assert log.endswith(b"--- service db ---\nno disk\n")


def test_step_states_are_all_ended(running_agent: AgentProcess) -> None:
    view, _ = run(running_agent, "conditions", outcome="bad")
    assert StepState.RUNNING not in {step.state for step in view.steps}
