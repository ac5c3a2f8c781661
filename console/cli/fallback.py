"""What to do with a command that no agent can run. Finding that out is for placing."""

from enum import StrEnum


class Fallback(StrEnum):
    """What to do with a command that no agent can run."""

    WAIT = "wait"  # let it wait until one can
    FAIL = "fail"  # withdraw it
    LOCAL = "local"  # withdraw it, and run it here without the network


class Nowhere(Exception):
    """No agent is there that could run a build, however long it waits."""

    def __init__(self, reasons: list[str]) -> None:
        """Say why: a line for each agent."""
        super().__init__("no agent can run it")
        self.reasons = reasons
