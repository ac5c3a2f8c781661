"""Names and output from strangers on every screen: nothing is obeyed or read as markup, every line keeps its width."""

import unicodedata
from itertools import cycle
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from textual.app import App

from job_orchestra.core.api.network import Identity
from job_orchestra.core.api.table import METHODS
from tests.kit.feeds import FakeFeed
from tests.kit.screens import WAYS, filled, pilot_at
from tests.kit.standing import status

NASTY = (
    "[b]bold[/b] [@click=app.quit]quit[/]",
    "\x1b]52;c;aGk=\x07\x1b]0;title\x07\x1b[2J\x1b[31m",
    "\x9b31m\x90q\x9c\x00\x7f",
    "\N{FIRECRACKER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}\N{VARIATION SELECTOR-16}",
    "\N{RIGHT-TO-LEFT OVERRIDE}drawkcab\N{POP DIRECTIONAL FORMATTING} \N{HEBREW LETTER SHIN}\N{HEBREW LETTER LAMED}",
    "long" * 125,
    "two\nlines\r\x85and\ttabs\x0b\u2028here",
    "Z\u0351\u036b\u0343a\u0334\u0335l\u0361go \u7f16\u8bd1\u7ed3\u679c",
    "",
)

FREE = frozenset(
    {
        "name",
        "project",
        "job",
        "description",
        "reason",
        "requester",
        "target",
        "outcome",
        "message",
        "text",
        "run",
        "command",
        "condition",
        "marker",
        "host",
        "address",
        "version",
        "network",
        "error",
        "url",
        "branch",
        "cause",
        "store",
    }
)
"""Fields in which strangers can write what they like."""


class Stranger(FakeFeed):
    """A feed in whose answers every text that somebody may have chosen is nasty."""

    async def call(self, method: str, **params: object) -> Any:  # noqa: ANN401 - the method decides the type
        answer = await super().call(method, **params)
        texts = cycle(NASTY)
        return msgspec.convert(spoilt(msgspec.to_builtins(answer), texts), METHODS[method].result)


def spoilt(value: Any, texts: Any, key: str = "") -> Any:  # noqa: ANN401 - any shape
    """Return a value with its free texts replaced."""
    if isinstance(value, dict):
        free = key in {"labels", "results", "env"} or (key == "parameters" and "name" not in value)
        return {
            name: next(texts) if free and isinstance(one, str) else spoilt(one, texts, name)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [next(texts) if key == "reasons" else spoilt(one, texts) for one in value]
    return next(texts) if isinstance(value, str) and key in FREE else value


def strange() -> Stranger:
    feed = Stranger(status())
    feed.__dict__.update(filled().__dict__)
    nasty = Identity("a" * 16, NASTY[0])
    feed.stand(status=status(network=nasty, agent=nasty, master=nasty, notices=list(NASTY)), source=NASTY[1])
    for attempt in feed.logs:
        feed.logs[attempt] = b"\n".join(one.encode() for one in NASTY) + b"\xff\xfe\n" + b"x" * 70_000
    return feed


def looked_at(app: App[Any]) -> str:
    """Return what is on the screen, after looking whether it is harmless."""
    lines: list[str] = []
    for strip in app.screen._compositor.render_strips():
        assert not [segment.control for segment in strip if segment.control]
        bad = {one for one in strip.text if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
        assert not bad, f"{bad} in {strip.text!r}"
        assert cell_len(strip.text) == strip.cell_length == app.size.width
        lines.append(strip.text)
    return "\n".join(lines)


@pytest.mark.parametrize("name", WAYS)
async def test_every_screen_takes_what_strangers_write(name: str) -> None:
    async with pilot_at(name, strange(), (80, 24)) as pilot:
        looked_at(pilot.app)
        await pilot.resize_terminal(200, 60)
        await pilot.pause()
        looked_at(pilot.app)


@pytest.mark.parametrize("name", ["overview", "builds", "jobs", "agents"])
async def test_names_are_not_markup(name: str) -> None:
    async with pilot_at(name, strange(), (200, 60)) as pilot:
        assert "[b]bold[/b]" in looked_at(pilot.app)


async def test_questions_name_their_target_as_it_is_called() -> None:
    async with pilot_at("agents", strange(), (200, 60)) as pilot:
        await pilot.press("d")
        await pilot.pause()
        assert "[b]bold[/b] [@click=app.quit]quit[/]" in looked_at(pilot.app)


async def test_what_is_told_in_passing_is_not_markup() -> None:
    feed = strange()
    async with pilot_at("builds", feed, (200, 60)) as pilot:
        await pilot.press("e")
        await pilot.pause()
        await pilot.pause()
        assert "[b]bold[/b]" in looked_at(pilot.app)
