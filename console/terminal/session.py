"""What the console remembers from one time to the next: where one was, filters, columns, order, theme.

A small JSON file of this user's. It is only a habit: what cannot be read is begun anew, what cannot be written is not.
"""

import os
from pathlib import Path

import msgspec
import platformdirs

NAME = "job-orchestra"


class TableState(msgspec.Struct):
    """What was chosen of one table."""

    columns: list[str] = []  # names, in order; empty: as it comes
    order: dict[str, bool] = {}  # column name -> descending
    filter: str = ""  # as it was typed


class State(msgspec.Struct):
    """Everything."""

    place: str = "overview"  # the screen
    theme: str = "dark"  # see themes
    wrap: bool = False  # long lines of logs are wrapped
    tables: dict[str, TableState] = {}  # by screen
    watched: list[str] = []  # ids of builds whose end is told


class Session:
    """The state, and the file it is kept in."""

    def __init__(self, path: Path | None = None) -> None:
        """Keep it in `path`; nowhere for None."""
        self.path = path
        self.state = State()
        self._written = b""
        if path is not None:
            try:
                self.state = msgspec.json.decode(path.read_bytes(), type=State)
            except (OSError, msgspec.DecodeError, UnicodeDecodeError):
                self.state = State()

    def table(self, name: str) -> TableState:
        """Return what was chosen of a table."""
        return self.state.tables.get(name, TableState())

    def keep_table(self, name: str, *, columns: list[str], order: dict[str, bool], filter: str) -> None:  # noqa: A002 - the field's name
        """Take note of what is chosen of a table."""
        self.state.tables[name] = TableState(columns, order, filter)

    def keep_filter(self, name: str, text: str) -> None:
        """Take note of a table's filter."""
        before = self.table(name)
        self.keep_table(name, columns=before.columns, order=before.order, filter=text)

    def save(self) -> None:
        """Write it, if there is anything new."""
        text = msgspec.json.format(msgspec.json.encode(self.state))
        if self.path is None or text == self._written:
            return
        self._written = text
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
            fresh.write_bytes(text)
            fresh.replace(self.path)
        except OSError:
            return


def default_session() -> Path:
    """Return the file of this user's sessions."""
    return Path(platformdirs.user_state_dir(NAME)) / "console.json"


def default_keys() -> Path:
    """Return the file in which this user gives keys to actions."""
    return Path(platformdirs.user_config_dir(NAME)) / "keys.toml"
