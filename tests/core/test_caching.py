"""Which cache a build takes: its project's, just its key before any other, of prefixes the best, of equals the last."""

from collections.abc import Sequence

import pytest

from job_orchestra.core.affinity import warmth
from job_orchestra.core.caching import LONGEST_KEY, Name, Stored, Wish, best, name_of, read_name, wish_of
from job_orchestra.core.definition import Cache, Spec, Step
from job_orchestra.core.errors import InvalidInput


def digest(globs: Sequence[str]) -> str:
    return f"<{'+'.join(globs)}>"


def stored(key: str, used: int = 0, project: str = "shop") -> Stored:
    return Stored(Name("cache:0", project, key), f"{used}", used)


def test_a_key_has_the_hash_of_files_in_it() -> None:
    cache = Cache("py-${{ hash('uv.lock') }}-${{hash('a*', 'b''c')}}", (".venv",), ("py-${{ hash('uv.lock') }}", "py-"))
    wish = wish_of("shop", cache, digest)
    assert wish == Wish("shop", "py-<uv.lock>-<a*+b'c>", ("py-<uv.lock>", "py-"))


def test_a_prefix_that_comes_to_nothing_fits_nothing() -> None:
    assert wish_of("shop", Cache("x", ("a",), ("${{ hash('none') }}",)), lambda _: "").restore == ()


@pytest.mark.parametrize("key", ["${{ hash('none') }}", "x" * (LONGEST_KEY + 1)])
def test_a_key_that_is_empty_or_too_long_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="write a shorter one"):
        wish_of("shop", Cache(key, ("a",)), lambda _: "")


def test_just_its_key_comes_first_then_prefixes_in_their_order_then_the_last_used() -> None:
    wish = Wish("shop", "py-3-a", ("py-3-", "py-"))
    all_there_are = [
        stored("py-2-z", 9),
        stored("py-3-b", 1),
        stored("py-3-c", 2),
        stored("py-3-a", 0),
        stored("js", 99),
    ]
    assert best(wish, all_there_are) == stored("py-3-a", 0)
    assert best(wish, all_there_are[:3]) == stored("py-3-c", 2)
    assert best(wish, all_there_are[:1]) == stored("py-2-z", 9)
    assert best(wish, all_there_are[4:]) is None
    assert best(Wish("shop", "py-3-"), all_there_are) is None, "the key itself is no prefix"


def test_caches_of_other_projects_are_not_seen() -> None:
    assert best(Wish("shop", "a", ("a",)), [stored("a", project="other"), stored("ab", project="other")]) is None


def test_names_are_read_as_they_were_written() -> None:
    cache = Cache("k-${{ hash('x') }}", ("a",))
    name = name_of("shop", cache, "k with blanks")
    assert read_name(str(name)) == name
    assert read_name("nothing") is None
    assert warmth(Spec((Step("run", "x"),), caches=(cache,)), "ann") == (name.warm,)
