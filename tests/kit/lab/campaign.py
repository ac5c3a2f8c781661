"""One run of the lab: a network, load, faults one after the other, calm, and the judgement on what was written down."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import events
from .checker import Breach, check, history
from .dump import dump
from .events import Drained, Healed, Record, now
from .faults import Stage, faults
from .figures import Figures, figures
from .hosts import form, hosts
from .jobs import Workshop
from .load import Load, wait_idle
from .watching import Watch

HEAL_S = 90.0
"""Seconds for the network to come together when nothing is broken any more."""

DRAIN_S = 240.0
"""Seconds for all that was accepted to end, when nothing is submitted any more."""

CALM_S = (0.3, 4.0)
"""Seconds between two faults, shortest and longest."""


@dataclass(frozen=True)
class Plan:
    """What is wanted of a run."""

    minutes: float  # of load and faults
    seed: int  # decides faults and load
    agents: int = 5
    rate: float = 4.0  # builds a second
    namespaces: bool = True  # hosts of their own; else all on loopback, without faults of links
    logs_of_each: int = 2  # agents that are asked for each log


def run(folder: Path, plan: Plan, say: Callable[[str], None]) -> tuple[Figures, list[Breach]]:
    """Run it in `folder`, which keeps everything that was written down; return figures and breaches."""
    chance = random.Random(plan.seed)
    workshop = Workshop(folder / "workshop")
    workshop.prepare()
    with hosts(folder, plan.agents, namespaces=plan.namespaces) as made, Record(folder / "events.jsonl") as record:
        form(made)
        watch = Watch(made, record)
        watch.start()
        load = Load(made, workshop, record, rate=plan.rate, seed=plan.seed)
        stage = Stage(made, watch, record, chance)
        try:
            wait_idle(made, HEAL_S)
            load.start()
            end = now() + plan.minutes * 60
            choices = faults(made)
            count = 0
            while now() < end:
                threading.Event().wait(chance.uniform(*CALM_S))
                fault = chance.choice(choices)
                fault(stage)
                count += 1
                if count % 20 == 0:
                    say(f"{count} faults, {load.submitted} builds, {max(0.0, end - now()) / 60:.1f} min left")
            load.stop()
            stage.up([one for one in made if not one.runs])
            record.write(Healed(now(), *wait_idle(made, HEAL_S + DRAIN_S)))
            watch.stop()
            record.write(Drained(now(), *wait_idle(made, DRAIN_S)))
            dump(made, workshop, record, logs_of_each=plan.logs_of_each, chance=chance)
        finally:
            load.stop()
            watch.stop()
    found = list(events.read([folder / "events.jsonl"]))
    made_of = history(found)
    breaches = check(made_of)
    mode = "netns" if plan.namespaces else "loopback"
    return figures(
        found, made_of, breaches, seed=plan.seed, minutes=plan.minutes, agents=plan.agents, mode=mode
    ), breaches
