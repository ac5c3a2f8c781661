"""Texts of strangers, fitted into columns: one line, no controls, exactly as many cells as there is room. Pure.

Widths are those that Rich measures, because it is Rich that draws. A text that does not fit ends in `…`; nothing is cut
without a sign.
"""

from enum import StrEnum
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size

from ...core.model import BuildState, StepState, TaskState
from ..format import plain


class Tone(StrEnum):
    """What a text means; the theme says how that looks (painted)."""

    PLAIN = "plain"  # nothing special
    DIM = "dim"  # of less importance
    STRONG = "strong"  # of more importance
    TITLE = "title"  # names a column or a part
    ACCENT = "accent"  # keys, links, what can be acted on
    GOOD = "good"  # succeeded
    BAD = "bad"  # failed
    WARN = "warn"  # stopped, or needs attention
    ODD = "odd"  # went wrong without anybody's wish: errors, losses
    BUSY = "busy"  # at work
    WAIT = "wait"  # not yet
    CURSOR = "cursor"  # the line one stands on
    MARK = "mark"  # a marked line
    MATCH = "match"  # what was searched for
    HERE = "here"  # the match one stands on


Part: TypeAlias = tuple[str, Tone]
"""A text and what it means."""

ELLIPSIS = "…"


def cells(text: str) -> int:
    """Return how many cells a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def clean(text: str) -> str:
    """Return a text that is safe to show on one line."""
    return plain(text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return a clean text in exactly `width` cells."""
    if width <= 0:
        return ""
    length = cells(text)
    if length == width:
        return text
    if length < width:
        return " " * (width - length) + text if right else text + " " * (width - length)
    return set_cell_size(text, width - 1) + ELLIPSIS


def middle(text: str, width: int) -> str:
    """Return a clean text in at most `width` cells, shortened in its middle: for paths and names with a telling end."""
    if cells(text) <= width:
        return text
    head = max(1, (width - 1) // 2)
    tail = width - 1 - head
    end = ""
    for character in reversed(text):
        if cells(character + end) > tail:
            break
        end = character + end
    return set_cell_size(text, head) + ELLIPSIS + end


STATES: dict[str, tuple[str, Tone]] = {
    BuildState.PENDING: ("○", Tone.WAIT),
    BuildState.ASSIGNED: ("◔", Tone.WAIT),
    BuildState.RUNNING: ("●", Tone.BUSY),
    BuildState.SUCCEEDED: ("✓", Tone.GOOD),
    BuildState.FAILED: ("✗", Tone.BAD),
    BuildState.ERROR: ("!", Tone.ODD),
    BuildState.ABORTED: ("■", Tone.WARN),
    BuildState.CANCELLED: ("-", Tone.WARN),
    BuildState.SKIPPED: ("»", Tone.DIM),
    BuildState.LOST: ("?", Tone.ODD),
    StepState.TIMEOUT: ("■", Tone.BAD),
    TaskState.DONE: ("✓", Tone.GOOD),
    TaskState.REFUSED: ("✗", Tone.BAD),
    "ready": ("●", Tone.GOOD),
    "unreachable": ("✗", Tone.BAD),
    "disabled": ("-", Tone.WARN),
    "draining": ("◔", Tone.WARN),
    "paused": ("-", Tone.WARN),
    "leaving": ("◔", Tone.WARN),
}
"""State of a build, step, task or agent -> its sign, so that colour is never all that tells; and its tone."""


def state(value: str) -> Part:
    """Return a state with its sign."""
    sign, tone = STATES.get(value, ("·", Tone.PLAIN))
    return f"{sign} {value}", tone


def bar(share: float, width: int) -> str:
    """Return a bar of `width` cells, filled to a share of 0 to 1, in eighths of a cell."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
    return drawn + "·" * (width - len(drawn))


_LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(values: list[float], width: int) -> str:
    """Return the last `width` values of 0 to 1 as a line of bars."""
    shown = values[-width:]
    return "".join(_LEVELS[min(7, max(0, round(one * 7)))] for one in shown)
