"""Patterns of paths: `*` and `?` for what is in one name, `**` for any number of directories, `[...]` for one of some.

A pattern that names a directory stands for all that is in it. Names are bytes; case counts, and a leading dot is a
character as any other. Pure: refuses to know what is there.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from .errors import InvalidInput

_SPECIAL = re.compile(rb"[*?\[]")


class Globs:
    """Some patterns, relative to one directory."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Understand them. Raises InvalidInput for one that leads out of the directory, or is none."""
        self.patterns = patterns
        self._parts = [_parts(one) for one in patterns]
        self._whole = [re.compile(_regex(parts), re.DOTALL) for parts in self._parts]

    def matching(self, path: bytes) -> list[int]:
        """Return the places of the patterns that a path matches, or a directory that it lies in."""
        return [place for place, one in enumerate(self._whole) if one.fullmatch(path)]

    def matches(self, path: bytes) -> bool:
        """Whether a path matches one of the patterns, or lies in a directory that does."""
        return any(one.fullmatch(path) for one in self._whole)

    def roots(self) -> list[bytes]:
        """Return the directories, or files, in which all that matches lies: nothing else need be looked at."""
        found = {b"/".join(_fixed(parts)) for parts in self._parts}
        return sorted(one for one in found if not any(_inside(one, other) for other in found if other != one))


def literal(path: str) -> str:
    """Return the pattern that only this path fits, and what lies in it."""
    return re.sub(r"[*?\[]", r"[\g<0>]", path)


def _parts(pattern: str) -> list[bytes]:
    text = pattern.encode("utf-8", "surrogateescape").removeprefix(b"./").rstrip(b"/")
    parts = [one for one in text.split(b"/") if one != b"."]
    if not text or text.startswith((b"/", b"~")) or b".." in parts or b"" in parts or b"\0" in text:
        message = f"{pattern[:60]!r} is no path or glob in the directory; write it relative to that, without `..`"
        raise InvalidInput(message)
    # one `**` behind another says nothing new, and would make the expression slow
    once = [one for place, one in enumerate(parts) if one != b"**" or parts[place - 1 : place] != [b"**"]]
    return once or [b"**"]


def _fixed(parts: Iterable[bytes]) -> list[bytes]:
    """Return the names that a pattern begins with, up to the first that stands for several."""
    found: list[bytes] = []
    for one in parts:
        if _SPECIAL.search(one):
            break
        found.append(one)
    return found


def _inside(path: bytes, folder: bytes) -> bool:
    return not folder or path.startswith(folder + b"/")


def _regex(parts: Sequence[bytes]) -> bytes:
    """Return the expression that fits what a pattern stands for, and all that lies in it.

    What stands between two `**`, or two `*`, is taken where it comes first: no later place would do where that does
    not. So a match never takes longer than the length of pattern and path make it, whoever wrote them.
    """
    first, *others = _runs(parts, b"**")
    found = b"/".join(map(_name, first))
    if not others:
        return found + b"(?:/.*)?"
    found += b"/" if first else b""
    *between, last = others
    for names in between:
        found += b"(?>(?:[^/]+/)*?" + b"".join(_name(one) + b"/" for one in names) + b")"
    return found + (b"(?:[^/]+/)*?" + b"/".join(map(_name, last)) + b"(?:/.*)?" if last else b".*")


def _name(part: bytes) -> bytes:
    """Return the expression for one name."""
    first, *others = _runs(list(_characters(part)), b"*")
    found = b"".join(first)
    if not others:
        return found
    *between, last = others
    found += b"".join(b"(?>[^/]*?" + b"".join(one) + b")" for one in between if one)
    return found + b"[^/]*" + b"".join(last)


def _runs(items: Sequence[bytes], between: bytes) -> list[list[bytes]]:
    """Return what lies before, between and behind items of one kind."""
    found: list[list[bytes]] = [[]]
    for one in items:
        if one == between:
            found.append([])
        else:
            found[-1].append(one)
    return found


def _characters(part: bytes) -> Iterator[bytes]:
    """Yield the expression for each character of a name; `*` as it is."""
    at = 0
    while at < len(part):
        one = part[at : at + 1]
        at += 1
        if one == b"*":
            yield one
        elif one == b"?":
            yield b"[^/]"
        elif one == b"[" and (end := part.find(b"]", at + 1 + (part[at : at + 1] in {b"!", b"^"}))) > 0:
            inside = part[at:end]
            negated = inside[:1] in {b"!", b"^"}
            inside = inside[1:] if negated else inside
            yield b"(?!/)[" + (b"^" if negated else b"") + _set(inside) + b"]"
            at = end + 1
        else:
            yield re.escape(one)


def _set(inside: bytes) -> bytes:
    """Return the inside of a set, in which only ranges have a meaning; one that runs backwards is empty."""
    found, at = b"", 0
    while at < len(inside):
        first, last = inside[at : at + 1], inside[at + 2 : at + 3]
        if inside[at + 1 : at + 2] == b"-" and last:
            if first <= last:
                found += re.escape(first) + b"-" + re.escape(last)
            at += 3
        else:
            found += re.escape(first)
            at += 1
    return found or rb"\0"
