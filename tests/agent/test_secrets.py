"""A secret is in no file of three agents after builds have used and printed it, and nobody is ever told its value."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from job_orchestra.agent.client.blocking import Client
from job_orchestra.core.errors import InvalidInput, NotFound
from job_orchestra.core.model import BuildState
from job_orchestra.core.views.builds import BuildView
from tests.kit.agents import AgentProcess, agent_in
from tests.kit.waiting import wait_until

VALUE = "s3cr3t/öf+thé=shöp" + "".join(chr(97 + n * 7 % 26) for n in range(40))
KEY = "-----BEGIN KEY-----\n" + "\n".join(f"{n * 7919 % 9973:04}abcdefghijklmnopqrstuvwxyz{n}" for n in range(8))

JOBS = """
project: shop
jobs:
  print:
    secrets: [TOKEN, KEY]
    steps:
      - name: raw
        run: echo "before $TOKEN after"; echo "$KEY"
      - name: encoded
        run: |
          printf %s "$TOKEN" | base64
          printf 'user:%s' "$TOKEN" | base64 -w 0
          printf %s "$KEY" | base64
          printf %s "$TOKEN" | od -An -tx1 | tr -d ' \\n'
      - name: pieces
        run: |
          rest=$TOKEN
          while [ -n "$rest" ]; do tail=${rest#?}; printf %s "${rest%"$tail"}"; rest=$tail; done
          echo
        env: { TOKEN: not this one }
      - name: results
        run: |
          echo "$TOKEN" >&2
          echo "token=$TOKEN" >> $ORCHESTRA_RESULTS
      - name: rest
        run: echo "${#TOKEN} characters"
  plain: 'echo "token: ${TOKEN-none}"'
  lacking: { secrets: [OTHER], run: "true" }
"""


def join(data: Path, first: AgentProcess) -> None:
    with first.client() as net:
        token = net.call("network.invite").token
    command = [sys.executable, "-m", "job_orchestra.agent", "join", "--data", str(data), "--no-start", "-"]
    subprocess.run(command, input=token.encode(), check=True, capture_output=True)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[AgentProcess]]:
    """Give three agents that are one network, all of them voters."""
    folder = tmp_path_factory.mktemp("three")
    with ExitStack() as stack:
        agents: list[AgentProcess] = []
        for number in range(3):
            one = stack.enter_context(agent_in(folder / f"a{number}"))
            if agents:
                join(one.data, agents[0])
            agents.append(one.start("--no-mdns", "--settle", "0.3", "--slots", "2"))
        with agents[0].client() as net:
            wait_until(lambda: len(net.call("network.status").voters) == 3, "three vote")
            wait_until(lambda: [one.state for one in net.agents.list().agents] == ["ready"] * 3, "three work")
            net.call("jobs.apply", file=JOBS)
        yield agents


def set_(net: Client, name: str, value: str) -> None:
    net.call("secrets.set", project="shop", name=name, value=value)


def built(net: Client, job: str, count: int = 1) -> list[BuildView]:
    found = [one.builds[0].id for one in net.batch("builds.submit", [{"job": f"shop/{job}"}] * count)]  # at once
    return [net.call("builds.wait", id=one, timeout=60).build for one in found]


def files_with(agents: list[AgentProcess], *texts: bytes) -> list[str]:
    """Return the files under the agents' directories that hold one of these texts, and those of what they said."""
    folder = agents[0].data.parent
    found = [one for one in folder.rglob("*") if one.is_file() and not one.is_symlink()]
    assert any(one.name == "journal.db" for one in found)
    return [str(one) for one in found if any(text in one.read_bytes() for text in texts)]


def test_no_file_of_three_agents_holds_a_secret_after_builds_printed_it(three: list[AgentProcess]) -> None:
    with three[1].client() as net:
        set_(net, "TOKEN", VALUE)
        set_(net, "KEY", KEY)
        builds = built(net, "print", 6)
        assert {(one.state, one.reason) for one in builds} == {(BuildState.SUCCEEDED, "")}
        for one in builds:
            log = b"".join(net.log(one.id)).decode()
            assert "before *** after\n" in log
            assert log.count("***") >= 7
            assert f"{len(VALUE)} characters" in log or f"{len(VALUE.encode())} characters" in log
            assert one.results == {"token": "***"}
        assert len({one.attempts[0].agent for one in builds}) > 1, "they ran on several machines"
    spelled = [VALUE.encode(), VALUE.encode().hex().encode(), base64.b64encode(VALUE.encode())[:-4]]
    spelled += [line.encode() for line in KEY.splitlines()[1:]]
    spelled += [base64.b64encode(KEY.encode())[start : start + 40] for start in range(0, 200, 40)]
    assert files_with(three, *spelled) == []
    assert files_with(three, b"TOKEN")  # its name is not secret: files are really looked at


def test_only_a_build_that_names_a_secret_of_its_project_gets_it(three: list[AgentProcess]) -> None:
    with three[2].client() as net:
        set_(net, "TOKEN", VALUE)
        net.call("secrets.set", project="other", name="OTHER", value="of another project")
        (plain,) = built(net, "plain")
        assert b"".join(net.log(plain.id)) == b"token: none\n"
        (lacking,) = built(net, "lacking")
        assert lacking.state is BuildState.ERROR
        assert "orchestra secrets set OTHER --project shop" in lacking.reason


def test_what_is_told_of_secrets_is_everything_but_their_value(three: list[AgentProcess]) -> None:
    with three[0].client() as net:
        set_(net, "TOKEN", VALUE)
        told = net.call("secrets.list", project="shop")
        assert {(one.name, bool(one.set), tuple(one.jobs)) for one in told.secrets} >= {
            ("TOKEN", True, ("print",)),
            ("OTHER", False, ("lacking",)),
        }
        answers = [told, net.call("tasks.list", limit=1000), net.call("jobs.list")]
        answers += [net.call("store.query", collection=name, limit=1000) for name in ("builds", "tasks", "specs")]
        assert all(VALUE.encode() not in msgspec.json.encode(one) for one in answers)
        with pytest.raises(InvalidInput, match="fewer than 8 bytes"):
            set_(net, "TOKEN", "short")
        with pytest.raises(NotFound):
            net.call("secrets.remove", project="shop", name="NEVER")


def test_secrets_outlive_the_death_of_the_master(three: list[AgentProcess]) -> None:
    with three[0].client() as net:
        set_(net, "TOKEN", VALUE)
        set_(net, "KEY", KEY)
        master = net.call("network.status").master.id
    victim = next(one for one in three if _id(one) == master)
    victim.kill()
    other = next(one for one in three if one is not victim)
    with other.client() as net:
        (one,) = built(net, "print")
        assert (one.state, one.reason) == (BuildState.SUCCEEDED, "")
        assert b"before *** after\n" in b"".join(net.log(one.id))
        set_(net, "TOKEN", "another secret value")
    victim.start("--no-mdns", "--settle", "0.3", "--slots", "2")


def _id(agent: AgentProcess) -> str:
    with agent.client() as net:
        return net.call("network.status").agent.id
