"""The command `call`: one request of the scripting contract, for scripts and for trying things out."""

import sys

import click
import msgspec

from ...core.errors import InvalidInput
from .output import show_json
from .session import Client, with_agent


@click.command()
@click.argument("method")
@click.argument("params", default="{}", metavar="[JSON]")
@with_agent
def call(net: Client, method: str, params: str) -> None:
    """Make one request: METHOD with the parameters in JSON (an object; `-` reads it from stdin), print the result.

    docs/scripting.md lists the methods; so does `orchestra schema --api`.
    """
    text = sys.stdin.read() if params == "-" else params
    try:
        given = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"""the parameters are no JSON object: {error}; write them as '{{"id": "last"}}'"""
        raise InvalidInput(message) from None
    show_json(net.call(method, **given))
