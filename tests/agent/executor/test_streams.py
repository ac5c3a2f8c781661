"""A real executor: terminals, input, and logs without secrets."""

import sys
from hashlib import sha256
from pathlib import Path

import pytest

from job_orchestra.agent.executor.keyboards import QUEUE_BYTES
from job_orchestra.agent.executor.link import ExecutorLink
from job_orchestra.agent.executor.protocol import Taken
from job_orchestra.core.messages import Resized, Typed
from job_orchestra.core.model import BuildState, Terminal
from tests.kit.executors import AgentEnd

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="terminals of Linux")

TERMINAL = Terminal(100, 30, "xterm")


async def shown(end: AgentEnd, key_log: str, text: bytes) -> None:
    """Wait until a log holds a text."""
    await end.until(lambda: Path(key_log).exists() and text in Path(key_log).read_bytes())


async def type_in(
    link: ExecutorLink, key: str, stream: str, offset: int, data: bytes, *, over: bool = False, who: str = ""
) -> Taken:
    return await link.type(Typed(key, stream, offset, data, over, who))


async def test_steps_on_a_terminal_see_one_of_that_size(end: AgentEnd, link: ExecutorLink) -> None:
    plan = end.shell(
        1,
        "test -t 1 && test -t 2 && ! test -t 0; stty size <&1; echo $TERM; echo error >&2; ps -o tty= -p $$",
        "echo next > /dev/tty",
        terminal=TERMINAL,
        collect=("sh", "-c", "test -t 1 && echo collected"),
    )
    link.start([plan])
    status = await end.told_end(plan.key)
    assert (status.state, status.reason) == (BuildState.SUCCEEDED, "")
    lines = end.log(plan).split(b"\r\n")
    assert lines[:3] == [b"30 100", b"xterm", b"error"]
    assert lines[3].startswith(b"pts/")
    assert lines[4:] == [b"next", b"collected", b""]
    first, second = status.steps
    assert (first.log_start, first.log_end, second.log_end) == (0, second.log_start, end.log(plan).index(b"collected"))


async def test_what_is_typed_on_a_terminal_is_read_and_echoed(end: AgentEnd, link: ExecutorLink) -> None:
    plan = end.shell(1, 'read -r line; echo "got $line"', "read -r line; echo $line", terminal=TERMINAL, input=True)
    assert "does not run here" in (await type_in(link, plan.key, "me", 0, b"fir")).refused
    link.start([plan])
    assert (await type_in(link, plan.key, "me", 0, b"fir")).next == 3
    assert (await type_in(link, plan.key, "me", 0, b"first\n")).next == 6, "what was taken is passed over"
    assert (await type_in(link, plan.key, "me", 9, b"x")).next == 6, "something before it is missing"
    await shown(end, plan.log, b"got first")
    assert (await type_in(link, plan.key, "other", 0, b"second\n")).next == 7, "another sitting counts for itself"
    assert (await end.told_end(plan.key)).state is BuildState.SUCCEEDED
    assert end.log(plan) == b"first\r\ngot first\r\nsecond\r\nsecond\r\n"
    assert "it does not run here any more" in (await type_in(link, plan.key, "me", 6, b"x")).refused


async def test_ctrl_c_reaches_the_foreground_group_and_resizing_is_told(end: AgentEnd, link: ExecutorLink) -> None:
    script = """
        trap 'stty size' WINCH
        trap : INT
        sh -c 'trap "echo interrupted; exit 7" INT; echo ready; while :; do read -r x; done'
        echo code $?
        echo again; while [ -z "$done" ]; do read -r done || true; done
    """
    plan = end.shell(1, script, terminal=TERMINAL, input=True)
    link.start([plan])
    await shown(end, plan.log, b"ready")
    await type_in(link, plan.key, "me", 0, b"\x03")
    await shown(end, plan.log, b"interrupted\r\ncode 7\r\nagain")
    link.resize(Resized(plan.key, 55, 22, ""))
    await type_in(link, plan.key, "me", 1, b"\n")
    await shown(end, plan.log, b"22 55")
    await type_in(link, plan.key, "me", 2, b"enough\n")
    assert (await end.told_end(plan.key)).state is BuildState.SUCCEEDED


