"""What a branch or tag is at the moment, as its repository says. Blocks. Refuses to know who wants to know it."""

from ...core.errors import LimitReached, NotFound, TimedOut
from ...core.repository import Tip, candidates, check_ref, is_revision, not_listed, read_listing, tip_of
from .git import Git, GitFailed, refusal


class Unlisted(NotFound):
    """The repository was seen, and has no such branch: nobody else would find one."""


def tip(git: Git, address: str, branch: str, seconds: float) -> Tip:
    """Return what a branch or tag (empty: the default branch) is now. Blocks. Raises UserError with the reason."""
    git.check(address)
    if branch:
        check_ref(branch)
    if is_revision(branch):
        return Tip(branch, "")
    try:
        found, default = read_listing(git.within(seconds, "ls-remote", "--symref", "--", address, *candidates(branch)))
        known = tip_of(found, default, branch)
        if known is None:
            names, _ = read_listing(git.within(seconds, "ls-remote", "--", address))
            raise Unlisted(not_listed(address, branch, names))
    except GitFailed as problem:
        raise refusal(address, problem) from None
    except TimedOut as problem:
        message = f"{address}: {problem}; check the address, or try again later"
        raise TimedOut(message) from None
    except LimitReached as problem:
        message = f"{address}: {problem}"
        raise LimitReached(message) from None
    return known
