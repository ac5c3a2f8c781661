"""The legal changes of state of a build, as a table. An illegal one raises and changes nothing.

Refuses to know why a change happens; that is the ledger's matter. `describe()` prints the table for the documentation.
"""

from .errors import IllegalTransition
from .model import BuildState

_S = BuildState

#: state -> the states it may change to. Ends have no way out: a late report never changes an ended build.
BUILD: dict[BuildState, frozenset[BuildState]] = {
    # cancelled/aborted: withdrawn before any worker had it; skipped: a condition; error: it can never run
    _S.PENDING: frozenset({_S.ASSIGNED, _S.ABORTED, _S.CANCELLED, _S.SKIPPED, _S.ERROR}),
    # pending: lost before it started or by the retry policy; ends: reported together with the start
    _S.ASSIGNED: frozenset(
        {_S.RUNNING, _S.PENDING, _S.SUCCEEDED, _S.FAILED, _S.ERROR, _S.ABORTED, _S.CANCELLED, _S.LOST}
    ),
    # pending: the retry policy starts another attempt
    _S.RUNNING: frozenset({_S.PENDING, _S.SUCCEEDED, _S.FAILED, _S.ERROR, _S.ABORTED, _S.LOST}),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset(),
    _S.ERROR: frozenset(),
    _S.ABORTED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.SKIPPED: frozenset(),
    _S.LOST: frozenset(),
}


def check(current: BuildState, new: BuildState) -> None:
    """Raise IllegalTransition unless a build in `current` may change to `new`."""
    if new not in BUILD[current]:
        ways = ", ".join(sorted(BUILD[current])) or "nothing: it has ended"
        message = f"a build cannot change from {current} to {new}; from {current} it may become {ways}"
        raise IllegalTransition(message)


def describe() -> str:
    """Return the table as aligned text, one line per state."""
    return "\n".join(f"{state:<10} -> {', '.join(sorted(ways)) or '(end)'}" for state, ways in BUILD.items())
