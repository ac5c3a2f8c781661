"""The table of methods, and the schema that is made of it."""

import json
import re
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from job_orchestra.core.api import nouns, table
from job_orchestra.core.api.events import EVENT_KINDS
from job_orchestra.core.api.method import Method, Params, Permission
from job_orchestra.core.api.submitting import Submit
from job_orchestra.core.api.table import METHODS
from job_orchestra.core.errors import OrchestraError
from job_orchestra.core.version import SCHEMA_VERSION

EACH = pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))


def shapes(kind: type[Params]) -> list[type[Params]]:
    return [kind, *(deeper for one in kind.__subclasses__() for deeper in shapes(one))]


def test_each_method_is_found_by_its_name_among_those_of_its_noun() -> None:
    assert all(nouns.method(name) is method for name, method in METHODS.items())
    assert all(name.partition(".")[0] == noun for noun in nouns.NOUNS for name in nouns.rows(noun))
    assert nouns.method("builds.nope") is nouns.method("method.submit") is nouns.method("") is None


def test_one_method_is_found_without_the_shapes_of_all() -> None:
    code = "import sys; from job_orchestra.core.api import nouns; nouns.method('agent.stop'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "job_orchestra.core.api.agent" in loaded
    assert not {"job_orchestra.core.api.store", "job_orchestra.core.api.table"}.intersection(loaded)


def test_methods_are_named_noun_verb() -> None:
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+", name) for name in METHODS)
    assert all(method.name == name for name, method in METHODS.items())


def test_the_methods() -> None:
    # a method that disappears breaks somebody's script
    assert set(METHODS) >= {
        "network.status",
        "agents.list",
        "agents.set",
        "agent.stop",
        "jobs.apply",
        "jobs.list",
        "jobs.get",
        "builds.submit",
        "builds.get",
        "builds.list",
        "builds.log",
        "builds.wait",
        "builds.abort",
        "builds.cancel",
        "builds.rerun",
        "builds.explain",
        "tasks.list",
        "jobs.tallies",
        "jobs.durations",
        "jobs.failing",
        "agents.usage",
        "store.describe",
        "store.query",
        "store.count",
        "events.subscribe",
    }


@pytest.mark.parametrize("kind", shapes(Params), ids=lambda kind: kind.__name__)
def test_parameters_refuse_what_they_do_not_know(kind: type[Params]) -> None:
    assert kind.__struct_config__.forbid_unknown_fields
    assert kind.__struct_config__.frozen
    with pytest.raises(msgspec.ValidationError, match="Object contains unknown field `nonsense`"):
        msgspec.json.decode(b'{"nonsense": 1}', type=kind)


@EACH
def test_parameters_are_for_this_table(method: Method) -> None:
    assert issubclass(method.params, Params)
    assert method.summary
    assert method.summary[0].isupper()
    assert not method.summary.endswith(".")
    assert all(issubclass(one, OrchestraError) for one in method.errors)


@EACH
def test_parameters_have_defaults_that_their_types_allow(method: Method) -> None:
    required = [one for one in msgspec.structs.fields(method.params) if one.required]
    given: dict[str, Any] = {one.encode_name: 1 if one.type is int else "x" for one in required}
    made = msgspec.convert(given, method.params)
    assert msgspec.json.decode(msgspec.json.encode(made), type=method.params) == made


def test_who_only_reads_changes_nothing() -> None:
    verbs = {"list", "get", "status", "digest", "links", "log", "wait", "explain", "query", "subscribe"}
    verbs |= {"tallies", "durations", "failing", "usage", "describe", "count", "fetch", "definition"}
    assert {name for name, method in METHODS.items() if method.permission is Permission.READ} == {
        name for name in METHODS if name.partition(".")[2] in verbs
    }


def references(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set[str]()
        return own.union(*(references(one) for one in value.values()))
    if isinstance(value, list):
        return set[str]().union(*(references(one) for one in value))
    return set()


def test_the_schema_is_json_with_every_method() -> None:
    schema = json.loads(json.dumps(table.schema()))
    assert schema["schema_version"] == SCHEMA_VERSION
    assert [one["name"] for one in schema["methods"]] == list(METHODS)
    assert references(schema) <= {f"#/definitions/{name}" for name in schema["definitions"]}
    for one in schema["methods"]:
        assert one["params"]["$ref"].removeprefix("#/definitions/") in schema["definitions"]
        assert one["result"]["$ref"].removeprefix("#/definitions/") in schema["definitions"]
        assert one["permission"] in {"read", "submit", "operate", "admin"}
        assert all(set(error) == {"code", "kind"} for error in one["errors"])


def test_the_schema_says_that_unknown_parameters_are_refused() -> None:
    schema = table.schema()
    for one in schema["methods"]:
        definition = schema["definitions"][one["params"]["$ref"].removeprefix("#/definitions/")]
        assert definition["additionalProperties"] is False
    submit = schema["definitions"]["Submit"]
    assert set(submit["properties"]) == set(Submit.__struct_fields__)
    assert "required" not in submit or not submit["required"]


def test_what_events_tell_of() -> None:
    assert set(EVENT_KINDS) == {"build", "pipeline", "task", "job", "agent", "schedule", "pin"}
