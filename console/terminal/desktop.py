"""Telling something outside of the terminal's window: by the terminal itself, and by the desktop where there is one.

Terminals that know the sequence (OSC 9) show a notification, also over ssh; all others ring the bell. A program of the
desktop is used where one is there and the console runs on this very desktop. What is told is cleaned by the caller.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence


def sequence(text: str) -> str:
    """Return what makes a terminal notify of a clean text."""
    return f"\x1b]9;{text}\x1b\\\a"


def program(title: str, text: str, environment: Mapping[str, str] = os.environ) -> Sequence[str]:
    """Return the words of a command that notifies on this desktop; none where there is no desktop here."""
    if "SSH_CONNECTION" in environment:
        return ()
    if sys.platform == "darwin":
        found = shutil.which("osascript")
        # the texts are arguments of the script, never a part of it
        script = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"
        return (found, "-e", script, title, text) if found else ()
    if environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        found = shutil.which("notify-send")
        return (found, "--app-name=Job Orchestra", "--", title, text) if found else ()
    return ()


async def notify(title: str, text: str) -> None:
    """Notify on this desktop, if there is one."""
    words = program(title, text)
    if words:
        null = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*words, stdin=null, stdout=null, stderr=null)
        await process.wait()
