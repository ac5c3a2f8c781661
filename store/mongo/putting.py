"""What the server is told to do with changes: orders of many documents each, one after the other.

Outside of a transaction each order has its guard: what is newer, or was added up already, stays.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from typing import Any, TypeAlias

from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from .changing import AT_ONCE, Changes, Document, Put
from .deployment import Deployment
from .summing import Sum

DUPLICATE = 11000
"""The server's number for: there is one with this key."""

Operation: TypeAlias = InsertOne[Mapping[str, Any]] | ReplaceOne[Mapping[str, Any]] | UpdateOne | DeleteOne
Send: TypeAlias = Callable[[str, Sequence[Operation]], None]


@contextmanager
def sending(deployment: Deployment, thread: Executor) -> Iterator[Send]:
    """Give the function that has orders carried out, in their order, by one thread while the next ones are made.

    All have been carried out behind the `with`, or the first error is raised.
    """
    session = deployment.session
    sent: list[Future[list[int]]] = []

    def carry_out(name: str, operations: Sequence[Operation]) -> list[int]:
        with deployment.within(session):
            return run(deployment, name, operations)

    try:
        yield lambda name, operations: sent.append(thread.submit(carry_out, name, operations))
        for one in sent:
            one.result()
    finally:
        for one in sent:
            one.cancel()
        wait(sent)


def apply(deployment: Deployment, changes: Changes) -> None:
    """Put changes in: for the first time, or again."""
    for name, puts in changes.puts.items():
        late = run(deployment, name, placing(puts, changes.index))
        # somebody else put it in meanwhile: it may be older
        again = [puts[place]._replace(new=False) for place in late if puts[place].new]
        run(deployment, name, placing(again, changes.index))
    for name, sums in changes.sums.items():
        run(deployment, name, adding(sums, changes.index, guarded=True))


def placing(puts: Iterable[Put], index: int | None) -> list[Operation]:
    """Return the orders that put documents in; of an index: only in place of older ones."""
    older = {} if index is None else {"rev": {"$lt": index}}
    return [
        InsertOne(one.document)
        if one.new
        else ReplaceOne[Mapping[str, Any]]({"_id": one.identity, **older}, one.document, upsert=True)
        for one in puts
    ]


def adding(sums: Iterable[Sum], index: int, *, guarded: bool = False) -> list[Operation]:
    """Return the orders that add to sums; guarded: only to those that are not as of that index, or a later one."""
    older = {"rev": {"$lt": index}} if guarded else {}
    return [UpdateOne({"_id": one["_id"], **older}, _addition(one, index), upsert=True) for one in sums]


def _addition(one: Sum, index: int) -> Document:
    change: Document = {"$inc": one["add"], "$max": {**one.get("highest", {}), "rev": index}}
    if "keep" in one:
        change["$setOnInsert"] = one["keep"]
    return change


def removing(ids: Iterable[Any]) -> list[Operation]:
    """Return the orders that take out documents for good."""
    return [DeleteOne({"_id": one}) for one in ids]


def run(deployment: Deployment, name: str, operations: Sequence[Operation]) -> list[int]:
    """Carry out orders in any order; return the places of those that found a newer, or the same, document."""
    late: list[int] = []
    collection = deployment.collection(name, lasting=False)
    for start in range(0, len(operations), AT_ONCE):
        part: Any = operations[start : start + AT_ONCE]  # whole documents come as bytes, which the driver's types lack
        try:
            collection.bulk_write(part, ordered=False, session=deployment.session)
        except BulkWriteError as problem:
            failed: list[Document] = problem.details["writeErrors"] if problem.details else []
            if deployment.session is not None or any(one["code"] != DUPLICATE for one in failed):
                raise
            late += [start + one["index"] for one in failed]
    return late
