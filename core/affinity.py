"""What makes one worker quicker than another for a build: keys of what it should find at hand. Pure.

A worker says which keys it is warm for (`Worker.warm` of scheduling); a build prefers, for a while, one that shares
some with it. A key is a short digest, so a worker's are a few kilobytes however much it keeps.
"""

from hashlib import sha256

from .definition import Spec


def key(kind: str, *words: str) -> str:
    """Return the key of something: `git` and an address, `cache` and its name, `tree`, whose and of what it is."""
    return f"{kind}:{sha256(chr(0).join(words).encode()).hexdigest()[:16]}"


def warmth(spec: Spec, requester: str) -> tuple[str, ...]:
    """Return the keys of what a build would find at hand on a warm worker, sorted."""
    found = {key("cache", one.key) for one in spec.caches}
    if spec.source.tree:
        found.add(key("tree", requester, spec.source.tree))
    if spec.source.git:
        found.add(key("git", spec.source.git))
    return tuple(sorted(found)) if found else ()
