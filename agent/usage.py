"""Whether somebody uses this machine, and whether it runs on its battery: as far as that can honestly be told.

On Linux, logind knows for graphical sessions (desktops tell it when nobody has touched them for a while) and the
terminals of who is logged in show when something was last typed. On macOS, the system counts the time since the last
key or movement. Where nothing can be told - a container, a desktop without logind - nobody is taken to use it. Refuses
to know what follows from it (core/offer).
"""

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from ..core.offer import Usage

ASK_S = 2.0
"""Seconds for one program to answer."""

GRAPHICAL = frozenset({"x11", "wayland", "mir"})
"""Kinds of sessions that tell logind by themselves whether anybody is there; others are known by their terminals."""

_IDLE_TIME = re.compile(r'"HIDIdleTime"\s*=\s*([0-9]+)')


def look() -> Usage:
    """Return what is going on now. Blocks for some milliseconds."""
    idle = _macos() if sys.platform == "darwin" else least(_desktops(), _terminals())
    return Usage(idle, on_battery())


def least(*idle: float | None) -> float | None:
    """Return the shortest of times without use; None where none is known."""
    return min((one for one in idle if one is not None), default=None)


def on_battery() -> bool:
    """Whether this machine runs on a battery."""
    sensors = getattr(psutil, "sensors_battery", lambda: None)
    battery = sensors()
    return battery is not None and battery.power_plugged is False


def sessions(listing: str) -> list[str]:
    """Return the ids in what `loginctl list-sessions` prints."""
    return [words[0] for line in listing.splitlines() if (words := line.split())]


def idle_of_session(properties: str, now: float) -> float | None:
    """Return since when a graphical session is idle, from what `loginctl show-session` prints; None: it is none."""
    found = {name: value for name, _, value in (line.partition("=") for line in properties.splitlines())}
    if found.get("Type") not in GRAPHICAL or found.get("Class", "user") != "user" or found.get("State") == "closing":
        return None
    if found.get("IdleHint") != "yes":
        return 0.0
    since = found.get("IdleSinceHint", "")
    return max(0.0, now - int(since) / 1e6) if since.isdecimal() else 0.0


def idle_of_terminals(names: Iterable[str], now: float, devices: Path = Path("/dev")) -> float | None:
    """Return since when nothing was typed at any of these terminals; None: there is none."""
    typed: list[float] = []
    for name in names:
        with contextlib.suppress(OSError, ValueError):
            typed.append((devices / name).stat().st_atime)
    return max(0.0, now - max(typed)) if typed else None


def _desktops() -> float | None:
    now = time.time()
    listed = sessions(_output("loginctl", "list-sessions", "--no-legend", "--no-pager"))
    wanted = ("--property=Type", "--property=Class", "--property=State")
    idle = ("--property=IdleHint", "--property=IdleSinceHint")
    found = [idle_of_session(_output("loginctl", "show-session", one, *wanted, *idle), now) for one in listed]
    return least(*found)


def _terminals() -> float | None:
    return idle_of_terminals([one.terminal for one in psutil.users() if one.terminal], time.time())


def _macos() -> float | None:
    found = _IDLE_TIME.search(_output("ioreg", "-c", "IOHIDSystem", "-d", "4"))
    return int(found[1]) / 1e9 if found else None


def _output(*command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the system's own tool, with our own words
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=ASK_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")
