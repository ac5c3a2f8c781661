"""This machine, without asking anybody: version, data directory, keys, disk, git, clock."""

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ....core.version import VERSION
from ...format import size
from .finding import Finding, finding

WRITTEN = 2026
"""A clock that shows an earlier year is wrong."""

LITTLE = 1 << 30
"""Free bytes of disk below which a build may well fail."""

SECRETS = ("agent.key", "network.json", "peers.json")
"""Files that nobody else may read."""


def machine(folder: Path) -> Iterator[Finding]:
    """Look at this machine, and the data directory of its agent."""
    yield Finding("version", ok=True, found=f"Job Orchestra {VERSION}, Python {sys.version.split()[0]}")
    if folder.exists():
        yield from _directory(folder)
    else:
        yield Finding("data directory", ok=False, found=f"{folder} does not exist", remedy="orchestra up")
    git = shutil.which("git")
    yield finding("git", git or "not on the PATH", git is None, "install git: run ships less with it")
    now = time.gmtime()
    yield finding("clock", time.strftime("%F %T UTC", now), now.tm_year < WRITTEN, "set the clock")


def _directory(folder: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(folder.stat().st_mode)
    yield finding("data directory", f"{folder}, mode {mode:o}", mode & 0o077, f"chmod 700 {folder}")
    if not os.access(folder, os.W_OK):
        yield Finding("data directory", ok=False, found="cannot be written to", remedy=f"chown it to you: {folder}")
    for name in SECRETS:
        path = folder / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding("permissions", ok=False, found=f"{path} can be read by others", remedy=f"chmod 600 {path}")
    free = shutil.disk_usage(folder).free
    remedy = "free some space, or move the data directory (--data) to a larger disk"
    yield finding("disk", f"{size(free)} free", free < LITTLE, remedy)
