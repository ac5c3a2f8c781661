"""What is different where all agents of a network share one database: it may be ahead of an agent's own log.

The master writes. What it wrote was agreed on, so whoever finds the store ahead of its log, or another past than its
log tells, believes the store, as it would believe a snapshot. Every store says whose history it holds, so that nobody
adds to another network's.
"""

from ..core.consensus import NOBODY, HardState
from ..core.errors import Conflict
from ..core.ledger import Remembered
from .agreement import TERM
from .identity import Identity
from .journal import Journal

NETWORK = "network"
"""Name of the meta row that holds the id of the network whose history it is."""


def check_owner(me: Identity, remembered: Remembered, url: str) -> None:
    """Raise Conflict where a store holds the history of another network."""
    if remembered.meta.get(NETWORK, me.network) != me.network:
        message = (
            f"the store {url} holds the history of another network than {me.network_name!r}; name an empty database "
            "with --store, or join the network that it belongs to"
        )
        raise Conflict(message)


def follow_store(journal: Journal, remembered: Remembered) -> bool:
    """Let a log begin behind the store where it does not reach so far, or tells otherwise; return whether that was so.

    Raises StorageError; then it can be tried again.
    """
    index, term = remembered.index, int(remembered.meta.get(TERM, "0"))
    if index < journal.first - 1 or journal.term(index) == term:
        return False
    state = journal.state()
    vote = state.vote if state.term >= term else NOBODY
    # the state first: a log that has entries, or once had, must say which vote was given
    journal.append((), HardState(max(state.term, term), vote, index))
    journal.install(index, term)
    return True
