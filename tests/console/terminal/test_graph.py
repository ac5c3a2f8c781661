"""Graphs of what needs what, as they are drawn."""

from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.console.terminal.graph import draw


def picture(needs: dict[str, list[str]]) -> str:
    """Return the lines, with the names of the nodes where they stand."""
    found = draw(needs, {name: len(name) for name in needs})
    lines = [list(line) for line in found.lines]
    for name, spot in found.spots.items():
        shown = name.ljust(spot.width, "_")
        lines[spot.y][spot.x : spot.x + spot.width] = list(shown)
    return "\n".join("".join(line).rstrip() for line in lines)


def test_a_chain_is_one_line() -> None:
    assert picture({"lint": [], "test": ["lint"], "package": ["test"]}) == ("lint______─────test______─────package___")


def test_lines_meet_where_two_are_needed() -> None:
    assert picture({"a": [], "b": [], "c": ["a", "b"]}).split("\n") == [
        "a_________──╮",
        "            ├──c_________",
        "b_________──╯",
    ]


def test_one_that_many_need_has_one_line_that_forks() -> None:
    assert picture({"a": [], "b": ["a"], "c": ["a"]}).split("\n") == [
        "            ╭──b_________",
        "a_________──┤",
        "            ╰──c_________",
    ]


def test_a_line_passes_columns_in_a_row_of_its_own() -> None:
    drawn = picture({"a": [], "b": ["a"], "c": ["b", "a"]})
    assert drawn.count("c_") == 1
    assert "──────────" in drawn  # it runs below or above b, where nothing else stands


def test_unknown_needs_and_cycles_are_drawn_as_far_as_they_go() -> None:
    assert set(draw({"a": ["gone"], "b": ["a", "b"]}, {}).spots) == {"a", "b"}
    assert set(draw({"a": ["b"], "b": ["a"]}, {}).spots) == {"a", "b"}
    assert draw({}, {}).lines == []


@st.composite
def graphs(strategy: st.DrawFn) -> dict[str, list[str]]:
    names = [f"job{number}" for number in range(strategy(st.integers(1, 9)))]
    return {
        name: strategy(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        for place, name in enumerate(names)
    }


@given(graphs())
def test_no_two_nodes_stand_in_one_place_and_needs_stand_to_the_left(needs: dict[str, list[str]]) -> None:
    found = draw(needs, {name: len(name) for name in needs})
    cells = [(spot.y, x) for spot in found.spots.values() for x in range(spot.x, spot.x + spot.width)]
    assert len(cells) == len(set(cells))
    for name, wanted in needs.items():
        for one in wanted:
            assert found.spots[one].column < found.spots[name].column
    for line in found.lines:
        assert len(line) == found.width
    for spot in found.spots.values():  # no line runs through a node
        assert not found.lines[spot.y][spot.x : spot.x + spot.width].strip()
