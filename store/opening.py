"""From a URL to a store: `sqlite:///absolute/path.db`, `memory:`. Each kind is imported when it is asked for."""

from collections.abc import Callable
from pathlib import Path

from ..core.errors import InvalidInput
from ..core.nearest import nearest
from .contract import Store


def open_store(url: str) -> Store:
    """Open, and create where it is missing, the store that `url` names.

    Raises InvalidInput for a URL that names none, NewerSchema for one of a newer version, StorageError for one that
    cannot be used; each with the remedy.
    """
    scheme, colon, rest = url.partition(":")
    opener = _OPENERS.get(scheme)
    if not colon or opener is None:
        guess = nearest(scheme, _OPENERS)
        hint = f"did you mean {guess}:?" if guess else f"there are: {', '.join(f'{one}:' for one in _OPENERS)}"
        message = f"{url[:120]!r} names no store; {hint} (for example sqlite:///var/lib/orchestra/history.db)"
        raise InvalidInput(message)
    return opener(rest)


def _sqlite(rest: str) -> Store:
    from .sql.store import SqlStore

    if not rest.startswith("///") or rest.endswith("/"):
        message = (
            f"'sqlite:{rest[:120]}' names no file; write sqlite:/// and the path, as sqlite:////home/ann/history.db"
        )
        raise InvalidInput(message)
    # sqlite:////a/b is the absolute path /a/b as SQLAlchemy and peewee write it; ///a/b, where /a/b is meant, is taken
    # too
    path = Path("/" + rest.lstrip("/"))
    return SqlStore.sqlite(path)


def _memory(rest: str) -> Store:
    from .memory import MemoryStore

    if rest:
        message = "write just memory: (it has no path; what it holds ends with the agent)"
        raise InvalidInput(message)
    return MemoryStore()


_OPENERS: dict[str, Callable[[str], Store]] = {"sqlite": _sqlite, "memory": _memory}
