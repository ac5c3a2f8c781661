"""Keys of one's own, in a file."""

import tomllib
from pathlib import Path

import pytest

from job_orchestra.console.terminal import keymap
from job_orchestra.console.terminal.dialogs import Confirm
from job_orchestra.core.errors import InvalidInput
from tests.kit.consoles import opened, press, screen_text, story


def written(folder: Path, text: str) -> Path:
    path = folder / "keys.toml"
    path.write_text(text)
    return path


def test_no_file_changes_nothing(tmp_path: Path) -> None:
    assert keymap.load(tmp_path / "keys.toml") == {}


def test_keys_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, '"build.abort" = "ctrl+k"\n"table.down" = "down,n"\n')
    assert keymap.load(path) == {"build.abort": "ctrl+k", "table.down": "down,n"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('"build.abrt" = "x"', "did you mean build.abort?"),
        ('"build.abort" = ""', "write keys as a text"),
        ('"build.abort" = 3', "write keys as a text"),
        ("build.abort", "correct it, or move it away"),
    ],
)
def test_mistakes_are_told_with_the_file_and_what_is_right(tmp_path: Path, text: str, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InvalidInput, match=says) as told:
        keymap.load(path)
    assert str(path) in str(told.value)


def test_the_template_is_a_file_that_changes_nothing_until_one_does(tmp_path: Path) -> None:
    text = keymap.template()
    assert keymap.load(written(tmp_path, text)) == {}
    names = set(keymap.actions())
    taken = "\n".join(line.removeprefix("# ") for line in text.split("\n") if line.startswith('# "'))
    assert set(tomllib.loads(taken)) == names
    assert {"build.abort", "go.store", "log.search", "graph.left", "schedule.fire", "dialog.yes"} <= names


async def test_a_key_of_ones_own_works_instead_and_is_shown() -> None:
    async with opened(story(), "builds", keymap={"build.abort": "ctrl+k", "go.jobs": "f4"}) as pilot:
        assert "^k Abort" in screen_text(pilot.app)
        await press(pilot, "i", "a")
        assert not isinstance(pilot.app.screen, Confirm)
        await press(pilot, "ctrl+k")
        assert isinstance(pilot.app.screen, Confirm)
        await press(pilot, "escape", "f4")
        assert "DESCRIPTION" in screen_text(pilot.app)
        assert "f4" in await press(pilot, "question_mark", "G")
