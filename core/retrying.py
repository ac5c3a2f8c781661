"""Whether a build is tried again after an attempt, and when at the earliest. Pure: decides, and does nothing.

Part of the ledger's rules, and deterministic like it: every voter comes to the same decision about the same attempt.
"""

import re

from .definition import Backoff, Retry
from .errors import InvalidInput
from .model import CRASH_LIMIT, Attempt, Build, BuildState, Millis, StepState

MAX_WAIT_S = 86_400.0
"""Longest wait before a further attempt, however often it was doubled."""


REASONS = ("agent-lost", "failed", "error", "timeout")
"""Why a build may be tried again; beside these, `exit-1` to `exit-255`."""

_EXIT = re.compile(r"exit-([1-9][0-9]{0,2})")
_LAST_CODE = 255


def check_reason(text: str) -> None:
    """Raise InvalidInput for what is no reason of a retry policy."""
    code = _EXIT.fullmatch(text)
    if text not in REASONS and (code is None or int(code[1]) > _LAST_CODE):
        message = f"{text[:40]!r} is no reason; there are: {', '.join(REASONS)}, and exit-1 to exit-255"
        raise InvalidInput(message)


def reasons(attempt: Attempt) -> frozenset[str]:
    """Return the reasons, in the words of a retry policy, for which an attempt ended as it did.

    `failed`: a step failed, or its results cannot be read; `exit-N`: the first step that failed did so with this code;
    `timeout`: a step ran out of time, its own or the build's; `error`: it could not be run properly; `agent-lost`.
    """
    if attempt.state is BuildState.LOST:
        return frozenset({"agent-lost"})
    if attempt.state is BuildState.ERROR:
        return frozenset({"error"})
    if attempt.state is not BuildState.FAILED:
        return frozenset()
    bad = next((one for one in attempt.steps if one.state in {StepState.FAILED, StepState.TIMEOUT}), None)
    if bad is not None and bad.state is StepState.TIMEOUT:
        return frozenset({"timeout"})
    return frozenset({"failed", f"exit-{bad.exit_code}"} if bad is not None and bad.exit_code else {"failed"})


def next_attempt(build: Build, retry: Retry, attempt: Attempt, now: Millis) -> Millis | None:
    """Return the instant from which a further attempt may begin, now that `attempt` has ended; None: there is none.

    A build that took down CRASH_LIMIT workers is not given to another one; one that was asked to stop is left alone.
    """
    crashed_out = attempt.state is BuildState.LOST and build.crashes >= CRASH_LIMIT
    if build.stop is not None or crashed_out or not allows(build, retry, attempt):
        return None
    wait_s = retry.wait_s * (2.0**build.retries if retry.backoff is Backoff.EXPONENTIAL else 1.0)
    return now + round(min(wait_s, MAX_WAIT_S) * 1000)


def allows(build: Build, retry: Retry, attempt: Attempt) -> bool:
    """Whether a policy by itself has a build tried again after an attempt."""
    return build.retries < retry.max and not reasons(attempt).isdisjoint(retry.when)
