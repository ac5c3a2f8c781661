"""Waiting builds x willing workers -> assignments, and why a build waits. Pure; time is an argument.

`scheduler` is fed with what changed and asked for assignments. Below it, each an idea of its own: `queues` (builds,
sorted so that only the first of each line is looked at), `workforce` and `places` (which worker, and what is taken of
it), `fairness` (who of the requesters goes next), `limits` (locks and concurrency), `explaining` (why a build waits),
and two containers, `ranking` (first by a key that changes) and `deadlines` (next instant). Imports run that way only.
"""

from .places import PREFETCH_MAX, PREFETCH_S, Worker, prefetch
from .scheduler import Assignment, Scheduler

__all__ = ["PREFETCH_MAX", "PREFETCH_S", "Assignment", "Scheduler", "Worker", "prefetch"]
