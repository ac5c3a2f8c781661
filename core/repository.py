"""Addresses of git repositories, and what is checked out of them: which texts may be either. Pure.

A repository is reached by a protocol; what leads to commands instead (`ext::`, a host or path that begins with `-`)
is no address. Refuses to know what is in a repository, and which protocols an agent allows.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .errors import InvalidInput
from .nearest import nearest

PROTOCOLS = ("https", "ssh", "http", "git", "file")
"""Those that an address may have."""

USUAL = ("https", "ssh")
"""Those that every agent allows."""

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^/@]*)@)?(?P<host>[^/@]*)(?P<path>/.*)?")
_SHORT = re.compile(r"(?:(?P<user>[^/@:]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/@:\[\]]+):(?!:)(?P<path>.+)")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*))(?::[0-9]{1,5})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_IN_REFS = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{")
_REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LONGEST = 1000


class Tip(NamedTuple):
    """What a branch or tag is at one moment."""

    revision: str  # full id of the commit
    branch: str  # name of the branch or tag


def protocol_of(address: str) -> str:
    """Return by which of PROTOCOLS a repository is reached. Raises InvalidInput where that is no address."""
    if not address or len(address) > _LONGEST or address.startswith("-") or _CONTROL.search(address):
        raise _no_address(address)
    if address.startswith("/"):
        return "file"
    url = _URL.fullmatch(address)
    if url is None:
        short = _SHORT.fullmatch(address)
        if short is None or not _HOST.fullmatch(short["host"]) or short["path"].startswith("-"):
            raise _no_address(address)
        _check_user(short["user"])
        return "ssh"
    scheme, path = url["scheme"].lower(), url["path"] or ""
    if scheme not in PROTOCOLS:
        message = f"{address[:60]!r} has a protocol that is not known; use one of {', '.join(PROTOCOLS)}"
        raise InvalidInput(message)
    _check_user(url["user"])
    plain = scheme == "file" and url["host"] in {"", "localhost"}
    if not path or (not plain and not _HOST.fullmatch(url["host"])):
        raise _no_address(address)
    return scheme


def check_address(address: str) -> None:
    """Check the address of a repository. Raises InvalidInput."""
    protocol_of(address)


def _check_user(user: str | None) -> None:
    if user and ":" in user:
        raise InvalidInput(
            "an address must not hold a password, for everybody sees it; let the agents' user have a key "
            "or a credential helper"
        )
    if user and user.startswith("-"):
        raise InvalidInput("the user in an address must not begin with `-`")


def _no_address(text: str) -> InvalidInput:
    return InvalidInput(
        f"{text[:60]!r} is no address of a repository; write https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH"
    )


def check_ref(text: str) -> None:
    """Check the name of a branch or tag, or a revision. Raises InvalidInput."""
    parts = text.split("/")
    wrong = len(text) > _LONGEST or text.startswith("-") or text.endswith(".") or text in {"", "@"}
    if wrong or _NOT_IN_REFS.search(text) or any(not one or one[0] == "." or one.endswith(".lock") for one in parts):
        message = f"{text[:60]!r} is no branch, tag or full revision; write it as git branch shows it"
        raise InvalidInput(message)


def is_revision(text: str) -> bool:
    """Whether this is a full revision: 40 hex digits, or 64."""
    return _REVISION.fullmatch(text) is not None


def candidates(branch: str) -> tuple[str, ...]:
    """Return the names under which a repository may list a branch or tag, the first that is there counts."""
    if not branch:
        return ("HEAD",)
    full = (branch,) if branch.startswith("refs/") else ()
    tag = f"refs/tags/{branch}"
    return (*full, f"refs/heads/{branch}", f"{tag}^{{}}", tag)


def read_listing(text: str) -> tuple[dict[str, str], str]:
    """Return name -> revision as `git ls-remote --symref` lists them, and the name of the default branch."""
    found: dict[str, str] = {}
    default = ""
    for line in text.splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: ") and name == "HEAD":
            default = value.removeprefix("ref: ").removeprefix("refs/heads/")
        elif is_revision(value):
            found[name] = value
    return found, default


def tip_of(listed: Mapping[str, str], default: str, branch: str) -> Tip | None:
    """Return what a branch or tag is in a listing; empty: the default branch. None: it is not listed."""
    for name in candidates(branch):
        if name in listed:
            return Tip(listed[name], branch or default)
    return None


def not_listed(address: str, branch: str, names: Iterable[str]) -> str:
    """Return, for people, that a branch is not listed, and what there is instead."""
    known = [one.removeprefix("refs/heads/").removeprefix("refs/tags/") for one in names if not one.endswith("^{}")]
    known = [one for one in dict.fromkeys(known) if not one.startswith("refs/") and one != "HEAD"]
    if not known:
        return f"{address} has no commits yet; push a branch first"
    guess = nearest(branch, known)
    hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(known[:10])}"
    return f"{address} has no branch or tag {branch!r}; {hint}"


def related(address: str, to: str) -> str:
    """Return the address of a submodule, which may be written relative to that of the repository that it is `to`."""
    base = to.rstrip("/")
    if not address.startswith(("./", "../")):
        return address
    separator = "/"
    while address.startswith(("./", "../")):
        up = address.startswith("../")
        address = address.partition("/")[2]
        if up:
            cut = max(base.rfind("/"), base.rfind(":"))
            base, separator = base[: max(0, cut)], base[cut] if cut >= 0 else "/"
    return f"{base}{separator}{address}"
