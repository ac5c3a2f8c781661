"""The JSON Schema of job files, as an editor uses it: it takes what we take, marks what is wrong, offers what there is.

What a schema cannot say - cycles, unknown needs, templates - only `orchestra validate` finds.
"""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from job_orchestra.core.jobfile import parse

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "jobfile"
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "orchestra.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def documents() -> Iterator[tuple[str, str]]:
    """Yield every job file that people are shown, with where it stands."""
    yield "orchestra.yaml", (ROOT / "orchestra.yaml").read_text(encoding="utf-8")
    yield "whole.yaml", (HERE / "whole.yaml").read_text(encoding="utf-8")
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for place, found in enumerate(_BLOCK.findall(page.read_text(encoding="utf-8"))):
            yield f"{page.name} {place + 1}", completed(found)


def completed(text: str) -> str:
    """Return a whole file; of a part that is shown, with what goes without saying there."""
    begins = text if re.search("^project:", text, re.MULTILINE) else f"project: demo\n{text}"
    if re.search("^jobs:", begins, re.MULTILINE):
        return begins
    names = [name for found in re.findall(r"\bjobs: \[(.*?)\]", begins) for name in found.split(", ")]
    return f"{begins}jobs: {{ {', '.join(f'{name}: make' for name in dict.fromkeys(names or ['test']))} }}\n"


SHOWN = dict(documents())

WRONG = {
    "unknown-key": "Additional properties are not allowed",
    "wrong-types": "is not",
    "keys-of-other-tools": "Additional properties are not allowed",
}
"""Files of golden/ whose mistakes are such as an editor can mark."""


def mistakes(text: str) -> list[str]:
    value = json.loads(json.dumps(YAML(typ="safe", pure=True).load(io.StringIO(text))))
    return [str(one.message) for one in VALIDATOR.iter_errors(value)]


def objects(schema: object) -> Iterator[dict[str, Any]]:
    """Yield every schema of a mapping inside of a schema."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for one in schema:
            yield from objects(one)


def offered(*path: str) -> set[str]:
    """Return what an editor offers at a path of a file: the keys of a mapping there, and the values of an enum."""
    places = [SCHEMA]
    for step in path:
        places = [below for one in places for way in ways(one) for below in step_into(way, step)]
    found: set[str] = set()
    for one in (way for place in places for way in ways(place)):
        found |= set(one.get("properties", {})) | {str(value) for value in one.get("enum", [])}
        found |= {str(one["const"])} if "const" in one else set()
    return found


def ways(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for one in schema.get("anyOf", []):
        yield from ways(one)


def step_into(schema: dict[str, Any], step: str) -> Iterator[dict[str, Any]]:
    below = schema.get("items") if step == "-" else schema.get("properties", {}).get(step)
    below = schema.get("additionalProperties") if below is None and step != "-" else below
    if isinstance(below, dict):
        yield below


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("where", SHOWN)
def test_every_job_file_that_is_shown_is_right(where: str) -> None:
    assert parse(SHOWN[where], where).jobs
    assert mistakes(SHOWN[where]) == []


@pytest.mark.parametrize("name", WRONG)
def test_an_editor_marks_what_is_wrong(name: str) -> None:
    found = mistakes((HERE / "golden" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert [one for one in found if WRONG[name] in one or "is not valid under any" in one], found


def test_every_key_is_described() -> None:
    keys = [(key, one) for schema in objects(SCHEMA) for key, one in schema["properties"].items()]
    assert len(keys) > 80
    assert [key for key, one in keys if not one.get("description")] == []


def test_an_unknown_key_is_wrong_everywhere() -> None:
    assert [sorted(one["properties"]) for one in objects(SCHEMA) if one.get("additionalProperties", True) is True] == []


@pytest.mark.parametrize(
    ("path", "some"),
    [
        ([], {"project", "jobs", "defaults", "schedules", "source", "env"}),
        (["jobs", "test"], {"needs", "matrix", "steps", "run", "artifacts", "cache", "services", "if"}),
        (["jobs", "test", "steps", "-"], {"name", "run", "when", "timeout"}),
        (["jobs", "test", "steps", "-", "when"], {"success", "failure", "always"}),
        (["jobs", "test", "shell"], {"sh", "bash", "python"}),
        (["jobs", "test", "retry"], {"max", "when", "wait", "backoff"}),
        (["jobs", "test", "retry", "backoff"], {"constant", "exponential"}),
        (["jobs", "test", "services", "db"], {"run", "port", "ready"}),
        (["jobs", "test", "services", "db", "ready"], {"tcp", "http", "run", "within"}),
        (["jobs", "test", "services", "db", "port"], {"auto"}),
        (["jobs", "test", "artifacts", "when"], {"success", "failure", "always"}),
        (["schedules", "nightly"], {"cron", "timezone", "jobs", "missed", "overlap"}),
        (["schedules", "nightly", "missed"], {"skip", "once", "all"}),
        (["schedules", "nightly", "overlap"], {"skip", "cancel", "allow"}),
    ],
    ids=lambda one: ".".join(one) if isinstance(one, list) else "",
)
def test_an_editor_has_what_to_offer(path: list[str], some: set[str]) -> None:
    assert offered(*path) >= some
