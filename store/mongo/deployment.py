"""A MongoDB deployment: connecting, what it can do, indexes that are there and right, and errors with their remedy."""

import contextlib
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pymongo
from bson.codec_options import DatetimeConversion
from pymongo import IndexModel, errors
from pymongo.client_session import ClientSession
from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database
from pymongo.write_concern import WriteConcern

from ...core.errors import DiskFull, InvalidInput, OrchestraError, StorageError
from ..collections import COLLECTIONS, Collection
from ..servers import CONNECT_S, REACHABLE, STATEMENT_S, without_password
from .documents import path_of
from .views import VIEWS

OLDEST = (5, 0)
"""The first version that is good enough: it reads many documents as of one moment."""

_LISTING = (6, 0)
"""The first version whose indexes may have only documents with one of several values."""

META, SIZES, TALLIES, USAGE, VOCABULARY, PENDING = "meta", "sizes", "tallies", "agent_days", "vocabulary", "pending"
"""Collections beside those of records: the store's own state, the sums (sums.py), and what is about to be put in."""

_ALL = (*COLLECTIONS, PENDING, SIZES, TALLIES, USAGE, VOCABULARY)
"""The collections that hold what is cleared."""

MANY = 10_000
"""Documents that are removed one by one at most; the server gives an order a minute."""

INDEXES_S = 3600
"""Seconds that making indexes may take: of a million builds some minutes on a slow server."""

_BESIDE = {
    TALLIES: [("project", "job", "state")],
    USAGE: [("day", "agent")],
}
_OUT_OF_DISK = 14031
_REMEDIES = {
    13: "the user needs the role readWrite on this database",
    18: "check user, password and authSource in its URL",
    8000: "check user and password in its URL",
    85: "an index of those fields is there by another name; drop it, and it is made anew",
    86: "an index of that name is of another kind; drop it, and it is made anew",
}


class Deployment:
    """The way to one database."""

    def __init__(self, url: str, what: str = "store") -> None:
        """Connect, and learn what there is. Raises StorageError or InvalidInput with the remedy.

        `what` is how it is called in errors.
        """
        self.url = without_password(url)
        self._what = what
        name = urlsplit(url).path.lstrip("/")
        options: dict[str, Any] = {
            "serverSelectionTimeoutMS": CONNECT_S * 1000,
            "connectTimeoutMS": CONNECT_S * 1000,
            "socketTimeoutMS": STATEMENT_S * 1000,
            "appname": "job-orchestra",
            "tz_aware": True,
            "datetime_conversion": DatetimeConversion.DATETIME_AUTO,
        }
        given = urlsplit(url).query.lower()
        options = {option: value for option, value in options.items() if option.lower() not in given}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # an unknown option, which the driver would ignore
                self.client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url, **options)
            self.database: Database[dict[str, Any]] = self.client[name]
        except (
            UserWarning,
            errors.ConfigurationError,
            errors.InvalidURI,
            errors.InvalidName,
            ValueError,
            TypeError,
        ) as problem:
            said = str(problem).partition(" Did you mean")[0].partition(" Hint:")[0].partition(' "')[0].rstrip(".")
            message = (
                f"the {what}'s URL cannot be used: {said}; write mongodb://user:password@host/database, and in user "
                "and password what is neither letter nor digit as % and two hex digits"
            )
            raise InvalidInput(message) from None
        self._sessions = threading.local()
        try:
            self._meet()
        except BaseException:
            self.client.close()
            raise

    def _meet(self) -> None:
        """Learn what there is. Raises StorageError where it cannot be used."""
        with self.translated("open"):
            hello = self.client.admin.command("hello")
            self.replicated = "setName" in hello or hello.get("msg") == "isdbgrid"
            self._version: str = self.client.server_info()["version"]
        self._release = tuple(int(one) for one in self._version.split(".")[:2])
        if self._release < OLDEST:
            needed = ".".join(str(one) for one in OLDEST)
            said = f"the server is MongoDB {self._version}, and {needed} is needed; upgrade it"
            raise StorageError(f"cannot use the {self._what} {self.url}: {said}")

    @property
    def kind(self) -> str:
        """Name, version and kind of the deployment, for people."""
        return f"MongoDB {self._version}, {'replica set' if self.replicated else 'standing alone'}"

    def collection(self, name: str, *, lasting: bool = True) -> MongoCollection[dict[str, Any]]:
        """Return a collection; with `lasting` writes are on the disks of a majority when they return."""
        found = self.database[name]
        if self.session is not None:
            return found  # what is written in a transaction lasts when that has ended
        concern = WriteConcern(w="majority" if self.replicated else 1, j=True) if lasting else WriteConcern(w=1)
        return found.with_options(write_concern=concern)

    # -- sessions

    @property
    def session(self) -> ClientSession | None:
        """What this thread reads and writes in at the moment."""
        return getattr(self._sessions, "current", None)

    @contextlib.contextmanager
    def within(self, session: ClientSession | None) -> Iterator[None]:
        """Let this thread read and write in a session."""
        self._sessions.current = session
        try:
            yield
        finally:
            self._sessions.current = None

    @contextlib.contextmanager
    def steady(self) -> Iterator[bool]:
        """Let this thread's reads see one state, where the deployment can do that."""
        if not self.replicated or self.session is not None:
            yield self.session is not None
            return
        with self.client.start_session(snapshot=True) as session, self.within(session):
            yield True

    # -- indexes

    def create(self) -> None:
        """Create the collections, views and indexes that are missing; an index of other fields or kind is refused."""
        there = set(self.database.list_collection_names())
        for name in {*_ALL, META} - there:
            with contextlib.suppress(errors.CollectionInvalid):  # another agent came first
                self.database.create_collection(name)
        for name in VIEWS.keys() - there:
            with contextlib.suppress(errors.CollectionInvalid):  # another agent came first
                self.database.create_collection(name, viewOn=VIEWS[name][0], pipeline=VIEWS[name][1])
        self.create_indexes()

    def create_indexes(self) -> None:
        """Create the indexes that are missing, and those anew that an earlier version made in another way."""
        for name, made in _indexes(partial=self._release >= _LISTING):
            known = self.database[name].index_information()
            for one in _outdated(made, known):
                self.database[name].drop_index(one)
                del known[one]
            lacking = [one for one in made if not _is_there(one, known)]
            if lacking:
                with pymongo.timeout(INDEXES_S):
                    self.database[name].create_indexes(lacking)

    def empty(self) -> None:
        """Remove all records and sums; collections of many with their indexes, which takes no longer than of few."""
        for name in _ALL:
            if self.database[name].estimated_document_count() < MANY:
                self.collection(name).delete_many({})
            else:
                self.database[name].drop()
                self.database.create_collection(name)

    def drop_indexes(self) -> None:
        """Take out the indexes of what may be many: made at once behind all documents they cost less."""
        for name in (one.name for one in COLLECTIONS.values() if one.large):
            self.database[name].drop_indexes()

    # -- errors

    @contextlib.contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Turn the driver's errors into ours."""
        try:
            yield
        except errors.PyMongoError as problem:
            raise self._translate(problem, doing) from problem

    def _translate(self, problem: errors.PyMongoError, doing: str) -> OrchestraError:
        said = str(problem)
        for detail in (", full error", ", Timeout:", " (configured timeouts", " to execute command"):
            said = said.partition(detail)[0]
        said = said.rstrip(".")
        code = getattr(problem, "code", None)
        if isinstance(problem, errors.BulkWriteError):
            failed: list[dict[str, Any]] = (problem.details or {}).get("writeErrors", [])
            code, said = (failed[0].get("code"), str(failed[0].get("errmsg"))) if failed else (code, said)
        if code == _OUT_OF_DISK or "No space left" in said:
            return DiskFull(f"the disk of the {self._what} {self.url} is full: {said}; free some space on that server")
        unknown = "check replicaSet in its URL" if "replica set name" in said else f"check that {REACHABLE}"
        remedy = _REMEDIES.get(code or 0, unknown)
        return StorageError(f"cannot {doing} the {self._what} {self.url}: {said}; {remedy}")


