"""Writes the pages and schemas in docs/ that come from the code: scripting, job file, store, keys of the console.

`python -m tools.reference` writes them; with `--check` it only says which are out of date, and returns 1 if any is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from job_orchestra.core import jobfile, lifecycle
from job_orchestra.core.api.table import schema
from job_orchestra.core.errors import Code

from . import consolepage
from .schemapage import schema_page

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parent.parent / "docs"

_SCRIPTING = """\
# The scripting contract

<!-- Written by `python -m tools.reference` from core/api. -->

An agent answers JSON-RPC 2.0 on a ZeroMQ ROUTER socket; `orchestra socket` prints its address. Any REQ or DEALER
socket in any language can ask: one frame of JSON, one frame back. [examples/client.py](../examples/client.py) is a
whole client in 40 lines; `orchestra call METHOD JSON` makes one request from a shell; `job_orchestra.connect()` gives
the same methods in Python, with types.

- Parameters are an object, by name. Unknown ones are refused.
- An array of requests is a batch: up to {batch} requests, answered together, in order. It is the way to submit
thousands.
- `builds.submit` is answered when the builds cannot be lost any more. With `request` (any text of your own) a retry is
  safe: the same text within a day returns the same builds.
- Instants are RFC 3339 in UTC with milliseconds.
- Logs are bytes. `builds.log` returns text where the range is UTF-8 and base64 where it is not (`encoding`); `next` is
  where to go on, `complete` says that nothing will follow, and `wait` lets the answer wait for more.
- After `events.subscribe`, a DEALER socket receives notifications `event` with `kind`, `at`, and the build, task, job
or
  agent that changed.
- A message may have {size} MiB.

## Errors

`error` has `code`, `message` (what happened, and what to do) and `data: {{kind, retryable}}`. Asking again can help
only where `retryable` is true.

{codes}

## Methods

{methods}
## Shapes

{shapes}"""


def scripting() -> str:
    """Return the reference page of the scripting contract."""
    found = schema()
    codes = "| code | name |\n| --- | --- |\n" + "\n".join(
        f"| {int(one)} | {one.name.lower().replace('_', ' ')} |" for one in Code
    )
    methods = "\n".join(_method(one, found["definitions"]) for one in found["methods"])
    used = {one[part]["$ref"].rpartition("/")[2] for one in found["methods"] for part in ("params", "result")}
    shapes = "\n".join(_shape(name, one) for name, one in sorted(found["definitions"].items()) if name not in used)
    return _SCRIPTING.format(codes=codes, methods=methods, shapes=shapes, batch="10,000", size=4)


def _method(method: dict[str, Any], definitions: dict[str, Any]) -> str:
    lines = [f"### `{method['name']}`", "", f"{method['summary']}. Needs the permission `{method['permission']}`."]
    for part, title in (("params", "Parameters"), ("result", "Result")):
        shape = definitions[method[part]["$ref"].rpartition("/")[2]]
        lines += ["", f"{title}: {_inline(shape)}".replace(": \n", ":\n")]
    if method["errors"]:
        lines += ["", "Errors: " + ", ".join(f"{one['code']} {one['kind']}" for one in method["errors"])]
    return "\n".join([*lines, ""])


def _inline(shape: dict[str, Any]) -> str:
    if "enum" in shape:
        return " ".join(f"`{one}`" for one in shape["enum"])
    fields = shape.get("properties", {})
    required = set(shape.get("required", ()))
    if not fields:
        return "none"
    return "\n\n" + "\n".join(
        f"- `{name}`{'' if name in required else '?'}: {_type(one)}{_default(one)}" for name, one in fields.items()
    )


def _shape(name: str, shape: dict[str, Any]) -> str:
    about = shape.get("description", "").splitlines()
    return f"### {name}\n\n{about[0] + ' ' if about else ''}{_inline(shape)}\n"


def _type(one: dict[str, Any]) -> str:
    if "$ref" in one:
        name = one["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in one:
        return " or ".join(_type(part) for part in one["anyOf"])
    kind = one.get("type", "anything")
    if kind == "array":
        return f"list of {_type(one.get('items', {}))}"
    if kind == "object" and isinstance(one.get("additionalProperties"), dict):
        return f"object of {_type(one['additionalProperties'])}"
    return str(kind)


def _default(one: dict[str, Any]) -> str:
    return f" = `{json.dumps(one['default'])}`" if "default" in one else ""


_JOB_FILE = """\
# The job file

