"""Decides from the events alone whether the promises were kept: RULES names them. Pure, and offline.

Refuses to excuse: a build that never ended is lost, whatever the network went through. What cannot be seen in the
events is not claimed; `nothing proven` is a violation of its own.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from job_orchestra.core.model import BuildState

from . import events
from .events import Accepted, AttemptRow, BuildRow, Drained, Event, Healed, Leftover, LogRow, Seen, StateRow, Tried
from .jobs import expected_digest

RULES = {
    "nothing proven": "something was accepted, executed and dumped",
    "lost": "every build that was accepted has ended, on every replica",
    "doubled": "a build has one end, the same on every replica, and a request has one set of builds",
    "executed twice": "an attempt is executed at most once, where the network says; a build too, if it is not retried",
    "false success": "a build that succeeded was executed",
    "log mismatch": "the log of a build that succeeded is what it wrote, whichever agent is asked",
    "two masters": "a term has one master",
    "diverged": "replicas at one index have one state, and in the end all have one index",
    "left running": "when a build has ended, nothing it started is still running",
    "not healed": "without faults the network comes together again, and what waits ends",
}
"""What is promised, by the name under which a breach is reported."""

LIMIT = 20
"""Breaches of one rule that are told in words."""

_PASSED_OVER = frozenset({BuildState.LOST, BuildState.ABORTED, BuildState.CANCELLED})
"""How an attempt that was followed by another may look: lost, or, told so later, stopped by its worker."""


@dataclass(frozen=True)
class Breach:
    """A promise that was not kept."""

    rule: str  # of RULES
    what: str  # for people


@dataclass
class History:
    """Events by what they are about."""

    tried: dict[str, Tried] = field(default_factory=dict[str, Tried])  # by request, the first try
    accepted: dict[str, list[Accepted]] = field(default_factory=lambda: defaultdict[str, list[Accepted]](list))
    seen: list[Seen] = field(default_factory=list[Seen])
    witnesses: Counter[tuple[str, int, str]] = field(default_factory=Counter[tuple[str, int, str]])
    builds: dict[str, dict[str, list[BuildRow]]] = field(default_factory=dict[str, dict[str, list[BuildRow]]])
    attempts: dict[str, dict[int, AttemptRow]] = field(
        default_factory=lambda: defaultdict[str, dict[int, AttemptRow]](dict)
    )
    logs: list[LogRow] = field(default_factory=list[LogRow])
    states: list[StateRow] = field(default_factory=list[StateRow])
    leftovers: list[Leftover] = field(default_factory=list[Leftover])
    waits: list[Healed | Drained] = field(default_factory=list[Healed | Drained])

    @property
    def replicas(self) -> list[str]:
        """Hosts of the agents that hold a copy."""
        return [state.host for state in self.states if state.copy]

    @property
    def ids(self) -> set[str]:
        """Ids of all builds that any replica has, or that were accepted."""
        accepted = {build for answers in self.accepted.values() for one in answers for build in one.builds}
        return accepted.union(*(rows.keys() for rows in self.builds.values()))

    def rows(self, build: str) -> list[tuple[str, list[BuildRow]]]:
        """Return what each replica has of a build."""
        return [(host, self.builds.get(host, {}).get(build, [])) for host in self.replicas]

    def state(self, build: str) -> str:
        """Return how a build ended, by the first replica that has it; empty: none has."""
        return next((rows[0].state for _, rows in self.rows(build) if rows), "")


def history(found: Iterable[Event]) -> History:  # noqa: C901 - one line for each kind of event
    """Sort events."""
    made = History()
    for event in found:
        match event:
            case Tried():
                made.tried.setdefault(event.request, event)
            case Accepted():
                made.accepted[event.request].append(event)
            case Seen():
                made.seen.append(event)
            case events.Witness():
                made.witnesses[event.build, event.attempt, event.host] += 1
            case BuildRow():
                made.builds.setdefault(event.host, {}).setdefault(event.id, []).append(event)
            case AttemptRow():
                made.attempts[event.build][event.number] = event
            case LogRow():
                made.logs.append(event)
            case StateRow():
                made.states.append(event)
            case Leftover():
                made.leftovers.append(event)
            case Healed() | Drained():
                made.waits.append(event)
            case _:  # what the figures are made of
                pass
    return made


def check(made: History) -> list[Breach]:
    """Return every promise that was not kept."""
    return [Breach(rule, what) for rule, judge in _JUDGES for what in judge(made)]


# -- one generator for each rule


def _proven(made: History) -> Iterator[str]:
    if not made.accepted:
        yield "no build was accepted"
    if not made.witnesses:
        yield "no build was executed"
    if not made.replicas:
        yield "no replica was dumped"


def _lost(made: History) -> Iterator[str]:
    for build in sorted(made.ids):
        for host, rows in made.rows(build):
            if not rows:
                yield f"{build} is not known to {host}"
            elif not BuildState(rows[0].state).ended:
                yield f"{build} is still {rows[0].state} on {host}"


def _doubled(made: History) -> Iterator[str]:
    for build in sorted(made.ids):
        ends = {row.state for _, rows in made.rows(build) for row in rows}
        if len(ends) > 1:
            yield f"{build} ended as {' and '.join(sorted(ends))}"
        if any(len(rows) > 1 for _, rows in made.rows(build)):
            yield f"{build} is listed twice by one replica"
    for request, answers in sorted(made.accepted.items()):
        sets = {answer.builds for answer in answers}
        if len(sets) > 1:
            yield f"request {request} was answered with {' and '.join(sorted(','.join(one) for one in sets))}"
    yield from _doubled_requests(made)


def _doubled_requests(made: History) -> Iterator[str]:
    for host in made.replicas:
        found: dict[str, list[str]] = defaultdict(list)
        for build, rows in made.builds.get(host, {}).items():
            if rows[0].request:
                found[rows[0].request].append(build)
        for request, builds in sorted(found.items()):
            if len(builds) > 1:
                yield f"request {request} has the builds {', '.join(sorted(builds))} on {host}"
            answers = made.accepted.get(request)
            if answers and set(builds) != set(answers[0].builds):
                yield f"request {request} was answered with {answers[0].builds}, and has {builds} on {host}"


def _twice(made: History) -> Iterator[str]:  # noqa: C901 - what one execution means, from all sides
    names = {state.agent: state.host for state in made.states}
    runs: dict[str, set[int]] = defaultdict(set)
    places: dict[tuple[str, int], list[str]] = defaultdict(list)
    for (build, attempt, host), times in made.witnesses.items():
        runs[build].add(attempt)
        places[build, attempt] += [host] * times
    for (build, attempt), hosts in sorted(places.items()):
        if len(hosts) > 1:
            yield f"attempt {attempt} of {build} was executed {len(hosts)} times, on {', '.join(sorted(set(hosts)))}"
        row = made.attempts.get(build, {}).get(attempt)
        if row is None:
            yield f"attempt {attempt} of {build} was executed on {hosts[0]}, and no replica knows of it"
        elif names.get(row.agent) not in hosts:
            given = names.get(row.agent, row.agent)
            yield f"attempt {attempt} of {build} was executed on {hosts[0]}, and given to {given}"
    for build, attempts in sorted(runs.items()):
        if len(attempts) > 1:
            yield f"{build} has no retry policy, and its attempts {sorted(attempts)} were all executed"
    for build, rows in sorted(made.attempts.items()):
        for number in range(1, max(rows)):
            if number not in rows:
                yield f"{build} has an attempt {max(rows)} and no attempt {number}"
            elif rows[number].state not in _PASSED_OVER:
                yield f"{build} was tried again after attempt {number}, which {rows[number].state}"


def _false_success(made: History) -> Iterator[str]:
    executed = {(build, attempt) for build, attempt, _ in made.witnesses}
    for build in sorted(made.ids):
        for _, rows in made.rows(build)[:1]:
            if rows and rows[0].state == BuildState.SUCCEEDED and (build, rows[0].attempt) not in executed:
                yield f"{build} succeeded, and its attempt {rows[0].attempt} was not executed anywhere"


def _mismatch(made: History) -> Iterator[str]:
    of = {
        build: made.tried[request]
        for request, answers in made.accepted.items()
        if request in made.tried
        for build in answers[0].builds
    }
    digests: dict[str, str] = {}
    for log in made.logs:
        if made.state(log.build) != BuildState.SUCCEEDED or log.build not in of:
            continue
        if log.build not in digests:
            digests[log.build] = expected_digest(of[log.build].number, of[log.build].payload)
        if log.problem:
            yield f"{log.build}: {log.host} has no log: {log.problem}"
        elif log.sha256 != digests[log.build]:
            yield f"{log.build}: the log from {log.host} has {log.size} bytes, and not those that were written"


def _masters(made: History) -> Iterator[str]:
    masters: dict[int, dict[str, str]] = defaultdict(dict)
    for one in made.seen:
        if one.master:
            masters[one.term].setdefault(one.master, one.host)
    for term, found in sorted(masters.items()):
        if len(found) > 1:
            yield f"term {term}: " + ", ".join(f"{master} by {host}" for master, host in sorted(found.items()))


def _diverged(made: History) -> Iterator[str]:
    copies = [state for state in made.states if state.copy and state.digest]
    by_index: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for state in copies:
        by_index[state.index][state.digest].append(state.host)
    for index, digests in sorted(by_index.items()):
        if len(digests) > 1:
            told = "; ".join(f"{', '.join(hosts)}: {digest[:12]}" for digest, hosts in sorted(digests.items()))
            yield f"at entry {index} the states differ: {told}"
    if len(by_index) > 1:
        yield "replicas stayed behind: " + ", ".join(f"{state.host} at {state.index}" for state in copies)


def _left(made: History) -> Iterator[str]:
    for left in made.leftovers:
        if left.pids:
            yield f"{len(left.pids)} processes of builds still run on {left.host}"


def _not_healed(made: History) -> Iterator[str]:
    for wait in made.waits:
        if wait.why_not:
            yield f"after {wait.took:.0f} s: {wait.why_not}"


_JUDGES: list[tuple[str, Callable[[History], Iterator[str]]]] = list(
    zip(
        RULES,
        (
            *(_proven, _lost, _doubled, _twice, _false_success, _mismatch),
            *(_masters, _diverged, _left, _not_healed),
        ),
        strict=True,
    )
)
