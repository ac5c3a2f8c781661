"""What projects, jobs, parameters, variables and paths may be called. Pure."""

import re

from .errors import InvalidInput
from .nearest import nearest

RESERVED_PROJECT = "run"
"""The project that single commands are counted under."""

_NAME = re.compile(r"[^\W_][\w.+-]{0,99}")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_TAKEN = re.compile(r"(ORCHESTRA|PARAM|MATRIX|NEEDS|SERVICE|LD|DYLD)_.*|CI|PATH|HOME|SHELL|IFS")


def wrong_name(text: str) -> str | None:
    """Return what is wrong with the name of a job, step or schedule; None: nothing."""
    if _NAME.fullmatch(text):
        return None
    return "is no name; use up to 100 letters, digits, `-`, `_`, `.` and `+`, and begin with a letter or digit"


def check_name(text: str) -> None:
    """Check the name of a job, step or schedule."""
    wrong = wrong_name(text)
    if wrong:
        message = f"{text[:60]!r} {wrong}"
        raise InvalidInput(message)


def check_project(text: str) -> None:
    """Check the name of a project."""
    check_name(text)
    if text == RESERVED_PROJECT:
        message = f"the project {text!r} is that of single commands; choose another name"
        raise InvalidInput(message)


def wrong_variable(text: str) -> str | None:
    """Return what is wrong with the name of a variable; None: nothing."""
    if text.startswith("ORCHESTRA_"):
        return "variables that begin with ORCHESTRA_ are set by Job Orchestra; choose another name"
    return None if _VARIABLE.fullmatch(text) else "is no variable's name; use letters, digits and `_`"


def check_variable(text: str) -> None:
    """Check the name of a variable."""
    wrong = wrong_variable(text)
    if wrong:
        message = wrong if wrong.startswith("variables") else f"{text[:60]!r} {wrong}"
        raise InvalidInput(message)


def check_secret(text: str) -> None:
    """Check the name of a secret."""
    if not _SECRET.fullmatch(text):
        message = (
            f"{text[:60]!r} cannot name a secret: steps see it as a variable, so write up to 64 letters, digits and _, "
            "and no digit first"
        )
        raise InvalidInput(message)
    if _TAKEN.fullmatch(text):
        message = f"a secret cannot be named {text}: steps see that variable with another meaning; choose another name"
        raise InvalidInput(message)


def check_parameter(text: str) -> None:
    """Check the name of a parameter."""
    if not _PARAMETER.fullmatch(text):
        message = f"{text[:60]!r} is no parameter's name; use letters, digits, `_` and `-`, and begin with a letter"
        raise InvalidInput(message)


def wrong_axis(text: str) -> str | None:
    """Return what is wrong with the name of an axis of a matrix; None: nothing."""
    return (
        None if _PARAMETER.fullmatch(text) else "is no name; use letters, digits, `_` and `-`, and begin with a letter"
    )


def check_path(text: str) -> None:
    """Check a path or glob that must stay in the workspace."""
    if text.startswith(("/", "~")) or ".." in text.split("/"):
        message = f"{text[:60]!r} is outside of the workspace; write it relative to that, without `..`"
        raise InvalidInput(message)


def hint(word: str, known: dict[str, object] | list[str], none: str) -> str:
    """Return which of the known names somebody probably meant, or all of them; `none` where there are none."""
    guess = nearest(word, known)
    return f"did you mean {guess}?" if guess else f"there are: {', '.join(known)}" if known else none
