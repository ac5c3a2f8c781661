"""What came of it, in figures: counts, and how long failover and detection took. Pure; judging is the checker's."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil

import msgspec

from .checker import RULES, Breach, History
from .events import Accepted, Began, Ended, Event, Failed, Members, Quit

_KILLS = frozenset({"kill master", "kill minority", "kill machine"})
"""Faults that kill a master while others live."""

_RESTARTS = frozenset({"cold start", "storm"})
"""Faults in which every agent is killed and started again."""


class Figures(msgspec.Struct):
    """All that is reported of a run."""

    seed: int
    minutes: float
    agents: int
    mode: str  # how hosts are made: netns or loopback
    submitted: int = 0  # requests
    accepted: int = 0  # requests that were answered with builds
    refused: int = 0  # requests that were given up
    builds: int = 0  # that exist in the end
    ended_once: int = 0  # that have one end, the same on all replicas
    states: dict[str, int] = {}  # how they ended
    executed: int = 0  # attempts that were witnessed
    retries: int = 0  # tries that brought an error or no answer, and were repeated
    logs: int = 0  # logs that were compared, once for each agent that was asked
    breaches: dict[str, int] = {}  # by rule; none is left out
    failover_s: list[float] = []  # from the death of the master to the next accepted build, sorted
    takeover_s: list[float] = []  # the same where the master lives, but stands still, is cut off or has no disk
    restart_s: list[float] = []  # the same where all agents were started anew
    detection_s: list[float] = []  # from the death of a worker until the network gave up what it had, sorted
    undetected: int = 0  # deaths of workers that were over before they were noticed
    faults: dict[str, int] = {}  # by kind
    quits: list[str] = []  # agents that ended by themselves
    elections: int = 0  # terms with a master


def figures(found: Sequence[Event], made: History, breaches: Iterable[Breach], **of: object) -> Figures:
    """Count. `of` are the fields that are not in the events: seed, minutes, agents, mode."""
    counted = Counter(breach.rule for breach in breaches)
    final = {event.request for event in found if isinstance(event, Failed) and event.final}
    ids = made.ids
    kills = [event for event in found if isinstance(event, Began) and event.master]
    return msgspec.convert(
        {
            **of,
            "submitted": len(made.tried),
            "accepted": len(made.accepted),
            "refused": len(final - made.accepted.keys()),
            "builds": len(ids),
            "ended_once": sum(_ended_once(made, build) for build in ids),
            "states": dict(Counter(made.state(build) or "missing" for build in ids).most_common()),
            "executed": len(made.witnesses),
            "retries": sum(isinstance(event, Failed) for event in found),
            "logs": len(made.logs),
            "breaches": {rule: counted[rule] for rule in RULES},
            "failover_s": sorted(failovers([one for one in kills if one.fault in _KILLS], found)),
            "takeover_s": sorted(failovers([one for one in kills if one.fault not in _RESTARTS | _KILLS], found)),
            "restart_s": sorted(failovers([one for one in kills if one.fault in _RESTARTS], found)),
            "detection_s": sorted(detections(found)),
            "undetected": sum(isinstance(event, Began) and event.worker for event in found) - len(detections(found)),
            "faults": dict(sorted(Counter(event.fault for event in found if isinstance(event, Began)).items())),
            "quits": [f"{event.host} ({event.code}): {event.text}" for event in found if isinstance(event, Quit)],
            "elections": len({one.term for one in made.seen if one.master}),
        },
        Figures,
    )


def failovers(kills: Iterable[Began], found: Iterable[Event]) -> list[float]:
    """Return, for each time that the master went, the seconds until something was accepted that was asked for later."""
    accepted = sorted((event.at, event.tried) for event in found if isinstance(event, Accepted))
    times = [min((at for at, tried in accepted if tried >= kill.at), default=None) for kill in kills]
    return [round(at - kill.at, 3) for at, kill in zip(times, kills, strict=True) if at is not None]


def detections(found: Sequence[Event]) -> list[float]:
    """Return, for each worker that went, the seconds until another agent knew that its session is over."""
    times: list[float] = []
    for death in (event for event in found if isinstance(event, Began) and event.worker):
        over = min(
            (e.at for e in found if isinstance(e, Ended) and e.at > death.at and e.fault == death.fault), default=1e99
        )
        noticed = (
            event.at
            for event in found
            if isinstance(event, Members)
            and death.at < event.at < over
            and event.host in event.workers  # it knows the network, and is not one that just comes up
            and event.host not in death.targets
            and not set(death.targets) & set(event.workers)
        )
        first = min(noticed, default=None)
        if first is not None:
            times.append(round(first - death.at, 3))
    return times


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that `percent` of the sorted values do not exceed; None: there are none."""
    return values[max(0, ceil(len(values) * percent / 100) - 1)] if values else None


def told(found: Figures) -> str:
    """Return the figures as a table for people."""
    lines = [
        ("seed", f"{found.seed}, {found.agents} agents ({found.mode}), {found.minutes:.1f} min"),
        ("submitted", f"{found.submitted}, of which {found.accepted} accepted and {found.refused} given up"),
        ("ended once", f"{found.ended_once} of {found.builds}: {_counts(found.states)}"),
        ("executed", f"{found.executed} attempts; {found.retries} tries were repeated"),
        ("logs compared", f"{found.logs}"),
        *((rule, str(count)) for rule, count in found.breaches.items()),
        ("failover", _times(found.failover_s)),
        ("takeover", _times(found.takeover_s)),
        ("restart", _times(found.restart_s)),
        ("detection", _times(found.detection_s) + (f", {found.undetected} not in time" if found.undetected else "")),
        ("elections", str(found.elections)),
        ("faults", f"{sum(found.faults.values())}: {_counts(found.faults)}"),
        *(("ended by itself", text) for text in found.quits),
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in lines)


def _ended_once(made: History, build: str) -> bool:
    ends = [rows for _, rows in made.rows(build)]
    return bool(ends) and all(len(rows) == 1 for rows in ends) and len({rows[0].state for rows in ends}) == 1


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in found.items()) or "none"


def _times(values: Sequence[float]) -> str:
    if not values:
        return "not measured"
    return f"p50 {percentile(values, 50):.2f} s, p99 {percentile(values, 99):.2f} s, n {len(values)}"
