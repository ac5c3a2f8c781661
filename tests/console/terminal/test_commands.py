"""The commands that do what the console does."""

import shlex
from typing import Any

import msgspec
import pytest

from job_orchestra.console.terminal import commands


@pytest.mark.parametrize(
    ("where", "command"),
    [
        ({}, "orchestra builds"),
        ({"state": ["failed", "lost"]}, "orchestra builds --state failed --state lost"),
        ({"project": "shop", "job": "test"}, "orchestra builds shop/test"),
        ({"project": "shop", "requester": "ann"}, "orchestra builds shop --where requester=ann"),
        ({"agent": "box"}, "orchestra builds --agent box"),
        ({"job": ["a b"]}, "orchestra builds --where 'job=a b'"),
        (
            {"job": {"prefix": "te"}},
            """orchestra call builds.list '{"where":{"job":{"prefix":"te"}},"order":"-created"}'""",
        ),
    ],
)
def test_builds(where: dict[str, Any], command: str) -> None:
    assert commands.builds(where) == command


def test_what_has_no_words_on_the_command_line_is_a_request() -> None:
    command = commands.query("builds", {"number": {"gt": 4}}, "-serial", "shop it's")
    words = shlex.split(command)
    assert words[:3] == ["orchestra", "call", "store.query"]
    assert msgspec.json.decode(words[3]) == {
        "collection": "builds",
        "where": {"number": {"gt": 4}},
        "order": "-serial",
        "search": "shop it's",
    }


def test_a_query_of_a_store_alone_names_it() -> None:
    command = commands.query("tasks", {"kind": "jobs.apply"}, "", "", "--store", "sqlite:////a b.db")
    assert command == "orchestra store query --store 'sqlite:////a b.db' tasks -w kind=jobs.apply"


def test_a_submission_with_its_parameters() -> None:
    assert (
        commands.submit("shop/test", {"marker": "a b"}, 3) == "orchestra submit shop/test -p 'marker=a b' --priority=3"
    )
