"""Caches: what builds left for later ones."""

import msgspec

from ..errors import DiskFull, NotFound, TimedOut
from ..views.caches import CacheView
from .method import MISSING, OPERATE, READ, SUBMIT, Method, Params


class CachesList(Params, frozen=True):
    """Which caches."""

    project: str | None = None  # only this project's


class CachesRemove(Params, frozen=True):
    """Which caches to forget."""

    project: str  # whose they are; `*` for those of all projects
    key: str  # what their keys begin with


class CachesBring(Params, frozen=True):
    """Which cache a build would take."""

    project: str  # the build's
    key: str  # best
    restore: list[str] = []  # prefixes of keys that will do otherwise, best first
    wait: float = 60.0  # seconds for it to arrive


class Caches(msgspec.Struct, frozen=True):
    """Caches, on all agents that could be asked."""

    caches: list[CacheView]  # the last used first


class CachesRemoved(msgspec.Struct, frozen=True):
    """Caches that are no more."""

    keys: list[str]  # sorted


class CacheBrought(msgspec.Struct, frozen=True):
    """A cache that the asked agent has now."""

    key: str | None  # its key; null: other agents have none that would do


METHODS = (
    Method("caches.list", "What builds left for later ones, and which agents have it", CachesList, Caches, READ),
    Method(
        "caches.remove",
        "Forget caches of a project, on all agents that can be asked",
        CachesRemove,
        CachesRemoved,
        OPERATE,
        MISSING,
    ),
    Method(
        "caches.bring",
        "Have the best cache for a key on the asked agent, as it does before a build's first step",
        CachesBring,
        CacheBrought,
        SUBMIT,
        (NotFound, TimedOut, DiskFull),
    ),
)
