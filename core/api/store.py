"""The store: any of its collections, browsed."""

from typing import Any

from ..browsing import Counting, Rows, StoreView
from ..errors import InvalidInput
from .method import READ, Method, NoParams, Params


class StoreQuery(Params, frozen=True):
    """Any collection of the store."""

    collection: str  # one that store.describe names
    where: dict[str, Any] = {}  # as in builds.list
    order: str = ""  # as in builds.list
    limit: int = 50  # 1 to 1000
    after: str | None = None  # `next` of the page before
    search: str = ""  # words, each of which begins a word in the record's texts


class StoreCount(Params, frozen=True):
    """Which rows to count."""

    collection: str  # one that store.describe names
    where: dict[str, Any] = {}  # as in builds.list
    search: str = ""  # as in store.query


METHODS = (
    Method("store.describe", "The store, and what there is to browse", NoParams, StoreView, READ),
    Method("store.query", "A page of any collection of the store", StoreQuery, Rows, READ, (InvalidInput,)),
    Method("store.count", "How many rows a query has, without a scan", StoreCount, Counting, READ, (InvalidInput,)),
)
