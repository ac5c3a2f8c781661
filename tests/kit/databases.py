"""Real database servers for tests: private ones, on directories and ports of their own, that may be stopped and killed.

Where the tests are root's, PostgreSQL runs as `nobody`: it refuses to be root's.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from .ports import free_port
from .waiting import wait_until

PASSWORD = "it's s€cret:/@"
"""Of the user that stores are opened as: what has to be quoted in a URL."""

QUOTED = "it%27s%20s%E2%82%ACcret%3A%2F%40"


MEMORY = Path("/dev/shm")
ROOM = 2 << 30
"""Bytes that must be free there to put databases into memory, where nothing waits for a disk."""


def place() -> Path | None:
    """Return where databases are put; None: where all temporary files are."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


class Server:
    """A server process."""

    options: Mapping[str, Any] = {}  # of the process

    def __init__(self) -> None:
        """Make room for one; nothing runs yet."""
        self.folder = Path(tempfile.mkdtemp(prefix="orchestra-database-", dir=place()))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._names = count(1)
        if "user" in self.options:
            shutil.chown(self.folder, str(self.options["user"]))

    def missing(self) -> str:
        """Return why it cannot be started here; empty: it can."""
        raise NotImplementedError

    def command(self) -> Sequence[str]:
        """Return what is started."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it can be used."""
        raise NotImplementedError

    def new(self) -> str:
        """Return the URL of a new, empty database."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make what it needs for its first start."""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if not (self.folder / "log").exists():
            self.prepare()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen[bytes](
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **self.options
            )
        wait_until(self.answers, f"{self.command()[0]} answers", hopeless=self._ended)

    def _ended(self) -> str:
        ended = self.process is not None and self.process.poll() is not None
        return (self.folder / "log").read_text()[-2000:] if ended else ""

    def run(self, *command: str) -> None:
        """Run a tool of it to its end."""
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, **self.options)
        assert done.returncode == 0, done.stdout + done.stderr

    def kill(self) -> None:
        """End it at once, as a power loss does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """Let it stand still: it keeps its connections and answers nobody."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it and leave nothing behind."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def program(name: str, *places: str) -> str | None:
    """Return the path of a server's program, or None where it is not installed."""
    folders = [str(one) for place in places for one in sorted(Path("/").glob(place.lstrip("/")), reverse=True)]
    return shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)]))


