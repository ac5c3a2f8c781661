"""The terminal that the command line runs at, if any: what it is, and having it for oneself for a while."""

import contextlib
import os
import shutil
import sys
import termios
import tty
from collections.abc import Iterator

from ...core.api.submitting import TerminalParam

KEYS, SCREEN = 0, 1  # descriptors of standard input and output


def at_screen() -> bool:
    """Whether somebody sees the output on a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def at_keys() -> bool:
    """Whether somebody types at a terminal, and for this command: one in the background reads no keys."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    with contextlib.suppress(OSError):
        return os.tcgetpgrp(KEYS) == os.getpgrp()
    return False


def own() -> TerminalParam | None:
    """Return what a build's terminal should be like; None: the output goes elsewhere."""
    if not at_screen():
        return None
    return TerminalParam(*size(), os.environ.get("TERM") or "dumb")


def size() -> tuple[int, int]:
    """Return the columns and rows of the window."""
    found = shutil.get_terminal_size()
    return max(1, found.columns), max(1, found.lines)


@contextlib.contextmanager
def raw() -> Iterator[None]:
    """Get every key as it is typed, and echo none; at the end all is as before."""
    before = termios.tcgetattr(KEYS)
    try:
        tty.setraw(KEYS, termios.TCSADRAIN)
        yield
    finally:
        # what was typed and not read is dropped, answers of the terminal among it: they would be read as a command
        termios.tcsetattr(KEYS, termios.TCSAFLUSH, before)


def write(data: bytes) -> None:
    """Write all of it to standard output."""
    while data:
        data = data[os.write(SCREEN, data) :]


async def readable() -> None:
    """Return when something was typed, or the pipe has more or has ended; of a file there is always more."""
    import asyncio  # long, and only who types needs it

    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(KEYS, ready.set)
    except PermissionError:  # a file
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(KEYS)


def read(limit: int) -> bytes:
    """Return what was typed, or the next of a pipe; empty at its end."""
    return os.read(KEYS, limit)
