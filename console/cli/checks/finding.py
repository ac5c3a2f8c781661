"""One thing that was looked at."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    what: str  # what was looked at
    ok: bool  # whether it is as it should be
    found: str  # what was found
    remedy: str = ""  # what helps, where it is not


class Findings(msgspec.Struct, frozen=True):
    """All that was looked at."""

    findings: list[Finding]  # in the order of looking


def finding(what: str, found: str, wrong: object, remedy: str) -> Finding:
    """Return what was found; where something is `wrong`, with the remedy."""
    return Finding(what, not wrong, found, remedy if wrong else "")
