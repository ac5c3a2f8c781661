"""What every screen looks like, in every state and three sizes, beside the texts in `pictures/`.

`REGENERATE=1 pytest tests/console/terminal/test_pictures.py` writes the texts anew, to be read as a diff.
"""

import os
from pathlib import Path

import pytest

from tests.kit.screens import PICTURES, SIZES, THEMED, WAYS, pictured

FOLDER = Path(__file__).parent / "pictures"

ANEW = frozenset({"overview", "builds", "build", "build-running", "build-waiting", "pipeline"})
"""Screens whose parts are put differently where there is more room."""


@pytest.mark.parametrize(("name", "state"), PICTURES, ids=["-".join(one) for one in PICTURES])
async def test_a_screen_looks_as_it_did(name: str, state: str) -> None:
    if name in ANEW and state == "filled":  # opened anew in each size; the others are seen while the terminal grows
        found = [(await pictured(name, state, size))[0] for size in SIZES]
    else:
        found = await pictured(name, state, *SIZES)
    for (width, height), text in zip(SIZES, found, strict=True):
        compare(text, FOLDER / name / f"{state}.{width}x{height}.txt")


@pytest.mark.parametrize("theme", ["light", "no-colour"])
@pytest.mark.parametrize("name", THEMED)
async def test_it_is_legible_in_other_themes(name: str, theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if theme == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    (text,) = await pictured(name, "filled", SIZES[0], theme=theme)
    compare(text, FOLDER / name / f"filled.80x24.{theme}.txt")


def compare(text: str, expected: Path) -> None:
    """Compare a picture with what was there before."""
    if os.environ.get("REGENERATE"):
        expected.parent.mkdir(parents=True, exist_ok=True)
        expected.write_text(text, encoding="utf-8")
    assert expected.exists(), (
        f"there is no {expected.name} yet; look at what this writes: REGENERATE=1 pytest {__file__}"
    )
    assert text == expected.read_text(encoding="utf-8")


def test_there_is_no_picture_of_a_screen_that_is_gone() -> None:
    assert {folder.name for folder in FOLDER.iterdir()} == set(WAYS)
