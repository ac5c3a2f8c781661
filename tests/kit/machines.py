"""Machines that somebody uses or not, as `Manners` looks at them: one that is made up, and this one with other tools.

Both keep to one contract (tests/agent/test_manners): what is true of the fake is true of the real way of looking.
"""

import sys
import time
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from job_orchestra.agent import usage
from job_orchestra.core.offer import Usage


class Machine(Protocol):
    """A machine, and what a test has happen at it."""

    def look(self) -> Usage:
        """See agent/usage."""
        ...

    def used(self) -> None:
        """Let somebody type."""
        ...

    def left(self, seconds: float) -> None:
        """Let nobody have touched it for so long."""
        ...

    def unplugged(self) -> None:
        """Let it run on its battery."""
        ...


class FakeMachine:
    """One that is made up."""

    def __init__(self) -> None:
        """Begin with nobody there, plugged in."""
        self._usage = Usage()

    def look(self) -> Usage:
        """See Machine."""
        return self._usage

    def used(self) -> None:
        """See Machine."""
        self.left(0.0)

    def left(self, seconds: float) -> None:
        """See Machine."""
        self._usage = Usage(seconds, self._usage.on_battery)

    def unplugged(self) -> None:
        """See Machine."""
        self._usage = Usage(self._usage.idle_s, on_battery=True)


class ToolsOfAMachine:
    """This one, whose system tools say what a test wants: all of agent/usage is real."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Put tools into `folder`, and the folder in place of the PATH."""
        self._folder = folder
        self._patch = patch
        patch.setenv("PATH", str(folder))
        patch.setattr(psutil, "users", list)
        patch.setattr(psutil, "sensors_battery", lambda: None, raising=False)

    def look(self) -> Usage:
        """See Machine."""
        return usage.look()

    def used(self) -> None:
        """See Machine."""
        self._say(0.0, "IdleHint=no IdleSinceHint=0")

    def left(self, seconds: float) -> None:
        """See Machine."""
        self._say(seconds, f"IdleHint=yes IdleSinceHint={int((time.time() - seconds) * 1e6)}")

    def unplugged(self) -> None:
        """See Machine."""

        class Battery:
            power_plugged = False

        self._patch.setattr(psutil, "sensors_battery", Battery, raising=False)

    def _say(self, seconds: float, hints: str) -> None:
        if sys.platform == "darwin":
            self._tool("ioreg", f"echo '    \"HIDIdleTime\" = {int(seconds * 1e9)}'")
        else:
            told = f"for one in Type=wayland Class=user State=active {hints}; do echo $one; done"
            self._tool("loginctl", f"case $1 in list-sessions) echo '  2 1000 ann seat0 tty2';; *) {told};; esac")

    def _tool(self, name: str, does: str) -> None:
        tool = self._folder / name
        tool.write_text(f"#!/bin/sh\n{does}\n")
        tool.chmod(0o755)
