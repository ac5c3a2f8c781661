"""What is typed for an attempt: taken in order, at most once, and handed to its processes as they read it.

Each sitting at a keyboard is a stream with offsets of its own, so that what is sent twice is passed over and what comes
too early is refused. Little is kept: who types faster than is read waits for the answer. Refuses to know who types.

A terminal's keys may come again from another client, and wait for that. What comes out of a pipe cannot: when its
client is gone, however it went, nobody has the rest, and a build that reads on would wait for ever. So such a client
shows all the time that it lives, and where nothing comes for too long the input ends, as on one machine.
"""

import os
import selectors
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from .ending import NEVER
from .protocol import Input, Taken

QUEUE_BYTES = 1 << 16
"""Bytes that are kept until they are read. Larger: fewer waits when much is sent; it is kept for each attempt."""

WAITING = 16
"""Requests that wait for room at a time; more are told to come again."""

STREAMS = 64
"""Sittings that are remembered; the oldest is forgotten then, and cannot go on."""


SILENCE_S = 30.0
"""Seconds without a sign of life after which a client that pipes is gone. Larger: builds wait longer for nothing;
smaller: what a client sends that stood still, or was cut off, for so long is refused, as its input has ended."""


class Keyboard:
    """The input of one attempt."""

    def __init__(self, answer: Callable[[Taken], None], silence_s: float = 0.0) -> None:
        """Begin with nothing typed; requests are answered by `answer`, some of them later. See Plan for `silence_s`."""
        self._answer = answer
        self._silence_s = silence_s
        self.due = NEVER
        """When its input ends if nothing comes until then."""
        self._late = False  # it has ended so
        self._queue = bytearray()
        self._taken: dict[str, int] = {}  # stream -> bytes of it that were taken
        self._waiting: deque[Input] = deque()
        self._over = False  # nothing more will be typed
        self._closed = ""  # why nothing is read any more
        self._selector: selectors.BaseSelector | None = None
        self._descriptor = -1

    def take(self, wish: Input) -> None:
        """Take what there is room for."""
        if self._closed:
            self._answer(Taken(wish.number, self._taken.get(wish.stream, 0), self._closed))
        elif not self._fits(wish) and len(self._waiting) < WAITING:
            self._waiting.append(wish)
        else:
            self._answer(self._put(wish))
            self._write()
        self._silence_s = wish.silence_s or self._silence_s
        self.wait_on()

    def wait_on(self) -> None:
        """Take note that whoever types is there, or could not show it: there is as much time again."""
        waits = self._silence_s and self._descriptor >= 0 and not self._over
        self.due = time.monotonic() + self._silence_s if waits else NEVER

    def on_silence(self) -> None:
        """Nothing has come for too long: the input ends behind what was taken."""
        self._over = self._late = True
        self.due = NEVER
        self._write()

    def connect(self, descriptor: int, selector: selectors.BaseSelector) -> None:
        """Hand what is typed to `descriptor`, which is closed when nothing more will be."""
        os.set_blocking(descriptor, False)
        self._descriptor, self._selector = descriptor, selector
        self.wait_on()
        self._write()

    def close(self, why: str) -> None:
        """Nothing is read any more; who still types is told why."""
        self._closed = why
        self._queue.clear()
        self._hang_up()
        waiting, self._waiting = self._waiting, deque()
        for wish in waiting:
            self.take(wish)

    def _fits(self, wish: Input) -> bool:
        """Whether some of it can be taken, or nothing of it needs to be."""
        return len(self._queue) < QUEUE_BYTES or not self._new(wish)

    def _new(self, wish: Input) -> bytes:
        """Return what of it was not taken before; nothing where something before it is missing."""
        known = self._taken.get(wish.stream, 0)
        return wish.data[known - wish.offset :] if wish.offset <= known else b""

    def _put(self, wish: Input) -> Taken:
        new = self._new(wish)[: QUEUE_BYTES - len(self._queue)]
        known = self._taken.get(wish.stream, 0)
        if new and self._late:
            why = (
                f"its input ended behind byte {known}, for nothing came for {self._silence_s:g} s; the rest is not read"
            )
            return Taken(wish.number, known, why, late=True)
        if new and self._over:
            return Taken(wish.number, known, "the end of its input was sent already")
        known += len(new)
        self._taken.pop(wish.stream, None)
        self._taken[wish.stream] = known  # the newest last
        while len(self._taken) > STREAMS:
            del self._taken[next(iter(self._taken))]
        self._queue += new
        if wish.over and known == wish.offset + len(wish.data):
            self._over = True
        return Taken(wish.number, known)

    def _write(self) -> None:
        """Hand over what can be, and take what there is room for then."""
        while self._descriptor >= 0 and self._hand_over() and self._waiting:
            while self._waiting and self._fits(self._waiting[0]):
                self._answer(self._put(self._waiting.popleft()))
        self._watch(wanted=bool(self._queue))
        if self._over and not self._queue:
            self._hang_up()

    def _hand_over(self) -> bool:
        """Write as much as is read at once; return whether all was."""
        try:
            while self._queue:
                written = os.write(self._descriptor, self._queue)
                del self._queue[:written]
        except BlockingIOError:
            return False
        except OSError:  # nobody has it open to read any more
            self._queue.clear()
        return True

    def _watch(self, *, wanted: bool) -> None:
        if self._selector is None or self._descriptor < 0:
            return
        with suppress(KeyError):
            self._selector.unregister(self._descriptor)
        if wanted:
            self._selector.register(self._descriptor, selectors.EVENT_WRITE, lambda _: self._write())

    def _hang_up(self) -> None:
        if self._descriptor >= 0:
            self._watch(wanted=False)
            os.close(self._descriptor)
            self._descriptor = -1
            self.due = NEVER
