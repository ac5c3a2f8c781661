"""What branches are, asked in the background for who goes on meanwhile: a remote that is slow holds up nobody else.

Refuses to know who is asked (repositories.resolving), and what is done with the answers.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import TypeAlias

from ..core.errors import OrchestraError
from ..core.repository import Tip

log = logging.getLogger(__name__)

Branch: TypeAlias = tuple[str, str]  # address of a repository, branch of it
Tips: TypeAlias = dict[Branch, Tip]  # what they are
Resolve: TypeAlias = Callable[[Collection[Branch]], Awaitable[Tips]]  # raises UserError where one is unknown


class Inquiries:
    """What is being asked, and what was answered and is not used yet."""

    def __init__(self, resolve: Resolve, answered: Callable[[], None]) -> None:
        """Ask by `resolve`; tell `answered` of each answer."""
        self._resolve = resolve
        self._answered = answered
        self._asked: dict[Branch, asyncio.Task[Tips]] = {}

    def of(self, branches: Collection[Branch]) -> Tips | None:
        """Return what branches are, as far as that can be known; None: not all answers are there, they are asked."""
        for one in branches:
            if one not in self._asked:
                self._asked[one] = asyncio.get_running_loop().create_task(self._ask(one))
                self._asked[one].add_done_callback(lambda _: self._answered())
        asked = [self._asked[one] for one in branches]
        if not all(one.done() for one in asked):
            return None
        return {branch: tip for one in asked for branch, tip in one.result().items()}

    def forget(self, but: Collection[Branch] = ()) -> None:
        """Ask and remember nothing any more but these: who asks for others again wants to know how they are then."""
        for one in self._asked.keys() - set(but):
            self._asked.pop(one).cancel()

    async def _ask(self, branch: Branch) -> Tips:
        try:
            return await self._resolve([branch])
        except OrchestraError as problem:
            log.warning("inquiries.unanswered: %s", problem)
            return {}
