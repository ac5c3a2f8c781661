"""MySQL and MariaDB, through PyMySQL: one database for all agents, of whom the master writes.

Instants are `datetime(3)` in UTC, documents are JSON in `longtext`, texts compare by code points.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import peewee
import pymysql

from ...core.errors import DiskFull, InvalidInput, StorageError
from ..collections import MAX_LENGTH
from ..servers import CONNECT_S, REACHABLE, STATEMENT_S, without_password
from .server import Calendar, Server, cause_of
from .statements import Syntax
from .tables import Types

OLDEST = {"MariaDB": (10, 5), "MySQL": (8, 0)}
"""The first versions that are good enough."""

_OPTIONS = {"unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity"}
_LOCK = "job-orchestra"


class _Datetime(Calendar):
    field_type = "DATETIME(3)"
    epoch = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
    lowest = -30_610_224_000_000  # the year 1000


class _MariaText(peewee.Field):  # texts with spaces at their end are different from those without
    field_type = f"VARCHAR({MAX_LENGTH}) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"


class _MysqlText(peewee.Field):
    field_type = f"VARCHAR({MAX_LENGTH}) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"


class _LongText(peewee.TextField):
    field_type = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


class _Types(Types):
    partial = False
    late = False

    def __init__(self, text: type[peewee.Field]) -> None:
        self._text = text

    def text(self, **options: Any) -> peewee.Field:  # noqa: ANN401 - options of a field
        return self._text(**options)

    def document(self) -> peewee.Field:
        return _LongText()

    def instant(self, **options: Any) -> peewee.Field:  # noqa: ANN401 - options of a field
        return _Datetime(**options)


class _Syntax(Syntax):
    def new(self, column: str) -> str:
        return f"VALUES({self.name(column)})"

    def larger(self, one: str, other: str) -> str:
        return f"GREATEST({one}, {other})"

    def seconds(self, earlier: str, later: str) -> str:
        return f"TIMESTAMPDIFF(MICROSECOND, {earlier}, {later}) / 1000000"

    def shown(self, instant: str) -> str:
        return instant

    def day(self, instant: str) -> str:
        return f"DATE({instant})"

    def view(self, name: str, content: str) -> tuple[str, ...]:
        return (f"CREATE OR REPLACE VIEW {self.name(name)} AS {content}",)

    def on_conflict(self, key: tuple[str, ...], changes: Mapping[str, str]) -> str:
        return f"ON DUPLICATE KEY UPDATE {self.changes(changes or {key[0]: self.name(key[0])})}"


class _Database(peewee.MySQLDatabase):
    """MySQL with a connection per thread, all of which can be closed at the end."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query))
        unknown = sorted(given.keys() - _OPTIONS)
        if unknown:
            message = f"the store's URL has an unknown option {unknown[0]!r}; there are: {', '.join(sorted(_OPTIONS))}"
            raise InvalidInput(message)
        options: dict[str, Any] = {
            "host": parts.hostname or "localhost",
            "port": parts.port or 3306,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or "").encode(),  # else the driver takes Latin-1
            "connect_timeout": CONNECT_S,
            "read_timeout": STATEMENT_S,
            "write_timeout": STATEMENT_S,
            "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
            **{name: value != "false" if "verify" in name else value for name, value in given.items()},
        }
        super().__init__(unquote(parts.path.lstrip("/")), **options)
        self._opened: list[Any] = []

    def _connect(self) -> Any:  # noqa: ANN401 - a connection
        connection: Any = super()._connect()  # type: ignore[misc] - peewee has no types
        self._opened = [one for one in self._opened if one.open]
        self._opened.append(connection)
        return connection

    def close_all(self) -> None:
        """Close the connections of all threads."""
        while self._opened:
            connection = self._opened.pop()
            if connection.open:
                with suppress(pymysql.Error):  # the server may have closed it
                    connection.close()


class Mysql(Server):
    """See Dialect."""

    dump = "mysqldump"
    errors = (pymysql.Error, OSError)
    nulls_first = True

    def __init__(self, url: str) -> None:
        """Speak to the database that a URL names."""
        super().__init__()
        self.url = without_password(url)
        self.database = _Database(url)
        self.syntax = _Syntax("`", "%s")
        try:
            self._said: str = self.database.connection().get_server_info()
        except (peewee.PeeweeException, *self.errors) as problem:
            raise self.translate(problem, "open") from problem
        maria = "maria" in self._said.lower()
        self.types = _Types(_MariaText if maria else _MysqlText)
        self._product = "MariaDB" if maria else "MySQL"

    @contextmanager
    def creating(self) -> Iterator[None]:
        """See Dialect: tables are not created in transactions here, but what is half-created is completed."""
        self.database.execute_sql("SELECT GET_LOCK(%s, %s)", (_LOCK, STATEMENT_S)).fetchone()
        try:
            yield
        finally:
            self.database.execute_sql("SELECT RELEASE_LOCK(%s)", (_LOCK,)).fetchone()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See Dialect."""
        if self.database.transaction_depth() == 0:
            self.database.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with self.database.atomic():
            yield

    def settle(self) -> None:
        """See Dialect."""
        for table in self.database.get_tables():
            self.database.execute_sql(f"ANALYZE TABLE {self.syntax.name(table)}").fetchall()

    def check(self) -> None:
        """See Dialect."""
        oldest = OLDEST[self._product]
        if self._version() < oldest:
            needed = ".".join(str(one) for one in oldest)
            raise self.unusable(f"the server is {self.kind()}, and {self._product} {needed} is needed; upgrade it")

    def _version(self) -> tuple[int, ...]:
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", self._said.removeprefix("5.5.5-"))
        return tuple(int(one) for one in found.groups()) if found else (0,)

    def kind(self) -> str:
        """See Dialect."""
        return f"{self._product} {'.'.join(str(one) for one in self._version())}"

    def bytes(self) -> int:
        """See Dialect: of all tables with their indexes."""
        sizes = "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()"
        return int(self.database.execute_sql(sizes).fetchone()[0] or 0)

    def reclaim(self) -> None:
        """See Dialect."""
        for table in self.database.get_tables():
            self.database.execute_sql(f"OPTIMIZE TABLE {self.syntax.name(table)}").fetchall()

    def explain(self, sql: str, values: Any) -> list[str]:  # noqa: ANN401 - the parameters of a statement
        """See Dialect: table, kind of access, index, rows, remarks."""
        rows = self.database.execute_sql(f"EXPLAIN {sql}", values).fetchall()
        return [" ".join(str(row[place]) for place in (2, 3, 5, 8, 9)) for row in rows]

    def translate(self, problem: Exception, doing: str) -> StorageError:
        """See Dialect."""
        cause = cause_of(problem, pymysql.Error)
        number = cause.args[0] if cause.args else 0
        said = str(cause.args[1]) if len(cause.args) > 1 else str(cause)
        match number:
            case 1045 | 1698:
                remedy = "check user and password in the store's URL"
            case 1049:
                remedy = "create it first: CREATE DATABASE name"
            case 1044 | 1142 | 1227:
                remedy = "the user needs: GRANT ALL ON database.* TO user"
            case 1021 | 1114 | 1041:
                return DiskFull(f"the disk of the store {self.url} is full: {said}; free some space on that server")
            case _:
                remedy = f"check that {REACHABLE}"
        return StorageError(f"cannot {doing} the store {self.url}: {said}; {remedy}")
