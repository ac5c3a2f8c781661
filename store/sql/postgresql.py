"""PostgreSQL, through psycopg 3: one database for all agents, of whom the master writes.

Instants are `timestamptz`, documents are `json`, texts compare by code points whatever the database's locale.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import peewee
import psycopg
from psycopg import conninfo
from psycopg.types.string import TextLoader

from ...core.errors import DiskFull, StorageError
from ..collections import MAX_LENGTH
from ..servers import CONNECT_S, REACHABLE, STATEMENT_S, without_password
from .server import Calendar, Server, cause_of
from .statements import ROWS, Syntax
from .tables import Types

OLDEST = 120000
"""The first version that is good enough (12), as the server counts: later ones keep what they are asked for."""

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SAID = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "no pg_hba.conf entry": "28000",
    'role "': "28000",
    'database "': "3D000",
    "permission denied": "42501",
}
_LOCK = 0x4A4F5354  # any number that others do not take for an advisory lock


class _Timestamp(Calendar):
    field_type = "TIMESTAMPTZ(3)"
    epoch = datetime.fromtimestamp(0, UTC)
    lowest = -62_135_596_800_000  # the year 1


class _Text(peewee.Field):
    field_type = f'VARCHAR({MAX_LENGTH}) COLLATE "C"'


class _Document(peewee.TextField):
    field_type = "json"  # in small letters: peewee makes jsonb of JSON, which does not take every text


class _Types(Types):
    def text(self, **options: Any) -> peewee.Field:  # noqa: ANN401 - options of a field
        return _Text(**options)

    def record(self) -> peewee.Field:
        return _Document()

    def instant(self, **options: Any) -> peewee.Field:  # noqa: ANN401 - options of a field
        return _Timestamp(**options)


class _Syntax(Syntax):
    def indexed(self, column: str) -> str:
        return f"{self.name(column)} NULLS FIRST"

    def larger(self, one: str, other: str) -> str:
        return f"GREATEST({one}, {other})"

    def seconds(self, earlier: str, later: str) -> str:
        return f"EXTRACT(EPOCH FROM {later} - {earlier})::double precision"

    def shown(self, instant: str) -> str:
        return instant

    def day(self, instant: str) -> str:
        return f"({instant} AT TIME ZONE 'UTC')::date"

    def view(self, name: str, content: str) -> tuple[str, ...]:
        return (f"CREATE OR REPLACE VIEW {self.name(name)} AS {content}",)  # what others made of it stays


class _Database(peewee.PostgresqlDatabase):
    """PostgreSQL with a connection per thread, all of which can be closed at the end."""

    def __init__(self, url: str) -> None:
        options = {
            "connect_timeout": CONNECT_S,
            "options": f"-c statement_timeout={STATEMENT_S * 1000} -c client_min_messages=warning",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "application_name": "job-orchestra",
        }
        given = conninfo.conninfo_to_dict(url)
        options = {name: value for name, value in options.items() if name not in given}
        super().__init__(conninfo.make_conninfo(url), prefer_psycopg3=True, **options)
        self._opened: list[psycopg.Connection[Any]] = []

    def _connect(self) -> Any:  # noqa: ANN401 - a connection
        connection = psycopg.connect(self.database, autocommit=True, **self.connect_params)
        connection.adapters.register_loader("json", TextLoader)  # documents are read as texts
        self._opened = [one for one in self._opened if not one.closed]
        self._opened.append(connection)
        return connection

    def close_all(self) -> None:
        """Close the connections of all threads."""
        while self._opened:
            self._opened.pop().close()


class Postgresql(Server):
    """See Dialect."""

    dump = "pg_dump"
    errors = (psycopg.Error, OSError)
    nulls_first = False
    copied = 64  # a statement asks the server less often

    def __init__(self, url: str) -> None:
        """Speak to the database that a URL names, as libpq reads it."""
        super().__init__()
        self.url = without_password(url)
        self.types = _Types()
        self.syntax = _Syntax(parameter="%s")
        try:
            self.database = _Database(url)
        except psycopg.Error as problem:
            raise self.unusable(f"the URL cannot be read: {problem}") from None

    @contextmanager
    def creating(self) -> Iterator[None]:
        """See Dialect."""
        with self.database.atomic():
            self.database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See Dialect."""
        inside = self.database.transaction_depth() > 0
        with self.database.atomic():
            if not inside:
                self.database.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield

    def run(self, sql: str, values: Sequence[Any]) -> Any:  # noqa: ANN401 - a cursor of the driver
        """See Dialect: with numbers for parameters, else the driver reads all of the statement each time."""
        return psycopg.RawCursor(self.database.connection()).execute(_numbered(sql), values)

    def copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """See Dialect."""
        names = ", ".join(self.syntax.name(one) for one in columns)
        into = f"COPY {self.syntax.name(table)} ({names}) FROM STDIN"
        with self.database.connection().cursor() as cursor, cursor.copy(into) as copy:
            for start in range(0, len(rows), ROWS):
                copy.write("".join(map(_line, rows[start : start + ROWS])))

    def settle(self) -> None:
        """See Dialect."""
        for table in self.database.get_tables():
            self.database.execute_sql(f"ANALYZE {self.syntax.name(table)}")

    def check(self) -> None:
        """See Dialect."""
        version = self.database.connection().info.server_version
        if version < OLDEST:
            raise self.unusable(
                f"the server is PostgreSQL {version // 10000}, and {OLDEST // 10000} is needed; upgrade it"
            )
        encoding = self.database.connection().info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise self.unusable(f"it is encoded as {encoding}; create it anew: createdb -E UTF8 -T template0 NAME")

    def kind(self) -> str:
        """See Dialect."""
        version = self.database.connection().info.server_version
        return f"PostgreSQL {version // 10000}.{version % 10000}"

    def bytes(self) -> int:
        """See Dialect: of all tables with their indexes."""
        tables = self.database.get_tables()
        sizes = "SELECT SUM(pg_total_relation_size(quote_ident(one)::regclass)) FROM unnest(%s::text[]) AS one"
        return int(self.database.execute_sql(sizes, (tables,)).fetchone()[0] or 0)

    def reclaim(self) -> None:
        """See Dialect. Who reads waits meanwhile, table by table."""
        self.database.execute_sql("SET statement_timeout = 0")
        try:
            for table in self.database.get_tables():
                self.database.execute_sql(f"VACUUM (FULL, ANALYZE) {self.syntax.name(table)}")
        finally:
            self.database.execute_sql(f"SET statement_timeout = {STATEMENT_S * 1000}")

    def explain(self, sql: str, values: Any) -> list[str]:  # noqa: ANN401 - the parameters of a statement
        """See Dialect."""
        return [row[0] for row in self.database.execute_sql(f"EXPLAIN {sql}", values).fetchall()]

    def translate(self, problem: Exception, doing: str) -> StorageError:
        """See Dialect."""
        cause = cause_of(problem, psycopg.Error)
        state = getattr(cause, "sqlstate", None) or _state_of(str(cause))
        said = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        match state:
            case "28P01" | "28000":
                remedy = "check user and password in the store's URL, and pg_hba.conf on the server"
            case "3D000":
                remedy = "create it first: createdb NAME"
            case "42501":
                remedy = "the user needs to own the database, or: GRANT CREATE, USAGE ON SCHEMA public TO user"
            case "53100":
                return DiskFull(f"the disk of the store {self.url} is full: {said}; free some space on that server")
            case "57014":
                remedy = f"it took more than {STATEMENT_S} seconds; look at what else the server does"
            case _:
                remedy = f"check that {REACHABLE}"
        return StorageError(f"cannot {doing} the store {self.url}: {said}; {remedy}")


@lru_cache(maxsize=256)
def _numbered(sql: str) -> bytes:
    """Return a statement with numbers for its parameters."""
    pieces = sql.split("%s")
    return "".join([*(f"{one}${number}" for number, one in enumerate(pieces[:-1], 1)), pieces[-1]]).encode()


def _line(row: tuple[Any, ...]) -> str:
    """Return a row as COPY takes it."""
    line = "\t".join(["\\N" if one is None else one if isinstance(one, str) else str(one) for one in row])
    if "\\" in line or "\n" in line or "\r" in line or line.count("\t") >= len(row):  # as few rows are
        values = ["\\N" if one is None else str(one).translate(_ESCAPES) for one in row]
        line = "\t".join(values)
    return f"{line}\n"


def _state_of(said: str) -> str:
    """Return the number of an error while connecting, which only its text tells."""
    return next((state for part, state in _SAID.items() if part in said), "")
