"""What agreed entries do in a simulation: next to nothing, or what they do in the product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_orchestra.core.commands import NewBuild, Submit, decode, encode
from job_orchestra.core.consensus import EntryKind
from job_orchestra.core.definition import Spec, Step
from job_orchestra.core.ledger import Ledger

if TYPE_CHECKING:
    from job_orchestra.core.consensus import Entry


class State:
    """What entries do, in the fewest words: a number that depends on every entry and their order."""

    def request(self, number: int) -> bytes:
        """Return the data of a request; the same number is the same request, asked again."""
        return b"%d" % number

    def digest(self, before: int, entry: Entry, applied: list[Entry]) -> int:
        """Return the state's digest after `entry`, from the one before it; `applied` are all entries, by index."""
        return hash((before, entry.term, entry.index, entry.data))


class LedgerState(State):
    """The real ledger, fed with submissions."""

    def __init__(self) -> None:
        self.ledgers: dict[int, list[Ledger]] = {}  # digest -> ledgers that are in that state now

    def request(self, number: int) -> bytes:
        spec = Spec(steps=(Step("make", f"make {number % 3}"),))
        build = NewBuild(project="simulated", job=f"job{number % 3}", spec=spec.digest())
        submit = Submit(
            at=1000 + number, requester="walker", builds=(build,), specs={spec.digest(): spec}, request=str(number)
        )
        return encode((submit,))

    def digest(self, before: int, entry: Entry, applied: list[Entry]) -> int:
        waiting = self.ledgers.get(before)
        ledger = waiting.pop() if waiting else self._replayed(applied[2 : entry.index])
        self._apply(ledger, entry)
        digest = int(ledger.digest()[:15], 16)
        self.ledgers.setdefault(digest, []).append(ledger)
        return digest

    def _replayed(self, entries: list[Entry]) -> Ledger:
        ledger = Ledger()
        for entry in entries:
            self._apply(ledger, entry)
        return ledger

    def _apply(self, ledger: Ledger, entry: Entry) -> None:
        ledger.apply(entry.index, decode(entry.data) if entry.data and entry.kind is EntryKind.NORMAL else ())
