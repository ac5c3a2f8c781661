"""How busy each agent was in the last minutes, as far as this console has seen it: a value a second. Pure."""

from collections import deque
from collections.abc import Iterable

from ...core.views.agents import AgentView

KEPT = 120
"""Values of an agent."""


class Loads:
    """The shares of slots that were taken."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._values: dict[str, deque[float]] = {}

    def note(self, agents: Iterable[AgentView]) -> None:
        """Take note of how busy agents are."""
        for one in agents:
            total = one.slots.get("total", 0)
            share = one.slots.get("used", 0) / total if total else 0.0
            self._values.setdefault(one.id, deque(maxlen=KEPT)).append(share)

    def of(self, agent: str) -> list[float]:
        """Return an agent's values, oldest first."""
        return list(self._values.get(agent, ()))
