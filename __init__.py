"""Job Orchestra: a peer network that runs builds on the computers a team already has.

`connect()` opens the scripting socket of an agent; everything else is reached from what it returns. Nothing is
imported before it is asked for, so that `import job_orchestra` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agent.client.awaiting import connect_async
    from .agent.client.blocking import Client, connect
    from .core.errors import OrchestraError

__all__ = ["Client", "OrchestraError", "connect", "connect_async"]

_HOMES = {
    "Client": ".agent.client.blocking",
    "OrchestraError": ".core.errors",
    "connect": ".agent.client.blocking",
    "connect_async": ".agent.client.awaiting",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
    """Import a public name when it is first used (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
