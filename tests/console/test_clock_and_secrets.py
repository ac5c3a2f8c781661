"""The commands about schedules and secrets, as a user has them."""

from pathlib import Path

import pytest

from tests.kit.agents import AgentProcess
from tests.kit.commands import orchestra

VALUE = "correct horse battery staple"

FILE = """
project: market
jobs:
  test: echo tested
  deploy: { secrets: [TOKEN], run: "echo deployed" }
schedules:
  nightly: { cron: "0 3 * * *", timezone: Europe/Paris, jobs: [test] }
  off: { cron: "0 4 * * *", jobs: [test], enabled: false }
"""


@pytest.fixture(scope="module")
def folder(running_agent: AgentProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with a job file that was applied."""
    found = tmp_path_factory.mktemp("project")
    (found / "orchestra.yaml").write_text(FILE)
    applied = orchestra(running_agent.data, "apply", cwd=found)
    assert applied.code == 0
    assert "Secret TOKEN of deploy is not set: orchestra secrets set TOKEN --project market" in applied.err
    return found


def test_schedules_are_listed_with_what_comes_next(running_agent: AgentProcess, folder: Path) -> None:
    for words in (["schedules"], ["schedules", "list", "--project", "market"]):
        found = orchestra(running_agent.data, *words)
        (nightly,) = [line for line in found.out.splitlines() if line.startswith("market/nightly")]
        assert "0 3 * * * Europe/Paris" in nightly
        assert " 01:00" in nightly or " 02:00" in nightly
        assert "disabled" in next(line for line in found.out.splitlines() if line.startswith("market/off"))
    listed = orchestra(running_agent.data, "schedules", "--json").json()["schedules"]
    assert isinstance(listed, list)
    assert [(one["name"], one["enabled"], len(one["next"])) for one in listed] == [
        ("nightly", True, 5),
        ("off", False, 0),
    ]
    ahead = orchestra(running_agent.data, "schedules", "next", "nightly", "-n", "3").out.split()
    assert len(ahead) == 3
    assert all(one.endswith(":00:00.000Z") for one in ahead)


def test_schedules_are_switched_and_that_outlives_the_file(running_agent: AgentProcess, folder: Path) -> None:
    assert "market/nightly is disabled" in orchestra(running_agent.data, "schedules", "disable", "nightly").err
    orchestra(running_agent.data, "apply", cwd=folder)
    assert "is disabled" in orchestra(running_agent.data, "schedules", "next", "market/nightly").err
    assert "market/nightly is enabled" in orchestra(running_agent.data, "schedules", "enable", "market/nightly").err
    assert orchestra(running_agent.data, "schedules", "next", "market/nightly").out


def test_a_schedule_runs_out_of_turn(running_agent: AgentProcess, folder: Path) -> None:
    made = orchestra(running_agent.data, "schedules", "run", "off", "--json").json()["builds"]
    assert isinstance(made, list)
    assert orchestra(running_agent.data, "watch", made[0]["id"]).code == 0
    shown = orchestra(running_agent.data, "builds", "market/test", "--json").json()["builds"]
    assert isinstance(shown, list)
    assert shown[0]["cause"] == "schedule market/off"


@pytest.mark.parametrize("words", [["next", "nihgtly"], ["disable", "other"], ["run", "market/x"]])
def test_an_unknown_schedule_is_not_found(running_agent: AgentProcess, folder: Path, words: list[str]) -> None:
    found = orchestra(running_agent.data, "schedules", *words)
    assert (found.code, "no schedule" in found.err) == (5, True)


def test_a_secret_is_set_from_stdin_listed_and_removed(running_agent: AgentProcess, folder: Path) -> None:
    data = running_agent.data
    done = orchestra(data, "secrets", "set", "TOKEN", stdin=f"{VALUE}\n".encode(), cwd=folder)
    assert (done.code, "TOKEN of market is set" in done.err) == (0, True)
    assert VALUE not in done.out + done.err
    listed = orchestra(data, "secrets")
    assert "NOT SET" not in listed.out
    assert VALUE not in listed.out
    assert "deploy" in next(line for line in listed.out.splitlines() if line.startswith("market "))
    assert "Secret" not in orchestra(data, "apply", cwd=folder).err
    assert orchestra(data, "secrets", "remove", "TOKEN", cwd=folder).code == 0
    assert orchestra(data, "secrets", "remove", "TOKEN", cwd=folder).code == 5
    assert "NOT SET" in orchestra(data, "secrets", "--project", "market").out


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["TOKEN", "--project", "market"], b"short\n", "fewer than 8 bytes"),
        (["TOKEN", "--project", "market"], b"\xff\xfe012345", "not UTF-8"),
        (["PATH", "--project", "market"], VALUE.encode(), "another meaning"),
        (["TOKEN"], VALUE.encode(), "say --project PROJECT"),
        (["TOKEN", VALUE], b"", "unexpected extra argument"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_showing_it(
    running_agent: AgentProcess, tmp_path: Path, words: list[str], stdin: bytes, said: str
) -> None:
    found = orchestra(running_agent.data, "secrets", "set", *words, stdin=stdin, cwd=tmp_path)
    assert found.code == 2
    assert said in found.err
