"""Commands about the store: store info, query, export, import, migrate, prune, backup, restore.

They open the database themselves, so that they work whether an agent runs or not; what replaces a whole history asks
for the agent to be down.
"""

import contextlib
import io
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import click
import msgspec
import zstandard

from ...agent import storekeeping
from ...core.browsing import Rows
from ...core.durations import parse_duration
from ...core.errors import InvalidInput, Unfinished
from ...store import asking, query, retention, transfer
from ...store import migrate as migrating
from ...store.collections import COLLECTIONS
from ...store.servers import without_password
from ..format import now, plain, size
from .output import say, show_json
from .session import data_option, json_option

_store = click.option("--store", "url", metavar="URL", envvar="ORCHESTRA_STORE", help="The store [this agent's own].")
_simulate = click.option("--simulate", is_flag=True, help="Only say what would be done.")


def _command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Return what makes a function a command of `store`, with the options that all of them have."""

    def made(function: Callable[..., Any]) -> click.Command:
        return store.command(name)(data_option(_store(function)))

    return made


@click.group(no_args_is_help=True)
def store() -> None:
    """Look after the store: the database with the history.

    It is SQLite in the data directory, unless the agent was told another one with --store. Any other can be named here
    with --store URL, such as sqlite:///home/ann/history.db.
    """


@_command("info")
@json_option
def info(data: Path | None, url: str | None, as_json: bool) -> None:
    """Say what the store is and how much it holds, and which damaged ones it took the place of."""
    target = storekeeping.store_url(data, url)
    with storekeeping.opened(target) as opened:
        found = opened.describe()
    aside = storekeeping.aside(data, target)
    if as_json:
        show_json({**msgspec.to_builtins(found), "set_aside": aside})
        return
    rows = [
        ("store", plain(found.url)),
        ("database", plain(found.kind)),
        ("schema", str(found.schema)),
        ("reflects", f"entry {found.applied} of the log"),
        ("takes", size(found.bytes)),
        *((one.collection, f"{one.rows:,}") for one in found.sizes),
        *(("set aside", f"{one.files[0]} on {one.at}: {one.why}; rebuilt from {one.rebuilt}") for one in aside),
    ]
    for name, value in rows:
        click.echo(f"{name:<10} {value}")


@_command("query")
@click.argument("collection", type=click.Choice(list(COLLECTIONS)))
@click.option("-w", "--where", multiple=True, metavar="FIELD=VALUE", help="Only rows with this value; repeatable.")
@click.option("--order", default="", help="A field, `-` before it for descending [default: the collection's own].")
@click.option("-n", "--limit", type=click.IntRange(1, query.MAX_LIMIT), default=50, help="Rows of a page.")
@click.option("--after", metavar="CURSOR", help="The page behind the one that ended with this cursor.")
def query_(  # noqa: PLR0913, PLR0917 - the options of the command
    data: Path | None, url: str | None, collection: str, where: Sequence[str], order: str, limit: int, after: str | None
) -> None:
    """Print records of COLLECTION as JSON, as they are stored."""
    conditions = asking.conditions(dict(_pair(one) for one in where))
    wanted = query.Query(collection, tuple(conditions), asking.orders(order), limit, after)
    with storekeeping.opened(storekeeping.store_url(data, url)) as opened:
        page = opened.find(wanted)
    show_json(Rows(collection, [msgspec.to_builtins(one) for one in page.rows], page.next))


def _pair(word: str) -> tuple[str, str]:
    field, equals, value = word.partition("=")
    if not equals:
        message = f"{word!r} is no condition; write FIELD=VALUE, as state=failed"
        raise InvalidInput(message)
    return field, value


@_command("export")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@_simulate
def export(data: Path | None, url: str | None, file: Path, simulate: bool) -> None:
    """Write the whole history into FILE (`-`: stdout) as lines of JSON, compressed where its name ends with .zst.

    It is a state of one moment, and the agent may go on meanwhile. `store import` brings it into any other store.
    """
    with storekeeping.opened(storekeeping.store_url(data, url)) as opened:
        rows = sum(one.rows for one in opened.describe().sizes)
        if simulate:
            say(f"{rows:,} records would be written to {file}.")
            return
        if str(file) != "-" and file.exists():
            message = f"{file} exists; name a new file"
            raise InvalidInput(message)
        with _progress("exporting", rows) as progress, _writing(file) as out:
            for line in transfer.lines_of(opened, progress):
                out.write(line)
    say(f"{rows:,} records are in {file}." if str(file) != "-" else f"{rows:,} records written.")


@_command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--replace", is_flag=True, help="Let it take the place of what the store holds.")
@_simulate
def import_(data: Path | None, url: str | None, file: Path, replace: bool, simulate: bool) -> None:
    """Fill a store with an exported history. Interrupted, it is simply begun again.

    An agent whose store it is must be down. The history is that of one network: let an agent work with it only if it is
    a member of that network.
    """
    target = storekeeping.store_url(data, url)
    with storekeeping.held(data, target), storekeeping.opened(target) as opened:
        rows = _rows(opened)
        if rows and not replace:
            message = f"{opened.url} holds {rows:,} records already; name an empty store with --store, or say --replace"
            raise InvalidInput(message)
        if simulate:
            lost = f", and {rows:,} records there would be gone" if rows else ""
            say(f"{opened.url} would be filled from {file}{lost}.")
            return
        with _progress("importing", None) as progress, _reading(file) as lines:
            counts = transfer.fill(opened, lines, progress)
    say(f"{sum(counts.values()):,} records are in {opened.url}.")


def _rows(opened: storekeeping.Store) -> int:
    """Count a store's records; one that was not filled to the end holds none that anybody can see."""
    try:
        return sum(one.rows for one in opened.describe().sizes)
    except Unfinished:
        return 0


