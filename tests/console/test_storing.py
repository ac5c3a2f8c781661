"""`orchestra store`, as a user has it: with the agent up for what reads, and down for what replaces."""

import json
from pathlib import Path

import pytest

from tests.console.test_cli import orchestra
from tests.kit.agents import AgentProcess


@pytest.fixture
def used(agent: AgentProcess) -> AgentProcess:
    """Give an agent that ran three builds."""
    agent.start("--slots", "2")
    with agent.client() as net:
        for _ in range(3):
            net.builds.wait(net.builds.submit(["true"])[0].id)
    return agent


def test_a_history_is_looked_at_exported_imported_and_pruned(used: AgentProcess, tmp_path: Path) -> None:
    data, file, other = used.paths.data, tmp_path / "all.jsonl.zst", f"sqlite:///{tmp_path}/other.db"
    found = orchestra(data, "store", "info", "--json").json()
    assert {"collection": "builds", "rows": 3} in found["sizes"]  # type: ignore[operator] - a list
    assert orchestra(data, "store", "export", str(file), "--simulate").code == 0
    assert not file.exists()
    assert orchestra(data, "store", "export", str(file)).code == 0
    assert "name a new file" in orchestra(data, "store", "export", str(file)).err
    told = orchestra(data, "store", "import", str(file))
    assert (told.code, "orchestra down" in told.err) == (2, True)
    assert orchestra(data, "store", "import", str(file), "--store", other).code == 0
    assert orchestra(data, "store", "export").out == orchestra(data, "store", "export", "--store", other).out
    again = orchestra(data, "store", "import", str(file), "--store", other)
    assert "--replace" in again.err
    assert orchestra(data, "store", "import", str(file), "--store", other, "--replace").code == 0
    rows = orchestra(data, "store", "query", "builds", "-w", "state=succeeded", "-n", "2", "--store", other).json()
    assert (len(rows["rows"]), bool(rows["next"])) == (2, True)  # type: ignore[arg-type] - a list
    would = orchestra(data, "store", "prune", "--older", "1ms", "--simulate")
    assert "2 builds would go, 1 stay" in would.err
    done = orchestra(data, "store", "prune", "--older", "1ms", "--json").json()
    assert (done["builds"], done["kept"]) == (2, 1)
    left = json.loads(orchestra(data, "builds", "--json").out)["builds"]
    assert [one["number"] for one in left] == [3]


def test_a_backup_is_brought_back(used: AgentProcess, tmp_path: Path) -> None:
    data, file = used.paths.data, tmp_path / "backup.db"
    assert orchestra(data, "store", "backup", str(file)).code == 0
    assert orchestra(data, "store", "prune", "--older", "1ms", "--keep", "0").code == 0
    told = orchestra(data, "store", "restore", str(file))
    assert (told.code, "orchestra down" in told.err) == (2, True)
    used.stop()
    assert "as of entry" in orchestra(data, "store", "restore", str(file), "--simulate").err
    assert orchestra(data, "store", "restore", str(file)).code == 0
    used.start()
    assert len(json.loads(orchestra(data, "builds", "--json").out)["builds"]) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["info"], "no agent's data directory"),
        (["info", "--store", "sqlit:///x"], "did you mean sqlite:?"),
        (["import", "missing", "--store", "memory:"], "cannot read missing"),
        (["query", "builds", "-w", "nonsense", "--store", "memory:"], "write FIELD=VALUE"),
        (["query", "builds", "-w", "stat=failed", "--store", "memory:"], "did you mean state?"),
        (["prune", "--older", "soon", "--store", "memory:"], "write one such as"),
        (["prune", "--older", "9d", "--keep-failed", "1d", "--store", "memory:"], "at least as long"),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy(words: list[str], says: str, tmp_path: Path) -> None:
    found = orchestra(tmp_path, "store", *words)
    assert found.code != 0
    assert says in found.err
