"""Which builds are pinned: kept until somebody says otherwise, whatever their age and however many came after them.

Part of the ledger, and deterministic like it. A pin is known by the id of its build, which may have left the ledger
long ago. Refuses to know whether a store still has that build (who asks looks first), and what forgets the others
(store/retention).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .changes import Changes, Outcome
from .errors import LimitReached, NotFound
from .model import Pin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .commands import PinBuilds, UnpinBuilds
    from .ledger import Ledger

MAX_PINS = 10_000
"""Builds that may be pinned at a time. Larger: more of a history never goes; each costs about 300 bytes of memory."""

MAX_NOTE = 1000
"""Characters of a note."""


class Pinning:
    """The pins."""

    def __init__(self, pins: Iterable[Pin]) -> None:
        """Begin with what a store remembers."""
        self.pins: dict[str, Pin] = {one.build: one for one in sorted(pins, key=lambda one: one.build)}

    def pin(self, ledger: Ledger, command: PinBuilds, changes: Changes) -> Outcome:
        """Keep builds; one that is pinned gets the new note."""
        at = ledger.advance(command.at)
        new = command.builds.keys() - self.pins.keys()
        if len(self.pins) + len(new) > MAX_PINS:
            error = LimitReached(
                f"more than {MAX_PINS:,} builds would be pinned; unpin some (orchestra pins lists them), or let the "
                "settings keep and keep-most keep more"
            )
            return ledger.refused(command.kind, command.requester, command.target, error, changes)
        for build, label in command.builds.items():
            self.pins[build] = changes.pins[build] = Pin(build, label, at, command.requester, command.note)
            changes.removed_pins.pop(build, None)
        ids = tuple(command.builds)
        outcome = f"pinned {_named(command.builds.values())}"
        return Outcome(ids, ledger.task(command.kind, command.requester, command.target, outcome, ids, changes))

    def unpin(self, ledger: Ledger, command: UnpinBuilds, changes: Changes) -> Outcome:
        """Let builds go again when their time has come. Those that are not pinned are passed over."""
        ledger.advance(command.at)
        found = [self.pins.pop(one) for one in command.builds if one in self.pins]
        if not found:
            error = NotFound(f"{command.target} is not pinned; orchestra pins lists what is")
            return ledger.refused(command.kind, command.requester, command.target, error, changes)
        for pin in found:
            changes.pins.pop(pin.build, None)
            changes.removed_pins[pin.build] = pin
        ids = tuple(pin.build for pin in found)
        outcome = f"unpinned {_named(pin.label for pin in found)}"
        return Outcome(ids, ledger.task(command.kind, command.requester, command.target, outcome, ids, changes))


def _named(labels: Iterable[str]) -> str:
    """Return builds, for people."""
    first, *others = labels
    return f"{first} and {len(others)} more" if others else first
