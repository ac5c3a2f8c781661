"""How caches look."""

import msgspec


class CacheView(msgspec.Struct, frozen=True):
    """What builds left for later ones under a key."""

    project: str  # whose builds take it
    key: str  # as they name it
    size: int  # bytes of its files
    used: str  # when it was last used, RFC 3339
    agents: list[str]  # names of those that have it
