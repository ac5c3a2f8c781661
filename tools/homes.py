"""One foreign library per module family: which imports of a library are outside its home. Pure; `contracts` asks it.

A library without a home is refused as well, so that adding a dependency is a decision that somebody writes down.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Import(NamedTuple):
    """A direct import of a library by a module of the package."""

    module: str
    """The importing module, without the name of the package: `agent.mesh`."""
    library: str
    """The top-level name of what it imports."""


def parse(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Read lines like `zmq: agent.mesh agent.client` into library -> homes. Raises `ValueError` on any other line."""
    homes: dict[str, tuple[str, ...]] = {}
    for line in lines:
        library, colon, modules = line.partition(":")
        if not colon or not modules.split() or library in homes:
            raise ValueError(f"expected one line 'library: module module ...' per library, got {line!r}")
        homes[library] = tuple(modules.split())
    return homes


def strays(imports: Iterable[Import], homes: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a sentence for each import that is outside the home of its library, sorted."""
    found = []
    for module, library in sorted(imports):
        if library in sys.stdlib_module_names:
            continue
        if library not in homes:
            found.append(f"{module} imports {library}, which has no home: ask who keeps it, then give it a line")
        elif not any(module == home or module.startswith(f"{home}.") for home in homes[library]):
            found.append(f"{module} imports {library}, which is at home in {', '.join(homes[library])}")
    return found
