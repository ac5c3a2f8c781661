"""Steps as data: what `--simulate` prints of each kind."""

from pathlib import Path

import pytest

from tools.plan import Link, Remove, Run, Say, Step, Write, describe, simulate


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (
            Run((".venv/bin/python", "-m", "pytest", "-k", "a b"), says="test"),
            "run     .venv/bin/python -m pytest -k 'a b'",
        ),
        (Write(Path("a/b"), "one\ntwo\n"), "write   a/b\n        | one\n        | two"),
        (Link(Path("a"), ".."), "link    a -> .."),
        (Remove(Path("build")), "remove  build"),
        (Say("first\n\nthird"), "say     first\nsay\nsay     third"),
    ],
)
def test_a_step_is_printed_whole(step: Step, text: str) -> None:
    assert describe(step) == text


def test_a_plan_is_its_steps_in_order() -> None:
    assert simulate([Remove(Path("b")), Remove(Path("a"))]) == "remove  b\nremove  a"
