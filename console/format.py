"""How values look to people, the same in every face: durations, instants, sizes, tables. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from unicodedata import category, east_asian_width

from ..core.views.agents import OfferView
from ..core.views.pins import PinView

_MINUTE = 60
_HOUR = 3600
_DAY = 86400


def duration(seconds: float | None) -> str:
    """Return a duration as two units at most: `0.4s`, `12s`, `3m05s`, `2h07m`, `4d03h`; `-` for None."""
    if seconds is None:
        return "-"
    if seconds < 9.95:  # noqa: PLR2004 - below 10 as it is shown, tenths matter
        return f"{max(seconds, 0):.1f}s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02}m"
    return f"{whole // _DAY}d{whole % _DAY // _HOUR:02}h"


def between(start: str | None, end: str | None, now: datetime) -> float | None:
    """Return the seconds between two RFC 3339 texts; up to `now` where the second is missing; None without a start."""
    if start is None:
        return None
    return ((datetime.fromisoformat(end) if end else now) - datetime.fromisoformat(start)).total_seconds()


def age(at: str | None, now: datetime) -> str:
    """Return how long ago an RFC 3339 text was: `12s`, `3m`, `2h07m`, `4d03h`; `-` for None.

    Coarser than a duration: of what is minutes old nobody counts the seconds, and what is on a screen stands still.
    """
    seconds = between(at, None, now)
    if seconds is None:
        return "-"
    whole = int(max(seconds, 0))
    if whole < _MINUTE:
        return f"{whole}s"
    return f"{whole // _MINUTE}m" if whole < _HOUR else duration(whole // _MINUTE * _MINUTE)


def ago(at: str | None, now: datetime) -> str:
    """Return how long ago an RFC 3339 text was, as `12s ago`; `-` for None."""
    return "-" if at is None else f"{age(at, now)} ago"


def now() -> datetime:
    """Return the time of day, UTC."""
    return datetime.now(UTC)


def size(count: int) -> str:
    """Return a number of bytes as `312 B`, `4.2 KiB`, `1.0 GiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if unit == "B" and count < 1024:  # noqa: PLR2004 - a KiB
            return f"{count} B"
        if unit != "B" and value < 1023.95:  # noqa: PLR2004 - a unit more, as it is shown
            return f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def amount(name: str, used: float, total: float) -> str:
    """Return how much of a resource is taken, as `3/8` or `2.0 GiB/15.6 GiB`."""
    if name == "memory":
        return f"{size(int(used))}/{size(int(total))}"
    return f"{used:.4g}/{total:.4g}"


def offer_words(offer: OfferView | None, paused: str = "") -> str:
    """Return what is special about an agent's offer, in a few words; `always` where nothing is."""
    if offer is None:
        return ""
    words = [
        *offer.hours,
        *(["not when used"] if offer.pause_when_used else []),
        *(["not on battery"] if offer.pause_on_battery else []),
        *(["nice"] if offer.nice else []),
    ]
    return ", ".join(words or ["always"]) + (f" (now paused: {paused})" if paused else "")


def pin_words(pin: PinView, moment: datetime) -> str:
    """Return by whom, when and why something is kept whatever its age."""
    return f"by {plain(pin.requester)}, {ago(pin.at, moment)}" + (f": {plain(pin.note)}" if pin.note else "")


def label_words(labels: Mapping[str, str]) -> str:
    """Return labels on one line: what the machine is comes first, then what else it has and is called."""
    first = [name for name in ("os", "arch", "distribution", "release", "gpu") if name in labels]
    others = sorted(set(labels).difference(first, ("cpus", "memory", "gpus")))
    return " ".join(f"{name}={labels[name]}" if labels[name] else name for name in (*first, *others))


def width(text: str) -> int:
    """Return how many terminal cells a text takes."""
    return sum(
        0 if category(one) in {"Mn", "Me", "Cf"} else 2 if east_asian_width(one) in {"W", "F"} else 1 for one in text
    )


def plain(text: str) -> str:
    """Return a text on one line, with controls shown as `?`: names and reasons may come from strangers.

    What is invisible and turns the direction of writing, or joins signs into one, is left out: it would shift columns.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if one in _GAPS else "?" if category(one) == "Cc" else one for one in text if not _hidden(one))


_GAPS = "\n\t\u2028\u2029"  # what ends a line or stands for a gap


def _hidden(character: str) -> bool:
    return category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


def cut(text: str, cells: int) -> str:
    """Return a text that takes at most `cells`; what is cut off is marked by `…`."""
    if width(text) <= cells:
        return text
    kept, used = "", 1
    for one in text:
        used += width(one)
        if used > cells:
            break
        kept += one
    return kept + "…"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], cells: int | None = None) -> list[str]:
    """Return aligned lines; where they would take more than `cells`, the last column is cut."""
    shown = [[plain(one) for one in row] for row in rows]
    widths = [max(width(one) for one in column) for column in zip(head, *shown, strict=True)]
    if cells is not None:
        widths[-1] = max(4, min(widths[-1], cells - sum(widths[:-1]) - 2 * (len(widths) - 1)))
    lines = [
        [cut(one, widths[-1]) if place == len(row) - 1 else one for place, one in enumerate(row)]
        for row in [list(head), *shown]
    ]
    return [
        "  ".join(one + " " * (wide - width(one)) for one, wide in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
