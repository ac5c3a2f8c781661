"""A batch in steps, where no transaction is: what changes is written down first, then put in.

A crash between these leaves what is written down, and whoever writes next, or starts from here, completes it. Of
several writers the one counts that claimed last: the store's state, one document, says who that is, and what is written
down and complete.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument

from .changing import Changes, Document, Put
from .deployment import PENDING, Deployment

STEP_BYTES = 4 << 20
"""Bytes of what is written down in one document, but for one that is larger; the server takes 16 MiB."""


def write_down(deployment: Deployment, writer: str, changes: Changes) -> int:
    """Write changes down; return how many steps they are."""
    pending = deployment.collection(PENDING, lasting=False)
    pending.delete_many({})  # of those who claimed before
    steps = 0
    for steps, step in enumerate(_steps(changes), 1):
        pending.insert_one({"_id": {"writer": writer, "step": steps}, **step})
    return steps


def read_down(deployment: Deployment, writer: str, index: int, steps: int) -> Changes | None:
    """Return what is written down; None where it is no more, because it was put in."""
    changes = Changes(index)
    for one in range(1, steps + 1):
        step = deployment.collection(PENDING).find_one({"_id": {"writer": writer, "step": one}})
        if step is None:
            return None
        if step["sums"]:
            changes.sums.setdefault(step["name"], []).extend(step["documents"])
        else:
            changes.puts.setdefault(step["name"], []).extend(Put(one["_id"], one) for one in step["documents"])
    return changes


def _steps(changes: Changes) -> Iterator[Document]:
    """Yield what is written down of changes, in parts that fit into one document."""
    puts = {name: [one.document for one in found] for name, found in changes.puts.items()}
    kept: tuple[tuple[bool, Mapping[str, Sequence[Mapping[str, Any]]]], ...] = ((False, puts), (True, changes.sums))
    for sums, found in kept:
        for name, documents in found.items():
            part: list[Mapping[str, Any]] = []
            room = STEP_BYTES
            for one in documents:
                size = _size(one)
                if part and size > room:
                    yield {"sums": sums, "name": name, "documents": part}
                    part, room = [], STEP_BYTES
                part.append(one)
                room -= size
            if part:
                yield {"sums": sums, "name": name, "documents": part}


def _size(document: Mapping[str, Any]) -> int:
    return len(document.raw if isinstance(document, RawBSONDocument) else bson.encode(document))
