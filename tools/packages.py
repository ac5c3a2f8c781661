"""Checks that setup.cfg names every package of the tree, and none that is gone.

The list is written by hand because the root of the repository is the package (a search would also find tests and
tools), and a package that it forgets works in a checkout and is missing from the wheel.
"""

from __future__ import annotations

import configparser
import sys
from pathlib import Path

PACKAGE = "job_orchestra"

LAYERS = ("core", "store", "agent", "console")
"""The folders of the root that belong to the package."""


def version(root: Path) -> str:
    """Return the version that setup.cfg declares."""
    return _configuration(root)["metadata"]["version"]


def listed(root: Path) -> list[str]:
    """Return the packages that setup.cfg names, in its order."""
    return _configuration(root)["options"]["packages"].split()


def modules(root: Path) -> list[Path]:
    """Return every Python file of the package, relative to the root, sorted."""
    files = [root / "__init__.py", *(file for layer in LAYERS for file in (root / layer).rglob("*.py"))]
    return sorted(file.relative_to(root) for file in files)


def present(root: Path) -> set[str]:
    """Return the packages of the tree: the root, and each folder of a layer that holds a Python file."""
    return {".".join((PACKAGE, *file.parent.parts)) for file in modules(root)}


def problems(root: Path) -> list[str]:
    """Return what is wrong with the list, a sentence each with its remedy; empty if it is complete."""
    names, there = listed(root), present(root)
    found = [f"{name} is missing: add it to packages in setup.cfg" for name in sorted(there - set(names))]
    found += [
        f"{name} is listed but not there: take it out of packages in setup.cfg" for name in names if name not in there
    ]
    found += [f"{name} is listed twice" for name in sorted({name for name in names if names.count(name) > 1})]
    folders = {root / file.parent for file in modules(root)}
    found += [
        f"{folder.relative_to(root)}/ has no __init__.py: write what the package is for in its docstring"
        for folder in sorted(folders)
        if not (folder / "__init__.py").exists()
    ]
    return found


def _configuration(root: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string((root / "setup.cfg").read_text(encoding="utf-8"))
    return parser


def main() -> int:
    """Print the problems of this project; returns 1 if there are any."""
    found = problems(Path(__file__).resolve().parent.parent)
    print("\n".join(found) or "The list of packages is complete.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
