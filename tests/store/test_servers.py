"""What is said where a database on a server cannot be used, and with which remedy: to the letter."""

from collections.abc import Callable
from typing import TypeAlias, cast

import pytest

from job_orchestra.core.errors import InvalidInput, OrchestraError, StorageError
from job_orchestra.store.mongo import deployment
from job_orchestra.store.opening import open_store
from job_orchestra.store.servers import without_password
from job_orchestra.store.sql import mysql, postgresql
from tests.kit.databases import PASSWORD, QUOTED, MongoServer, MysqlServer, PostgresqlServer, Server
from tests.kit.ports import free_port

NAMES = ("postgresql", "mysql", "mongodb-alone")
Shared: TypeAlias = PostgresqlServer | MysqlServer | MongoServer
REACHABLE = "check that the server runs and can be reached from here"


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def server(name: str, database: Callable[[str], Server]) -> Shared:
    return cast("Shared", database(name))


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "CONNECT_S", 0.3)


def refused(url: str, kind: type[OrchestraError] = StorageError) -> str:
    with pytest.raises(OrchestraError) as told:
        open_store(url).close()
    assert isinstance(told.value, kind)
    assert PASSWORD not in str(told.value)
    assert QUOTED not in str(told.value)
    return str(told.value)


def shown(server: Shared, database: str, user: str = "orchestra") -> str:
    return without_password(server.url(database, user))


def test_a_wrong_password(name: str, server: Shared) -> None:
    server.new()
    url = server.url("history1", password="wrong")
    said = {
        "postgresql": f'connection failed: connection to server at "127.0.0.1", port {server.port} failed: FATAL:  '
        'password authentication failed for user "orchestra"; check user and password in the store\'s URL, and '
        "pg_hba.conf on the server",
        "mysql": "Access denied for user 'orchestra'@'localhost' (using password: YES); check user and password in the "
        "store's URL",
        "mongodb-alone": "Authentication failed; check user, password and authSource in its URL",
    }
    assert refused(url) == f"cannot open the store {shown(server, 'history1')}: {said[name]}"


def test_a_user_that_is_unknown(name: str, server: Shared) -> None:
    server.new()
    told = refused(server.url("history1", "nobody"))
    assert "check user" in told
    assert shown(server, "history1", "nobody") in told, name


def test_a_database_that_is_missing(name: str, server: Shared) -> None:
    said = {
        "postgresql": f'connection failed: connection to server at "127.0.0.1", port {server.port} failed: FATAL:  '
        'database "missing" does not exist; create it first: createdb NAME',
        "mysql": "Unknown database 'missing'; create it first: CREATE DATABASE name",
    }
    if name == "mongodb-alone":
        open_store(server.url("missing")).close()
        return  # there, what is asked for is made
    assert refused(server.url("missing")) == f"cannot open the store {shown(server, 'missing')}: {said[name]}"


def test_a_host_that_is_unknown(name: str, server: Shared) -> None:
    url = server.url("history1").replace(f"127.0.0.1:{server.port}", "no-such-host.invalid")
    told = refused(url)
    assert told.startswith(f"cannot open the store {without_password(url)}: "), name
    assert "no-such-host.invalid" in told.partition(": ")[2]
    assert told.endswith(f"; {REACHABLE}")


def test_a_server_that_does_not_run(name: str, server: Shared) -> None:
    port = free_port()
    url = server.url("history1").replace(f":{server.port}", f":{port}")
    said = {
        "postgresql": f'connection failed: connection to server at "127.0.0.1", port {port} failed: Connection refused',
        "mysql": "Can't connect to MySQL server on '127.0.0.1' ([Errno 111] Connection refused)",
        "mongodb-alone": f"127.0.0.1:{port}: [Errno 111] Connection refused",
    }
    assert refused(url) == f"cannot open the store {without_password(url)}: {said[name]}; {REACHABLE}"


