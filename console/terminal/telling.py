"""Everything that is known of one thing, as lines: of a build, a job, an agent, a task. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from ...core.views.builds import AttemptView, BuildView, StepView
from ..format import ago, between, duration, pin_words, size
from .cells import Part, Tone, clean, state

Lines: TypeAlias = list[list[Part]]

_LABEL = 12  # cells of what stands before


def title(text: str) -> Lines:
    """Return a heading with an empty line above."""
    return [[], [(text, Tone.TITLE)]]


def fact(name: str, *parts: Part) -> list[Part]:
    """Return a line with a name before it."""
    return [(f"{clean(name):<{_LABEL}} ", Tone.DIM), *parts]


def text(name: str, value: object) -> list[Part]:
    """Return a line with a name before a text."""
    return fact(name, (clean(str(value)), Tone.PLAIN))


def section(name: str, lines: Lines) -> Lines:
    """Return lines under a heading; nothing where there are none."""
    return [*title(name), *lines] if lines else []


def pairs(values: Mapping[str, str]) -> Lines:
    """Return names with their values."""
    return [[(f"  {clean(name)} = ", Tone.DIM), (clean(value), Tone.PLAIN)] for name, value in sorted(values.items())]


def telling(build: BuildView, reasons: Sequence[str], names: Mapping[str, str], moment: datetime) -> Lines:
    """Return everything about a build at a moment; `names`: of agents, by id."""
    return [
        *_facts(build, names, moment),
        *section("WHY", [[("  ", Tone.PLAIN), (clean(one), Tone.PLAIN)] for one in reasons]),
        *section("STEPS", [_step(one, moment) for one in build.steps]),
        *section("PARAMETERS", pairs(build.parameters)),
        *section("RESULTS", pairs(build.results)),
        *section("ARTIFACTS", [[("  ", Tone.PLAIN), (clean(_artifact(one)), Tone.PLAIN)] for one in build.artifacts]),
        *section("ATTEMPTS", [_attempt(one, names, moment) for one in build.attempts]),
    ]


def _facts(build: BuildView, names: Mapping[str, str], moment: datetime) -> Lines:
    lines: Lines = [
        text("build", f"{build.project}/{build.job}#{build.number} ({build.id})"),
        fact("state", state(build.state), (f"  {clean(build.reason)}" if build.reason else "", Tone.PLAIN)),
        text("asked by", f"{build.requester}, {ago(build.created, moment)}"),
        text("cause", build.cause),
        text("waited", duration(between(build.created, build.started or build.finished, moment))),
        text("took", duration(between(build.started, build.finished, moment))),
        text("priority", build.priority),
        text("log", size(build.log_bytes)),
    ]
    if build.agent:
        lines.append(text("agent", f"{names.get(build.agent, '')} ({build.agent})".strip()))
    if build.pipeline:
        lines.append(text("pipeline", build.pipeline))
    if build.pin is not None:
        lines.append(text("pinned", pin_words(build.pin, moment)))
    return lines


def _step(step: StepView, moment: datetime) -> list[Part]:
    end = f"  signal {step.signal}" if step.signal is not None else f"  exit {step.exit_code}" if step.exit_code else ""
    took = duration(between(step.started, step.finished, moment))
    return [("  ", Tone.PLAIN), state(step.state), (f"  {clean(step.name)}", Tone.PLAIN), (f"  {took}{end}", Tone.DIM)]


def _attempt(attempt: AttemptView, names: Mapping[str, str], moment: datetime) -> list[Part]:
    took = duration(between(attempt.started, attempt.finished, moment))
    where = clean(names.get(attempt.agent, attempt.agent))
    return [
        (f"  {attempt.number}  ", Tone.DIM),
        state(attempt.state),
        (f"  on {where}, {took}", Tone.PLAIN),
        (f"  {clean(attempt.reason)}" if attempt.reason else "", Tone.DIM),
    ]


def _artifact(found: Mapping[str, object]) -> str:
    name = str(found.get("path") or found.get("name") or found)
    length = found.get("size")
    return f"{name}  {size(length)}" if isinstance(length, int) else name
