"""The seeded walker: decides what happens to a simulated network, from one number.

`walk(seed, steps)` is one schedule. Every schedule has its own weather, size and share of faults; the same seed gives
the same schedule, in any process.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from job_orchestra.core.consensus import Change, ChangeKind

from .rules import FAILURES
from .simulation import MESSAGE, SYNC, TICK, World
from .states import LedgerState, State
from .wording import describe_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from .peer import Peer

RARE = (
    "changes",
    "compactions",
    "disks full",
    "drops",
    "duplicates",
    "elections",
    "kills",
    "partitions",
    "pauses",
    "power losses",
    "reads",
    "snapshots",
    "transfers",
    "truncations",
)
"""What a run must have seen, or it proves nothing."""

MOST_MEMBERS = 9


@dataclass(slots=True)
class Found:
    """A schedule that ended badly."""

    seed: int  # replays it
    step: int  # at which it ended; beyond the steps: while it calmed down
    what: str  # the broken rule


@dataclass(slots=True)
class Outcome:
    """What many schedules came to."""

    schedules: int = 0  # walked
    steps: int = 0  # in all of them, without calming down
    seconds: float = 0.0  # they took
    counts: Counter[str] = field(default_factory=Counter[str])  # what happened
    found: list[Found] = field(default_factory=list[Found])  # what is wrong

    @property
    def missing(self) -> list[str]:
        """What should have happened and did not."""
        return [name for name in RARE if not self.counts[name]]


def run(seeds: Iterable[int], steps: int, make: Callable[..., World] = World, *, stop: bool = True) -> Outcome:
    """Walk a schedule for each seed; `stop` at the first that ends badly."""
    outcome = Outcome()
    began = perf_counter()
    for seed in seeds:
        found = walk(seed, steps, make, outcome.counts)
        outcome.schedules += 1
        outcome.steps += steps
        if found is not None:
            outcome.found.append(found)
            if stop:
                break
    outcome.seconds = perf_counter() - began
    return outcome


def walk(seed: int, steps: int, make: Callable[..., World] = World, counts: Counter[str] | None = None) -> Found | None:
    """Walk one schedule; return what is wrong with it."""
    walker = Walker(seed, make)
    found = finish(walker, steps)
    if counts is not None:
        counts.update(walker.world.counts)
    return found


def finish(walker: Walker, steps: int) -> Found | None:
    """Walk `steps`, calm down, and return what is wrong."""
    try:
        walker.walk(steps)
        walker.step = steps
        walker.world.settle()
    except FAILURES as failure:
        return Found(walker.seed, walker.step, f"{type(failure).__name__}: {failure}")
    return None


THEMES = {
    "everything": {
        "kill": 3,
        "lose_power": 3,
        "bounce": 3,
        "restart": 8,
        "split": 4,
        "cut_off": 3,
        "one_way": 2,
        "bridge": 1,
        "heal": 6,
        "stall": 4,
        "release": 3,
        "pause": 2,
        "compact": 4,
        "change": 4,
        "transfer": 2,
        "jump": 1,
        "slow_disk": 1,
        "fill_disk": 1,
        "campaign": 3,
        "astray": 3,
    },
    "seesaw": {"seesaw": 12, "kill": 1, "restart": 2},
    "members": {"change": 6, "split": 2, "heal": 3, "campaign": 2, "bounce": 1, "stall": 1, "release": 1, "compact": 2},
    "votes": {"contest": 6, "bounce": 5, "restart": 2, "heal": 1, "stall": 1, "release": 1, "split": 1},
    "leases": {"bounce": 5, "campaign": 2, "transfer": 3, "pause": 1, "jump": 1, "stall": 1, "release": 1},
}
"""What schedules are about -> the faults and their shares. Some bugs show only where one kind of trouble is thick."""


def _settings(seed: int, theme: str) -> dict[str, Any]:
    """Return the settings of one schedule: those of the product in every second, plainer ones in the others."""
    settings: dict[str, Any] = {
        "election_ticks": (5, 3, 8)[seed // 7 % 3],
        "heartbeat_ticks": 1 + seed // 5 % 2,
        "max_message_bytes": (1 << 20, 1, 40)[seed // 3 % 3],
        "max_inflight_messages": (4, 1, 64)[seed // 11 % 3],
    }
    if theme == "leases":
        return settings
    if seed // 2 % 4 == 1 or theme in ("seesaw", "votes"):
        settings |= {"pre_vote": False, "check_quorum": False, "lease_s": 0.0}
    elif seed // 2 % 4 == 3:
        settings |= {"lease_s": 0.0, "pre_vote": bool(seed % 2)}
    return settings


def trace(seed: int, steps: int, say: Callable[[str], None], make: Callable[..., World] = World) -> Found | None:
    """Walk one schedule and `say` what happens, one line for each event and fault."""
    walker = Walker(seed, make)
    world = walker.world
    happen = world.happen

    def told(event: tuple[float, int, Peer, int, object]) -> None:
        peer, kind, what = event[2:]
        before = (peer.raft.term, peer.raft.role)
        if kind == MESSAGE and peer.up:
            lost = " lost" if (what.sender, peer.id) in world.blocked else ""  # type: ignore[attr-defined]
            say(f"{walker.step} {world.time:.2f} {describe_message(what)}{lost}")  # type: ignore[arg-type]
        elif kind != TICK and peer.up:
            say(f"{walker.step} {world.time:.2f} {peer.id} {'synced' if kind == SYNC else 'hears of a transfer'}")
        happen(event)
        if (peer.raft.term, peer.raft.role) != before:
            say(f"    {peer.id} is {peer.raft.role.name.lower()} in term {peer.raft.term}")

    def fault(name: str, do: Callable[[Peer], None]) -> Callable[[Peer], None]:
        def tell(peer: Peer) -> None:
            say(f"{walker.step} {world.time:.2f} fault: {name} {peer.id}")
            do(peer)

        return tell

    world.happen = told
    walker.faults = [fault(one.__name__, one) for one in walker.faults]
    return finish(walker, steps)


class Walker:
    """One schedule."""

    def __init__(self, seed: int, make: Callable[..., World]) -> None:
        self.seed = seed
        # Small networks are the most common, and find the most in few steps.
        voters = (3, 3, 3, 5, 3, 5, 1, 2, 4, 7)[seed % 10]
        theme = {1: "votes", 2: "seesaw", 5: "members", 6: "leases"}.get(seed // 10 % 8, "everything")
        if theme == "seesaw":
            voters = 5
        learners = (0, 0, 1, 2)[seed // 20 % 4] if voters < 6 else 0
        state = LedgerState() if seed % 16 == 7 else State()
        self.world = world = make(seed, voters, learners, _settings(seed, theme), state)
        world.wired = seed % 16 == 9
        self.random: Random = world.random
        self.step = 0
        self.asked = 0  # requests made
        self.old: Peer | None = None  # who led before a seesaw
        self.tries = 0  # to bring it back
        roll, weather = world.roll, world.weather
        weather.jitter = roll() * (0.2, 1.0, 4.0)[seed % 3]
        weather.late = (0.0, 0.05, 0.2)[int(roll() * 3)]
        weather.drop = (0.0, 0.02, 0.1, 0.25)[int(roll() * 4)]
        weather.duplicate = (0.0, 0.1, 0.3)[int(roll() * 3)]
        weather.sync = (0.0, 0.0, 0.3, 1.5)[int(roll() * 4)]
        if theme == "leases":  # where messages take longer than a lease, no lease can be broken
            weather.jitter, weather.late, weather.drop, weather.sync = 0.3 * roll(), 0.0, 0.0, 0.0
        self.fault = (0.01, 0.03, 0.08)[int(roll() * 3)]
        if theme in ("seesaw", "votes"):
            self.fault = 0.04 + 0.1 * roll()
        self.ask = self.fault + (0.03, 0.1, 0.25)[int(roll() * 3)]
        self.faults: list[Callable[[Peer], None]] = [
            getattr(self, name) for name, share in THEMES[theme].items() for _ in range(share)
        ]

    def walk(self, steps: int) -> None:
        """Walk so many steps."""
        world, roll = self.world, self.world.roll
        fault, ask, happen = self.fault, self.ask, world.next
        for step in range(steps):
            self.step = step
            luck = roll()
            if luck >= ask and world.events:
                happen()
            elif luck >= fault:
                self.request()
            else:
                self.random.choice(self.faults)(self.victim())

    def victim(self) -> Peer:
        """Choose whom something happens to; leaders more often."""
        world, roll = self.world, self.world.roll
        if world.leading and roll() < 0.3:
            return max(world.leading, key=lambda peer: peer.raft.term)
        peers = list(world.peers.values())
        return peers[int(roll() * len(peers))]

    def request(self) -> None:
        """Be a client: ask who leads, or sometimes who does not, and sometimes ask again."""
        world, roll = self.world, self.world.roll
        peers = list(world.leading) or list(world.peers.values())
        if len(peers) > 1:
            peers.sort(key=lambda peer: peer.id)
        peer = peers[int(roll() * len(peers))]
        luck = roll()
        if luck < 0.1:
            self.asked += 1
            world.read(peer, b"read %d" % self.asked)
        elif luck < 0.2 and self.asked:
            world.propose(peer, world.state.request(1 + int(roll() * self.asked)))
        else:
            self.asked += 1
            world.propose(peer, world.state.request(self.asked))

    # Faults

    def kill(self, peer: Peer) -> None:
        """Kill the process: what was written stays."""
        if peer.up:
            self.world.stop(peer, power=False)

    def lose_power(self, peer: Peer) -> None:
        """Lose the power: what was not synced may be gone."""
        if peer.up:
            self.world.stop(peer, power=True)

    def restart(self, peer: Peer) -> None:
        """Start whoever is down."""
        down = [one for one in self.world.peers.values() if not one.up and not one.retired]
        if down:
            self.world.start(down[int(self.world.roll() * len(down))])

    def bounce(self, peer: Peer) -> None:
        """Restart some processes at once, or all of them, or all but the leader; one may want to lead at once."""
        world, roll = self.world, self.world.roll
        share, power, spare = roll() * 1.3, roll() < 0.5, roll() < 0.5
        for one in list(world.peers.values()):
            if one.up and (one not in world.leading if spare else roll() < share):
                world.stop(one, power=power)
                world.start(one)
                if roll() < 0.6:
                    peer = one
        if roll() < 0.5:
            self.campaign(peer)

    def astray(self, peer: Peer) -> None:
        """Let a leader append what few others will have, then let the rest elect another."""
        world, roll = self.world, self.world.roll
        if not world.leading:
            return
        leader = max(world.leading, key=lambda one: one.raft.term)
        others = [member for member in world.peers if member != leader.id]
        self.random.shuffle(others)
        friends = {leader.id, *others[: int((roll() * len(others) + 1) / 2)]}
        if self.old is not None or roll() < 0.5:
            # What they answer now, it hears much later.
            world.stalled |= {(friend, leader.id) for friend in friends}
        for _ in range(1 + int(roll() * 3)):
            self.asked += 1
            world.propose(leader, world.state.request(self.asked))
        rest = [member for member in world.peers if member not in friends]
        self._block(pair for a in friends for b in rest for pair in ((a, b), (b, a)))

    def split(self, peer: Peer) -> None:
        """Split the network in two."""
        roll, one, other = self.world.roll, list[int](), list[int]()
        for member in self.world.peers:
            (one if roll() < 0.5 else other).append(member)
        self._block((a, b) for x, y in ((one, other), (other, one)) for a in x for b in y)

    def cut_off(self, peer: Peer) -> None:
        """Cut one off from everybody."""
        others = [member for member in self.world.peers if member != peer.id]
        self._block(pair for member in others for pair in ((peer.id, member), (member, peer.id)))
        if others and peer.up:
            peer.isolated_at = peer.raft.term

    def one_way(self, peer: Peer) -> None:
        """Let one be heard and not hear, or the other way round."""
        others, hears = [member for member in self.world.peers if member != peer.id], self.world.roll() < 0.5
        self._block((member, peer.id) if hears else (peer.id, member) for member in others)

    def stall(self, peer: Peer) -> None:
        """Let connections to one, or a few of all, hold back what they carry."""
        world, everybody = self.world, list(self.world.peers)
        if world.roll() < 0.5:
            world.stalled |= {(member, peer.id) for member in everybody if world.roll() < 0.7}
        else:
            world.stalled |= {(a, b) for a in everybody for b in everybody if world.roll() < 0.15}

    def release(self, peer: Peer) -> None:
        """Let stalled connections go on."""
        self.world.release()

    def bridge(self, peer: Peer) -> None:
        """Split the network in two halves that only one member sees."""
        self.split(peer)
        self.world.blocked = {pair for pair in self.world.blocked if peer.id not in pair}

    def _block(self, pairs: Iterable[tuple[int, int]]) -> None:
        self.heal(None)
        self.world.blocked = set(pairs)
        self.world.counts["partitions"] += 1

    def heal(self, peer: Peer | None) -> None:
        """Connect everybody."""
        self.world.blocked = set()
        for one in self.world.peers.values():
            one.isolated_at = -1

    def pause(self, peer: Peer) -> None:
        """Stop a process for a while: to it, no time passes."""
        peer.paused_until = self.world.time + self.world.roll() * 15
        self.world.counts["pauses"] += 1

    def compact(self, peer: Peer) -> None:
        """Compact a log, nearly to its end."""
        self.world.compact(peer, int(self.world.roll() * 4))

    def change(self, peer: Peer) -> None:
        """Change the membership; half the time try two changes at once."""
        self._change()
        if self.world.roll() < 0.5:
            self._change()
        if self.world.roll() < 0.3:
            self.split(peer)

    def _change(self) -> None:
        world, roll = self.world, self.world.roll
        if not world.leading:
            return
        leader = max(world.leading, key=lambda one: one.raft.term)
        known = leader.raft.members.configuration
        luck = roll()
        if luck < 0.55 or len(known.voters) < 3:
            strangers = [n for n in world.peers if n not in known.voters and not world.peers[n].retired]
            if strangers and (roll() < 0.5 or len(world.peers) >= MOST_MEMBERS):
                member = strangers[int(roll() * len(strangers))]
            elif len(world.peers) < MOST_MEMBERS:
                member = max(world.peers) + 1
                world.add(member)
            else:
                return
            kind = ChangeKind.ADD_VOTER if roll() < 0.8 else ChangeKind.ADD_LEARNER
        else:
            members = (*known.voters, *known.learners)
            member = members[int(roll() * len(members))]
            kind = ChangeKind.REMOVE if roll() < 0.8 else ChangeKind.ADD_LEARNER
        world.change(leader, Change(kind, member))

    def transfer(self, peer: Peer) -> None:
        """Ask a leader to hand over."""
        for leader in sorted(self.world.leading, key=lambda one: one.id):
            self.world.transfer(leader, peer.id)
            self.world.counts["transfers"] += 1

    def jump(self, peer: Peer) -> None:
        """Let a clock jump ahead."""
        peer.skew += self.world.roll() * 20

    def slow_disk(self, peer: Peer) -> None:
        """Make a disk slow, or fast again."""
        peer.slow = 0.0 if peer.slow else self.world.roll() * 5

    def fill_disk(self, peer: Peer) -> None:
        """Fill a disk: the next write fails."""
        peer.full = peer.up

    def contest(self, peer: Peer) -> None:
        """Let two of the highest term campaign against each other."""
        peers = [one for one in self.world.peers.values() if one.up]
        self.random.shuffle(peers)
        for one in sorted(peers, key=lambda one: -one.raft.term)[:2]:
            self.campaign(one)

    def seesaw(self, peer: Peer) -> None:
        """Lead a leader astray, elect another, bring the first one back, and let it hear what was said to it before."""
        self.tries += 1
        old, term = self.old, max(one.raft.term for one in self.world.peers.values())
        if old is None:
            self.old = max(self.world.leading, key=lambda one: one.raft.term) if self.world.leading else None
            self.tries = 0
            self.astray(peer)
        elif self.tries < 4 and not any(one is not old and one.raft.term == term for one in self.world.leading):
            rest = [one for one in self.world.peers.values() if (one.id, old.id) in self.world.blocked]
            if rest:
                self.campaign(rest[int(self.world.roll() * len(rest))])
        elif self.world.blocked:
            self.heal(None)
        elif self.tries < 12 and old not in self.world.leading:
            if old.raft.term == term:
                self.campaign(old)
        else:
            self.release(peer)
            self.old = None

    def campaign(self, peer: Peer) -> None:
        """Let one campaign at a bad moment."""
        if peer.up and peer.paused_until <= self.world.time:
            peer.raft.campaign()
            self.world.work(peer)
