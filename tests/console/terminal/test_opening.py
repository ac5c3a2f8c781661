"""`orchestra console`: what it says where it cannot be opened, and the file of keys."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from job_orchestra.console.cli import console as command
from job_orchestra.core.errors import InvalidInput, NotFound
from job_orchestra.store.opening import open_store


def test_off_a_terminal_it_says_what_there_is_instead() -> None:
    with pytest.raises(InvalidInput, match="orchestra builds --json"):
        CliRunner().invoke(command.console, [], catch_exceptions=False, standalone_mode=False)


def test_the_keys_are_printed_as_a_file_that_says_where_it_belongs() -> None:
    told = CliRunner().invoke(command.console, ["--keys"], catch_exceptions=False)
    assert told.output.startswith("# ")
    assert told.output.split("\n")[0].endswith("keys.toml")
    assert '# "build.abort" = "a"' in told.output


@pytest.mark.parametrize("scheme", ["sqlite", "json"])
def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, scheme: str) -> None:
    with pytest.raises(NotFound, match="there is no store"):
        command.look_at(f"{scheme}:///{tmp_path}/history")
    assert list(tmp_path.iterdir()) == []


def test_a_url_that_names_no_store_is_told() -> None:
    with pytest.raises(InvalidInput, match="did you mean sqlite"):
        command.look_at("sqlit:///x")


def test_a_store_is_looked_at_without_an_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/history.db"
    open_store(url).close()
    seen: list[tuple[str, bool]] = []
    monkeypatch.setattr(command, "run", lambda feed, *, readonly: seen.append((feed.standing.source, readonly)))
    command.look_at(url)
    assert seen == [(url, True)]
