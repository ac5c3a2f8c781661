"""Whether somebody uses a machine, told from what its tools print."""

import os
from pathlib import Path

import psutil
import pytest

from job_orchestra.agent import usage

GRAPHICAL = "Type=wayland\nClass=user\nState=active\n"


@pytest.mark.parametrize(
    ("properties", "idle"),
    [
        (GRAPHICAL + "IdleHint=no\nIdleSinceHint=0\n", 0.0),
        (GRAPHICAL + "IdleHint=yes\nIdleSinceHint=940000000\n", 60.0),
        (GRAPHICAL + "IdleHint=yes\nIdleSinceHint=2000000000\n", 0.0),
        (GRAPHICAL + "IdleHint=yes\nIdleSinceHint=\n", 0.0),
        ("Type=x11\nState=active\nIdleHint=no\n", 0.0),
        ("Type=tty\nClass=user\nState=active\nIdleHint=no\n", None),
        ("Type=x11\nClass=greeter\nState=online\nIdleHint=no\n", None),
        ("Type=x11\nClass=user\nState=closing\nIdleHint=no\n", None),
        ("", None),
    ],
)
def test_graphical_sessions_say_whether_they_are_idle(properties: str, idle: float | None) -> None:
    assert usage.idle_of_session(properties, 1000.0) == idle


def test_sessions_are_listed() -> None:
    listing = "      2 1000 ann  seat0 tty2  active no   -\n     c1  120 gdm  seat0 tty1  online no -\n\n"
    assert usage.sessions(listing) == ["2", "c1"]
    assert usage.sessions("") == []


def test_terminals_show_when_something_was_typed(tmp_path: Path) -> None:
    for name, typed in (("one", 900), ("two", 940)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (typed, typed))
    assert usage.idle_of_terminals(["one", "two", ":0", "gone"], 1000.0, tmp_path) == 60.0
    assert usage.idle_of_terminals(["gone", "a\0b"], 1000.0, tmp_path) is None
    assert usage.idle_of_terminals(["one"], 800.0, tmp_path) == 0.0


def test_the_shortest_time_counts() -> None:
    assert usage.least(None, 5.0, 3.0, None) == 3.0
    assert usage.least(None, None) is None


@pytest.mark.parametrize(("plugged", "expected"), [(True, False), (False, True), (None, False)])
def test_batteries(monkeypatch: pytest.MonkeyPatch, plugged: bool | None, expected: bool) -> None:
    class Battery:
        power_plugged = plugged

    monkeypatch.setattr(psutil, "sensors_battery", Battery, raising=False)
    assert usage.on_battery() is expected
    monkeypatch.setattr(psutil, "sensors_battery", lambda: None, raising=False)
    assert usage.on_battery() is False


def test_this_machine_can_be_looked_at() -> None:
    found = usage.look()
    assert found.idle_s is None or found.idle_s >= 0
