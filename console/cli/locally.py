"""Running a command on this machine, without the network: what `run --fallback local` does where nobody else can."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...core.errors import Exit
from .attending import SIGNALLED
from .output import say

GRACE_S = 5.0
"""Seconds between SIGTERM and SIGKILL for a command whose time is over."""


def run_here(command: Sequence[str], directory: Path, env: Mapping[str, str], timeout: float | None) -> int:
    """Run a command in the directory itself, not in a copy; return its exit code as a shell would."""
    try:
        process = subprocess.Popen(command, cwd=directory, env={**os.environ, **env})  # noqa: S603 - what was asked for
    except OSError as error:
        say(f"cannot start {command[0]!r}: {error.strerror}")
        return int(Exit.INTERNAL)
    with process:
        while True:
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                say(f"timed out after {timeout:g} s")
                _end(process)
                return int(Exit.TIMEOUT)
            except KeyboardInterrupt:
                continue  # it got Ctrl-C as well, and ends if it wants to
            return SIGNALLED - code if code < 0 else code


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
