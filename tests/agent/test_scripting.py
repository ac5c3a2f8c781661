"""The scripting socket, spoken to with bare ZeroMQ: every kind of garbage gets an answer, and nothing gets stuck."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from job_orchestra import connect_async
from job_orchestra.core.api.table import METHODS
from job_orchestra.core.instants import instant
from job_orchestra.core.model import BuildState
from tests.kit.agents import AgentProcess
from tests.kit.waiting import wait_until


@pytest.fixture
def req(running_agent: AgentProcess) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVTIMEO, 20_000)
        socket.connect(f"ipc://{running_agent.paths.scripting}")
        yield socket


def ask(socket: "zmq.Socket[bytes]", frame: bytes) -> object:
    socket.send(frame)
    answer = socket.recv()
    return json.loads(answer) if answer else None


def call(socket: "zmq.Socket[bytes]", method: str, **params: object) -> dict[str, object]:
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    answer = ask(socket, json.dumps(body).encode())
    assert isinstance(answer, dict)
    assert answer["id"] == 7
    return answer


def result(socket: "zmq.Socket[bytes]", method: str, **params: object) -> Any:  # noqa: ANN401 - as the method says
    return call(socket, method, **params)["result"]


GARBAGE = {
    "nothing": (b"", -32700),
    "no JSON": (b"hello", -32700),
    "half of JSON": (b'{"jsonrpc": "2.0", "id": 1, "meth', -32700),
    "no UTF-8": (b'{"jsonrpc": "2.0", "id": 1, "method": "\xff\xfe"}', -32600),
    "a number": (b"7", -32600),
    "a text": (b'"network.status"', -32600),
    "null": (b"null", -32600),
    "an empty batch": (b"[]", -32600),
    "no version": (b'{"id": 1, "method": "network.status"}', -32600),
    "an old version": (b'{"jsonrpc": "1.0", "id": 1, "method": "network.status"}', -32600),
    "no method": (b'{"jsonrpc": "2.0", "id": 1}', -32600),
    "a method that is no text": (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', -32600),
    "an id that is an object": (b'{"jsonrpc": "2.0", "id": {}, "method": "network.status"}', -32600),
    "an unknown method": (b'{"jsonrpc": "2.0", "id": 1, "method": "network.statsu"}', -32601),
    "parameters in a list": (b'{"jsonrpc": "2.0", "id": 1, "method": "network.status", "params": [1]}', -32602),
    "an unknown parameter": (b'{"jsonrpc": "2.0", "id": 1, "method": "network.status", "params": {"a": 1}}', -32602),
    "a missing parameter": (b'{"jsonrpc": "2.0", "id": 1, "method": "builds.get", "params": {}}', -32602),
    "a wrong type": (b'{"jsonrpc": "2.0", "id": 1, "method": "builds.get", "params": {"id": 5}}', -32602),
    "deep nesting": (b"[" * 100_000, -32700),
    "deep parameters": (
        b'{"jsonrpc": "2.0", "id": 1, "method": "builds.list", "params": {"where": ' + b'{"a":' * 5000 + b"1",
        -32700,
    ),
    "too much": (b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"x" * (5 << 20) + b'"}', -32005),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_gets_an_error_and_the_socket_goes_on(req: "zmq.Socket[bytes]", kind: str) -> None:
    frame, code = GARBAGE[kind]
    answer = ask(req, frame)
    assert isinstance(answer, dict)
    assert answer["error"]["code"] == code
    assert len(answer["error"]["message"]) > 20
    assert set(answer["error"]["data"]) == {"kind", "retryable"}
    assert "result" in call(req, "network.status")


def test_a_misspelt_method_is_answered_with_the_right_one(req: "zmq.Socket[bytes]") -> None:
    error = call(req, "builds.sumbit")["error"]
    assert isinstance(error, dict)
    assert "did you mean builds.submit?" in error["message"]


def test_a_batch_of_good_and_bad_is_answered_item_by_item(req: "zmq.Socket[bytes]") -> None:
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "network.status"},
        {"jsonrpc": "2.0", "method": "network.status"},  # a notification: no answer
        {"jsonrpc": "2.0", "id": None, "method": "nothing.here"},
        5,
        {"jsonrpc": "2.0", "id": 2.5, "method": "builds.get", "params": {"id": "project/none#1"}},
    ]
    answers = ask(req, json.dumps(batch).encode())
    assert isinstance(answers, list)
    by_id = [(one["id"], one.get("error", {}).get("code")) for one in answers]
    assert by_id == [("a", None), (None, -32601), (None, -32600), (2.5, -32002)]


def test_notifications_get_an_empty_reply_so_that_req_sockets_go_on(req: "zmq.Socket[bytes]") -> None:
    assert ask(req, b'{"jsonrpc": "2.0", "method": "network.status"}') is None
    assert ask(req, b'[{"jsonrpc": "2.0", "method": "network.status"}]') is None
    assert "result" in call(req, "network.status")


def test_frames_of_all_sizes_and_empty_messages(running_agent: AgentProcess) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVTIMEO, 20_000)
        socket.connect(f"ipc://{running_agent.paths.scripting}")
        for frames in ([b""], [b"", b""], [b"a", b"b", b"c", b"d"], [b"", b"", b"{}"]):
            socket.send_multipart(frames)
            assert b'"error"' in socket.recv_multipart()[-1]


def test_a_client_that_goes_away_does_not_disturb_others(running_agent: AgentProcess, req: "zmq.Socket[bytes]") -> None:
    with zmq.Context() as context:
        for _ in range(20):
            with context.socket(zmq.DEALER) as socket:
                socket.set(zmq.LINGER, 0)
                socket.connect(f"ipc://{running_agent.paths.scripting}")
                socket.send(b'{"jsonrpc": "2.0", "id": 1, "method": "events.subscribe"}')
                socket.recv()
    assert "result" in call(req, "builds.submit", command=["true"])
    assert "result" in call(req, "network.status")


def test_wrong_values_name_what_is_right(req: "zmq.Socket[bytes]") -> None:
    cases: list[tuple[str, dict[str, object], str]] = [
        ("builds.submit", {}, "say what to run"),
        ("builds.submit", {"command": []}, "say what to run"),
        ("builds.submit", {"command": ["a\0b"]}, "NUL"),
        ("builds.submit", {"command": "x", "timeout": -1}, "timeout"),
        ("builds.submit", {"command": "x", "env": {"": "x"}}, "variable"),
        ("builds.submit", {"command": "x", "runs_on": ["a b"]}, "no requirement"),
        ("builds.submit", {"command": "x", "source": {"archive": "../../etc"}}, "SHA-256"),
        ("builds.submit", {"job": "demo/none"}, "no job"),
        ("builds.submit", {"job": "demo/none", "command": "x"}, "a job brings its own"),
        ("builds.get", {"id": "../../x"}, "is no build"),
        ("builds.get", {"id": "zzzzzzzz"}, "no build"),
        ("builds.list", {"where": {"stat": "x"}}, "did you mean state?"),
        ("builds.list", {"where": {"state": {"like": "x"}}}, "unknown operator"),
        ("builds.list", {"order": "-nothing"}, "no field"),
        ("builds.list", {"limit": 100_000}, "limit must be"),
        ("builds.list", {"after": "rubbish"}, "cursor"),
        ("builds.log", {"id": "last", "limit": 0}, "limit must be"),
        ("store.query", {"collection": "secrets"}, "no collection"),
        ("store.query", {"collection": "builds", "search": "-"}, "holds no word"),
        ("store.query", {"collection": "specs", "search": "x"}, "no texts to search"),
        ("store.count", {"collection": "builds", "where": {"stat": "x"}}, "did you mean state?"),
        ("jobs.durations", {"jobs": ["test"]}, "write project/name"),
        ("jobs.durations", {"jobs": ["a/b"] * 101}, "up to 100"),
        ("agents.usage", {"since": "yesterday"}, "is no instant"),
        ("agents.set", {"agent": "nobody"}, "no agent"),
        ("agent.stop", {"builds": "perhaps"}, "must be"),
        ("events.subscribe", {"kinds": ["weather"]}, "unknown kind"),
        ("jobs.apply", {"file": "jobs: ["}, "no YAML"),
    ]
    call(req, "builds.submit", command=["true"])
    for method, params, part in cases:
        error = call(req, method, **params).get("error")
        assert isinstance(error, dict), (method, params)
        assert part in error["message"], (method, params, error)
        assert error["data"]["retryable"] is False


def test_the_history_is_searched_counted_and_summed_up(running_agent: AgentProcess, req: "zmq.Socket[bytes]") -> None:
    with running_agent.client() as net:
        for command in ("exit 7", "true"):
            (build,) = net.builds.submit(["sh", "-c", command], name="summed")
            ended = net.builds.wait(build.id).build
    assert ended.started
    assert ended.finished
    seconds = (instant(ended.finished) - instant(ended.started)) / 1000  # of a quick build: maybe none
    found = result(req, "store.query", collection="builds", search="summ exit")["rows"]
    assert [(one["job"], one["state"]) for one in found] == [("summed", "failed")]
    where = {"job": "summed", "state": ["failed", "succeeded"]}
    assert result(req, "store.count", collection="builds", where=where) == {"rows": 2, "exact": True}
    tallies = result(req, "jobs.tallies", project="run")["tallies"]
    assert [(one["state"], one["builds"], one["last"]) for one in tallies if one["job"] == "summed"] == [
        ("failed", 1, 1),
        ("succeeded", 1, 2),
    ]
    (took,) = result(req, "jobs.durations", jobs=["run/summed"])["durations"]
    assert took["builds"] == 1
    assert took["p50"] == took["p99"] == took["longest"] == seconds
    assert "summed" not in {one["job"] for one in result(req, "jobs.failing")["failing"]}, "its last one succeeded"
    (today, *_) = result(req, "agents.usage", since="2026-01-01T00:00:00Z")["usage"]
    assert today["attempts"] >= 2
    assert today["busy"] >= seconds


def test_what_there_is_to_browse_is_described(req: "zmq.Socket[bytes]") -> None:
    idle = {"pending": 0, "running": 0}
    wait_until(lambda: result(req, "network.status")["queue"] == idle, "what the tests before submitted has ended")
    wait_until(lambda: result(req, "store.describe")["behind"] == 0, "the store has everything")
    found = result(req, "store.describe")
    assert found["kind"].startswith("SQLite ")
    assert (found["behind"], found["problem"]) == (0, "")
    by_name = {one["name"]: one for one in found["collections"]}
    assert by_name.keys() >= {"builds", "attempts", "tasks", "jobs", "agents", "specs"}
    state = next(one for one in by_name["builds"]["fields"] if one["name"] == "state")
    assert state["indexed"]
    assert "lost" in state["choices"]
    for name, one in by_name.items():
        assert result(req, "store.count", collection=name) == {"rows": one["rows"], "exact": True}


def test_every_method_of_the_table_is_answered(req: "zmq.Socket[bytes]") -> None:
    for name in METHODS.keys() - {"agent.stop", "agent.leave", "builds.wait"}:
        answer = call(req, name)
        assert "result" in answer or answer["error"]["code"] == -32602, name  # type: ignore[index]


def test_a_req_socket_is_told_that_it_cannot_hear_of_events(req: "zmq.Socket[bytes]") -> None:
    error = call(req, "events.subscribe")["error"]
    assert isinstance(error, dict)
    assert "DEALER" in error["message"]
    assert "result" in call(req, "builds.submit", command=["true"])  # and still gets its own answers only


def test_a_subscriber_hears_of_its_builds(running_agent: AgentProcess) -> None:
    with running_agent.client() as net:
        events = net.events(kinds=["build"])
        build = net.builds.submit(["true"])[0]
        seen: list[str] = []
        for event in events:
            assert event["kind"] == "build"
            if event["build"]["id"] == build.id:
                seen.append(event["build"]["state"])
                if event["build"]["state"] == "succeeded":
                    break
        assert seen[0] == "pending"


async def test_the_async_client(running_agent: AgentProcess) -> None:
    async with await connect_async(running_agent.data) as net:
        line = (await net.submit(["echo", "hello"]))[0]
        assert b"".join([part async for part in net.log(line.id)]) == b"hello\n"
        found = await net.call("builds.wait", line.id)
        assert found.build.state is BuildState.SUCCEEDED


def test_changes_are_recorded_as_tasks(running_agent: AgentProcess, req: "zmq.Socket[bytes]") -> None:
    with running_agent.client() as net:
        build = net.builds.submit(["true"])[0]
        build.wait()
        answer = call(req, "builds.abort", id=build.id)
        assert answer["error"]["code"] == -32004  # type: ignore[index]
        net.agents.set("box", draining=True)
        net.agents.set("box", draining=False)
        newest = net.tasks.list(limit=2).tasks
    assert [(task.kind, task.outcome) for task in newest] == [
        ("agents.set", "box: enabled"),
        ("agents.set", "box: enabled, draining"),
    ]
    assert all(task.requester.endswith("@box") for task in newest)