@_command("migrate")
@_simulate
def migrate(data: Path | None, url: str | None, simulate: bool) -> None:
    """Bring a store of an older version up to date. The agent must be down; interrupted, it is simply begun again."""
    target = storekeeping.store_url(data, url)
    shown = without_password(target)
    with storekeeping.held(data, target):
        found = migrating.look(target)
        if found.schema == found.wanted:
            say(f"{shown} is up to date (schema {found.schema}).")
            return
        if simulate:
            say(f"{shown} would be brought from schema {found.schema} to {found.wanted}: {found.rows:,} records.")
            return
        with _progress("migrating", found.rows) as progress:
            migrating.migrate(target, progress)
    say(f"{shown} has schema {found.wanted} now.")


@_command("prune")
@click.option("--older", metavar="AGE", help="Builds that ended longer ago go, as 90d.")
@click.option("--keep-failed", metavar="AGE", help="Those that did not succeed are kept this long, as 365d.")
@click.option("--keep", type=int, default=1, show_default=True, help="Newest builds of each job that stay in any case.")
@click.option("--most", type=int, default=0, metavar="N", help="Builds of each job that stay at most [any number].")
@json_option
@_simulate
def prune(  # noqa: PLR0913, PLR0917 - the options of the command
    data: Path | None,
    url: str | None,
    older: str | None,
    keep_failed: str | None,
    keep: int,
    most: int,
    as_json: bool,
    simulate: bool,
) -> None:
    """Take old builds out of the store, with their attempts, and give the space back.

    Live builds stay. Each voter has a history of its own, unless they share a database: prune on each of them. An agent
    does it by itself with the settings keep, keep-failed, keep-newest and keep-most.
    """
    policy = retention.Policy(_age(older), _age(keep_failed), keep, most)
    policy.check()
    with storekeeping.opened(storekeeping.store_url(data, url)) as opened:
        rows = next(one.rows for one in opened.describe().sizes if one.collection == "builds")
        with _progress("pruning", rows) as progress:
            done = retention.prune(opened, policy, int(now().timestamp() * 1000), simulate=simulate, progress=progress)
    if as_json:
        show_json(done)
    elif simulate:
        say(f"{done.builds:,} builds would go, {done.kept:,} stay.")
    else:
        say(f"{done.builds:,} builds are gone, {done.kept:,} are kept; {size(done.bytes)} were given back.")


