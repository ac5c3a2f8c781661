"""What becomes of attempts: given to workers, reported by them, given back or lost with them, and followed by another.

Part of the ledger, and deterministic like it. Refuses to know which worker would be best (scheduling).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from . import lifecycle
from .changes import Changes, Outcome
from .model import CRASH_LIMIT, Attempt, Build, BuildState, Context, Millis, Stop
from .retrying import allows, next_attempt

if TYPE_CHECKING:
    from .commands import Assign, Overdue, Record
    from .ledger import Ledger


def assign(ledger: Ledger, command: Assign, changes: Changes) -> Outcome:
    """Give builds to a worker: those of them that still wait, and only in the session that was chosen."""
    at = ledger.advance(command.at)
    agent = ledger.agents.get(command.agent)
    if agent is None or agent.session != command.session:
        return Outcome(changed=False)  # the worker began a new session meanwhile; the builds stay pending
    given: list[str] = []
    for one in command.builds:
        build = ledger.builds.get(one)
        if build is None or build.state is not BuildState.PENDING or build.held:
            continue  # cancelled or given away while this command was on its way
        missing = ledger.secrecy.missing(build.project, ledger.specs[build.spec].secrets)
        if missing:
            ledger.end(replace(build, finished=at, reason=missing), BuildState.ERROR, changes)
            continue
        number = build.attempt + 1
        attempt = Attempt(one, number, agent.id, agent.session, BuildState.ASSIGNED, assigned=at)
        build = replace(build, state=BuildState.ASSIGNED, agent=agent.id, attempt=number, reason="")
        ledger.builds[one] = changes.builds[one] = build
        ledger.attempts[one] = changes.attempts[attempt.key] = attempt
        given.append(one)
    return Outcome(tuple(given), changed=bool(given))


def overdue(ledger: Ledger, command: Overdue, changes: Changes) -> Outcome:
    """End builds that waited for longer than they may. One that got a worker meanwhile has not."""
    at = ledger.advance(command.at)
    ended: list[str] = []
    for one, why in command.builds.items():
        build = ledger.builds.get(one)
        if build is None or build.state is not BuildState.PENDING or build.held:
            continue
        limit = ledger.specs[build.spec].waiting_s
        if limit is not None and at - (build.ready or build.created) >= limit * 1000:
            reason = f"waited for a worker for longer than {limit:g} s, as it may{f': {why}' if why else ''}"
            ledger.end(replace(build, finished=at, reason=reason), BuildState.ERROR, changes)
            ended.append(one)
    return Outcome(tuple(ended), changed=bool(ended))


def record(ledger: Ledger, command: Record, changes: Changes) -> Outcome:
    """Let builds follow what their worker reports of them."""
    ledger.advance(command.at)
    touched: list[str] = []
    for report in command.attempts:
        current = ledger.attempts.get(report.build)
        if current is not None and current.number == report.number:
            mine = current.agent == command.agent == report.agent and current.session == report.session
            if mine and _fits(ledger, report):
                _take(ledger, current, report, changes)
                touched.append(report.build)
        else:
            ledger.lateness.take(report, command.agent, changes)  # superseded, or of a build that has ended
    return Outcome(tuple(touched), changed=bool(touched))


def _fits(ledger: Ledger, report: Attempt) -> bool:
    """Whether a worker may say this of its build as it stands. To raise where it may not would stop every voter."""
    state = ledger.builds[report.build].state
    if report.state is BuildState.PENDING:
        return False  # whether there is another attempt is not the worker's to say
    return report.state is state or report.state in lifecycle.BUILD[state]


def _take(ledger: Ledger, current: Attempt, report: Attempt, changes: Changes) -> None:
    """Let the current attempt of a live build, and so the build, follow its worker's report."""
    build = ledger.builds[report.build]
    report = replace(report, assigned=current.assigned)
    changes.attempts[report.key] = report
    fields = {"started": report.started, "log_bytes": report.log_bytes}
    if report.state.ended:
        ready = next_attempt(build, ledger.specs[build.spec].retry, report, ledger.counters.at)
        if ready is not None:
            _try_again(ledger, build, report.reason, ready, changes)
            return
        build = replace(
            build, **fields, finished=report.finished, reason=report.reason, results=report.results, stop=None
        )
        if report.artifacts:
            build = replace(build, context=replace(build.context or Context(), kept=report.artifacts))
        ledger.end(build, report.state, changes)
        return
    ledger.attempts[build.id] = report
    if report.state is not build.state:
        lifecycle.check(build.state, report.state)
        # a cancel came too late for a build that had started: it goes on, as if it had not been asked
        stop = None if build.stop is Stop.CANCEL else build.stop
        build = replace(build, **fields, state=report.state, stop=stop)
        ledger.builds[build.id] = changes.builds[build.id] = build


def lose(ledger: Ledger, attempt: Attempt, reason: str, changes: Changes) -> None:
    """Take the current attempt of a live build for lost with its worker; try the build again if its policy says so.

    A build that took down CRASH_LIMIT workers is not given to another one.
    """
    build = ledger.builds[attempt.build]
    build = ledger.builds[build.id] = replace(build, crashes=build.crashes + 1)
    lost = replace(attempt, state=BuildState.LOST, finished=ledger.counters.at, reason=reason)
    ledger.lateness.give_up(attempt)
    wanted = build.stop is None and allows(build, ledger.specs[build.spec].retry, lost)
    if wanted and build.crashes >= CRASH_LIMIT:
        lost = replace(lost, reason=f"{reason}; it is not tried again, for {build.crashes} workers were lost with it")
    _take(ledger, attempt, lost, changes)


def _try_again(ledger: Ledger, build: Build, reason: str, ready: Millis, changes: Changes) -> None:
    """Put a build whose attempt has ended back into the queue."""
    lifecycle.check(build.state, BuildState.PENDING)
    del ledger.attempts[build.id]
    again = replace(
        build,
        state=BuildState.PENDING,
        agent="",
        reason=f"tried again: {reason}",
        ready=ready,
        retries=build.retries + 1,
    )
    ledger.builds[build.id] = changes.builds[build.id] = again


def give_back(ledger: Ledger, attempt: Attempt, reason: str, changes: Changes) -> None:
    """Put a build whose attempt was never begun back into the queue, or end it if it was asked to stop."""
    at = ledger.counters.at
    build = ledger.builds[attempt.build]
    changes.attempts[attempt.key] = replace(attempt, state=BuildState.LOST, finished=at, reason=reason)
    if build.stop is not None:
        state = BuildState.CANCELLED if build.stop is Stop.CANCEL else BuildState.ABORTED
        ledger.end(replace(build, finished=at, stop=None), state, changes)
        return
    lifecycle.check(build.state, BuildState.PENDING)
    del ledger.attempts[build.id]
    back = replace(build, state=BuildState.PENDING, agent="", reason=reason, ready=at)
    ledger.builds[build.id] = changes.builds[build.id] = back
