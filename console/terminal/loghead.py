"""The head of a step in a log: its name, how it stands, how long it took. Pure."""

from datetime import datetime

from ...core.views.builds import StepView
from ..format import between, duration, size
from .cells import Part, Tone, cells, clean, fit, middle, state


def head_of(step: StepView, *, folded: bool, width: int, moment: datetime) -> list[Part]:
    """Return the line above a step's output."""
    took = duration(between(step.started, step.finished, moment))
    end = "" if step.exit_code in {None, 0} else f"exit {step.exit_code}"
    if step.signal is not None:
        end = f"signal {step.signal}"
    length = "" if step.log_end is None else size(step.log_end - step.log_start)
    name = middle(clean(step.name), max(8, width // 2))
    said: list[Part] = [
        ("▸ " if folded else "▾ ", Tone.ACCENT),
        (name, Tone.STRONG),
        ("  ", Tone.PLAIN),
        state(step.state),
        (f"  {took}", Tone.DIM),
        (f"  {end}" if end else "", Tone.BAD),
        (f"  {length}" if folded else "", Tone.DIM),
        ("  ", Tone.PLAIN),
    ]
    used = sum(cells(text) for text, _ in said)
    return [*said, (fit("─" * max(0, width - used), max(0, width - used)), Tone.DIM)]


def clock(step: StepView) -> str:
    """Return when a step began, on this machine's clock, with a space behind it; empty: it has not."""
    if step.started is None:
        return ""
    return f"{datetime.fromisoformat(step.started).astimezone():%H:%M:%S} "
