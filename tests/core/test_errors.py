"""The tree of errors: as it is drawn, so it is."""

import re

import pytest

from job_orchestra.core import errors
from job_orchestra.core.errors import Code, Exit, InvariantError, OrchestraError, StorageError, Unavailable, UserError


def tree(kind: type[OrchestraError]) -> list[type[OrchestraError]]:
    return [kind, *(deeper for one in kind.__subclasses__() for deeper in tree(one))]


OURS = [one for one in tree(OrchestraError) if one.__module__ == errors.__name__]
EACH = pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)


def test_the_drawing_shows_every_error_below_its_base() -> None:
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = [(-1, "")]
    for line in (errors.__doc__ or "").splitlines():
        found = re.fullmatch(r"    ([| +-]*)([A-Z]\w+)(?: {2,}.*)?", line)
        if found:
            depth = len(found[1])
            while above[-1][0] >= depth:
                above.pop()
            drawn[found[2]] = above[-1][1]
            above.append((depth, found[2]))
    assert drawn == {one.__name__: "" if one is OrchestraError else one.__bases__[0].__name__ for one in OURS}


@EACH
def test_every_error_has_its_code_kind_and_exit(kind: type[OrchestraError]) -> None:
    assert isinstance(kind.code, Code)
    assert isinstance(kind.exit_code, Exit)
    assert kind.exit_code not in {Exit.OK, Exit.FAILED}
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.kind)
    assert str(kind("what happened; what to do")) == "what happened; what to do"


def test_whose_fault_it_is_shows() -> None:
    assert all(not one.retryable for one in tree(UserError)), "asking again the same way will fail again"
    assert all(one.retryable for one in tree(Unavailable)), "not now, perhaps later"
    assert {one.code for one in tree(InvariantError)} == {Code.INTERNAL}
    assert {one.kind for one in tree(StorageError)} == {
        "storage",
        "disk-full",
        "damaged",
        "unfinished",
        "newer-schema",
        "older-schema",
    }


def test_kinds_are_different_where_programs_tell_them_apart() -> None:
    own = [one for one in OURS if "kind" in vars(one)]
    assert len({one.kind for one in own}) == len(own)
