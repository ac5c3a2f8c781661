"""How pins look."""

import msgspec

from ..instants import stamp
from ..model import Pin


class PinView(msgspec.Struct, frozen=True):
    """That a build is kept until somebody unpins it, whatever its age."""

    build: str  # build id
    label: str  # project/job#number
    at: str | None  # when it was pinned, RFC 3339
    requester: str  # who did it
    note: str  # why


def pin_view(found: Pin) -> PinView:
    """Return a pin."""
    return PinView(found.build, found.label, stamp(found.at), found.requester, found.note)
