"""Caches by name: what a build's key comes to, and which of the caches that there are it takes. Pure.

A cache belongs to its project: builds of others never see it. Its name says so, with its key; and with what workers are
called warm by that have it (affinity), which is known before the key is. Refuses to know where caches are.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .affinity import key as affinity_key
from .definition import Cache
from .errors import InvalidInput
from .templates import fill_hashes

LONGEST_KEY = 500
"""Characters of a key."""

HASH_DIGITS = 32
"""Hex digits that `hash()` gives: 128 bits."""


class Name(NamedTuple):
    """What a cache is called."""

    warm: str  # the key by which workers that have it are warm
    project: str  # whose it is
    key: str  # as its builds name it

    def __str__(self) -> str:
        """Return it as one text."""
        return f"{self.warm} {self.project} {self.key}"


class Wish(NamedTuple):
    """What a build would take."""

    project: str  # the build's
    key: str  # best
    restore: tuple[str, ...] = ()  # prefixes of keys that will do otherwise, best first

    def rank(self, name: Name) -> int | None:
        """Return how good a cache is, 0 for what is wanted itself; None: it will not do."""
        if name.project != self.project:
            return None
        if name.key == self.key:
            return 0
        fits = (place for place, one in enumerate(self.restore, 1) if name.key.startswith(one))
        return next(fits, None)


class Stored(NamedTuple):
    """A cache that there is."""

    name: Name  # what it is called
    root: str  # SHA-256 (hex) of the directory that it is
    used: int  # when it was last used, seconds since the epoch


def name_of(project: str, cache: Cache, key: str) -> Name:
    """Return what a cache of a job is called whose key came to this."""
    return Name(affinity_key("cache", cache.key), project, key)


def read_name(text: str) -> Name | None:
    """Return the name that was written as a text; None where it was none."""
    parts = text.split(" ", 2)
    return Name(*parts) if len(parts) == len(Name._fields) else None


def best(wish: Wish, stored: Iterable[Stored]) -> Stored | None:
    """Return the cache that a build takes: of those that are best, the one used last. None: there is none."""
    ranked = [(rank, -one.used, one.root, one) for one in stored if (rank := wish.rank(one.name)) is not None]
    return min(ranked)[-1] if ranked else None


def wish_of(project: str, cache: Cache, digest: Callable[[Sequence[str]], str]) -> Wish:
    """Return what a build would take of one of its caches; `digest` gives what `hash()` is of globs.

    Raises InvalidInput for a key that is too long.
    """
    key, *restore = (fill_hashes(one, digest) for one in (cache.key, *cache.restore))
    if not key or len(key) > LONGEST_KEY:
        message = f"the key of a cache has 1 to {LONGEST_KEY} characters, not {len(key)}; write a shorter one"
        raise InvalidInput(message)
    # an empty prefix fits everything: that of a `hash()` of nothing, as a rule
    return Wish(project, key, tuple(one for one in restore if one))
