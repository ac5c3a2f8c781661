"""Which worker fails everything, while others do not: it is asked to take nothing more until somebody looks at it.

Fed with ends of attempts. A worker is suspected when its last ends were all bad, of several different things to run,
and another worker succeeded meanwhile: then the fault is the machine's and not the builds'. Pure; it forgets with the
master.
"""

from dataclasses import dataclass, field

from .model import Attempt, BuildState

ERRORS = 5
"""Attempts in a row that could not be run properly (state error)."""

FAILURES = 20
"""Attempts in a row that ended badly in any way; builds may fail for good reasons, so it takes more of them."""

KINDS = 3
"""Different specs among those: one broken job proves nothing about the machine."""


@dataclass
class _Record:
    errors: int = 0  # ends in a row with state error
    bad: int = 0  # ends in a row that were no success
    specs: set[str] = field(default_factory=set[str])  # what those ran


class Quarantine:
    """The master's memory of how attempts ended."""

    def __init__(self) -> None:
        """Begin with no suspicion."""
        self._records: dict[str, _Record] = {}
        self._succeeded: dict[str, int] = {}  # agent id -> when it last succeeded, counted in ends
        self._ends = 0

    def on_end(self, attempt: Attempt, spec: str) -> str:
        """Take note of an end; return why its worker should take nothing more, empty if it may go on."""
        self._ends += 1
        if attempt.state is BuildState.SUCCEEDED:
            self._records.pop(attempt.agent, None)
            self._succeeded[attempt.agent] = self._ends
            return ""
        if attempt.state not in {BuildState.ERROR, BuildState.FAILED}:
            return ""
        record = self._records.setdefault(attempt.agent, _Record())
        record.errors = record.errors + 1 if attempt.state is BuildState.ERROR else 0
        record.bad += 1
        record.specs.add(spec)
        began = self._ends - record.bad
        others = any(at >= began for agent, at in self._succeeded.items() if agent != attempt.agent)
        if len(record.specs) < KINDS or not others:
            return ""
        if record.errors >= ERRORS:
            return f"quarantined: its last {record.errors} builds could not be run, the last because: {attempt.reason}"
        if record.bad >= FAILURES:
            return f"quarantined: its last {record.bad} builds failed, while others succeed"
        return ""

    def forget(self, agent: str) -> None:
        """Begin anew with a worker: somebody looked at it."""
        self._records.pop(agent, None)