def reader(server: Shared, url: str) -> str:
    """Let a user read a database, and no more; return its URL."""
    database = url.rpartition("/")[2].partition("?")[0]
    user = f"reader_{database}"
    match server:
        case PostgresqlServer():
            quoted = PASSWORD.replace("'", "''")
            server.do(f"CREATE ROLE {user} LOGIN PASSWORD '{quoted}'")
            server.do(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}", database)
            return server.url(database, user)
        case MysqlServer():
            server.do(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY \"{PASSWORD}\"")
            server.do(f"GRANT SELECT ON {database}.* TO {user}@'127.0.0.1'")
            return server.url(database, user)
        case MongoServer():
            server.admit(user, {"role": "read", "db": database})
            return server.url(database, user)


def test_a_user_who_may_not_make_tables(name: str, server: Shared) -> None:
    url = reader(server, server.new())
    database = url.rpartition("/")[2].partition("?")[0]
    said = {
        "postgresql": "permission denied for schema public; the user needs to own the database, or: GRANT CREATE, "
        "USAGE ON SCHEMA public TO user",
        "mysql": f"CREATE command denied to user 'reader_{database}'@'localhost' for table `{database}`.`builds`; the "
        "user needs: GRANT ALL ON database.* TO user",
        "mongodb-alone": f"not authorized on {database}; the user needs the role readWrite on this database",
    }
    assert refused(url) == f"cannot open the store {without_password(url)}: {said[name]}"


def test_a_user_who_may_only_read_can_read_what_is_there(server: Shared) -> None:
    url = server.new()
    open_store(url).close()
    reading = open_store(reader(server, url))
    assert reading.describe().schema
    assert reading.applied() == 0
    with pytest.raises(StorageError, match="the user needs"):
        reading.clear()
    reading.close()


def test_a_server_that_is_too_old(name: str, server: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "OLDEST", 990000)
    monkeypatch.setattr(mysql, "OLDEST", {"MariaDB": (99, 1), "MySQL": (99, 1)})
    monkeypatch.setattr(deployment, "OLDEST", (99, 0))
    url = server.new()
    told = refused(url)
    assert told.startswith(f"cannot use the store {without_password(url)}: the server is ")
    said = {
        "postgresql": ", and 99 is needed",
        "mysql": ", and MariaDB 99.1 is needed",
        "mongodb-alone": ", and 99.0 is needed",
    }
    assert told.endswith(f"{said[name]}; upgrade it")


CANNOT = "the store's URL cannot be used: "
WRITE = (
    "; write mongodb://user:password@host/database, and in user and password what is neither letter nor digit as % and "
    "two hex digits"
)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mongodb://ann:wr/ong@h/history", f"{CANNOT}Bad database name{WRITE}"),
        ("mongodb://h/history?tls=maybe", f"{CANNOT}The value of tls must be 'true' or 'false'{WRITE}"),
        ("mongodb://h", "'mongodb://h' names no database; write mongodb://user:password@host/database"),
    ],
)
def test_urls_that_cannot_be_used(url: str, told: str) -> None:
    assert refused(url, InvalidInput) == told


def test_an_option_that_there_is_not() -> None:
    told = refused("mongodb://h/history?replicaset=a&nonsense=1", InvalidInput)
    assert told.startswith(f"{CANNOT}Unknown option"), "some versions of the driver say which, others do not"
    assert told.endswith(WRITE)


def test_a_replica_set_of_another_name(database: Callable[[str], Server]) -> None:
    url = database("mongodb").new().replace("replicaSet=tests", "replicaSet=others")
    assert refused(url) == (
        f'cannot open the store {url}: No replica set members available for replica set name "others"; check '
        "replicaSet in its URL"
    )


@pytest.mark.parametrize(
    ("url", "can_be_shown"),
    [
        ("postgresql://ann:secret@h:1/x", "postgresql://ann@h:1/x"),
        ("postgresql://h/x?user=ann&password=secret", "postgresql://h/x?user=ann"),
        ("mongodb://ann:se%40cret@a:1,b:2/x?replicaSet=r", "mongodb://ann@a:1,b:2/x?replicaSet=r"),
        ("mysql://ann:a@b:c@h/x", "mysql://ann@h/x"),
        ("sqlite:////home/ann/x.db", "sqlite:////home/ann/x.db"),
        ("memory:", "memory:"),
    ],
)
def test_passwords_are_not_shown(url: str, can_be_shown: str) -> None:
    assert without_password(url) == can_be_shown
