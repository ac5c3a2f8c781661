"""The lab's clock: paces faults and load. Code that plans takes it as an argument, so that tests need not wait."""

import threading
import time


class Clock:
    """Real time."""

    def now(self) -> float:
        """Return seconds of the monotonic clock, as events carry them."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        threading.Event().wait(max(0.0, seconds))
