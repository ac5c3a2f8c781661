"""Lives of a network: random commands of which most concern what is there. For properties that hold of any life."""

from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st
from msgspec.structs import replace

from job_orchestra.core.commands import (
    Apply,
    Command,
    Fire,
    NewBuild,
    Overdue,
    Refuse,
    Rekey,
    RemoveSecret,
    SetAgent,
    SetSchedule,
    SetSecret,
)
from job_orchestra.core.definition import Backoff, Need, Overlap, Retry, Schedule, When
from job_orchestra.core.ledger import REQUEST_MEMORY_MS, Ledger
from job_orchestra.core.model import Attempt, BuildState, Node, Stop
from tests.kit.builders import (
    T0,
    apply,
    assign,
    job,
    join,
    pipeline,
    record,
    spec,
    stop,
    stop_pipeline,
    submit,
)

SPECS = (
    spec("make"),
    spec("make check", retry=Retry(2, ("failed", "agent-lost"), 1.0, Backoff.EXPONENTIAL)),
    spec("make dist", waiting_s=5.0),
)
AGENTS = {"a1": ("s1", "s2"), "a2": ("t1", "t2")}


@dataclass
class Player:
    """Makes a life of a network: random, but so that most of what happens concerns what is there."""

    random: Random
    ledger: Ledger = field(default_factory=Ledger)
    seen: list[str] = field(default_factory=list[str])  # ids of all builds ever
    reports: list[Attempt] = field(default_factory=list[Attempt])  # what was current once
    at: int = T0

    def play(self, steps: int) -> list[Command]:
        """Return a life of so many commands."""
        life: list[Command] = []
        for index in range(1, steps + 1):
            one = self.move()
            outcomes, _ = self.ledger.apply(index, [one])
            self.seen += [build for build in outcomes[0].builds if build not in self.seen]
            self.reports += self.ledger.attempts.values()
            life.append(one)
        return life

    def move(self) -> Command:  # noqa: C901, PLR0911, PLR0912 - one answer per kind of command
        random = self.random
        # the clock of a new master may be behind, and a day may pass
        self.at += random.choice((0, 1, 5, 1000, -700, REQUEST_MEMORY_MS // 2))
        agent = random.choice(list(AGENTS))
        session = random.choice(AGENTS[agent])
        match random.choice(
            (
                "submit",
                "submit",
                "pipeline",
                "apply",
                "stop",
                "assign",
                "assign",
                *["record"] * 5,
                "join",
                "clock",
                "secret",
                "other",
            )
        ):
            case "submit":
                wanted = random.choice(SPECS)
                specs = {wanted.digest(): wanted} if random.random() < 0.8 else {}
                request = random.choice(("", "r1", "r2"))
                builds = (NewBuild("shop", random.choice(("test", "lint")), wanted.digest()),) * random.randint(1, 3)
                return submit(at=self.at, builds=builds, specs=specs, request=request)
            case "pipeline":
                if self.ledger.pipelines.live and random.random() < 0.2:
                    which = random.choice([*self.ledger.pipelines.live, "p-0"])
                    return stop_pipeline(which, random.choice((Stop.ABORT, Stop.CANCEL)), at=self.at)
                return pipeline(*self.nodes(), wanted=random.choice(SPECS), at=self.at)
            case "apply":
                names = random.sample(("a", "b", "c"), random.randint(0, 3))
                return apply(*[job(name, spec=random.choice(SPECS)) for name in names], at=self.at)
            case "stop":
                return stop(self.build(), random.choice((Stop.ABORT, Stop.CANCEL)), at=self.at)
            case "assign":
                known = self.ledger.agents.get(agent)
                session = known.session if known and random.random() < 0.9 else session
                builds = tuple({self.build(): None for _ in range(random.randint(1, 4))})
                return assign(*builds, at=self.at, agent=agent, session=session)
            case "record":
                reports = [self.report() for _ in range(random.randint(1, 3))]
                sender = reports[0].agent if random.random() < 0.9 else agent
                return record(*reports, at=self.at, agent=sender)
            case "join":
                return join(at=self.at, id=agent, session=session, slots=random.randint(1, 2))
            case "clock":
                return self.clockwork()
            case "secret":
                return self.secret()
            case _:
                if random.random() < 0.3:
                    return Overdue(self.at, {self.build(): random.choice(("", "no worker is there"))})
                if random.random() < 0.3:
                    return Refuse(self.at, "eve", "builds.abort", self.build(), "may not")
                return SetAgent(self.at, "ben", agent, random.choice((True, False, None)), random.choice((True, None)))

    def nodes(self) -> list[Node]:
        """Return nodes that need some of those before them."""
        random = self.random
        made: list[Node] = []
        for place in range(random.randint(1, 5)):
            needs = random.sample(made, random.randint(0, min(2, len(made))))
            conditions = ["", "", "requester == 'ann'", "requester == 'ben'"]
            conditions += [f"needs.{one.job}.state == 'failed'" for one in needs]
            made.append(
                Node(
                    f"n{place}",
                    random.randint(1, 3),
                    needs=tuple(Need(one.job, random.choice(list(When))) for one in needs),
                    condition=random.choice(conditions),
                    stop_early=random.random() < 0.3,
                )
            )
        return made

    def clockwork(self) -> Command:
        random = self.random
        nightly = Schedule("shop", "nightly", "0 3 * * *", ("a",), overlap=random.choice(list(Overlap)))
        match random.randint(0, 5):
            case 0:
                return Apply(self.at, "ann", "shop", (), random.choice(((nightly,), (nightly,), ())))
            case 1:
                return SetSchedule(self.at, "ben", "shop", "nightly", random.choice((True, False)))
            case _:
                minute = random.choice((0, T0, self.at, self.at, self.at + 60_000))
                wish = random.choice((submit(at=self.at, requester="schedule"), None))
                return Fire(self.at, "shop", "nightly", minute, wish, random.choice((0, 3)))

    def secret(self) -> Command:
        random, ring = self.random, self.ledger.secrecy.keyring
        name, box = random.choice(("A", "B")), random.randbytes(8)
        match random.randint(0, 3):
            case 0:
                return RemoveSecret(self.at, "ann", "shop", name)
            case 1:
                boxes = dict.fromkeys(self.ledger.secrecy.sealed, box)
                generation, seen = ring.generation + random.randint(0, 2), ring.changes - random.randint(0, 1)
                return Rekey(self.at, generation, {"a1": box}, boxes, seen)
            case _:
                generation = ring.generation + random.choice((0, 0, 0, 1))
                return SetSecret(self.at, "ann", "shop", name, box, generation)

    def build(self) -> str:
        live = list(self.ledger.builds)
        return self.random.choice(live if live and self.random.random() < 0.8 else [*self.seen, "00000000"])

    def report(self) -> Attempt:
        random = self.random
        current = list(self.ledger.attempts.values())
        known = current if current and random.random() < 0.8 else self.reports
        if not known:
            return Attempt("00000000", 1, "a1", "s1", BuildState.SUCCEEDED)
        one = random.choice(known)
        likely = (BuildState.RUNNING, BuildState.SUCCEEDED, BuildState.FAILED)
        state = random.choice(likely if random.random() < 0.7 else tuple(BuildState))
        results = {random.choice("xy"): str(self.at)} if state.ended and random.random() < 0.3 else {}
        one = replace(one, state=state, started=self.at, finished=self.at if state.ended else None, results=results)
        if random.random() < 0.15:
            one = replace(one, **random.choice(({"session": "s0"}, {"agent": "a2"}, {"number": one.number + 1})))
        return one


lives = st.builds(lambda seed, steps: Player(Random(seed)).play(steps), st.integers(0, 2**32), st.integers(1, 120))