<!-- Written by `python -m tools.reference` from core/jobfile. -->

`orchestra.yaml` defines the jobs of one project. `orchestra validate` checks it without an agent, `orchestra apply`
defines its jobs and removes those of the project that it does not name. For completion in your editor, put
`# yaml-language-server: $schema=orchestra.schema.json` in its first line, with what `orchestra schema` prints beside
it.

```yaml
project: demo
env: {{ PIP_NO_INPUT: "1" }}
defaults: {{ timeout: 30m, runs-on: [linux] }}
jobs:
  lint: ruff check .                      # a text is a whole job
  check: [ruff check ., pyright]          # a list: each command is a step
  test:
    needs: lint
    parameters:
      - {{ name: marker, description: pytest marker, default: "" }}
    matrix: {{ python: ["3.11", "3.13"] }}
    runs-on: ["cpus>=4", "memory>=8G"]
    cache: {{ key: "py-${{{{ hash('uv.lock') }}}}", paths: [.venv] }}
    steps:
      - {{ name: install, run: uv sync --python $MATRIX_PYTHON }}
      - {{ name: test, run: uv run pytest -m "$PARAM_MARKER", timeout: 20m }}
      - {{ name: tidy, run: ./cleanup.sh, when: always }}
    artifacts: {{ paths: [report.xml], when: always }}
    retry: {{ max: 2, when: [agent-lost, exit-75] }}
  package:
    needs: test
    secrets: [PYPI_TOKEN]
    lock: release
    run: [uv build, uv publish]
    artifacts: [dist/*]
schedules:
  nightly: {{ cron: "0 3 * * *", timezone: Europe/Paris, jobs: [test] }}
```

YAML is read as version 1.2. What YAML would change on the way, such as an unquoted `3.10`, must be quoted. Anchors,
aliases and `<<` work. Everything wrong is told at once, each with `file:line:column`, the key, and what to do.

