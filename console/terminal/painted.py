"""Widgets that draw their lines themselves, in the tones of the theme."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Protocol, cast

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from .cells import Part, Tone, cells, fit


class Clocked(Protocol):
    """An app that knows the time of day."""

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        ...


class Painted(Widget):
    """A widget that draws line by line. What strangers wrote is never read as markup: it is drawn as it is."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tone--{tone}" for tone in Tone}
    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Painted {
        .tone--dim { color: $text-muted; }
        .tone--strong { text-style: bold; }
        .tone--title { color: $text-muted; text-style: bold; }
        .tone--accent { color: $accent; }
        .tone--good { color: $success; }
        .tone--bad { color: $error; text-style: bold; }
        .tone--warn { color: $warning; }
        .tone--odd { color: $secondary; text-style: bold; }
        .tone--busy { color: $primary; }
        .tone--wait { color: $text-muted; }
        .tone--cursor { background: $cursor; }
        .tone--mark { color: $warning; text-style: bold; }
        .tone--match { background: $match; color: $match-text; }
        .tone--here { background: $warning; color: $background; text-style: bold; }
        &:ansi .tone--dim, &:ansi .tone--wait, &:ansi .tone--title { color: ansi_default; text-style: dim; }
        &:ansi .tone--title { text-style: bold; }
        &:ansi .tone--cursor { text-style: reverse; background: ansi_default; }
        &:ansi .tone--match { text-style: reverse; background: ansi_default; color: ansi_default; }
        &:ansi .tone--here { text-style: reverse bold underline; background: ansi_default; color: ansi_default; }
    }
    """

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - as Textual has it
        """Draw nothing yet."""
        super().__init__(id=id, classes=classes)
        self._base: Style | None = None
        self._tones: dict[Tone, Style] = {}

    def notify_style_update(self) -> None:
        """Take the tones anew from the theme when it has changed."""
        super().notify_style_update()
        self._base, self._tones = None, {}

    @property
    def moment(self) -> datetime:
        """The time of day, as the app has it."""
        return cast("Clocked", self.app).now()

    @property
    def base(self) -> Style:
        """How a text looks that means nothing special."""
        if self._base is None:
            self._base = self.rich_style
        return self._base

    def tone(self, tone: Tone) -> Style:
        """Return how a tone looks."""
        style = self._tones.get(tone)
        if style is None:
            style = self._tones[tone] = self.get_component_rich_style(f"tone--{tone}", partial=True)
        return style

    def drawn(self, parts: Iterable[Part], width: int, *, under: Tone | None = None) -> Strip:
        """Return a line of exactly `width` cells from clean texts; `under`: a tone that lies beneath all of it."""
        base = self.base
        over = Style.null() if under is None else self.tone(under)
        segments: list[Segment] = []
        used = 0
        for text, tone in parts:
            length = cells(text)
            if used + length > width:
                text, length = fit(text, width - used), width - used  # noqa: PLW2901 - what is left of it
            if length > 0:
                style = base if tone is Tone.PLAIN else base + self.tone(tone)
                segments.append(Segment(text, style + over))
                used += length
        if used < width:
            segments.append(Segment(" " * (width - used), base + over))
        return Strip(segments, width)
