"""Plans the virtual environment: which one there is, whether it still fits, and the steps that make it fit.

A stamp in the environment says what it was made from (Python, place, requirements, extras). A stamp that covers what
is asked costs nothing; anything else is one `pip install`. Knows nothing of what is run in the environment.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from .plan import Link, Refusal, Run, Step, Write

if TYPE_CHECKING:
    from collections.abc import Iterable

ALL_EXTRAS = ("bench", "lint", "release", "test")
"""The extras of setup.cfg that development needs, beside `node` (see `lint_extras`)."""

TYPING_LINK = Path(".typing/job_orchestra")
"""Leads pyright from `job_orchestra` to the root; it does not follow the import hook of an editable install."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment of the project."""

    folder: Path
    """Where it is, relative to the root (or absolute)."""

    @property
    def python(self) -> str:
        """Its interpreter."""
        return self.script("python")

    def script(self, name: str) -> str:
        """Return the path of a program that is installed in it."""
        inside = PurePosixPath("Scripts", f"{name}.exe") if os.name == "nt" else PurePosixPath("bin", name)
        return str(self.folder / inside)

    @property
    def stamp(self) -> Path:
        """The file that says what it was made from."""
        return self.folder / "job-orchestra.json"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an environment was made from. An environment fits if all of this is equal and its extras cover the asked."""

    python: str
    """Version of the interpreter: another one has other packages."""
    root: str
    """Where the project was: an editable install names its place."""
    requirements: str
    """Hash of what pip reads: setup.cfg and the build system."""
    extras: tuple[str, ...]
    """Installed extras, sorted."""

    def text(self) -> str:
        """Return the stamp as it is stored."""
        fields = {"python": self.python, "root": self.root, "requirements": self.requirements, "extras": self.extras}
        return json.dumps(fields, indent=2) + "\n"


def wanted(root: Path, extras: Iterable[str]) -> Stamp:
    """Return the stamp of an environment made now, here, by this interpreter."""
    build_system = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("build-system", {})
    digest = hashlib.sha256((root / "setup.cfg").read_bytes())
    digest.update(json.dumps(build_system, sort_keys=True).encode())
    return Stamp(platform.python_version(), str(root), digest.hexdigest(), tuple(sorted(set(extras))))


def found(root: Path, environment: Environment) -> Stamp | None:
    """Return the stamp of the environment that is there; None if there is none, or none that can be trusted."""
    try:
        fields = json.loads((root / environment.stamp).read_text(encoding="utf-8"))
        return Stamp(fields["python"], fields["root"], fields["requirements"], tuple(fields["extras"]))
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def prepare(root: Path, environment: Environment, extras: Iterable[str]) -> list[Step]:
    """Return the steps after which the environment holds the project (editable) and the extras; none if it does now.

    Raises `Refusal` if this Python cannot make a virtual environment.
    """
    want, have = wanted(root, extras), found(root, environment)
    there = (root / environment.python).exists()
    same_ground = have is not None and (have.python, have.root) == (want.python, want.root)
    if have is not None and there and same_ground and have.requirements == want.requirements:
        if set(want.extras) <= set(have.extras):
            return []
        # What is there stays: commands with different needs must not uninstall each other's extras in the stamp.
        want = wanted(root, {*want.extras, *have.extras})
    steps: list[Step] = []
    if not there or (have is not None and not same_ground):
        steps.append(_create(environment))
    project = f".[{','.join(want.extras)}]" if want.extras else "."
    steps.append(
        Run(
            (environment.python, "-m", "pip", "install", "--disable-pip-version-check", "--editable", project),
            says=f"install the project and its {', '.join(want.extras) or 'own'} requirements",
            remedy="pip needs a package index: check the network, or name a mirror in PIP_INDEX_URL",
            setup=True,
        )
    )
    steps.append(Write(environment.stamp, want.text()))
    return steps


def typing_link(root: Path) -> list[Step]:
    """Return the step that lets pyright and editors find `job_orchestra`, if it is not done yet."""
    link = root / TYPING_LINK
    return [] if link.is_symlink() and link.readlink() == Path("..") else [Link(TYPING_LINK, "..")]


def fresh(environment: Environment) -> Run:
    """Return the step that makes an empty environment, in place of whatever is in its folder.

    Raises `Refusal` if this Python cannot.
    """
    return _create(environment)


def _create(environment: Environment) -> Run:
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise Refusal(
                f"{sys.executable} lacks the module {module}, which makes virtual environments",
                "install it (Debian, Ubuntu: apt-get install python3-venv) or use a Python from python.org",
            )
    # The base interpreter, because an environment must not replace the one that runs this.
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Run(
        (base, "-m", "venv", "--clear", str(environment.folder)),
        says=f"make a virtual environment in {environment.folder}",
        remedy="the folder must be writable, and the disk must have some 300 MB left",
        setup=True,
    )
