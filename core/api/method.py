"""What every row of the table has, and what many share."""

from enum import StrEnum

import msgspec

from ..errors import DiskFull, NoMaster, NotFound, OrchestraError


class Permission(StrEnum):
    """What a requester must be allowed to do."""

    READ = "read"  # look at everything but secrets
    SUBMIT = "submit"  # run builds: whoever may do this owns the workers that run them
    OPERATE = "operate"  # stop builds of others, define jobs, steer agents
    ADMIN = "admin"  # members, keys, stopping agents


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all parameters: an object whose unknown members are refused."""


class NoParams(Params, frozen=True):
    """No parameters."""


class Method(msgspec.Struct, frozen=True):
    """One row of the table."""

    name: str  # noun.verb
    summary: str  # one line
    params: type[Params]  # shape of `params`
    result: type[msgspec.Struct]  # shape of `result`
    permission: Permission  # what the requester must be allowed
    errors: tuple[type[OrchestraError], ...] = ()  # beyond those that every method has


READ, SUBMIT, OPERATE, ADMIN = Permission

MISSING = (NotFound,)
"""What a method answers where there is no such thing."""

CHANGE = (NoMaster, DiskFull)
"""What hinders every change."""
