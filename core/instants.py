"""Instants as texts: RFC 3339, in UTC, with milliseconds."""

from datetime import UTC, datetime, timedelta

from .model import Millis

_EPOCH = datetime.fromtimestamp(0, UTC)


def stamp(at: Millis | None) -> str | None:
    """Return an instant as RFC 3339, UTC, with milliseconds: `2026-11-23T20:05:13.042Z`."""
    if at is None:
        return None
    seconds, millis = divmod(at, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03}Z"


def instant(text: str) -> Millis:
    """Return the instant that an RFC 3339 text names. Raises ValueError if it names none."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        message = f"{text!r} has no time zone; end it with Z for UTC"
        raise ValueError(message)
    return (found - _EPOCH) // timedelta(milliseconds=1)  # in whole numbers: floats lose milliseconds from 2038 on
