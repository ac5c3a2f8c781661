"""Patterns of paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.globs import Globs


@pytest.mark.parametrize(
    ("pattern", "fit", "unfit"),
    [
        ("a.txt", ["a.txt", "a.txt/inside"], ["b/a.txt", "a_txt", "a.txt2", "A.txt"]),
        ("*.txt", ["a.txt", ".txt", "a.b.txt"], ["b/a.txt", "a.txt2"]),
        ("dist/*", ["dist/a", "dist/a/b", "dist/.hidden"], ["dist", "a/dist/b", "distant/a"]),
        ("dist", ["dist", "dist/a", "dist/a/b"], ["distant", "a/dist"]),
        ("dist/", ["dist/a"], ["distant/a"]),
        ("./dist/./a", ["dist/a"], ["a"]),
        ("**/*.xml", ["a.xml", "b/a.xml", "b/c/a.xml"], ["a.xmlx", "b/axml"]),
        ("build/**", ["build/a", "build/a/b"], ["build", "other/a"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z", "a/z/inside"], ["az", "a/bz", "z"]),
        ("**", ["a", "a/b"], []),
        (".", ["a", "a/b"], []),
        ("?.c", ["a.c", "..c"], ["ab.c", "/.c", ".c"]),
        ("[ab].c", ["a.c", "b.c"], ["c.c", "ab.c"]),
        ("[!ab].c", ["c.c"], ["a.c", "b.c", "/.c"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
        ("[c-a]x", [], ["ax", "bx", "cx"]),
        ("[]]x", ["]x"], ["x"]),
        ("[a", ["[a"], ["a"]),
        ("a+b(c)", ["a+b(c)"], ["aab(c)", "abc"]),
        ("ä*", ["ä", "ärger"], ["a"]),
    ],
)
def test_what_fits(pattern: str, fit: list[str], unfit: list[str]) -> None:
    globs = Globs([pattern])
    assert [one for one in fit if not globs.matches(one.encode())] == []
    assert [one for one in unfit if globs.matches(one.encode())] == []


@pytest.mark.parametrize("pattern", ["", "/", "/etc/*", "../x", "a/../b", "..", "~/x", "a//b", "a\0b"])
def test_patterns_that_lead_out_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="relative to that"):
        Globs([pattern])


def test_names_that_are_no_text_are_names_too() -> None:
    assert Globs(["*.bin"]).matches(b"\xff\xfe\n.bin")


def test_which_patterns_matched_is_known() -> None:
    globs = Globs(["*.c", "a.*", "b"])
    assert (globs.matching(b"a.c"), globs.matching(b"b/x"), globs.matching(b"z")) == ([0, 1], [2], [])


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("*a" * 60 + "*b", "a" * 250), ("**/*a*/" * 60 + "b", "a/" * 500 + "a"), ("*" * 200 + "b", "a" * 250)],
)
def test_no_pattern_takes_for_ever(pattern: str, path: str) -> None:
    assert not Globs([pattern]).matches(path.encode())
    assert Globs([pattern]).matches(f"{path}/b/{path}b".encode() if "/" in pattern else f"{path}b".encode())


def test_only_where_something_may_lie_is_looked_at() -> None:
    assert Globs(["dist/*", "dist/deep/x", "report.xml", "a/b/**"]).roots() == [b"a/b", b"dist", b"report.xml"]
    assert Globs(["dist/*", "*.log"]).roots() == [b""]


@given(st.text("ab*?[]!^-/.c\\", max_size=12))
def test_no_pattern_breaks_it(pattern: str) -> None:
    try:
        globs = Globs([pattern])
    except InvalidInput:
        return
    globs.matches(b"ab/c.a")
    globs.roots()
