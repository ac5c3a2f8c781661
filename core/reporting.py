"""What the network takes of what a worker says: a member it is, but its words are a stranger's. Pure.

A report is never refused, for it would be told again for ever and its build would not end: what makes no sense is left
out, and the reason says so. What an agent says of itself is refused, with what is wrong. Both are looked at before they
become commands, so all voters agree on what they were. Refuses to know whose attempt it is (the ledger).
"""

from collections.abc import Iterator

from msgspec.structs import replace

from . import offer
from .entering import MAX_NAME, printable
from .errors import InvalidInput
from .ids import is_digest
from .model import AgentRecord, Attempt, Millis, StepResult
from .resources import MOST

MAX_AHEAD_MS: Millis = 24 * 3600 * 1000
"""How far a worker's clock may be before the master's. Larger: wrong clocks are believed, and builds seem to be new."""

MAX_REASON = 4_000
"""Characters of a reason."""

MAX_RESULTS = 256
"""Results of an attempt; as many as its executor takes."""

MAX_SLOTS = 100_000
"""Builds that a worker may run at a time."""

MAX_TEXT = 1_000
"""Characters of a label, an address, a session and other short texts of an agent's record."""

MAX_PORT = 65_535
"""The last port there is."""

_MAX_BYTES = 1 << 53  # of a log: every database and JSON reader has such numbers
_MAX_CODE = 1 << 31  # of a process's exit code or signal


def sound(report: Attempt, now: Millis) -> Attempt:
    """Return a report without what makes no sense at this time of the master's."""
    left_out = dict(_wrong(report, now + MAX_AHEAD_MS))
    reason = report.reason
    if left_out:  # said first, for the rest may be long
        said = f"what its worker said of {', '.join(left_out)} makes no sense and was left out"
        reason = f"{said}; {reason}" if reason else said
    fields = {**left_out, "reason": reason[:MAX_REASON]}
    if report.state.ended and fields.get("finished", report.finished) is None:
        fields["finished"] = now
    return report if fields == {"reason": report.reason} else replace(report, **fields)


def check_record(record: AgentRecord) -> None:
    """Raise InvalidInput where an agent says of itself what cannot be."""
    if not record.name or record.name != printable(record.name, MAX_NAME):
        message = f"an agent's name has 1 to {MAX_NAME} printable characters; choose another one with --name"
        raise InvalidInput(message)
    if not 1 <= record.slots <= MAX_SLOTS:
        raise InvalidInput(f"slots must be 1 to {MAX_SLOTS}, not {record.slots}; choose another number with --slots")
    for name, amount in record.resources.items():
        if not 0 <= amount <= MOST:
            message = f"the resource {name[:80]!r} must be 0 to {MOST}, not {amount:g}; change it in agent.toml"
            raise InvalidInput(message)
    if not all(0 <= one <= MAX_PORT for one in (record.bulk, record.door)):
        raise InvalidInput("an agent's ports are 0 to 65535; upgrade the agent that says otherwise")
    labels = (text for label in record.labels.items() for text in label)
    texts = (record.session, record.version, record.public, record.paused, *record.addresses, *labels)
    if any(len(one) > MAX_TEXT for one in texts):
        raise InvalidInput(f"labels and other texts of an agent have up to {MAX_TEXT} characters; shorten its labels")
    offer.check(record.offer)


def _wrong(report: Attempt, latest: Millis) -> Iterator[tuple[str, object]]:
    """Yield the names of fields that make no sense, with what is put in their place."""
    if not _instant(report.started, latest):
        yield "started", None
    if not _instant(report.finished, latest):
        yield "finished", None
    if not 0 <= report.log_bytes <= _MAX_BYTES:
        yield "log_bytes", 0
    if report.log and not is_digest(report.log):
        yield "log", ""
    if report.artifacts and not is_digest(report.artifacts):
        yield "artifacts", ""
    if len(report.results) > MAX_RESULTS:
        yield "results", {}
    if not all(_step(one, latest) for one in report.steps):
        yield "steps", ()


def _step(step: StepResult, latest: Millis) -> bool:
    """Whether what is said of a step makes sense."""
    return (
        _instant(step.started, latest)
        and _instant(step.finished, latest)
        and 0 <= step.log_start <= _MAX_BYTES
        and 0 <= (step.log_end or 0) <= _MAX_BYTES
        and abs(step.exit_code or 0) <= _MAX_CODE
        and 0 <= (step.signal or 0) <= _MAX_CODE
    )


def _instant(at: Millis | None, latest: Millis) -> bool:
    return at is None or 0 <= at <= latest
