"""Pins: what is kept whatever its age."""

import msgspec

from ..errors import InvalidInput
from ..views.pins import PinView
from .method import READ, Method, Params


class PinsList(Params, frozen=True):
    """A page of pins, the newest first."""

    limit: int = 50  # 1 to 1000
    after: str | None = None  # `next` of the page before


class Pins(msgspec.Struct, frozen=True):
    """A page of pins."""

    pins: list[PinView]  # the newest first
    next: str | None  # cursor of the next page; null: there is none


METHODS = (Method("pins.list", "What is kept whatever its age, and why", PinsList, Pins, READ, (InvalidInput,)),)
