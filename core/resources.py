"""Amounts that builds take of their worker while they run: cpus, memory, gpus, and names of one's own. Pure.

Counted in thousandths, as whole numbers: what is taken and given back leaves nothing behind. Refuses to know who has
how much (scheduling).
"""

import math
from collections.abc import Mapping
from typing import TypeAlias

from .errors import InvalidInput
from .requirements import RESOURCE, number

Units: TypeAlias = Mapping[str, int]
"""Thousandths by name."""

SLOTS = "slots"
"""What every build takes one of; no build names it."""

CPUS, MEMORY, GPUS = "cpus", "memory", "gpus"

ONE = 1000
"""Thousandths of a whole."""

MOST = 1 << 60
"""Largest amount of anything."""


def check(resources: Mapping[str, float]) -> None:
    """Raise InvalidInput where no worker could ever give what a build wants to take."""
    for name, amount in resources.items():
        if name == SLOTS:
            raise InvalidInput("every build takes one slot; say cpus, memory or gpus instead")
        if not RESOURCE.fullmatch(name):
            message = f"{name[:80]!r} is no name of a resource; write a word of letters, digits, `_` and `-`"
            raise InvalidInput(message)
        if not 0 <= amount <= MOST:
            message = f"{name} must be 0 or more, not {amount:g}"
            raise InvalidInput(message)
        if name == GPUS and amount > 1 and amount != int(amount):
            message = f"gpus must be a whole number, or a fraction of one GPU that is shared, not {amount:g}"
            raise InvalidInput(message)


def amount(name: str, text: str) -> float:
    """Return the amount of a resource that a text such as `8G` or `0.5` stands for. Raises InvalidInput."""
    found = number(text)
    if found is None or not RESOURCE.fullmatch(name):
        message = f"a resource is NAME=AMOUNT, such as memory=8G or licences=3, not {name[:80]}={text[:80]}"
        raise InvalidInput(message)
    return found


def units(resources: Mapping[str, float]) -> dict[str, int]:
    """Return what a worker has in all, rounded down."""
    return {name: math.floor(amount * ONE + 1e-6) for name, amount in resources.items()}


def wanted(resources: Mapping[str, float]) -> dict[str, int]:
    """Return what a build takes, rounded up. Of the names only cpus counts when it is 0: such a build takes none."""
    found = {name: math.ceil(amount * ONE - 1e-6) for name, amount in resources.items() if amount or name == CPUS}
    if 0 < found.get(GPUS, 0) < ONE:
        found[GPUS] = part_of_gpu(found[GPUS])
    return found


def part_of_gpu(thousandths: int) -> int:
    """Return the part of one GPU that a build really has: as large as of all those that fit on it beside each other."""
    return ONE // (ONE // thousandths)


def text(name: str, thousandths: int) -> str:
    """Return an amount for people: `8G` of memory, `2.5` of anything else."""
    whole = thousandths / ONE
    if name == MEMORY:
        for power, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
            if whole >= 1 << power:
                return f"{whole / (1 << power):.4g}{unit}"
    return f"{whole:.12g}"
