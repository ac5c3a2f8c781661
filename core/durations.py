"""Durations as people write them: `90`, `45s`, `30m`, `1h30m`, `2d`. Pure."""

import re
from math import isinf

_PART = re.compile(r"(?P<count>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Return the seconds that `text` stands for; a bare number counts seconds. Raises ValueError where it is none.

    Units: ms, s, m, h, d; several add up.
    """
    text = text.strip()
    return _positive(float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else _sum(text))


def _sum(text: str) -> float:
    parts = list(_PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        message = "is no duration; write one such as 90s, 30m or 1h30m"
        raise ValueError(message)
    return sum(float(part["count"]) * _SECONDS[part["unit"]] for part in parts)


def _positive(seconds: float) -> float:
    if seconds <= 0:
        message = "must be longer than nothing"
        raise ValueError(message)
    if isinf(seconds):
        message = "is too long"
        raise ValueError(message)
    return seconds
