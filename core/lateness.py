"""Attempts that were given up while their workers may still tell how they ended, and what such a late report may say.

Part of the ledger, and deterministic like it. The build has gone on without the attempt, so its end, whenever it comes,
is that attempt's history and nothing else: told once, by the worker that had it. Refuses to know about builds.
"""

import msgspec
from msgspec.structs import replace

from .changes import Changes
from .model import Attempt, Millis

LOST = "lost"
"""Name of the meta row that holds the attempts, as JSON."""

MAX_LOST = 1_000
"""Attempts whose end is still waited for. More: later reports of longer silences count; costs about 100 bytes each."""


class Lost(msgspec.Struct, frozen=True, array_like=True):
    """What is known of an attempt that its worker cannot know better."""

    agent: str  # agent id of the worker that had it
    session: str  # of that worker
    assigned: Millis  # when it was given to the worker


class Lateness:
    """The attempts that were given up and whose end was not told yet, the oldest first."""

    def __init__(self, meta: dict[str, str]) -> None:
        """Begin with what a store remembers."""
        self.lost = msgspec.json.decode(meta[LOST], type=dict[str, Lost]) if LOST in meta else {}
        self._changed = False

    def give_up(self, attempt: Attempt) -> None:
        """Expect no end of an attempt any more; the oldest ones are forgotten when there are too many."""
        self.lost[attempt.key] = Lost(attempt.agent, attempt.session, attempt.assigned)
        while len(self.lost) > MAX_LOST:
            del self.lost[next(iter(self.lost))]
        self._changed = True

    def take(self, report: Attempt, sender: str, changes: Changes) -> None:
        """Let an attempt's history say how it really ended. What is no end, or another's to tell, is passed over."""
        lost = self.lost.get(report.key)
        if lost is None or not report.state.ended or not sender == report.agent == lost.agent:
            return
        del self.lost[report.key]
        self._changed = True
        changes.attempts[report.key] = replace(report, session=lost.session, assigned=lost.assigned)

    def save(self, changes: Changes) -> None:
        """Have the store remember what is different since the last time."""
        if self._changed:
            self._changed = False
            changes.meta[LOST] = msgspec.json.encode(self.lost).decode()
