"""Going on without a majority of the voters: one survivor declares itself the only voter, with what it has.

Safe only when the others are gone for good: they could otherwise go on by themselves, and there would be two networks
with one name. Therefore the network's epoch is raised: agents of the one before are not listened to, and join anew.
Works on the data directory of an agent that does not run.
"""

from dataclasses import dataclass

from ..core.changes import Remembered
from ..core.consensus import Configuration
from ..core.errors import Conflict, NotAllowed
from ..store.opening import open_store
from . import identity
from .agreement import configuration_of
from .identity import FIRST_MEMBER, Identity
from .journal import Journal
from .master import now_ms
from .paths import Paths
from .settings import Settings


@dataclass(frozen=True)
class Plan:
    """What would be done, and what that means."""

    me: Identity
    last: int  # log index up to which this agent knows anything
    told: str  # for people


def configuration(me: Identity, remembered: Remembered) -> Configuration:
    """Return the voters as of what a store remembers: those it says, or `me` alone since a recovery behind that."""
    if me.recovered and remembered.index <= me.recovered:
        return Configuration(voters=(me.member,))
    return configuration_of(remembered.meta, Configuration(voters=(FIRST_MEMBER,)))


def look(paths: Paths, settings: Settings) -> Plan:
    """Say what a recovery from this directory would mean. Raises Conflict or NotAllowed where it makes no sense."""
    me = identity.load(paths, settings.agent_name())
    store = open_store(settings.store_url(paths))
    try:
        remembered = store.live(now_ms())
    finally:
        store.close()
    journal = Journal(paths.journal)
    # a database that all agents share may have what this log has not
    last, committed = (max(one, remembered.index) for one in (journal.last, journal.state().commit))
    journal.close()
    names = {one.member: one.name for one in remembered.agents}
    mine = names.get(me.member, me.name)
    voters = configuration(me, remembered).voters
    if voters == (me.member,):
        message = f"{mine} is the only voter; nothing is to be recovered: orchestra up"
        raise Conflict(message)
    if me.member not in voters:
        message = (
            f"{mine} was no voter, so it may lack what was decided last. Recover from one of the voters: "
            + ", ".join(names.get(one, str(one)) for one in voters)
        )
        raise NotAllowed(message)
    others = [names.get(one, f"member {one}") for one in voters if one != me.member]
    told = "\n".join(
        (
            f"Network {me.network_name!r}: {len(voters)} voters; besides {mine}: {', '.join(others)}.",
            f"{mine} would become the only voter, with the history as it has it: up to entry {last}, of which it",
            f"knows {committed} to be agreed on by a majority.",
            "What may be lost: whatever was accepted after that without this agent hearing of it; builds that run on",
            "other machines are lost (their retry policy holds), and so are logs that no agent that comes back has.",
            "The others must not come back as they are: each joins anew, with `orchestra join --again TOKEN`.",
        )
    )
    return Plan(me, last, told)


def carry_out(paths: Paths, plan: Plan) -> None:
    """Make this agent the only voter. Raises StorageError; then it can be tried again."""
    identity.begin_epoch(paths, plan.me, plan.last)
