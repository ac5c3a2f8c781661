"""Secrets of projects: their names, never their values."""

import msgspec

from ..errors import InvalidInput, LimitReached
from ..views.secrets import SecretView
from .method import CHANGE, MISSING, OPERATE, READ, Method, Params
from .tasks import OneTask


class SecretSet(Params, frozen=True):
    """Keeps a secret, in place of the one before."""

    project: str  # whose builds may have it
    name: str  # the variable by which their steps see it
    value: str  # the secret itself; it is sealed before it is written anywhere, and never returned


class SecretName(Params, frozen=True):
    """Names a secret."""

    project: str  # whose it is
    name: str  # its name


class SecretsList(Params, frozen=True):
    """Which secrets."""

    project: str | None = None  # only this project's


class Secrets(msgspec.Struct, frozen=True):
    """The names of secrets."""

    secrets: list[SecretView]  # by project and name; those that jobs lack last


METHODS = (
    Method(
        "secrets.set",
        "Keep a secret of a project, sealed; its value is never returned",
        SecretSet,
        OneTask,
        OPERATE,
        (InvalidInput, LimitReached, *CHANGE),
    ),
    Method("secrets.list", "The names of secrets", SecretsList, Secrets, READ),
    Method("secrets.remove", "Forget a secret", SecretName, OneTask, OPERATE, MISSING + CHANGE),
)
