"""What is true of this machine: system, processors, memory, GPUs, and the tools on its PATH.

Facts become labels that `runs-on` is matched with, and amounts that builds may take. `detect` only looks at files and
takes milliseconds; `ask` runs the tools and `nvidia-smi` for what only they know, within a bounded time. What cannot be
found out is left out. Refuses to know what is made of it (settings, scheduling).
"""

import contextlib
import math
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psutil
from msgspec.structs import replace

from ..core.requirements import usual
from .identity import host_name

ASK_S = 2.0
"""Seconds for one program to say its version."""

TOOLS: Mapping[str, tuple[str, ...]] = {
    "bash": (),
    "bazel": (),
    "buildah": (),
    "bun": (),
    "cargo": (),
    "clang": ("-dumpversion",),
    "clang++": (),
    "cmake": ("--version",),
    "deno": (),
    "docker": (),
    "dotnet": (),
    "ffmpeg": (),
    "g++": ("-dumpfullversion",),
    "gcc": ("-dumpfullversion",),
    "ghc": (),
    "git": ("--version",),
    "go": ("version",),
    "gradle": (),
    "helm": (),
    "java": (),
    "javac": (),
    "kubectl": (),
    "make": ("--version",),
    "meson": (),
    "mvn": (),
    "ninja": ("--version",),
    "node": ("--version",),
    "npm": (),
    "nvcc": (),
    "perl": (),
    "pnpm": (),
    "podman": (),
    "ruby": (),
    "rustc": (),
    "swift": (),
    "terraform": (),
    "uv": (),
    "zig": (),
}
"""Tools that become labels, with the words that make those tell their version which do so in a few milliseconds."""

PYTHONS = tuple(f"python3.{minor}" for minor in range(8, 21))
"""Python's interpreters; each is a label of its own, and the newest on the PATH is `python`'s value."""

CGROUP = Path("/sys/fs/cgroup")
"""Where a container sees its own limits (cgroup v2)."""

_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_XCODE = (Path("/Library/Developer/CommandLineTools"), Path("/Applications/Xcode.app"))
_SHIMS = Path("/usr/bin")  # on macOS, some of these only offer to install what they are called by


class Facts(msgspec.Struct, frozen=True):
    """What was found out."""

    labels: dict[str, str]  # name -> value, empty for a bare label
    resources: dict[str, float]  # cpus, memory (bytes), gpus


def detect(environment: Mapping[str, str] = os.environ) -> Facts:
    """Return what can be seen at once, for builds that get this PATH."""
    resources = {"cpus": float(processors()), "memory": float(memory())}
    gpus = gpu_ids(environment)
    found = tools(environment.get("PATH", os.defpath))
    labels = {"host": host_name(), "arch": usual(platform.machine().lower()), **_system(), **found}
    if gpus:
        resources["gpus"] = float(len(gpus))
        labels["gpu"] = ""
    return Facts(labels, resources)


def ask(known: Facts, environment: Mapping[str, str] = os.environ) -> Facts:
    """Return the facts with the versions of tools and the names of GPUs. Blocks, for some seconds at the worst."""
    path = environment.get("PATH", os.defpath)
    labels = dict(known.labels)
    asked = [name for name, words in TOOLS.items() if words and name in labels]
    with ThreadPoolExecutor(2, thread_name_prefix="facts") as pool:
        for name, answer in zip(asked, pool.map(lambda name: _output(path, name, *TOOLS[name]), asked), strict=True):
            found = _VERSION.search(answer)
            labels[name] = found[0] if found else ""
    if "gpu" in labels:
        labels.update(_nvidia(path))
    return replace(known, labels=labels)


def processors(cgroup: Path = CGROUP) -> int:
    """Return how many processors this process may use: of a container, as many as it was given."""
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        if quota != "max":
            allowed = min(allowed, max(1, math.ceil(int(quota) / int(period))))
    return allowed


def memory(cgroup: Path = CGROUP) -> int:
    """Return how many bytes of memory this process may use."""
    total: int = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int((cgroup / "memory.max").read_text()))
    return total


def tools(path: str) -> dict[str, str]:
    """Return the tools on a PATH as labels: only that they are there, but for Python, whose names tell the version."""
    found = {name: "" for name in (*TOOLS, *PYTHONS) if _is_there(name, path)}
    versions = [name.removeprefix("python") for name in PYTHONS if name in found]
    if versions:
        found["python"] = versions[-1]
    elif _is_there("python3", path):
        found["python"] = ""
    return found


def gpu_ids(
    environment: Mapping[str, str] = os.environ, devices: Path = Path("/dev"), system: Path = Path("/sys")
) -> tuple[str, ...]:
    """Return what the GPUs that builds may have are called in CUDA_VISIBLE_DEVICES: their numbers, as a rule."""
    allowed = environment.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        words = tuple(word.strip() for word in allowed.split(","))
        return tuple(word for word in words if word and word not in {"-1", "NoDevFiles"})
    found = sum(one.name.removeprefix("nvidia").isdecimal() for one in devices.glob("nvidia*"))
    return tuple(str(number) for number in range(found or _amd_gpus(system)))


def _amd_gpus(system: Path) -> int:
    """Count the GPUs that AMD's driver offers for computing."""
    count = 0
    for one in system.glob("class/kfd/kfd/topology/nodes/*/gpu_id"):
        with contextlib.suppress(OSError):
            count += one.read_text().strip() not in {"", "0"}
    return count


def _nvidia(path: str) -> dict[str, str]:
    """Return what NVIDIA's own program knows of the GPUs: the model, and the memory of the smallest."""
    answer = _output(path, "nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
    rows = [line.rpartition(",") for line in answer.splitlines() if "," in line]
    models = sorted({re.sub(r"[^\w.+:/-]+", "-", name.strip()) for name, _, _ in rows})
    sizes = [int(size) << 20 for _, _, size in rows if size.strip().isdecimal()]
    found = {"gpu": models[0]} if len(models) == 1 else {}
    return found | ({"gpu-memory": str(min(sizes))} if sizes else {})


def _system() -> dict[str, str]:
    found = {"os": usual(platform.system().lower())}
    if sys.platform == "darwin":
        return {**found, "release": platform.mac_ver()[0]}
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
        found["distribution"] = release["ID"]
        if "VERSION_ID" in release:
            found["release"] = release["VERSION_ID"]
    return found


def _is_there(name: str, path: str) -> bool:
    found = shutil.which(name, path=path)
    if found is None:
        return False
    shim = sys.platform == "darwin" and Path(found).parent == _SHIMS
    return not shim or any(one.exists() for one in _XCODE)


def _output(path: str, name: str, *words: str) -> str:
    """Return what a program says; empty where it is missing, fails, or takes too long."""
    program = shutil.which(name, path=path)
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - a tool of this machine, with our own words
            [program, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=ASK_S, check=True, cwd="/"
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")
