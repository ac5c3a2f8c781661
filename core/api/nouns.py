"""The nouns of the table, and where the row of one method is found: commands ask for two or three of all there are."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from .method import Method

NOUNS = (
    "network",
    "agents",
    "agent",
    "jobs",
    "builds",
    "artifacts",
    "pipelines",
    "pins",
    "schedules",
    "secrets",
    "caches",
    "tasks",
    "store",
    "events",
)
"""What methods are named after, in the order of the reference: each is a module beside this one."""


@cache
def rows(noun: str) -> Mapping[str, Method]:
    """Return the methods of one of NOUNS, by name."""
    found: tuple[Method, ...] = import_module(f".{noun}", __package__).METHODS
    return {one.name: one for one in found}


def method(name: str) -> Method | None:
    """Return a method's row; None: there is no such method."""
    noun = name.partition(".")[0]
    return rows(noun).get(name) if noun in NOUNS else None
