"""What makes a worker quicker for a build."""

from job_orchestra.core.affinity import key, warmth
from job_orchestra.core.definition import Cache, Source
from tests.kit.builders import spec


def test_a_plain_build_is_as_quick_everywhere() -> None:
    assert warmth(spec(), "ann") == ()


def test_caches_and_repositories_are_at_hand_or_not() -> None:
    cached = spec(caches=(Cache("py-1", ("a",)), Cache("js-1", ("b",))), source=Source(git="https://x/y.git"))
    assert warmth(cached, "ann") == tuple(
        sorted((key("cache", "py-1"), key("cache", "js-1"), key("git", "https://x/y.git")))
    )


def test_a_warm_workspace_is_at_hand_for_whose_it_is() -> None:
    shipped = spec(source=Source(archive="a" * 64, tree="t"))
    assert warmth(shipped, "ann") == (key("tree", "ann", "t"),)
    assert warmth(shipped, "ann") != warmth(shipped, "ben")


def test_keys_are_short_and_tell_kinds_apart() -> None:
    assert key("git", "a") != key("cache", "a")
    assert key("git", "a", "b") != key("git", "ab")
    assert len(key("git", "x" * 10_000)) < 32
