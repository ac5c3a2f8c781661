"""What people type to filter."""

import pytest

from job_orchestra.console.feed.words import Wish, matches, parse
from job_orchestra.core.errors import InvalidInput

FIELDS = {"state": "state", "by": "requester", "no": "number", "job": "job"}


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("", {}, ()),
        ("  Web  test ", {}, ("web", "test")),
        ("by:ann", {"requester": "ann"}, ()),
        ("BY:Ann slow", {"requester": "Ann"}, ("slow",)),
        ("job:test,lint", {"job": ["test", "lint"]}, ()),
        ("job:te*", {"job": {"prefix": "te"}}, ()),
        ("no:>40", {"number": {"gt": 40}}, ()),
        ("no:<=40", {"number": {"le": 40}}, ()),
        ("no:7", {"number": 7}, ()),
        ("no:-7", {"number": -7}, ()),
        ("no:--7", None, None),
        ("no:99999999999999999999", None, None),
        ("state:failed,lost", {"state": ["failed", "lost"]}, ()),
        ("state:live", {"state": ["assigned", "pending", "running"]}, ()),
        ("12:30 :x x:", None, None),
        (":x x:", {}, (":x", "x:")),
    ],
)
def test_filters(text: str, where: dict[str, object] | None, words: tuple[str, ...] | None) -> None:
    if where is None:
        with pytest.raises(InvalidInput):
            parse(text, FIELDS, {"number"})
        return
    found = parse(text, FIELDS, {"number"})
    assert (found.where, found.words) == (where, words)
    assert found.empty == (not where and not words)


def test_where_words_are_in_an_index_only_some_are_looked_for_here() -> None:
    found = parse("web ~Tst by:ann", FIELDS, indexed=True)
    assert (found.search, found.words, found.where) == ("web", ("tst",), {"requester": "ann"})
    assert not found.empty


@pytest.mark.parametrize(("text", "hint"), [("stat:x", "did you mean state:"), ("no:many", "number"), ("zz:1", "by:")])
def test_mistakes_name_what_is_right(text: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match=hint):
        parse(text, FIELDS, {"number"})


@pytest.mark.parametrize(
    ("words", "texts", "found"),
    [
        ((), ["anything"], True),
        (("test",), ["shop/Test"], True),
        (("tst",), ["shop/test"], True),
        (("ts",), ["tests"], True),
        (("tt",), ["test"], False),
        (("shp", "lnt"), ["shop", "lint"], True),
        (("shp", "lnt"), ["shop", "test"], False),
        (("abc",), ["a.......b.......c"], False),
        (("aab",), ["axaab"], True),
    ],
)
def test_words_are_found_where_little_was_left_out(words: tuple[str, ...], texts: list[str], found: bool) -> None:
    assert matches(words, texts) is found


def test_nothing_asked_for_is_everything() -> None:
    assert Wish().empty
