"""The palette: every action that can be done here, and every screen, by name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

from textual.binding import ActiveBinding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from .header import PLACES
from .themes import THEMES


class Actions(Provider):
    """What keys do, for those who do not know them yet."""

    async def discover(self) -> Hits:
        """Show all of them."""
        for name, help_text, action in self._all():
            yield DiscoveryHit(name, action, help=help_text)

    async def search(self, query: str) -> Hits:
        """Show those whose names match."""
        matcher = self.matcher(query)
        for name, help_text, action in self._all():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), action, text=name, help=help_text)

    def _all(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType]]:
        """Yield (name, its key, what it does)."""
        told: set[str] = set()
        for active in sorted(self.screen.active_bindings.values(), key=_rank):
            binding = active.binding
            if not active.enabled or not binding.description or binding.description in told or _of_places(binding.id):
                continue
            told.add(binding.description)
            key = self.app.get_key_display(binding)
            run = partial(self.app.run_action, binding.action, active.node)
            yield binding.description, f"key {key}", cast("IgnoreReturnCallbackType", run)
        for place, (key, title) in PLACES.items():
            run = partial(self.app.run_action, f"go('{place}')", self.app)
            yield f"Go to {title}", f"key {key}", cast("IgnoreReturnCallbackType", run)
        for theme in THEMES:
            run = partial(self.app.run_action, f"take_theme('{theme}')", self.app)
            yield f"Theme: {theme}", "T goes through them", cast("IgnoreReturnCallbackType", run)


def _rank(active: ActiveBinding) -> int:
    """Return a place in the list: what the foot shows first, ways of moving about last."""
    moves = (active.binding.id or "").rpartition(".")[2] in _MOVES
    return 2 if moves or active.binding.id is None else 1 - active.binding.show


_MOVES = frozenset({"up", "down", "page_up", "page_down", "half_up", "half_down", "left", "right", "next", "previous"})


def _of_places(identity: str | None) -> bool:
    return identity is not None and (identity.startswith("go.") or identity == "palette")