{keys}
Durations are `90` (seconds), `45s`, `30m`, `1h30m`, `2d`. Requirements are a label (`gpu`; `linux` and `arm64` match
the agent's os and arch, `gcc` a tool on its PATH), `label=value`, `label!=value`, and `label>=number` with `>`, `<`,
`<=` and K, M, G, T; versions compare part by part (`python>=3.9`). What agents know of themselves is listed
[here](guide.md#what-an-agent-knows-of-its-machine).

A step sees `CI=true`, `ORCHESTRA_BUILD_ID`, `ORCHESTRA_PROJECT`, `ORCHESTRA_JOB`, `ORCHESTRA_NUMBER`,
`ORCHESTRA_ATTEMPT`, `ORCHESTRA_AGENT`, `ORCHESTRA_WORKSPACE`, `ORCHESTRA_TMP`, where they are known `ORCHESTRA_BRANCH`
and `ORCHESTRA_REVISION`, `PARAM_<NAME>` for each parameter, `MATRIX_<KEY>` for each value of its combination,
`NEEDS_<JOB>_<KEY>` for each result of a job that it needs, and `ORCHESTRA_RESULTS`: a file to which it may write lines
of `KEY=VALUE`, or one JSON object, which become the build's results.

## Jobs that need others

A job waits until all jobs that it `needs` have ended with success; `{{job: NAME, when: failure}}` waits for one that
failed (or could not be run, or was lost), `when: always` for any end. Where a job did not end as it must, those that
need it are skipped, and those that need them. `if` is looked at when all needs have ended; where it is false the build
is skipped. A job with a `matrix` has ended when all its builds have: it failed if one of them did.

`orchestra submit PROJECT/JOB` submits a job with everything that it needs, `orchestra submit PROJECT` all jobs of a
project; several jobs of one project can be named. What is more than one build is a pipeline, as `p-12`: `orchestra
pipelines` lists them, and `show`, `abort`, `cancel` and `rerun` take them. A pipeline ends when its last build does:
failed if one failed, else error if one could not be run or was lost, else aborted if one was stopped, else succeeded;
skipped if all of it was. A job that cleans up after a failure does not make it a success. `abort` stops all of it, also
what would run in any case.

`orchestra rerun p-12` runs all of it again; with `--failed`, only jobs that did not succeed and those that need them.
Of a job whose needs all succeeded only the builds that did not succeed are run. The rest is taken over, with its
results. Every build keeps the definition that it was submitted with, whatever the job file says by then.

What a step writes to `ORCHESTRA_RESULTS` reaches the jobs that need its job as `NEEDS_<JOB>_<KEY>`. Where several
builds of a matrix write the same key, the last one in the order of the matrix counts.

## Expressions

`if` is an expression; `${{{{ }}}}` puts the value of one into a text of `env`, `runs-on`, `cache`, `artifacts`, `lock`
or `source`. Never into `run`: there, values are variables, so no branch or parameter can become a part of a command.

```
branch == 'main' && !startsWith(parameters.target, 'test-') || matrix.python in ['3.12', '3.13']
```

Values are texts and truths. `==` and `!=` compare two of one kind, and tell capitals from small letters; `<`, `<=`,
`>` and `>=` compare texts as versions (`'3.9' < '3.10'`); `in` looks into a list; `!`, `&&` and `||` combine truths;
parentheses group. Quotes are doubled inside quotes. An expression is checked when its job is defined and cannot fail
later: what is not known is the empty text. It has up to 1,000 characters and 32 levels.

| name | what it is |
| --- | --- |
| `branch`, `revision` | of the source, as far as known at the submission |
| `project`, `job`, `cause`, `requester` | of the build |
| `parameters.NAME`, `matrix.KEY` | of the build |
| `needs.JOB.state` | how a needed job ended: succeeded, failed, skipped ...; only in `if` |
| `needs.JOB.results.KEY` | what it left; only in `if`; `needs['a.b'].state` where a name has other characters |
| `contains(TEXT, PART)`, `startsWith(TEXT, PART)`, `endsWith(TEXT, PART)` | true or false |
| `choose(CONDITION, 'THEN', 'ELSE')` | one of two texts |
| `hash('GLOB', ...)` | in the key of a cache, by itself: of the content of files in the workspace |

## What becomes of a build

```
{states}
```
"""


def job_file() -> str:
    """Return the reference page of the job file."""
    found = jobfile.schema()
    own: dict[str, Any] = found["properties"]
    job = _table(own["jobs"]["additionalProperties"])
    keys_of: dict[str, Any] = job["properties"]
    service = _table(keys_of["services"]["additionalProperties"])
    parts = [
        ("The file", found),
        ("`defaults`", own["defaults"]),
        ("A job", job),
        ("A step", _table(keys_of["steps"]["items"])),
        ("A parameter", keys_of["parameters"]["items"]),
        ("A need", _table(keys_of["needs"])),
        ("`matrix`", keys_of["matrix"]),
        ("`retry`", _table(keys_of["retry"])),
        ("A lock", _table(keys_of["lock"])),
        ("A service", service),
        ("`ready`", service["properties"]["ready"]),
        ("`artifacts`", _table(keys_of["artifacts"])),
        ("A cache", _table(keys_of["cache"])),
        ("`source`", own["source"]),
        ("A schedule", own["schedules"]["additionalProperties"]),
    ]
    keys = "\n".join("\n".join(_keys(title, shape)) for title, shape in parts)
    return _JOB_FILE.format(keys=keys, states=lifecycle.describe())


def _table(shape: dict[str, Any]) -> dict[str, Any]:
    """Return the form of a value that is a mapping, where it may be written in others, too."""
    return next(one for one in shape.get("anyOf", [shape]) if "properties" in one)


def _keys(title: str, shape: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| key | what it is |"
    yield "| --- | --- |"
    for name, one in shape["properties"].items():
        needed = " (required)" if name in shape.get("required", ()) else ""
        yield f"| `{name}` | {one['description']}{needed} |"
    yield ""


def pages() -> dict[Path, str]:
    """Return all that is generated."""
    return {
        DOCS / "scripting.md": scripting(),
        DOCS / "jobfile.md": job_file(),
        DOCS / "store-schema.md": schema_page(),
        DOCS / "console.md": consolepage.page(),
        DOCS / "orchestra.schema.json": json.dumps(jobfile.schema(), indent=2) + "\n",
        DOCS / "scripting.schema.json": json.dumps(schema(), indent=2) + "\n",
    }


def main(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if arguments == ["--check"]:
        for path in stale:
            print(f"docs/{path.name} is out of date; run: python -m tools.reference", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages()[path], encoding="utf-8")
        print(f"wrote docs/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
