"""The seams around agreement: what others may ask of a replica, and what a replica needs of network and store."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from ..core.commands import Command
from ..core.consensus import Change, Configuration, Member, Message, Snapshot
from ..core.ledger import Changes, Ledger, Outcome

CONFIGURATION = "configuration"
"""Name of the meta row that holds the members as of the applied index, as JSON."""

TERM = "term"
"""Name of the meta row that holds the term of the applied index."""

Watcher = Callable[[Changes], None]
"""Told, on the event loop and in order, what each committed entry changed."""


class Replica(Protocol):
    """What master and service see."""

    ledger: Ledger  # as of the last applied entry; read it, never change it

    @property
    def term(self) -> int:
        """The term, as far as this agent knows."""
        ...

    @property
    def leader(self) -> Member:
        """The number of the member that leads, as far as this agent knows; NOBODY: none is known."""
        ...

    @property
    def configuration(self) -> Configuration:
        """Who votes and who only listens, as of the last applied entry."""
        ...

    @property
    def age(self) -> float:
        """Seconds since this agent last knew its ledger to be up to date; 0 while it leads."""
        ...

    @property
    def leading(self) -> bool:
        """Whether this agent is the master, and its ledger holds all that was agreed on before."""
        ...

    async def propose(self, commands: Sequence[Command]) -> list[Outcome]:
        """Make the commands durable and apply them; return one outcome each, in order.

        Raises NoMaster when this agent is not (or no longer) the master, StorageError when the log cannot be written:
        then nothing of them was accepted.
        """
        ...

    async def change(self, change: Change) -> None:
        """Change who votes; agreed on and applied on return.

        Raises NoMaster as `propose`, Conflict when another change comes first, InvalidInput for one that cannot be.
        """
        ...

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of every entry that is applied from now on."""
        ...

    def on_replaced(self, watcher: Callable[[], None]) -> None:
        """Tell `watcher` when a snapshot took the place of the ledger: what was derived from it is void."""
        ...

    def on_leading(self, watcher: Callable[[bool], None]) -> None:
        """Tell `watcher` when this agent becomes the master, with all applied, and when it is it no more."""
        ...

    async def compact(self, index: int) -> None:
        """Forget log entries up to `index`: what they did is durable in the store."""
        ...


class Transport(Protocol):
    """The way to the other members. Messages may be lost, and come in any order."""

    def send(self, messages: Sequence[Message]) -> None:
        """Send, without waiting."""
        ...


class Installed(msgspec.Struct, frozen=True):
    """A state that was fetched and is durable. It may be newer than the snapshot that told of it."""

    ledger: Ledger  # what it holds
    term: int  # of the entry at the ledger's index
    configuration: Configuration  # as of that index


class Snapshots(Protocol):
    """How a whole state travels, where a log does not reach back."""

    def describe(self) -> bytes:
        """Return how others can get the state as of now, or a later one: the data of a snapshot."""
        ...

    async def install(self, snapshot: Snapshot) -> Installed:
        """Get the state that a snapshot describes and make it durable. Raises StorageError; then nothing changed."""
        ...

    def settled(self) -> None:
        """Learn that the log begins behind the state that was installed last."""
        ...


def configuration_of(meta: dict[str, str], first: Configuration) -> Configuration:
    """Return the members that a store remembers; `first`, as the network began, where it remembers none."""
    text = meta.get(CONFIGURATION)
    return msgspec.json.decode(text, type=Configuration) if text else first
