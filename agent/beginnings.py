"""The log that an agent begins with: there, and fitting its store."""

import logging

from ..core.errors import Damaged, OrchestraError
from ..core.ledger import Remembered
from ..store.contract import Store
from . import sharing
from .identity import Identity
from .journal import Journal
from .paths import Paths
from .snapshots import finish_install

log = logging.getLogger(__name__)


def log_of(paths: Paths, me: Identity, store: Store, remembered: Remembered) -> Journal:
    """Open an agent's log, and let it fit its store. Raises OrchestraError where it cannot."""
    if not paths.journal.exists() and store.applied():
        message = (
            f"the log {paths.journal} is missing, but the store reflects entry {store.applied()}: "
            "builds that were accepted last may be lost with it. Restore the log from a backup, or move "
            f"{paths.data} away and begin anew"
        )
        raise Damaged(message)
    journal = Journal(paths.journal)
    try:
        sharing.check_owner(me, remembered, store.url)
        if finish_install(paths.installing, journal, remembered.index):
            log.info("agent.install-finished: the store is another agent's, as of entry %d", remembered.index)
        if store.shared and sharing.follow_store(journal, remembered):
            log.info("agent.store-followed: the log begins behind entry %d, as the store has it", remembered.index)
    except OrchestraError:
        journal.close()
        store.close()
        raise
    return journal
