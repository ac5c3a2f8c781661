"""What a machine's owner lets builds have, and when: slots, cpus, hours, and manners towards whoever works at it. Pure.

Each agent has an offer of its own (its settings); people may lay changes over it while it runs, which the network
remembers. A paused agent takes no new builds; those that it has go on. Refuses to know how it is found out whether
somebody uses a machine, and what time it is there.
"""

import re
from datetime import datetime, time

import msgspec
from msgspec.structs import replace

from .errors import InvalidInput

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY_MINUTES = 24 * 60
_DAY = r"(?:mon|tue|wed|thu|fri|sat|sun)"
_HOURS = re.compile(
    rf"(?:(?P<days>{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*)\s+)?"
    r"(?P<begin>[0-9]{1,2}:[0-9]{2})\s*-\s*(?P<end>[0-9]{1,2}:[0-9]{2})"
)


class Offer(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """When a machine takes builds, and with what manners."""

    hours: tuple[str, ...] = ()  # when, by its own clock, as `18:00-08:00` or `sat-sun 00:00-24:00`; empty: always
    pause_when_used: bool = False  # takes no builds while somebody uses it
    idle_s: float = 300.0  # for how long nobody may have used it until it takes builds again
    pause_on_battery: bool = False  # takes no builds while it runs on its battery
    nice: bool = False  # builds give way to everything else on it

    @property
    def looks(self) -> bool:
        """Whether it depends on what goes on at the machine."""
        return self.pause_when_used or self.pause_on_battery


class OfferChange(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What people laid over a machine's own offer, and over how much it offers. None: as the machine says itself."""

    slots: int | None = None  # builds at a time
    cpus: float | None = None  # cpus that builds may take in all
    hours: tuple[str, ...] | None = None  # see Offer
    pause_when_used: bool | None = None  # see Offer
    idle_s: float | None = None  # see Offer
    pause_on_battery: bool | None = None  # see Offer
    nice: bool | None = None  # see Offer

    def over(self, own: Offer) -> Offer:
        """Return an offer with these changes."""
        return replace(own, **{name: value for name, value in self.said().items() if name in own.__struct_fields__})

    def merged(self, later: "OfferChange") -> "OfferChange":
        """Return these changes with later ones over them."""
        return replace(self, **later.said())

    def said(self) -> dict[str, object]:
        """Return what is changed."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}

    def check(self) -> None:
        """Raise InvalidInput where it says what cannot be."""
        check(self.over(Offer()))
        if self.slots is not None and self.slots < 0:
            message = f"slots must be 0 (it takes no builds) or more, not {self.slots}"
            raise InvalidInput(message)
        if self.cpus is not None and not 0 <= self.cpus < float("inf"):
            message = f"cpus must be 0 or more, not {self.cpus:g}"
            raise InvalidInput(message)


class Usage(msgspec.Struct, frozen=True):
    """What is going on at a machine beside builds."""

    idle_s: float | None = None  # since when nobody used it; None: that cannot be told
    on_battery: bool = False  # whether it runs on its battery


def check(offer: Offer) -> None:
    """Raise InvalidInput where an offer says what cannot be."""
    if not 0 < offer.idle_s < float("inf"):
        message = f"idle must be more than 0 seconds, not {offer.idle_s:g}"
        raise InvalidInput(message)
    for one in offer.hours:
        parse_hours(one)


def parse_hours(text: str) -> tuple[frozenset[int], int, int]:
    """Return days (0: Monday) and minutes of the day at which hours begin and end, which may be on the next day.

    Raises InvalidInput with the forms there are.
    """
    found = _HOURS.fullmatch(text.strip().lower())
    begin, end = (_minute(found["begin"]), _minute(found["end"])) if found else (None, None)
    if found is None or begin is None or end is None or begin in {end, _DAY_MINUTES}:
        message = f"{text[:80]!r} are no hours; write 18:00-08:00, mon-fri 18:00-08:00 or sat,sun 00:00-24:00"
        raise InvalidInput(message)
    return _days(found["days"]), begin, end


def pause(offer: Offer, usage: Usage, local: datetime) -> str:
    """Return why a machine takes no builds now (`local`: its own time), empty if it does.

    What is told stays the same as long as the reason does: it is no place for a time that runs.
    """
    if offer.hours and not any(_open(one, local) for one in offer.hours):
        return f"it is outside its hours ({'; '.join(offer.hours)})"
    if offer.pause_on_battery and usage.on_battery:
        return "it runs on its battery"
    if offer.pause_when_used and usage.idle_s is not None and usage.idle_s < offer.idle_s:
        return f"somebody uses it; it takes builds when nobody has for {_duration(offer.idle_s)}"
    return ""


def describe(offer: Offer) -> list[str]:
    """Return for people what is special about an offer, each a few words."""
    return [
        *offer.hours,
        *([f"pauses when used (idle {_duration(offer.idle_s)})"] if offer.pause_when_used else []),
        *(["pauses on battery"] if offer.pause_on_battery else []),
        *(["nice"] if offer.nice else []),
    ]


def _open(text: str, local: datetime) -> bool:
    """Whether hours include an instant. Those that go past midnight belong to the day on which they begin."""
    days, begin, end = parse_hours(text)
    minute = local.hour * 60 + local.minute
    today, yesterday = local.weekday() in days, (local.weekday() - 1) % 7 in days
    if begin < end:
        return today and begin <= minute < end
    return (today and minute >= begin) or (yesterday and minute < end)


def _minute(text: str) -> int | None:
    hour, minute = (int(part) for part in text.split(":"))
    if (hour, minute) == (24, 0):
        return _DAY_MINUTES
    try:
        found = time(hour, minute)
    except ValueError:
        return None
    return found.hour * 60 + found.minute


def _days(text: str | None) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found.update(day % 7 for day in range(begin, end + 1 if end >= begin else end + 8))
    return frozenset(found)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:g}m" if minutes and not rest else f"{seconds:g}s"
