"""The command `console`: everything at a glance, and things to do, in the terminal."""

import os
import sys
from pathlib import Path

import click

from ...core.errors import InvalidInput, NotFound
from ..feed.contract import Feed
from .session import data_option


@click.command()
@data_option
@click.option("--readonly", is_flag=True, help="Only look: nothing can be changed.")
@click.option("--store", "url", metavar="URL", help="Look at a store, with no agent and no network.")
@click.option("--keys", is_flag=True, help="Print every action with its keys, as the file in which you choose others.")
@click.option("--host", metavar="MACHINE", help="Speak to the agent of another machine, through ssh.")
@click.option("--web", is_flag=True, help="Serve it to a browser on this machine, at an address that is a secret.")
@click.option("--listen", metavar="HOST:PORT", help="Where --web listens [127.0.0.1, at a free port].")
@click.pass_context
def console(  # noqa: PLR0913, PLR0917 - one for each option
    ctx: click.Context,
    data: Path | None,
    readonly: bool,
    url: str | None,
    keys: bool,
    host: str | None,
    web: bool,
    listen: str | None,
) -> None:
    """Look at everything, and do things, in the terminal. Press ? there for the keys."""
    if "SSH_CONNECTION" in os.environ:
        os.environ.setdefault("TEXTUAL_FPS", "15")  # fewer frames over a line; read when Textual is imported
    if keys:
        from ..terminal import keymap
        from ..terminal.session import default_keys

        click.echo(f"# {default_keys()}\n{keymap.template()}")
        return
    if host:
        from .tunnel import lead

        lead(ctx, host)
    if web:
        from . import browser

        browser.serve(ctx, listen)
        return
    in_browser = "web_driver" in os.environ.get("TEXTUAL_DRIVER", "")
    if not in_browser and not (sys.stdin.isatty() and sys.stdout.isatty()):
        message = "the console needs a terminal; for scripts there are `orchestra builds --json` and the like"
        raise InvalidInput(message)
    if url is not None:
        look_at(url)
        return
    from ..feed import places
    from ..feed.live import LiveFeed

    run(LiveFeed(places.home(data), lambda: places.others(data)), readonly=readonly)


def look_at(url: str) -> None:
    """Open the console over a store alone. Raises NotFound where there is none: looking makes no new one."""
    from ...store.opening import open_store
    from ..feed.archive import StoreFeed

    scheme, _, rest = url.partition(":")
    if scheme in {"sqlite", "json"} and rest.startswith("///") and not Path("/" + rest.lstrip("/")).exists():
        message = f"there is no store {url}; name one that exists, such as sqlite:////home/ann/history.db"
        raise NotFound(message)
    store = open_store(url)
    feed = StoreFeed(store)
    try:
        run(feed, readonly=True)
    finally:
        feed.close()
        store.close()


def run(feed: Feed, *, readonly: bool) -> None:
    """Show the console until the user leaves it."""
    from ..terminal import keymap
    from ..terminal.app import Console
    from ..terminal.session import Session, default_keys, default_session

    Console(
        feed,
        session=Session(default_session()),
        readonly=readonly,
        keymap=keymap.load(default_keys()),
    ).run()
