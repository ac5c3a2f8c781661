"""What the processes of an attempt read and write: its log, its terminal or pipes, and what is typed for it."""

import os
import selectors

from .keyboards import Keyboard
from .outlets import Actions, Filtered, OnTerminal, Outlet, Straight, Then, Tools
from .protocol import Plan
from .terminals import Pty


class Streams:
    """The descriptors of one attempt."""

    def __init__(self, plan: Plan, log: int, keyboard: Keyboard | None, tools: Tools, on_broken: Then) -> None:
        """Open what `plan` wishes for; everything ends up in the descriptor `log`. Raises OSError.

        `on_broken` is called when nothing that is written reaches the log any more.
        """
        self._pty = Pty(plan.terminal) if plan.terminal is not None else None
        self._input = -1  # read end of the pipe with the input
        self.outlet: Outlet = Straight(log)
        if plan.secrets:
            self.outlet = Filtered(plan.secrets, self._pty, log, tools, on_broken)
        elif self._pty is not None:
            self.outlet = OnTerminal(self._pty, log, tools)
        self.writing: Actions = self.outlet.actions
        """Descriptors of a process that reads nothing."""
        self.reading: Actions = self.writing
        """Descriptors of a process that reads what is typed, where something is."""
        self.plain = self.outlet.immediate and keyboard is None
        """Whether there is nothing to settle, and nothing to close."""
        if keyboard is not None:
            self.reading = (*self.writing, self._connect(keyboard, tools.selector))

    def _connect(self, keyboard: Keyboard, selector: selectors.BaseSelector) -> tuple[int, int, int]:
        if self._pty is not None:
            keyboard.connect(os.dup(self._pty.master), selector)
            return os.POSIX_SPAWN_DUP2, 1, 0
        self._input, writing = os.pipe()
        keyboard.connect(writing, selector)
        return os.POSIX_SPAWN_DUP2, self._input, 0

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of a process says of its terminal."""
        return {} if self._pty is None else {"TERM": self._pty.term}

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal, if there is one, another size."""
        if self._pty is not None:
            self._pty.resize(columns, rows)

    def close(self, then: Then) -> None:
        """Call `then` when all that was written is in the log and nothing more will be."""
        self._close_input()
        self.outlet.close(then)

    def abandon(self) -> None:
        """Let go of everything although somebody may still write."""
        self._close_input()
        self.outlet.abandon()

    def _close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1