def _age(text: str | None) -> float | None:
    """Return an age in seconds; None where none is named. Raises InvalidInput."""
    try:
        return parse_duration(text) if text else None
    except ValueError as problem:
        message = f"{(text or '')[:40]!r} {problem}"
        raise InvalidInput(message) from None


@_command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_simulate
def backup(data: Path | None, url: str | None, file: Path, simulate: bool) -> None:
    """Copy the whole store into FILE, as of one moment. The agent may go on meanwhile."""
    with storekeeping.opened(storekeeping.store_url(data, url)) as opened:
        taken = opened.describe().bytes
        if simulate:
            say(f"{opened.url} ({size(taken)}) would be copied to {file}.")
            return
        partial = file.with_name(f".{file.name}.partial")
        partial.unlink(missing_ok=True)
        if file.exists():
            message = f"{file} exists; name a new file"
            raise InvalidInput(message)
        opened.backup(partial)
        partial.replace(file)
    say(f"{opened.url} is in {file}; bring it back with: orchestra store restore {file}")


@_command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@_simulate
def restore(data: Path | None, url: str | None, file: Path, simulate: bool) -> None:
    """Let a backup take the place of the store. The agent must be down.

    The log of the network then brings the store up to date, if it still reaches back to the backup; else this machine
    is filled from another one, or has to leave and join again.
    """
    target = storekeeping.store_url(data, url)
    with storekeeping.held(data, target), storekeeping.opened(target) as opened:
        found = opened.inspect(file)
        if simulate:
            say(f"{opened.url} would be as of entry {found.index}; today it reflects entry {opened.applied()}.")
            return
        copy = storekeeping.beside(target, file).with_name(f".{file.name}.restoring")
        shutil.copyfile(file, copy)
        opened.restore(copy)
    say(f"{opened.url} is as of entry {found.index}.")


# -- files and bars


@contextlib.contextmanager
def _progress(doing: str, rows: int | None) -> Iterator[Callable[[int], None]]:
    """Draw a bar on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=rows or 0, label=doing, file=sys.stderr, show_pos=True, update_min_steps=1000) as bar:
        yield bar.update


@contextlib.contextmanager
def _writing(file: Path) -> Iterator[BinaryIO]:
    """Open what is written to; a file gets its name only when it is whole."""
    if str(file) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = file.with_name(f".{file.name}.partial")
    with partial.open("wb") as plain_file:
        if file.suffix == ".zst":
            with zstandard.ZstdCompressor().stream_writer(plain_file, closefd=False) as packed:
                yield cast("BinaryIO", packed)
        else:
            yield plain_file
    partial.replace(file)


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[Iterator[bytes]]:
    """Open what is read from."""
    if str(file) == "-":
        yield iter(sys.stdin.buffer)
        return
    try:
        plain_file = file.open("rb")
    except OSError as problem:
        message = f"cannot read {file}: {problem.strerror}"
        raise InvalidInput(message) from None
    with plain_file:
        if file.suffix == ".zst":
            with zstandard.ZstdDecompressor().stream_reader(plain_file) as packed:
                yield _unpacked(packed)
        else:
            yield iter(plain_file)


def _unpacked(packed: Any) -> Iterator[bytes]:
    try:
        yield from io.BufferedReader(packed)
    except zstandard.ZstdError as problem:
        message = f"the compressed file is damaged ({problem}); export the history again"
        raise InvalidInput(message) from None


__all__ = ["store"]
