"""The end of processes: they are told to end, killed where they do not, and given up where even that does not help.

Only the times of it: who is looked at and killed is the execution's matter.
"""

NEVER = float("inf")
"""An instant that does not come."""

SWEEP_S = 0.01
"""Seconds between two looks at processes that were told to end."""

GIVE_UP_S = 60.0
"""Seconds of killing after which processes are left to the kernel: they hang in it."""


class Ending:
    """When to do what with the processes of one attempt that are to end. Instants are of the monotonic clock."""

    def __init__(self) -> None:
        """Begin with nothing to end."""
        self.active = False
        """Whether processes were told to end and not all have."""
        self._kill_at = NEVER
        self._look_at = NEVER

    @property
    def due(self) -> float:
        """When to look at them next."""
        return self._look_at

    def ask(self, now: float, grace_s: float) -> bool:
        """Begin, and return True: they are to be told. Asked again while it goes on, patience is over."""
        begins = not self.active
        self.active = True
        self._kill_at = now + grace_s if begins else min(self._kill_at, now)
        self.look_again(now)
        return begins

    def kills(self, now: float) -> bool:
        """Whether to kill what is left."""
        return now >= self._kill_at

    def hopeless(self, now: float) -> bool:
        """Whether killing was in vain."""
        return now >= self._kill_at + GIVE_UP_S

    def look_again(self, now: float) -> None:
        """Some are left: look again later, and at the latest when they are to be killed."""
        later = now + SWEEP_S
        self._look_at = min(later, self._kill_at) if now < self._kill_at else later

    def over(self) -> None:
        """Nothing is left."""
        self.active = False
        self._kill_at = self._look_at = NEVER