class PostgresqlServer(Server):
    """PostgreSQL: database cluster, user `orchestra` with PASSWORD."""

    options = {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.geteuid() == 0 else {}

    def prepare(self) -> None:
        """See Server: make the cluster."""
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "password").chmod(0o644)
        self.run(
            *(self._tool("initdb"), "-D", str(self.folder / "data"), "-U", "orchestra", "--no-sync"),
            *("--auth=scram-sha-256", "--pwfile", str(self.folder / "password"), "--locale=C", "-E", "UTF8"),
        )

    def missing(self) -> str:
        """See Server."""
        return "" if program("initdb", "/usr/lib/postgresql/*/bin") else "PostgreSQL is not installed"

    @staticmethod
    def _tool(name: str) -> str:
        found = program(name, "/usr/lib/postgresql/*/bin")
        assert found is not None
        return found

    def command(self) -> Sequence[str]:
        """See Server."""
        settings = (
            *("fsync=off", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}"),
            "dynamic_shared_memory_type=mmap",  # what is killed leaves nothing behind outside of its folder
        )
        flags = [word for one in settings for word in ("-c", one)]
        return [self._tool("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *flags]

    def url(self, database: str = "postgres", user: str = "orchestra", password: str = QUOTED) -> str:
        """Return the URL of a database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def do(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute a statement as the owner of everything."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def answers(self) -> bool:
        """See Server."""
        import psycopg

        try:
            self.do("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def new(self) -> str:
        """See Server."""
        name = f"history{next(self._names)}"
        self.do(f"CREATE DATABASE {name}")
        return self.url(name)


class MysqlServer(Server):
    """MariaDB, or MySQL where that is installed: user `orchestra` with PASSWORD, who may do everything."""

    def prepare(self) -> None:
        """See Server: make the data directory."""
        install = program("mariadb-install-db", "/usr/bin", "/usr/share/mysql")
        assert install is not None
        user = ("--user=root",) if os.geteuid() == 0 else ()
        self.run(
            *(install, "--no-defaults", f"--datadir={self.folder / 'data'}", *user),
            "--auth-root-authentication-method=normal",
        )

    def missing(self) -> str:
        """See Server."""
        return "" if program("mariadbd", "/usr/sbin", "/usr/libexec") else "MariaDB is not installed"

    def command(self) -> Sequence[str]:
        """See Server."""
        server = program("mariadbd", "/usr/sbin", "/usr/libexec")
        assert server is not None
        return [
            server,
            "--no-defaults",
            *(("--user=root",) if os.geteuid() == 0 else ()),
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-innodb-doublewrite",
            "--innodb-log-file-size=16M",
            "--innodb-buffer-pool-size=64M",
            "--skip-log-bin",
        ]

    def url(self, database: str, user: str = "orchestra", password: str = QUOTED) -> str:
        """Return the URL of a database."""
        return f"mysql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def do(self, statement: str, database: str | None = None) -> Any:  # noqa: ANN401 - rows
        """Execute a statement as the owner of everything."""
        import pymysql

        connection = pymysql.connect(unix_socket=str(self.folder / "socket"), user="root", database=database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def answers(self) -> bool:
        """See Server."""
        with socket.socket(socket.AF_UNIX) as probe:  # the driver leaves sockets open where it is too early
            try:
                probe.connect(str(self.folder / "socket"))
                return bool(probe.recv(1))
            except OSError:
                return False

    def start(self) -> None:
        """See Server."""
        super().start()
        self.do(f"CREATE USER IF NOT EXISTS orchestra@'127.0.0.1' IDENTIFIED BY \"{PASSWORD}\"")
        self.do("GRANT ALL ON *.* TO orchestra@'127.0.0.1'")

    def new(self) -> str:
        """See Server."""
        name = f"history{next(self._names)}"
        self.do(f"CREATE DATABASE {name}")
        return self.url(name)


class MongoServer(Server):
    """MongoDB: a replica set of one member without users, or standing alone, with `orchestra` as of PostgreSQL."""

    def __init__(self, *, replica_set: bool) -> None:
        """Make room."""
        super().__init__()
        self.replica_set = replica_set

    @staticmethod
    def program() -> str | None:
        """Return the path of mongod: installed, or from the package that brings it."""
        folders = [str(Path(one) / "fiftyone/db/bin") for one in sys.path if one]
        return program("mongod", *folders)

    def missing(self) -> str:
        """See Server."""
        return "" if self.program() else "MongoDB is not installed"

    def prepare(self) -> None:
        """See Server: make the data directory."""
        (self.folder / "data").mkdir()

    def command(self) -> Sequence[str]:
        """See Server."""
        server = self.program()
        assert server is not None
        return [
            *(server, "--dbpath", str(self.folder / "data"), "--port", str(self.port), "--bind_ip", "127.0.0.1"),
            *("--unixSocketPrefix", str(self.folder), "--quiet", "--wiredTigerCacheSizeGB", "0.25"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            *(("--replSet", "tests") if self.replica_set else ("--auth",)),
        ]

    def url(self, database: str = "", user: str = "orchestra", password: str = QUOTED) -> str:
        """Return the URL of a database."""
        if self.replica_set:
            return f"mongodb://127.0.0.1:{self.port}/{database}?replicaSet=tests"
        options = "?directConnection=true&authSource=admin"
        return f"mongodb://{user}:{password}@127.0.0.1:{self.port}/{database}{options}"

    def admit(self, user: str, *roles: object, first: bool = False) -> None:
        """Let a user with PASSWORD have roles; the first one needs no other."""
        import pymongo

        with pymongo.MongoClient[Any](self.url() if not first else f"mongodb://127.0.0.1:{self.port}") as client:
            client.admin.command("createUser", user, pwd=PASSWORD, roles=list(roles))

    def prepare_set(self, client: Any) -> None:  # noqa: ANN401 - a client of whatever documents
        """Begin the replica set, where it is new."""
        from pymongo.errors import OperationFailure

        try:
            client.admin.command("replSetGetStatus")
        except OperationFailure:
            member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
            settings = {"electionTimeoutMillis": 500}
            client.admin.command("replSetInitiate", {"_id": "tests", "members": [member], "settings": settings})

    def answers(self) -> bool:
        """See Server."""
        import pymongo
        from pymongo.errors import PyMongoError

        direct: Any = {"directConnection": True, "serverSelectionTimeoutMS": 500}
        with pymongo.MongoClient[Any]("127.0.0.1", self.port, **direct) as client:
            try:
                if self.replica_set:
                    self.prepare_set(client)
                return bool(client.admin.command("hello")["isWritablePrimary"])
            except PyMongoError:
                return False

    def start(self) -> None:
        """See Server."""
        new = not (self.folder / "data").exists()
        super().start()
        if new and not self.replica_set:
            self.admit("orchestra", "root", first=True)

    def new(self) -> str:
        """See Server."""
        return self.url(f"history{next(self._names)}")


class MongoMember(MongoServer):
    """One of several members of a replica set, which somebody else begins."""

    def __init__(self) -> None:
        """Make room."""
        super().__init__(replica_set=True)

    def state(self) -> dict[str, Any]:
        """Return what it says of itself; nothing if it does not answer."""
        import pymongo
        from pymongo.errors import PyMongoError

        direct: Any = {"directConnection": True, "serverSelectionTimeoutMS": 500}
        with pymongo.MongoClient[Any]("127.0.0.1", self.port, **direct) as client:
            try:
                return client.admin.command("hello")
            except PyMongoError:
                return {}

    def answers(self) -> bool:
        """See Server."""
        return bool(self.state())


class MongoMembers:
    """A replica set of three members, of which one may be killed."""

    def __init__(self) -> None:
        """Make room."""
        self.members = [MongoMember() for _ in range(3)]

    def start(self) -> None:
        """Start all, and wait until they have a primary."""
        import pymongo

        for one in self.members:
            one.start()
        named = [{"_id": place, "host": f"127.0.0.1:{one.port}"} for place, one in enumerate(self.members)]
        quick = {"electionTimeoutMillis": 500, "heartbeatIntervalMillis": 100}
        wanted = {"_id": "tests", "members": named, "settings": quick}
        with pymongo.MongoClient[Any]("127.0.0.1", self.members[0].port, directConnection=True) as client:
            client.admin.command("replSetInitiate", wanted)
        wait_until(self.primary, "there is a primary")
        wait_until(lambda: all("setName" in one.state() for one in self.members), "all are members")

    def primary(self) -> MongoMember | None:
        """Return the member that takes writes, if there is one."""
        return next((one for one in self.members if one.state().get("isWritablePrimary")), None)

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.members)
        return f"mongodb://{hosts}/{database}?replicaSet=tests"

    def remove(self) -> None:
        """End all and leave nothing behind."""
        for one in self.members:
            one.remove()


SERVERS: Mapping[str, Callable[[], Server]] = {
    "postgresql": PostgresqlServer,
    "mysql": MysqlServer,
    "mongodb": partial(MongoServer, replica_set=True),
    "mongodb-alone": partial(MongoServer, replica_set=False),
}
"""The servers that there are, by the name that tests ask for them."""
