"""Answers `builds.log`: ranges of what builds wrote."""

import base64

from ...core.api.builds import BuildsLog, LogPart
from ...core.errors import InvalidInput, NotFound
from ...core.ledger import Changes
from ...core.messages import LogRead
from ...core.model import Attempt
from ..logreading import MAX_WAIT_S, LogReader
from .desk import Desk, current

MAX_LOG_PART = 1 << 20
"""Bytes of one answer of builds.log, before it is encoded."""


class Output:
    """The logs of builds."""

    def __init__(self, desk: Desk, logs: LogReader) -> None:
        """Read them by `logs`, wherever they are."""
        self._desk = desk
        self._logs = logs
        desk.replica.watch(self._on_changes)

    def _on_changes(self, changes: Changes) -> None:
        if self._logs.followed:
            for build in changes.builds.values():
                if build.state.ended:
                    self._logs.on_ended(f"{build.id}.{current(build)}")

    async def builds_log(self, params: BuildsLog) -> LogPart:
        """Return a range of a log."""
        if not 1 <= params.limit <= MAX_LOG_PART:
            message = f"limit must be 1 to {MAX_LOG_PART} bytes, not {params.limit}"
            raise InvalidInput(message)
        build = await self._desk.find.build(params.id)
        number = current(build) if params.attempt is None else params.attempt
        # from before the look at attempt and log: what is read below may be older than what is known by then
        over = not self._alive(build.id, number)
        attempts = await self._desk.find.attempts(build)
        attempt = next((one for one in attempts if one.number == number), None)
        base, end = 0, None
        if params.step is not None:
            base, end = self._range_of_step(params.step, attempts, number)
        offset = params.offset
        if end is not None:
            offset = max(0, end - base + offset) if offset < 0 else offset
        wanted = LogRead(
            key=f"{build.id}.{number}",
            offset=base + offset if offset >= 0 else offset,
            line=params.line if params.step is None else None,
            limit=params.limit if end is None else max(0, min(params.limit, end - base - offset)),
            wait=min(params.wait, MAX_WAIT_S) if end is None and not over else 0.0,
            digest=attempt.log if attempt is not None else "",
        )
        part = await self._logs.read(wanted, attempt, lambda: not self._alive(build.id, number))
        offset, data = max(0, part.offset - base), part.data
        complete = (over or end is not None) and base + offset + len(data) >= (part.size if end is None else end)
        text, encoding = encoded(data, more=not complete)
        used = len(text.encode()) if encoding == "utf-8" else len(data)
        return LogPart(offset, text, encoding, offset + used, complete)

    def _alive(self, build: str, attempt: int) -> bool:
        """Whether more output of an attempt may come."""
        found = self._desk.replica.ledger.builds.get(build)
        return found is not None and found.attempt <= attempt

    @staticmethod
    def _range_of_step(name: str, attempts: list[Attempt], number: int) -> tuple[int, int | None]:
        """Return where a step's output begins and ends in the log; the end is None while it runs."""
        for attempt in attempts:
            if attempt.number == number:
                for step in attempt.steps:
                    if step.name == name:
                        return step.log_start, step.log_end
        message = f"no step {name!r} has started in that attempt; orchestra show lists the steps"
        raise NotFound(message)


def encoded(data: bytes, *, more: bool) -> tuple[str, str]:
    """Return bytes of a log as text with its encoding: UTF-8 where they are, else base64.

    A character that is cut at the end is left to the next part when `more` may follow, so that UTF-8 stays UTF-8.
    """
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError as error:
        if more and error.start and len(data) - error.start < 4 and error.reason == "unexpected end of data":  # noqa: PLR2004 - a character has at most 4 bytes
            return data[: error.start].decode(), "utf-8"
        return base64.b64encode(data).decode(), "base64"
