"""From a URL to a store: `sqlite:///absolute/path.db`, `json:///absolute/folder`, `postgresql://...`, `memory:`.

Each kind is imported when it is asked for. A further kind comes from an installed package, as an entry point of the
group `job_orchestra.stores`: its name is the scheme, and what it names is called with the URL and returns a Store
(contract.py). How to write one: examples/job-orchestra-shelf.
"""

from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from ..core.errors import InvalidInput, StorageError
from ..core.nearest import nearest
from .contract import Store

GROUP = "job_orchestra.stores"
"""Entry points of stores that others wrote."""


def open_store(url: str) -> Store:
    """Open, and create where it is missing, the store that `url` names.

    Raises InvalidInput for a URL that names none, NewerSchema for one of a newer version, StorageError for one that
    cannot be used; each with the remedy.
    """
    scheme, colon, rest = url.partition(":")
    opener = _OPENERS.get(scheme) if colon else None
    if opener is not None:
        return opener(rest)
    others = {one.name: one for one in entry_points(group=GROUP)}
    if colon and scheme in others:
        return _provided(others[scheme].load, url)
    known = [*_OPENERS, *others]
    guess = nearest(scheme, known)
    hint = f"did you mean {guess}:?" if guess else f"there are: {', '.join(f'{one}:' for one in known)}"
    if "://" in url and not guess:
        hint += f"; for {scheme}: install a package that provides it (entry point group {GROUP})"
    message = f"{_shown(url)!r} names no store; {hint} (for example sqlite:///var/lib/orchestra/history.db)"
    raise InvalidInput(message)


def _shown(url: str) -> str:
    """Return a URL without user and password, as it may be shown."""
    before, slashes, rest = url.partition("//")
    return f"{before}{slashes}{rest.rpartition('@')[2]}"[:120]


def _provided(load: Callable[[], Callable[[str], Store]], url: str) -> Store:
    try:
        opener = load()
    except (ImportError, AttributeError) as problem:
        message = f"the package that provides the store {_shown(url)!r} cannot be used: {problem}; install it anew"
        raise StorageError(message) from problem
    return opener(url)


def path_of(url: str) -> Path | None:
    """Return the file or folder of this machine that a store is in; None for one that is elsewhere, or nowhere."""
    scheme, _, rest = url.partition(":")
    return Path("/" + rest.lstrip("/")) if scheme in {"sqlite", "json"} else None


def _sqlite(rest: str) -> Store:
    from .sql.store import SqlStore

    return SqlStore.sqlite(_path("sqlite", rest, "file", "sqlite:////home/ann/history.db"))


def _json(rest: str) -> Store:
    from .jsonfiles import JsonStore

    return JsonStore(_path("json", rest, "folder", "json:////home/ann/history"))


def _path(scheme: str, rest: str, what: str, example: str) -> Path:
    if not rest.startswith("///") or not rest.strip("/") or (what == "file" and rest.endswith("/")):
        message = f"'{scheme}:{rest[:120]}' names no {what}; write {scheme}:/// and the path, as {example}"
        raise InvalidInput(message)
    # sqlite:////a/b is the absolute path /a/b as SQLAlchemy and peewee write it; ///a/b, where /a/b is meant, is taken
    # too
    return Path("/" + rest.lstrip("/"))


def _postgresql(rest: str) -> Store:
    _check_server("postgresql", rest)
    try:
        from .sql.postgresql import Postgresql
    except ImportError as problem:
        raise _no_driver("postgresql", problem) from None
    from .sql.store import SqlStore

    return SqlStore(Postgresql(f"postgresql:{rest}"))


def _mysql(rest: str) -> Store:
    _check_server("mysql", rest)
    try:
        from .sql.mysql import Mysql
    except ImportError as problem:
        raise _no_driver("mysql", problem) from None
    from .sql.store import SqlStore

    return SqlStore(Mysql(f"mysql:{rest}"))


def _mongodb(rest: str, scheme: str = "mongodb") -> Store:
    _check_server(scheme, rest)
    try:
        from .mongo.store import MongoStore
    except ImportError as problem:
        raise _no_driver("mongodb", problem) from None
    return MongoStore(f"{scheme}:{rest}")


def _memory(rest: str) -> Store:
    from .memory import MemoryStore

    if rest:
        message = "write just memory: (it has no path; what it holds ends with the agent)"
        raise InvalidInput(message)
    return MemoryStore()


def _check_server(scheme: str, rest: str) -> None:
    place, _, database = rest.removeprefix("//").partition("/")
    if not rest.startswith("//") or not place or not database.partition("?")[0]:
        message = f"{_shown(f'{scheme}:{rest}')!r} names no database; write {scheme}://user:password@host/database"
        raise InvalidInput(message)


def _no_driver(scheme: str, problem: ImportError) -> StorageError:
    return StorageError(
        f"a store at {scheme}: needs a driver that is not installed ({problem.name}); install it with: "
        f"pipx install --force 'job-orchestra[{scheme}]' (or: pip install 'job-orchestra[{scheme}]')"
    )


_OPENERS: dict[str, Callable[[str], Store]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mongodb": _mongodb,
    "mongodb+srv": partial(_mongodb, scheme="mongodb+srv"),
    "json": _json,
    "memory": _memory,
}
