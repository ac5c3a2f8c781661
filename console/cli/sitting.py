"""Sitting at a build as if its command ran here: its output as it comes, keys and the window's size on their way.

While somebody types for it, Ctrl-C is the build's, as every other key (see keys). Before, and where nobody types,
Ctrl-C aborts the build, and once more leaves it to itself. So does the end of our own terminal.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

from ...agent.client.awaiting import AsyncClient
from ...agent.client.protocol import log_bytes
from ...core.api.builds import LogPart
from ...core.errors import Conflict, NoAgent, NotAllowed, NotFound, OrchestraError, Unavailable
from ...core.model import BuildState
from ...core.views.builds import BuildView
from ..escapes import Neutraliser
from ..screens import Screen
from . import terminal
from .fallback import Fallback
from .inputs import Keys
from .keys import RETRY_S, Typing
from .output import say
from .placing import placed

PART_BYTES = 1 << 20
"""Bytes of a log that are asked for at a time."""

BACK_S = 60.0
"""Seconds for our own agent to come back: it may be upgraded, or its machine be slow to start it."""

NUDGE_S = 0.1
"""Seconds for a program to see that its window has changed, before it changes back."""

T = TypeVar("T")


class Seat(NamedTuple):
    """What somebody has who sits at a build."""

    keys: Keys  # where its input comes from
    screen: bool  # its output is that of a program which has our terminal to itself
    aborts: bool = True  # whether Ctrl-C aborts it where it reads no keys; else that leaves it to itself


class Left(Exception):
    """Somebody left the build to itself; the message may say why."""


class Sitting:
    """One sitting at one build."""

    def __init__(self, net: AsyncClient, build: str, seat: Seat) -> None:
        """Attend `build`."""
        self._net = net
        self._build = build
        self._seat = seat
        self._keys = seat.keys
        self._aborts = seat.aborts
        self._begin()
        self._seen = 0, 0  # an attempt, and how far its log was shown
        self._typing = Typing(net, build, seat.keys, self._leave)
        self._resized = asyncio.Event()
        self._interrupts = 0
        self._reached = True  # our agent is there
        self._aborting: asyncio.Future[None] | None = None  # kept, so that it is not forgotten halfway
        self._left: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()

    def _begin(self) -> None:
        """Take a screen on which nothing was shown."""
        self._screen = Screen(keys=self._keys is Keys.TERMINAL) if self._seat.screen else None
        self._plain = Neutraliser() if terminal.at_screen() and not self._seat.screen else None

    async def resume(self, net: AsyncClient) -> BuildView:
        """Attend on over another connection, from where we were. Raises as `attend`."""
        self._net = net
        self._typing.reach(net)
        self._begin()
        attempt, offset = self._seen
        view: BuildView = (await self._or_left(net.call("builds.get", self._build))).build
        self._reached = True
        if view.attempt != attempt:
            offset = 0
        return await self.attend(back=self._screen is not None and offset > 0, offset=offset)

    async def agent_back(self, data: Path) -> AsyncClient:
        """Wait for our own agent, which is gone. Raises Left, and NoAgent where it stays away for too long."""
        self._left = asyncio.get_running_loop().create_future()
        self._aborting = None
        self._reached = False
        deadline = asyncio.get_running_loop().time() + BACK_S
        say(
            f"This machine's agent is gone; the build goes on. Waiting {BACK_S:g} s for the agent to come back: "
            "orchestra up starts it, Ctrl-C leaves the build to itself."
        )
        while True:
            try:
                return AsyncClient(data)
            except NoAgent:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
            await self._or_left(asyncio.sleep(RETRY_S))

    async def attend(self, fallback: Fallback = Fallback.WAIT, *, back: bool = False, offset: int = 0) -> BuildView:
        """Stay until the build has ended. `back`: somebody was there before, and sees its log from `offset` on.

        Raises Left, Nowhere where no agent can run it and `fallback` is not to wait, and NoAgent where ours is gone.
        """
        async with _company(self._look_out()):
            await self._net.call("events.subscribe", kinds=["build"], builds=[self._build])
            view = await self._or_left(placed(self._net, self._build, fallback, aborts=self._aborts))
            while True:
                await self._attempt(view, offset, back=back)
                view = await self._or_left(self._after(view.attempt))
                if view.state.ended:
                    return view
                view = await self._or_left(placed(self._net, self._build, Fallback.WAIT, aborts=self._aborts))
                offset, back = 0, False

    async def _attempt(self, view: BuildView, offset: int, *, back: bool) -> None:
        """Show an attempt's log until it is complete; pass on what is typed while it runs."""
        try:
            now = await self._or_left(self._come_back(offset)) if back else 0
            async with _company(self._type(view), self._resize(nudge=back)):
                await self._or_left(self._copy(view.attempt or None, offset, now))
        finally:
            self._restore()

    async def _after(self, attempt: int) -> BuildView:
        """Return the build when it has ended, or is with no agent, or with another one."""
        while True:
            view: BuildView = (await self._net.call("builds.get", self._build)).build
            if view.state.ended or view.state is BuildState.PENDING or view.attempt != attempt:
                return view
            await self._net.next_event()

    async def _or_left(self, work: Awaitable[T]) -> T:
        """Return what something comes to. Raises Left as soon as somebody leaves, NoAgent when our agent is gone."""
        doing = asyncio.ensure_future(work)
        try:
            await asyncio.wait([doing, self._left], return_when=asyncio.FIRST_COMPLETED)
            return doing.result() if doing.done() else self._left.result()
        finally:
            doing.cancel()

    # -- what it writes

    async def _come_back(self, offset: int) -> int:
        """Set the screen up as what was written before `offset` did; return the offset behind all that is there."""
        part: LogPart = await self._net.call("builds.log", self._build, offset=-1, limit=1)
        if self._screen is not None and offset:
            begin = max(0, offset - PART_BYTES)
            before = await self._net.call("builds.log", self._build, offset=begin, limit=offset - begin)
            self._screen.feed(log_bytes(before), live=False)
            terminal.write(self._screen.modes())
        return part.next

    async def _copy(self, attempt: int | None, offset: int, now: int) -> None:
        """Show an attempt's log as it comes; what stands before `now` was shown before, at another terminal."""
        while True:
            limit = min(PART_BYTES, now - offset) if offset < now else PART_BYTES
            try:
                part: LogPart = await self._net.call(
                    "builds.log", self._build, offset=offset, limit=limit, wait=20.0, attempt=attempt
                )
            except NoAgent:
                raise
            except Unavailable:
                # the way to the agent that writes it is lost, for a moment or for good: then the build is, too
                view: BuildView = (await self._net.call("builds.get", self._build)).build
                if view.state.ended or view.state is BuildState.PENDING or view.attempt != (attempt or view.attempt):
                    return
                await asyncio.sleep(RETRY_S)
                continue
            terminal.write(self._shown(log_bytes(part), live=offset >= now))
            self._seen = attempt or 0, part.next
            if part.complete:
                return
            offset = part.next

    def _shown(self, data: bytes, *, live: bool) -> bytes:
        """Return what of the log may be shown."""
        if self._screen is not None:
            return self._screen.feed(data, live=live)
        return data if self._plain is None else self._plain.feed(data)

    def _restore(self) -> None:
        """Leave the screen as it was."""
        if self._screen is not None:
            # whoever leaves is somewhere in a line, and is told something
            terminal.write(self._screen.restore() + (b"\r\n" if self._left.done() else b""))
        elif self._plain is not None:
            terminal.write(self._plain.end())

    async def _resize(self, *, nudge: bool) -> None:
        """Tell the build's terminal how large the window is, now and whenever that changes.

        With `nudge` it changes for a moment in any case: a program that has the screen to itself paints it anew then.
        """
        if self._screen is None:
            return
        while True:
            columns, rows = terminal.size()
            try:
                if nudge:
                    await self._net.call("builds.resize", self._build, columns=columns, rows=rows + 1)
                    await asyncio.sleep(NUDGE_S)
                    nudge = False
                await self._net.call("builds.resize", self._build, columns=columns, rows=rows)
            except (Conflict, NotFound, Unavailable):  # it does not run yet, or where nobody hears of it now
                await asyncio.sleep(RETRY_S)
                continue
            except NotAllowed:
                return
            await self._resized.wait()
            self._resized.clear()

    # -- what it reads

    async def _type(self, view: BuildView) -> None:
        """Pass on what is typed, as soon as the build reads it and as long as it does."""
        if self._keys is Keys.NONE or not await self._reads(view):
            return
        with terminal.raw() if self._keys is Keys.TERMINAL else contextlib.nullcontext():
            await self._typing.pass_on()

    async def _reads(self, view: BuildView) -> bool:
        """Wait until the build runs; return whether it reads what is typed here."""
        while view.state is BuildState.ASSIGNED:
            await self._net.next_event()
            view = (await self._net.call("builds.get", self._build)).build
        while view.state is BuildState.RUNNING:
            try:
                await self._typing.wanted()
            except NotAllowed as error:
                say(str(error))
                return False
            except (Conflict, NotFound):
                return False
            except Unavailable:
                await asyncio.sleep(RETRY_S)
            else:
                return True
        return False

    # -- what ends it

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Heed signals, from before the build is attended until after: also while our agent is gone."""
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGINT: self._on_interrupt,
            signal.SIGTERM: self._on_terminate,
            signal.SIGHUP: lambda: self._leave(""),
            signal.SIGWINCH: self._resized.set,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _leave(self, why: str) -> None:
        if not self._left.done():
            self._left.set_exception(Left(why))

    async def _look_out(self) -> None:
        """Notice when our own agent is gone."""
        await self._net.gone()
        if not self._left.done():
            self._left.set_exception(NoAgent("this machine's agent is gone (start it with: orchestra up)"))

    def _on_interrupt(self) -> None:
        self._interrupts += self._reached
        if self._interrupts > 1:
            self._leave("")
        else:
            self._on_terminate()

    def _on_terminate(self) -> None:
        if self._aborts and self._reached:
            self._stop()
        else:
            self._leave("")

    def _stop(self) -> None:
        if self._aborting is None:
            say("Interrupted: aborting the build (Ctrl-C again leaves it to itself).")
            self._aborting = asyncio.ensure_future(self._abort())

    async def _abort(self) -> None:
        with contextlib.suppress(OrchestraError):  # it has just ended
            await self._net.call("builds.abort", self._build)


@contextlib.asynccontextmanager
async def _company(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let things go on beside what is done here, and end with it."""
    tasks = [asyncio.ensure_future(one) for one in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