def _outdated(made: Iterable[IndexModel], known: Mapping[str, Any]) -> list[str]:
    """Return the names of indexes that have the right fields and leave out documents that are wanted in them by now."""
    wanted = {one.document["name"]: one for one in made}
    return [
        name
        for name, found in known.items()
        if name in wanted and found.get("sparse", False) and not wanted[name].document.get("sparse", False)
    ]


def _is_there(index: IndexModel, known: Mapping[str, Any]) -> bool:
    """Whether an index is known, of the same fields; one of others is refused by the server."""
    found = known.get(index.document["name"])
    return found is not None and found["key"] == list(index.document["key"].items())


def _indexes(*, partial: bool) -> Iterator[tuple[str, list[IndexModel]]]:
    """Yield the indexes of each collection."""
    for name, collection in COLLECTIONS.items():
        yield name, _of_collection(collection, partial=partial)
    for name, fields in _BESIDE.items():
        yield name, [IndexModel([(one, 1) for one in each], name="_".join(each)) for each in fields]


def _of_collection(collection: Collection, *, partial: bool) -> list[IndexModel]:
    made: list[IndexModel] = []
    if len(collection.key) > 1:
        # what is left of removed records has no such fields; only small collections have any, and a sparse index orders
        # nothing but what is known to be in it
        sparse = not collection.large
        made.append(IndexModel([(one, 1) for one in collection.key], name="key", unique=True, sparse=sparse))
    for index in collection.indexes:
        # of something that was removed nothing is left but its key
        kept: dict[str, Any] = {index.given: {"$gt": ""}} if index.given else {}
        if index.among is not None and partial:
            field, values = index.among
            kept = {field: {"$in": list(values)}}
        options: dict[str, Any] = {"partialFilterExpression": kept} if kept else {}
        made.append(
            IndexModel(
                [(path_of(collection, one), 1) for one in index.fields],
                name="_".join(index.fields),
                **({"unique": True} if index.unique else {}),
                **options,
            )
        )
    if collection.texts:
        made.append(IndexModel([("words", 1), ("_id", 1)], name="words"))
    return made
