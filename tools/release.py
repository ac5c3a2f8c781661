"""Checks that the tree may be released: nothing uncommitted, a final version, a changelog for it, no such tag yet.

`python -m tools.release` is the first step of `python3 -m tools release`. It asks git and changes nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from .packages import version

_FINAL = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
"""Versions that may be published: final ones and pre-releases, no .dev and no local part (PEP 440)."""


def problems(root: Path, *, changes: str, tags: list[str]) -> list[str]:
    """Return what stands against a release, a sentence each with its remedy.

    `changes` is what `git status --porcelain` says, `tags` what `git tag` lists.
    """
    this = version(root)
    found = []
    if changes.strip():
        count = len(changes.strip().splitlines())
        found.append(f"{count} files are changed or unknown to git: commit or remove them (git status)")
    if not _FINAL.fullmatch(this):
        found.append(f"{this} is not a version to publish: set version = {this.split('.dev')[0]} in setup.cfg")
    if f"v{this}" in tags:
        found.append(f"v{this} exists already: set the next version in setup.cfg")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(this)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        found.append(f'CHANGELOG.md has no section for it: turn "Unreleased" into "## [{this}] - YYYY-MM-DD"')
    return found


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S607 - the git of the person who releases


def main() -> int:
    """Print what stands against a release of this tree; returns 1 if something does, 2 if git cannot say."""
    root = Path(__file__).resolve().parent.parent
    try:
        changes, tags = _git(root, "status", "--porcelain"), _git(root, "tag").splitlines()
    except (FileNotFoundError, subprocess.CalledProcessError):
        print("git does not answer for this tree: install git, and release from a clone", file=sys.stderr)
        return 2
    found = problems(root, changes=changes, tags=tags)
    print("\n".join(found) or f"Version {version(root)} may be released.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
