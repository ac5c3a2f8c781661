"""The language of conditions: what it says, and that it cannot be made to fail. What is told of wrong ones: golden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.expressions import (
    MAX_DEPTH,
    MAX_LENGTH,
    Path,
    Scope,
    checked_expression,
    evaluate,
    parse_condition,
    parse_expression,
)

SCOPE = Scope(("level", "dry-run"), ("python",), ("build", "a.b"), hashes=True)
VALUES: dict[Path, str] = {
    ("branch",): "main",
    ("requester",): "ann@mill",
    ("parameters", "level"): "3",
    ("parameters", "dry-run"): "no",
    ("matrix", "python"): "3.10",
    ("needs", "build", "state"): "succeeded",
    ("needs", "build", "results", "version"): "1.9",
    ("needs", "a.b", "state"): "failed",
}


def value(text: str) -> str | bool:
    return evaluate(parse_expression(text, SCOPE), lambda path: VALUES.get(path, ""))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("branch", "main"),
        ("'it''s'", "it's"),
        ('"say ""no"""', 'say "no"'),
        ("3.10", "3.10"),
        ("true", True),
        ("branch == 'main'", True),
        ("branch == main_ish || branch == 'main'".replace("main_ish", "'x'"), True),
        ("branch != 'main'", False),
        ("'3.9' < matrix.python", True),
        ("matrix.python >= 3.9", True),
        ("matrix.python == 3.1", False),
        ("'1.10.0' > '1.9.9'", True),
        ("'1.0' <= '1.0'", True),
        ("'a' < 'b'", True),
        ("'1' < 'a'", True),
        ("'' < '0'", True),
        ("true && false || true", True),
        ("true || false && false", True),
        ("!(true && false)", True),
        ("!true || true", True),
        ("true == !false", True),
        ("matrix.python in ['3.9', '3.10']", True),
        ("matrix.python in []", False),
        ("matrix.python in [3.9, 3.11]", False),
        ("contains(requester, 'mill')", True),
        ("startsWith(branch, 'ma') && endsWith(branch, 'in')", True),
        ("choose(branch == 'main', 'big', 'small')", "big"),
        ("choose(branch != 'main', 'big', 'small')", "small"),
        ("parameters.dry-run == 'no'", True),
        ("needs.build.results.version > '1.8'", True),
        ("needs.build.results.nothing == ''", True),
        ("needs['a.b'].state == 'failed'", True),
        ("needs.build.state=='succeeded'&&parameters.level>'2'", True),
        ("  branch\n  ==\t'main'  ", True),
        ("hash('*.lock', 'x')", ""),
    ],
)
def test_what_it_says(text: str, expected: str | bool) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')",
        "branch.upper()",
        "branch; branch",
        "lambda: 1",
        "[x for x in branch]",
        "branch[0]",
        "1 + 1",
        "'a' 'b'",
        "()",
        "!",
        "branch ==",
        "== branch",
        "in",
        "[branch]",
        "choose(true, 'a')",
        "choose('a', 'b', 'c')",
        "true < false",
        "true == 'true'",
        "['a'] == ['a']",
        "needs.build",
        "needs.build.results",
        "needs.build.results.a.b",
        "parameters",
        "branch.name",
        "'a" * 2000,
        "(" * (MAX_DEPTH + 1) + "true" + ")" * (MAX_DEPTH + 1),
        "!" * (MAX_DEPTH + 1) + "true",
    ],
)
def test_what_it_does_not_say(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_expression(text, SCOPE)


def test_as_deep_and_as_long_as_it_may_be() -> None:
    deep = MAX_DEPTH - 1
    assert value("(" * deep + "true" + ")" * deep) is True
    long = " || ".join(["true"] * 125)
    assert len(long) < MAX_LENGTH
    assert value(long) is True


@given(st.text(alphabet=st.sampled_from("ab '\"()[].,!=<>&|-_3t\n") | st.characters(), max_size=60))
def test_any_text_is_an_expression_or_is_told_what_is_wrong(text: str) -> None:
    try:
        found = parse_condition(text, SCOPE)
    except InvalidInput:
        return
    assert isinstance(evaluate(found, lambda _: "x"), bool)


PARTS = st.deferred(
    lambda: (
        st.sampled_from(["true", "false", "branch == 'main'", "matrix.python < '3'", "branch in ['a', 'main']"])
        | st.tuples(PARTS, st.sampled_from(["&&", "||", "=="]), PARTS).map(lambda one: f"({one[0]} {one[1]} {one[2]})")
        | PARTS.map(lambda one: f"(!({one}))")
    )
)


@given(PARTS)
def test_conditions_mean_what_python_means_by_them(text: str) -> None:
    python = text.replace("&&", " and ").replace("||", " or ").replace("!(", "not (").replace("true", "True")
    python = python.replace("false", "False").replace("matrix.python < '3'", "False").replace("branch", "'main'")
    try:
        found = parse_condition(text, SCOPE)
    except InvalidInput:  # too deep, or comparisons in a chain
        return
    assert evaluate(found, lambda path: VALUES[path]) is eval(python.strip())


def test_what_was_checked_once_needs_no_scope_any_more() -> None:
    assert checked_expression("parameters.anything == needs.any.results.key && matrix.x in ['']")
