"""How secrets look: everything about them but their values."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ..secrecy import Sealed

from ..instants import stamp


class SecretView(msgspec.Struct, frozen=True):
    """A secret: everything about it but its value, which nobody is ever told."""

    project: str  # whose builds may have it
    name: str  # the variable by which their steps see it
    set: str | None  # RFC 3339; null: jobs ask for it, and it was never set
    requester: str  # who set it
    jobs: list[str]  # names of the project's jobs that ask for it


def secret_view(found: "Sealed", jobs: Iterable[str]) -> SecretView:
    """Return what may be told of a secret; `jobs` ask for it."""
    return SecretView(found.project, found.name, stamp(found.set), found.requester, sorted(jobs))


def unset_secret_view(full_name: str, jobs: Iterable[str]) -> SecretView:
    """Return what there is to tell of a secret that `jobs` ask for and that was never set."""
    project, _, name = full_name.partition("/")
    return SecretView(project, name, None, "", sorted(jobs))