async def test_input_through_a_pipe_comes_whole_and_ends(end: AgentEnd, link: ExecutorLink) -> None:
    plan = end.shell(1, "sha256sum; echo over", "cat", input=True)
    link.start([plan])
    sent, data = 0, bytes(range(256)) * 4096
    while sent < len(data):
        sent = (await type_in(link, plan.key, "me", sent, data[sent : sent + 2 * QUEUE_BYTES])).next
    assert (await type_in(link, plan.key, "me", sent, b"", over=True)).next == sent
    assert "was sent already" in (await type_in(link, plan.key, "me", sent, b"more")).refused
    assert (await end.told_end(plan.key)).state is BuildState.SUCCEEDED
    assert end.log(plan) == f"{sha256(data).hexdigest()}  -\nover\n".encode()


async def test_without_input_steps_read_nothing(end: AgentEnd, link: ExecutorLink) -> None:
    plan = end.shell(1, "cat; echo over", terminal=TERMINAL)
    link.start([plan])
    assert (await type_in(link, plan.key, "me", 0, b"x")).refused
    assert (await end.told_end(plan.key)).state is BuildState.SUCCEEDED
    assert end.log(plan) == b"over\r\n"


async def test_ctrl_c_before_the_first_step_aborts(end: AgentEnd, link: ExecutorLink) -> None:
    """There is no program of the build yet that it could reach."""
    unpack = ("sh", "-c", "trap '' INT; echo unpacking; exec tail -f /dev/null")
    plan = end.shell(1, "echo never", prepare=unpack, terminal=TERMINAL, input=True)
    link.start([plan])
    await shown(end, plan.log, b"unpacking")
    assert (await type_in(link, plan.key, "me", 0, b"x\x03")).next == 2
    status = await end.told_end(plan.key)
    assert (status.state, status.reason) == (BuildState.ABORTED, "interrupted at its terminal")
    assert b"never" not in end.log(plan)


async def test_only_the_owner_types_and_resizes(end: AgentEnd, link: ExecutorLink) -> None:
    plan = end.shell(1, "read -r line; stty size; echo $line", terminal=TERMINAL, input=True, owner="ann@box")
    link.start([plan])
    refused = await type_in(link, plan.key, "me", 0, b"evil\n", who="eve@box")
    assert (refused.foreign, refused.refused) == (True, "only ann@box, who submitted it, may type for it")
    link.resize(Resized(plan.key, 1, 1, "eve@box"))
    assert (await type_in(link, plan.key, "me", 0, b"good\n", who="ann@box")).next == 5
    assert (await end.told_end(plan.key)).state is BuildState.SUCCEEDED
    assert end.log(plan) == b"good\r\n30 100\r\ngood\r\n"


SECRET = "correct-horse-battery-staple"


@pytest.mark.parametrize("terminal", [None, TERMINAL])
async def test_secrets_do_not_reach_the_log(end: AgentEnd, link: ExecutorLink, terminal: Terminal | None) -> None:
    env = {**end.plan(1).env, "TOKEN": SECRET}
    plan = end.shell(
        1,
        "printf correct-horse-; echo battery-staple; echo $TOKEN >&2; echo one",
        "printf %s $TOKEN | base64; echo token=$TOKEN > $ORCHESTRA_RESULTS; echo two",
        env=env,
        secrets=(SECRET,),
        terminal=terminal,
    )
    link.start([plan])
    status = await end.told_end(plan.key)
    assert (status.state, status.reason, status.results) == (BuildState.SUCCEEDED, "", {"token": "***"})
    log = end.log(plan)
    assert log.replace(b"\r", b"") == b"***\n***\none\n***Q==\ntwo\n"
    first, second = status.steps
    assert log[first.log_start : first.log_end].endswith(b"one\r\n" if terminal else b"one\n")
    assert log[second.log_start : second.log_end].endswith(b"two\r\n" if terminal else b"two\n")
    assert SECRET.encode() not in (end.paths.executor / "journal").read_bytes()


async def test_the_log_limit_holds_with_secrets_and_nothing_runs_on(end: AgentEnd, link: ExecutorLink) -> None:
    plan = end.shell(1, "yes", secrets=(SECRET,), log_limit=100_000)
    link.start([plan])
    status = await end.told_end(plan.key)
    assert (status.state, status.reason) == (BuildState.ERROR, "its log is longer than the limit of 100000 bytes")


async def test_the_death_of_the_filter_ends_the_build_as_error(end: AgentEnd, link: ExecutorLink) -> None:
    find = "pgrep -P $PPID -f 'executor[.]filtering'"  # that of this executor: others run beside it
    plan = end.shell(1, f"kill -9 $({find}); tail -f /dev/null", secrets=(SECRET,))
    link.start([plan])
    status = await end.told_end(plan.key)
    assert status.state is BuildState.ERROR
    assert "has died" in status.reason
