"""What is found out about a machine: from files and programs that a test lays out, and about this one."""

import os
from pathlib import Path

import pytest

from job_orchestra.agent import facts
from job_orchestra.agent.facts import Facts
from job_orchestra.agent.settings import Settings, load
from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.requirements import matches, parse_requirement


def program(folder: Path, name: str, text: str = "true") -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_this_machine_is_known() -> None:
    found = facts.detect()
    assert found.labels["os"] in {"linux", "macos"}
    assert found.labels["arch"] not in facts.tools("") | {"aarch64": "", "amd64": ""}
    assert found.labels["host"] == facts.host_name()
    assert 1 <= found.resources["cpus"] <= (os.cpu_count() or 1)
    assert found.resources["memory"] > 1 << 20


def test_tools_on_the_path_are_labels_and_others_are_not(tmp_path: Path) -> None:
    for name in ("gcc", "python3.9", "python3.11", "stranger"):
        program(tmp_path, name)
    (tmp_path / "make").write_text("not executable")
    assert facts.tools(str(tmp_path)) == {"gcc": "", "python3.9": "", "python3.11": "", "python": "3.11"}


def test_a_python_of_an_unknown_version_is_a_python(tmp_path: Path) -> None:
    program(tmp_path, "python3")
    assert facts.tools(str(tmp_path)) == {"python": ""}


def test_versions_are_asked_for_and_missing_where_a_tool_does_not_say(tmp_path: Path) -> None:
    program(tmp_path, "git", "echo git version 2.39.5 '(Apple)'")
    program(tmp_path, "gcc", "echo 12.2.0")
    program(tmp_path, "make", "echo broken 1.0; exit 1")
    program(tmp_path, "cmake", "echo who knows")
    program(tmp_path, "docker", "exit 7")
    known = Facts({"os": "linux", **facts.tools(str(tmp_path))}, {"cpus": 2})
    asked = facts.ask(known, {"PATH": str(tmp_path)})
    assert asked.labels == {"os": "linux", "git": "2.39.5", "gcc": "12.2.0", "make": "", "cmake": "", "docker": ""}
    assert asked.resources == {"cpus": 2}
    assert matches(parse_requirement("gcc>=9"), asked.labels)


def test_a_tool_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "git", "sleep 600")
    monkeypatch.setattr(facts, "ASK_S", 0.05)
    assert facts.ask(Facts({"git": ""}, {}), {"PATH": f"{tmp_path}:{os.environ['PATH']}"}).labels == {"git": ""}


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [("max 100000", "max", None), ("150000 100000", "1048576", (2, 1 << 20)), ("1000 100000", "4096", (1, 4096))],
)
def test_a_container_has_what_it_was_given(
    tmp_path: Path, cpu: str, memory: str, expected: tuple[int, int] | None
) -> None:
    everything = facts.processors(tmp_path), facts.memory(tmp_path)
    (tmp_path / "cpu.max").write_text(f"{cpu}\n")
    (tmp_path / "memory.max").write_text(f"{memory}\n")
    wanted = everything if expected is None else (min(everything[0], expected[0]), expected[1])
    assert (facts.processors(tmp_path), facts.memory(tmp_path)) == wanted


def test_gpus_are_counted_by_their_devices(tmp_path: Path) -> None:
    assert facts.gpu_ids({}, tmp_path, tmp_path) == ()
    nodes = tmp_path / "class/kfd/kfd/topology/nodes"
    for number, identity in enumerate(("0", "4098", "4099")):
        (nodes / str(number)).mkdir(parents=True)
        (nodes / str(number) / "gpu_id").write_text(f"{identity}\n")
    assert facts.gpu_ids({}, tmp_path, tmp_path) == ("0", "1")
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert facts.gpu_ids({}, tmp_path, tmp_path) == ("0", "1", "2")


@pytest.mark.parametrize(
    ("allowed", "ids"), [("2,3", ("2", "3")), ("", ()), ("-1", ()), (" GPU-7f, 1", ("GPU-7f", "1")), ("NoDevFiles", ())]
)
def test_the_agent_may_be_given_some_gpus_only(tmp_path: Path, allowed: str, ids: tuple[str, ...]) -> None:
    (tmp_path / "nvidia0").touch()
    assert facts.gpu_ids({"CUDA_VISIBLE_DEVICES": allowed}, tmp_path, tmp_path) == ids


def test_gpus_have_a_model_and_memory(tmp_path: Path) -> None:
    program(tmp_path, "nvidia-smi", "echo 'NVIDIA A100-SXM4, 40536'; echo 'NVIDIA A100-SXM4, 40960'")
    asked = facts.ask(Facts({"gpu": ""}, {}), {"PATH": str(tmp_path)})
    assert asked.labels == {"gpu": "NVIDIA-A100-SXM4", "gpu-memory": str(40536 << 20)}
    program(tmp_path, "nvidia-smi", "echo 'A, 1'; echo 'B, [N/A]'")
    assert facts.ask(Facts({"gpu": ""}, {}), {"PATH": str(tmp_path)}).labels == {"gpu": "", "gpu-memory": "1048576"}
    program(tmp_path, "nvidia-smi", "echo 'No devices were found'; exit 6")
    assert facts.ask(Facts({"gpu": ""}, {}), {"PATH": str(tmp_path)}).labels == {"gpu": ""}


def test_what_is_configured_comes_before_what_was_found() -> None:
    found = Facts({"os": "linux", "docker": ""}, {"cpus": 8.0, "memory": 1024.0})
    settings = Settings(label={"docker": "no", "zone": "lab"}, resource={"cpus": "2.5", "licence": "3", "memory": "8G"})
    assert settings.over(found) == Facts(
        {
            "os": "linux",
            "docker": "no",
            "zone": "lab",
            "cpus": "2.5",
            "memory": str(8 << 30),
            "licence": "3",
        },
        {"cpus": 2.5, "memory": float(8 << 30), "licence": 3.0},
    )
    assert settings.slot_count(settings.over(found)) == 2
    assert Settings(slots=7).slot_count(found) == 7
    assert Settings(resource={"cpus": "0.5"}).slot_count(Facts({}, {"cpus": 0.5})) == 1


def test_resources_are_read_from_flags_variables_and_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "agent.toml").write_text("[resource]\nlicence = 3\nmemory = '4G'\n")
    assert load(tmp_path)[1].amounts() == {"licence": 3.0, "memory": float(4 << 30)}
    monkeypatch.setenv("ORCHESTRA_RESOURCE", "licence=2,gpus=0")
    assert load(tmp_path)[1].amounts() == {"licence": 2.0, "gpus": 0.0}
    assert load(tmp_path, {"resource": ("licence=1.5",)})[1].amounts() == {"licence": 1.5}


@pytest.mark.parametrize("word", ["licence", "licence=many", "licence=-1", "=3", "a b=3", "3=3"])
def test_what_is_no_amount_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(InvalidInput, match="resource must be NAME=AMOUNT, such as memory=8G or licences=3"):
        load(tmp_path, {"resource": (word,)})
