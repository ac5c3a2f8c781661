"""What is remembered from one time to the next."""

from pathlib import Path

from job_orchestra.console.terminal.screens.builds import BuildsScreen
from job_orchestra.console.terminal.session import Session
from tests.kit.consoles import opened, press, screen_text, story


async def test_screen_filter_order_columns_and_theme_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "state" / "console.json"
    async with opened(story(), "overview", session=Session(path)) as pilot:
        await press(pilot, "2")
        screen = pilot.app.screen
        assert isinstance(screen, BuildsScreen)
        screen._on_columns(["job", "state", "requester"])
        await pilot.press("slash", *"project:shop")
        await press(pilot, "enter", "T")
        screen._order_by("created", further=False)
        await press(pilot, "q")
    again = Session(path)
    async with opened(story(), again.state.place, session=again) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, BuildsScreen)
        assert [one.name for one in screen.table.columns] == ["job", "state", "requester"]
        assert screen.wish.text == "project:shop"
        assert screen.table.order == {"created": False}
        assert "/project:shop" in screen_text(pilot.app)
        assert pilot.app.theme == "light"


def test_what_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    for text in (b"", b"{", b'{"place": 3}', b"\xff"):
        path.write_bytes(text)
        assert Session(path).state.place == "overview"


async def test_a_session_of_another_version_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    path.write_text(
        '{"place": "gone", "theme": "gone", "more": 1,'
        ' "tables": {"builds": {"columns": ["gone"], "order": {"gone": true}, "filter": "gone:x"}}}'
    )
    session = Session(path)
    async with opened(story(), session.state.place, session=session) as pilot:
        assert "RUNNING" in screen_text(pilot.app)
        assert "no field 'gone'" in await press(pilot, "2")
        assert "1/40" in await press(pilot, "escape")


def test_what_cannot_be_written_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Session(tmp_path / "file" / "console.json").save()
