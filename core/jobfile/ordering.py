"""The order between the jobs of a file: what they need is there, once, and nothing waits for itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..definition import Need
from ..names import hint
from ..shapes import Placed, Problems


def check_order(jobs: Mapping[str, Placed[dict[str, Any]]], problems: Problems) -> None:
    """Report unknown and repeated needs, and one problem for each circle."""
    graph: dict[str, list[Placed[Need]]] = {}
    for name, job in jobs.items():
        known: dict[str, Placed[Need]] = {}
        for one in job.value.get("needs") or ():
            wanted = one.value.job
            if wanted not in jobs:
                others = [other for other in jobs if other != name]
                rest = hint(wanted, others, "there is no other job")
                problems.add(one.node, one.key, f"there is no job {wanted[:60]!r}; {rest}")
            elif wanted == name:
                problems.add(one.node, one.key, f"{name} needs itself; remove that")
            elif wanted in known:
                problems.add(one.node, one.key, f"names {wanted!r} twice; remove one")
            else:
                known[wanted] = one
        graph[name] = list(known.values())
    for circle in _circles(graph):
        first = circle[0]
        names = [one.value.job for one in circle]
        way = ", which needs ".join([*names[:-1], names[-1]])
        problems.add(first.node, first.key, f"{names[-1]} needs {way}: none could ever start; remove one of these")


def _circles(graph: Mapping[str, Sequence[Placed[Need]]]) -> list[list[Placed[Need]]]:
    """Return circles as the needs along them, from the job that is first in the file; not more than one per job."""
    done: set[str] = set()
    found: list[list[Placed[Need]]] = []
    for start in graph:
        way: list[tuple[str, int]] = [(start, 0)] if start not in done else []
        here = {start} if way else set[str]()
        while way:
            name, place = way[-1]
            if place == len(graph[name]):
                way.pop()
                here.discard(name)
                done.add(name)
                continue
            way[-1] = (name, place + 1)
            wanted = graph[name][place].value.job
            if wanted in here:
                names = [one for one, _ in way]
                along = way[names.index(wanted) :]
                found.append([graph[one][following - 1] for one, following in along])
            elif wanted not in done:
                way.append((wanted, 0))
                here.add(wanted)
    return found
