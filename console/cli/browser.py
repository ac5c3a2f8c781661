"""`orchestra console --web`: serves the console to browsers; each gets a process that is this command again."""

import asyncio
import ipaddress
import secrets
import sys
from contextlib import suppress
from importlib.util import find_spec

import click

from ...core import addresses
from ...core.errors import InvalidInput
from .output import say

TOKEN_BYTES = 32
"""Random bytes of the token in the address."""

DEFAULT = "127.0.0.1:0"
"""Where it listens unless told otherwise: at a free port, for this machine only."""

_OURS = frozenset({"web", "listen", "host"})


def serve(ctx: click.Context, listen: str | None) -> None:
    """Serve until interrupted. Raises InvalidInput without the extra, or where it cannot listen."""
    if find_spec("textual_serve") is None:
        message = "the console in a browser needs more packages; install them with: pip install 'job-orchestra[web]'"
        raise InvalidInput(message)
    from ..terminal import serving

    socket = serving.listen(listen or DEFAULT)
    host, port = socket.getsockname()[:2]
    if not ipaddress.ip_address(host).is_loopback:
        say(
            f"This listens at {addresses.join(host, port)}, where other machines reach it, and nothing is encrypted: "
            "better keep to loopback, and come through ssh -L."
        )
    say("Whoever has this address can do here what you can. Ctrl-C ends it.")
    with suppress(KeyboardInterrupt):
        asyncio.run(serving.serve(again(ctx), secrets.token_urlsafe(TOKEN_BYTES), socket, click.echo))


def again(ctx: click.Context) -> list[str]:
    """Return the command line of a console as this one, but in a terminal."""
    words = [sys.executable, "-m", __package__ or "", ctx.info_name or ""]
    for option in ctx.command.params:
        value = ctx.params.get(option.name or "")
        if option.name in _OURS or value is None or value is False:
            continue
        words += [option.opts[0]] if value is True else [option.opts[0], str(value)]
    return words
