"""The command `console`: everything at a glance, and things to do, in the terminal."""

import os
import sys
from pathlib import Path

import click

from ...core.errors import InvalidInput
from .session import data_option


@click.command()
@data_option
@click.option("--readonly", is_flag=True, help="Only look: nothing can be changed.")
def console(data: Path | None, readonly: bool) -> None:
    """Look at everything, and do things, in the terminal. Press ? there for the keys."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        message = "the console needs a terminal; for scripts there are `orchestra builds --json` and the like"
        raise InvalidInput(message)
    if "SSH_CONNECTION" in os.environ:
        os.environ.setdefault("TEXTUAL_FPS", "15")  # fewer frames over a line; read when Textual is imported
    from ..feed import places
    from ..feed.live import LiveFeed
    from ..terminal.app import Console
    from ..terminal.session import Session, default_session

    feed = LiveFeed(places.home(data), lambda: places.others(data))
    Console(feed, session=Session(default_session()), readonly=readonly).run()
