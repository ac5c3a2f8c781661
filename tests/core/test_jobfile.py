"""Job files: what good ones mean, and word for word what is told of bad ones."""

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from job_orchestra.core import jobfile
from job_orchestra.core.definition import (
    ANY_PORT,
    Artifacts,
    Backoff,
    Cache,
    Job,
    Lock,
    Matrix,
    Missed,
    Need,
    Overlap,
    Parameter,
    Retry,
    Schedule,
    Service,
    Source,
    Spec,
    Step,
    When,
)
from job_orchestra.core.errors import JobFileError
from job_orchestra.core.jobfile import parse
from job_orchestra.core.jobfile.jobs import FOREIGN

HEAD = "project: p\njobs:\n"


def only(text: str) -> Job:
    """Return the one job of a file."""
    (one,) = parse(text).jobs
    return one


def body(text: str) -> Job:
    """Return the job `t`, given what stands below it."""
    return only(HEAD + "  t:\n" + "".join(f"    {line}\n" for line in dedent(text).strip().splitlines()))


def told(text: str) -> str:
    """Return what is told of a bad file called f."""
    with pytest.raises(JobFileError) as refused:
        parse(text, "f")
    return str(refused.value)


# -- good files


def test_the_shortest() -> None:
    found = parse("project: shop\njobs:\n  test: make test\n")
    assert found == jobfile.JobFile("shop", (Job("shop", "test", Spec((Step("run", "make test"),))),))


def test_one_with_everything() -> None:
    text = dedent("""\
        # everything at once
        project: shop
        env: {LEVEL: "1", EVERYWHERE: yes}
        defaults:
          runs-on: linux
          timeout: 30m
          shell: bash
          priority: 2
        jobs:
          test:
            description: All tests
            runs-on: [gpu, "memory >= 8G", gpu]
            timeout: 1h30m
            shell: [zsh, -e]
            priority: -5
            env:
              LEVEL: 2
              EMPTY: ""
            parameters:
              - name: level
                description: how much
                choices: ["1", "2"]
              - name: dry-run
                default: "no"
              - {name: target, required: true}
              - name: note
            steps:
              - make
              - name: check
                run: |
                  make check
                  make more
                env: {A: b}
                timeout: 90
                when: always
              - {run: echo, when: failure}
          lint: [ruff check, ruff format]
        """)
    test, lint = parse(text).jobs
    assert test == Job(
        project="shop",
        name="test",
        spec=Spec(
            steps=(
                Step("step-1", "make"),
                Step("check", "make check\nmake more\n", env={"A": "b"}, when=When.ALWAYS, timeout_s=90.0),
                Step("step-3", "echo", when=When.FAILURE),
            ),
            env={"LEVEL": "2", "EVERYWHERE": "yes", "EMPTY": ""},
            runs_on=("gpu", "memory>=8G"),
            timeout_s=5400.0,
            shell=("zsh", "-e"),
        ),
        parameters=(
            Parameter("level", "how much", default="1", choices=("1", "2")),
            Parameter("dry-run", default="no"),
            Parameter("target", required=True),
            Parameter("note"),
        ),
        description="All tests",
        priority=-5,
    )
    assert lint == Job(
        project="shop",
        name="lint",
        spec=Spec(
            steps=(Step("run-1", "ruff check"), Step("run-2", "ruff format")),
            env={"LEVEL": "1", "EVERYWHERE": "yes"},
            runs_on=("linux",),
            timeout_s=1800.0,
            shell=("bash", "-eo", "pipefail"),
        ),
        priority=2,
    )


def test_a_project_with_all_that_people_know() -> None:
    text = (Path(__file__).parent / "jobfile" / "whole.yaml").read_text(encoding="utf-8")
    found = parse(text)
    lint, test, package = found.jobs
    assert lint.spec.source == Source(git="https://git.example/demo.git", branch="main")
    assert test == Job(
        project="demo",
        name="test",
        spec=Spec(
            steps=(
                Step("install", "uv sync --python $MATRIX_PYTHON"),
                Step("test", 'uv run pytest -m "$PARAM_MARKER" --junitxml=report.xml'),
                Step("tidy", "./cleanup.sh", when=When.ALWAYS),
            ),
            env={"PIP_NO_INPUT": "1"},
            runs_on=("cpus>=4", "memory>=8G"),
            timeout_s=1200.0,
            source=lint.spec.source,
            retry=Retry(2, ("agent-lost", "exit-75"), 10.0, Backoff.EXPONENTIAL),
            resources={"cpus": 2.0, "memory": float(8 << 30), "license": 0.5},
            waiting_s=3600.0,
            artifacts=(Artifacts(("report.xml",), When.ALWAYS),),
            caches=(Cache("py-${{ matrix.python }}-${{ hash('uv.lock') }}", (".venv",), ("py-",)),),
            services=(
                Service("redis", "redis-server --port 6400", ready_tcp=6400, ready_s=5.0),
                Service("mail", "./mail.sh", env={"QUIET": "1"}, port=ANY_PORT),
            ),
        ),
        parameters=(Parameter("marker", "pytest marker", default=""),),
        needs=(Need("lint"),),
        matrix=Matrix(
            {"python": ("3.11", "3.13"), "db": ("pg", "my")},
            include=({"python": "3.14", "db": "pg"},),
            exclude=({"python": "3.11", "db": "my"},),
            most=2,
            stop_early=True,
        ),
        most=5,
    )
    assert package.needs == (Need("test"), Need("lint", When.ALWAYS))
    assert package.condition == "branch == 'main'"
    assert package.spec.locks == (Lock("release"), Lock("db", 4, 2))
    assert package.spec.secrets == ("PYPI_TOKEN",)
    assert package.spec.artifacts == (Artifacts(("dist/*", "*.log")), Artifacts(("core",), When.FAILURE, required=True))
    assert found.schedules == (
        Schedule("demo", "nightly", "0 3 * * *", ("test",), "Europe/Paris", Missed.ALL, Overlap.CANCEL),
        Schedule("demo", "often", "*/5 * * * *", ("test", "lint"), parameters={"marker": "slow"}, enabled=False),
    )


def test_the_order_of_words_does_not_change_what_a_job_is() -> None:
    one = body("run: make\nruns-on: [b, a]\nenv: {X: '1', Y: '2'}")
    two = body("env: {Y: '2', X: '1'}\nruns-on: [a, b, a]\nrun: make")
    assert one.spec.digest() == two.spec.digest()


@pytest.mark.parametrize(("word", "shell"), list(jobfile.SHELLS.items()))
def test_shells(word: str, shell: tuple[str, ...]) -> None:
    assert body(f"run: x\nshell: {word}").spec.shell == shell


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10", 10),
        ("-10", -10),
        ("+5", 5),
        ("1_000", 1000),
        ("0o17", 15),
        ("0x10", 16),
        ("017", 17),
        ("-017", -17),
        ("08", 8),
        ("0_9", 9),
        ("1000000", 1_000_000),
        ("-1000000", -1_000_000),
    ],
)
def test_whole_numbers_are_those_of_yaml_1_2(text: str, value: int) -> None:
    assert body(f"run: x\npriority: {text}").priority == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("2020-01-01", "2020-01-01"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("12345678901234567890", "12345678901234567890"),
        ('"3.10"', "3.10"),
        ('"true"', "true"),
        ('""', ""),
        ("'it''s'", "it's"),
        ("1.2.3", "1.2.3"),
        ('"a\\tb"', "a\tb"),
        (">-\n        a\n        b", "a b"),
    ],
)
def test_texts_stay_as_they_are_written(text: str, value: str) -> None:
    assert body("run: x\nenv:\n  V: VALUE").spec.env == {"V": "VALUE"}
    assert only(f"{HEAD}  t:\n    run: x\n    env:\n      V: {text}\n").spec.env == {"V": value}


@pytest.mark.parametrize("text", ["3.10", "1e3", "true", "False", ".inf", "~", "null", "-.5"])
def test_what_yaml_would_change_must_be_quoted(text: str) -> None:
    found = told(f"{HEAD}  t: {{run: x, env: {{V: {text}}}}}\n")
    assert found.startswith("f:3:24: jobs.t.env.V: ")
    assert found.endswith(" in quotes" if text not in {"~", "null"} else 'write "" for the empty text')


def test_anchors_aliases_and_merges() -> None:
    text = dedent("""\
        project: p
        jobs:
          base: &base
            run: make
            timeout: 60
            env: &env {A: "1", B: "2"}
          one:
            <<: *base
            timeout: 30
          two:
            timeout: 10
            <<: [{run: first, priority: 1}, *base]
            env: {<<: *env, B: "3"}
        """)
    base, one, two = parse(text).jobs
    assert one == replace(base, name="one", spec=replace(base.spec, timeout_s=30.0))
    assert two.spec == Spec((Step("run", "first"),), env={"A": "1", "B": "3"}, timeout_s=10.0)
    assert two.priority == 1


def test_of_anchors_of_the_same_name_the_last_one_counts() -> None:
    found = parse("project: p\njobs:\n  a: &x one\n  b: *x\n  c: &x two\n  d: *x\n").jobs
    assert [one.spec.steps[0].run for one in found] == ["one", "one", "two", "two"]


def test_what_is_merged_comes_first() -> None:
    found = parse("project: p\njobs:\n  z: one\n  <<: {z: three, a: two}\n  b: four\n").jobs
    assert [(one.name, one.spec.steps[0].run) for one in found] == [("a", "two"), ("z", "one"), ("b", "four")]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffproject: p\njobs: {t: make}\n",
        "project: p\r\njobs: {t: make}\r\n",
        "---\nproject: p\njobs: {t: make}\n...\n",
        '{"project": "p", "jobs": {"t": "make"}}',
        "%YAML 1.2\n---\nproject: p\njobs: {t: make}\n",
    ],
)
def test_the_same_file_in_other_clothes(text: str) -> None:
    assert parse(text) == parse("project: p\njobs:\n  t: make\n")


@pytest.mark.parametrize("name", ["t", "3.10", "true", "build+test_1.x-y", "größe", "a" * 100])
def test_names_of_jobs(name: str) -> None:
    assert only(f"{HEAD}  {name}: make\n").name == name


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("name: a", Parameter("a")),
        ("name: a\nchoices: []", Parameter("a")),
        ("name: a\nchoices: [x, y]", Parameter("a", default="x", choices=("x", "y"))),
        ("name: a\nchoices: [x, y]\ndefault: y", Parameter("a", default="y", choices=("x", "y"))),
        ("name: a\nchoices: [x, y]\nrequired: true", Parameter("a", required=True, choices=("x", "y"))),
        ("name: a\nrequired: false\ndefault: 7", Parameter("a", default="7")),
        ('name: a\ndefault: ""', Parameter("a", default="")),
    ],
)
def test_parameters(text: str, parameter: Parameter) -> None:
    lines = "".join(f"        {line}\n" for line in text.splitlines())
    assert only(f"{HEAD}  t:\n    run: x\n    parameters:\n      -\n{lines}").parameters == (parameter,)


# -- bad files: text -> what is told, word for word

JOB = HEAD + "  t:\n    run: a\n"
STEP = HEAD + "  t:\n    steps:\n      - "
PARAMETER = JOB + "    parameters:\n      - "
NAME_RULE = "use up to 100 letters, digits, `-`, `_`, `.` and `+`, and begin with a letter or digit"
COMMON_KEYS = "runs-on, timeout, waiting-timeout, shell, retry, priority, resources, cache, secrets"
JOB_KEYS = (
    "description, run, steps, env, parameters, needs, if, matrix, concurrency, lock, services, artifacts, source, "
    + COMMON_KEYS
)
FILE_KEYS = "project, source, env, defaults, jobs, schedules"

BAD: dict[str, tuple[str, str]] = {
    # no YAML at all
    "empty": ("", "f:1:1: the file is empty; begin with `project: NAME` and `jobs:`"),
    "only a comment": ("# x\n", "f:1:1: the file is empty; begin with `project: NAME` and `jobs:`"),
    "a tab": (
        "project: p\n\tjobs: x\n",
        (
            "f:2:1: this is no YAML: found character '\\t' that cannot start any token; "
            "check indentation, quotes and brackets"
        ),
    ),
    "an open quote": (
        'project: "p\njobs: {t: make}\n',
        "f:3:1: this is no YAML: found unexpected end of stream; check indentation, quotes and brackets",
    ),
    "an open bracket": (
        "project: p\njobs: [a, b\n",
        "f:3:1: this is no YAML: expected ',' or ']', but got '<stream end>'; check indentation, quotes and brackets",
    ),
    "two documents": (
        "project: p\n---\nproject: q\n",
        "f:2:1: this is no YAML: but found another document; check indentation, quotes and brackets",
    ),
    "a control character": (
        "project: p\x01\n",
        (
            "f:1:1: this is no YAML: unacceptable character #x0001: special characters are not allowed; "
            "save the file as UTF-8 text"
        ),
    ),
    "half a character": (
        "project: p\nx: \udcff\n",
        "f:2:4: there is half a character (a surrogate); save the file as UTF-8 text",
    ),
    "an unknown alias": (
        "project: *nope\n",
        "f:1:10: this is no YAML: found undefined alias 'nope'; check indentation, quotes and brackets",
    ),
    "too large": ("#" * (1 << 20) + "\n", "f:1:1: the file has more than 1 MiB; split it into several projects"),
    "an alias bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 10)}]\n" for p, c in zip("abcde", "bcdef", strict=True)),
        "f:1:14: more than 50000 values, with aliases expanded; write fewer of them",
    ),
    "an alias of itself": ("project: &a [*a]\n", "f:1:10: nested more than 32 levels deep; flatten it"),
    "a mapping in itself": ("&a\nproject: *a\n", "f:2:1: nested more than 32 levels deep; flatten it"),
    "deep brackets": ("project: " + "[" * 40 + "]" * 40, "f:1:42: nested more than 32 levels deep; flatten it"),
    "bottomless brackets": (
        "project: " + "[" * 3000 + "]" * 3000,
        "f:1:1: nested more than 32 levels deep; flatten it",
    ),
    "deep blocks": (
        "".join(" " * depth + "a:\n" for depth in range(100)),
        "f:33:33: nested more than 32 levels deep; flatten it",
    ),
    "a tag": ("project: !foo x\n", "f:1:10: the tag !foo means nothing here; remove it"),
    "a tag of Python": (
        "project: !!python/object:os.system x\n",
        "f:1:10: the tag tag:yaml.org,2002:python/object:os.system means nothing here; remove it",
    ),
    "a list as a key": ("? [a]\n: b\n", "f:1:3: a key must be a single word or text"),
    "a mapping as a key": ("{a: b}: c\n", "f:1:1: a key must be a single word or text"),
    "a key twice": (HEAD + "  t: make\n  t: make\n", "f:4:3: t is given twice, first in line 3; remove one"),
    "a key twice, deeper": (JOB + "    run: b\n", "f:5:5: run is given twice, first in line 4; remove one"),
    "a merge of a list": (
        HEAD + "  t:\n    <<: [1]\n",
        "f:4:10: `<<` merges mappings; name one by its alias, as `<<: *base`",
    ),
    "a merge of a text": (
        HEAD + "  t:\n    <<: x\n",
        "f:4:9: `<<` merges mappings; name one by its alias, as `<<: *base`",
    ),
    # the file
    "a text": (
        "hello",
        f"f:1:1: expected a mapping with {FILE_KEYS}, found a text; write it as `project: ...`",
    ),
    "a list": (
        "- a\n",
        f"f:1:1: expected a mapping with {FILE_KEYS}, found a list; write it as `project: ...`",
    ),
    "no project": (
        "jobs: {t: make}\n",
        "f:1:1: the key 'project' is missing; it is the name that the jobs are listed under",
    ),
    "no jobs": ("project: p\n", "f:1:1: the key 'jobs' is missing; it is the jobs by name; a text is a whole job"),
    "jobs of nothing": ("project: p\njobs:\n", "f:3:1: jobs: expected jobs, found nothing; write it as `NAME: value`"),
    "empty jobs": (
        "project: p\njobs: {}\n",
        "f:1:1: jobs: there is no job; write at least one, as `test: make test`",
    ),
    "a list of jobs": (
        "project: p\njobs: [a]\n",
        "f:2:7: jobs: expected jobs, found a list; write it as `NAME: value`",
    ),
    "a mistyped key": (
        "projct: p\nproject: p\njobs: {t: make}\n",
        "f:1:1: projct: unknown key 'projct'; did you mean project?",
    ),
    "an unknown key": (
        "zzz: p\nproject: p\njobs: {t: make}\n",
        "f:1:1: zzz: unknown key 'zzz'; there are: project, source, env, defaults, jobs, schedules",
    ),
    # the project's name
    "a number as project": (
        "project: 3.10\njobs: {t: make}\n",
        'f:1:10: project: 3.10 without quotes is a number with a fraction to YAML; write "3.10" in quotes',
    ),
    "a truth as project": (
        "project: true\njobs: {t: make}\n",
        'f:1:10: project: true without quotes is true or false to YAML; write "true" in quotes',
    ),
    "a bad project": (
        'project: "a b"\njobs: {t: make}\n',
        f"f:1:10: project: 'a b' is no name; {NAME_RULE}",
    ),
    "the reserved project": (
        "project: run\njobs: {t: make}\n",
        "f:1:10: project: the project 'run' is that of single commands; choose another name",
    ),
    "project of nothing": (
        "project:\njobs: {t: make}\n",
        "f:2:1: project: there is no value; write what it should be, or remove the key",
    ),
    "a list as project": (
        "project: [a]\njobs: {t: make}\n",
        "f:1:10: project: expected a text, found a list; write it as `key: text`",
    ),
    # jobs
    "a job of nothing": (
        HEAD + "  t:\n",
        "f:4:1: jobs.t: expected a command or a mapping, found nothing; write it as `test: make test`",
    ),
    "a job that is true": (
        HEAD + "  t: true\n",
        'f:3:6: jobs.t: true without quotes is true or false to YAML; write "true" in quotes',
    ),
    "an empty command": (
        HEAD + '  t: " "\n',
        "f:3:6: jobs.t: is empty; write what it should be, or remove the key",
    ),
    "an empty list": (HEAD + "  t: []\n", "f:3:6: jobs.t: has an empty list of steps; write at least one"),
    "an empty list of steps": (
        HEAD + "  t: {steps: []}\n",
        "f:3:6: jobs.t: has an empty list of steps; write at least one",
    ),
    "a step of nothing": (
        HEAD + "  t:\n    run:\n      -\n",
        "f:5:8: jobs.t.run[0]: there is no value; write what it should be, or remove the key",
    ),
    "nothing to do": (HEAD + "  t: {}\n", "f:3:6: jobs.t: says nothing to do; give it `run` or `steps`"),
    "run and steps": (
        HEAD + "  t: {run: a, steps: [b]}\n",
        "f:3:6: jobs.t: has both `run` and `steps`; keep one of them",
    ),
    "a bad name": (HEAD + '  "a b": make\n', f"f:3:3: jobs.a b: is no name; {NAME_RULE}"),
    "no name": (HEAD + "  : make\n", f"f:3:3: jobs.: is no name; {NAME_RULE}"),
    "a long name": (HEAD + f"  {'a' * 101}: make\n", f"f:3:3: jobs.{'a' * 60}: is no name; {NAME_RULE}"),
    "an unknown key of a job": (JOB + "    zzz: 1\n", f"f:5:5: jobs.t.zzz: unknown key 'zzz'; there are: {JOB_KEYS}"),
    "a mistyped key of a job": (
        JOB + "    runson: x\n",
        "f:5:5: jobs.t.runson: unknown key 'runson'; did you mean runs-on?",
    ),
    **{
        f"of another tool: {key}": (
            JOB + f"    {key}: [a]\n",
            f"f:5:5: jobs.t.{key}: unknown key {key!r}; here this is {what}",
        )
        for key, what in FOREIGN.items()
    },
    "a mapping to run": (
        HEAD + "  t:\n    run: {a: b}\n",
        (
            "f:4:10: jobs.t.run: expected commands, found a mapping; "
            "write it as `[one, two]`, or lines that begin with `- `"
        ),
    ),
    "a list as description": (
        HEAD + "  t: {run: a, description: [x]}\n",
        "f:3:28: jobs.t.description: expected a text, found a list; write it as `key: text`",
    ),
    # steps
    "a step twice": (
        HEAD + "  t:\n    steps:\n      - {name: a, run: x}\n      - {name: a, run: y}\n",
        "f:6:9: jobs.t.steps: two steps are called 'a'; rename one",
    ),
    "a step without run": (
        STEP + "name: a\n",
        "f:5:9: jobs.t.steps[0]: the key 'run' is missing; it is shell text that it runs",
    ),
    "an unknown key of a step": (
        STEP + "{run: a, runn: b}\n",
        "f:5:18: jobs.t.steps[0].runn: unknown key 'runn'; did you mean run?",
    ),
    "a mistyped when": (
        STEP + "{run: a, when: succes}\n",
        "f:5:24: jobs.t.steps[0].when: 'succes' is none of the choices; did you mean success?",
    ),
    "a list as when": (
        STEP + "{run: a, when: [x]}\n",
        "f:5:24: jobs.t.steps[0].when: there are: success, failure, always",
    ),
    "a list as a step": (
        HEAD + "  t: {steps: [[a]]}\n",
        (
            "f:3:15: jobs.t.steps[0]: expected a mapping with name, run, env, when, timeout, found a list; "
            "write it as `name: ...`"
        ),
    ),
    # shell, timeout, priority, runs-on
    "an unknown shell": (
        HEAD + "  t: {run: a, shell: fish}\n",
        "f:3:22: jobs.t.shell: 'fish' is none of the choices; did you mean sh?",
    ),
    "an empty shell": (
        HEAD + "  t: {run: a, shell: []}\n",
        "f:3:22: jobs.t.shell: is empty; name the program that takes `-c TEXT`, as [zsh, -e]",
    ),
    "a mapping as shell": (
        HEAD + "  t: {run: a, shell: {a: b}}\n",
        "f:3:22: jobs.t.shell: there are: sh, bash, python",
    ),
    "no duration": (
        HEAD + "  t: {run: a, timeout: soon}\n",
        "f:3:24: jobs.t.timeout: 'soon' is no duration; write one such as 90s, 30m or 1h30m",
    ),
    "a duration of nothing": (
        HEAD + "  t: {run: a, timeout: 0}\n",
        "f:3:24: jobs.t.timeout: '0' must be longer than nothing",
    ),
    "an endless duration": (
        HEAD + f"  t: {{run: a, timeout: {'9' * 400}}}\n",
        f"f:3:24: jobs.t.timeout: '{'9' * 40}' is too long",
    ),
    "a truth as duration": (
        HEAD + "  t: {run: a, timeout: true}\n",
        "f:3:24: jobs.t.timeout: expected a duration, found a boolean; write it as `30m`, `1h30m` or seconds",
    ),
    "a word as priority": (
        HEAD + "  t: {run: a, priority: high}\n",
        "f:3:25: jobs.t.priority: expected a whole number, found a text; write it as `10`",
    ),
    "a priority beyond the range": (
        HEAD + "  t: {run: a, priority: 1000001}\n",
        "f:3:25: jobs.t.priority: 1000001 is out of range; use -1000000 to 1000000",
    ),
    "a priority beyond all ranges": (
        HEAD + f"  t: {{run: a, priority: {'9' * 5000}}}\n",
        f"f:3:25: jobs.t.priority: {'9' * 40} is out of range; use -1000000 to 1000000",
    ),
    "a priority by tag": (
        HEAD + "  t: {run: a, priority: !!int high}\n",
        "f:3:25: jobs.t.priority: 'high' is no whole number; write it as `10`",
    ),
    "a bad requirement": (
        HEAD + '  t: {run: a, runs-on: [linux, "mem>=x"]}\n',
        "f:3:32: jobs.t.runs-on[1]: 'mem>=x' compares with 'x', which is no number; write one such as 4, 8G or 3.11",
    ),
    "a requirement of three words": (
        HEAD + '  t: {run: a, runs-on: "a b c"}\n',
        (
            "f:3:24: jobs.t.runs-on: 'a b c' is no requirement; "
            "write a label (linux), label=value, label!=value or label>=number"
        ),
    ),
    "defaults of another kind": (
        "project: p\ndefaults: {env: {A: b}}\njobs: {t: make}\n",
        f"f:2:12: defaults.env: unknown key 'env'; there are: {COMMON_KEYS}",
    ),
    # variables
    "a bad variable": (
        HEAD + '  t: {run: a, env: {"A-B": x}}\n',
        "f:3:21: jobs.t.env.A-B: is no variable's name; use letters, digits and `_`",
    ),
    "a variable of ours": (
        HEAD + "  t: {run: a, env: {ORCHESTRA_X: x}}\n",
        (
            "f:3:21: jobs.t.env.ORCHESTRA_X: variables that begin with ORCHESTRA_ are set by Job Orchestra; "
            "choose another name"
        ),
    ),
    "a variable of nothing": (
        HEAD + "  t: {run: a, env: {V: }}\n",
        'f:3:23: jobs.t.env.V: there is no value; write "" for the empty text',
    ),
    "a NUL": (
        HEAD + '  t: {run: a, env: {V: "a\\0b"}}\n',
        "f:3:24: jobs.t.env.V: the text holds a NUL character, which no program can receive; remove it",
    ),
    "a list of variables": (
        HEAD + "  t: {run: a, env: [A=b]}\n",
        "f:3:20: jobs.t.env: expected variables, found a list; write it as `NAME: value`",
    ),
    # parameters
    "a default never used": (
        PARAMETER + "{name: x, default: a, required: true}\n",
        "f:6:9: jobs.t.parameters[0]: is required, so its default is never used; remove one of them",
    ),
    "a default that is no choice": (
        PARAMETER + "{name: x, default: a, choices: [b, c]}\n",
        "f:6:9: jobs.t.parameters[0]: the default 'a' is not among the choices: b, c",
    ),
    "a bad parameter": (
        PARAMETER + "name: 1x\n",
        (
            "f:6:15: jobs.t.parameters[0].name: '1x' is no parameter's name; "
            "use letters, digits, `_` and `-`, and begin with a letter"
        ),
    ),
    "a parameter without a name": (
        PARAMETER + "default: x\n",
        "f:6:9: jobs.t.parameters[0]: the key 'name' is missing; it is its name; a step sees it as PARAM_<NAME>",
    ),
    "two parameters of one variable": (
        PARAMETER + "name: a-b\n      - name: A_B\n",
        "f:4:5: jobs.t.parameters: 'a-b' and 'A_B' are both PARAM_A_B; rename one",
    ),
    "perhaps required": (
        PARAMETER + "{name: x, required: maybe}\n",
        "f:6:29: jobs.t.parameters[0].required: expected true or false, found a text; write it as `true`",
    ),
    "required in YAML 1.1": (
        "%YAML 1.1\n---\n" + PARAMETER + '{name: "x", required: yes}\n',
        "f:8:31: jobs.t.parameters[0].required: expected true or false, found a boolean; write it as `true`",
    ),
    "a choice that is a truth": (
        PARAMETER + "{name: x, choices: [yes, true]}\n",
        'f:6:34: jobs.t.parameters[0].choices[1]: true without quotes is true or false to YAML; write "true" in quotes',
    ),
    "a text as a parameter": (
        PARAMETER + "x\n",
        (
            "f:6:9: jobs.t.parameters[0]: expected a mapping with name, description, default, required, choices, "
            "found a text; write it as `name: ...`"
        ),
    ),
}


@pytest.mark.parametrize("which", BAD)
def test_bad_files_are_told_with_place_key_and_remedy(which: str) -> None:
    text, expected = BAD[which]
    assert told(text) == expected


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = dedent("""\
        project: a b
        jobs:
          one: {run: x, priority: high, needs: [a]}
          two:
            timeout: soon
        zzz: 1
        """)
    assert told(text).splitlines() == [
        f"f:1:10: project: 'a b' is no name; {NAME_RULE}",
        "f:3:27: jobs.one.priority: expected a whole number, found a text; write it as `10`",
        "f:3:41: jobs.one.needs[0]: there is no job 'a'; there are: two",
        "f:5:5: jobs.two: says nothing to do; give it `run` or `steps`",
        "f:5:14: jobs.two.timeout: 'soon' is no duration; write one such as 90s, 30m or 1h30m",
        "f:6:1: zzz: unknown key 'zzz'; there are: project, source, env, defaults, jobs, schedules",
    ]


@pytest.mark.parametrize(("count", "rest"), [(19, None), (20, None), (21, 1), (500, 480)])
def test_up_to_twenty_problems_are_told(count: int, rest: int | None) -> None:
    lines = told(HEAD + "".join(f"  j{place}: {{run: x, timeout: soon}}\n" for place in range(count))).splitlines()
    if rest is None:
        assert len(lines) == count
    else:
        assert len(lines) == 21
        assert lines[-1] == f"f: and {rest} more problems"


def test_a_problem_behind_an_alias_is_told_for_each_job_that_has_it() -> None:
    lines = told(HEAD + "  a: &a {run: x, timeout: soon}\n  b: *a\n  c: *a\n").splitlines()
    assert [line.split(": ")[1] for line in lines] == ["jobs.a.timeout", "jobs.b.timeout", "jobs.c.timeout"]


def test_errors_stay_short() -> None:
    long = "x" * 100_000
    for text in (
        f"project: {long}",
        f"{HEAD}  t: {{run: a, shell: {long}}}",
        f"{HEAD}  t: {{run: a, timeout: {long}}}",
    ):
        assert len(told(text)) < 400


# -- the schema


def test_the_schema_describes_what_is_read() -> None:
    schema = json.loads(json.dumps(jobfile.schema()))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["project", "jobs"]
    assert schema["additionalProperties"] is False
    assert ", ".join(schema["properties"]) == FILE_KEYS
    job: dict[str, Any] = next(
        one for one in schema["properties"]["jobs"]["additionalProperties"]["anyOf"] if one.get("type") == "object"
    )
    assert list(job["properties"]) == JOB_KEYS.split(", ")
    assert all(one["description"] for one in job["properties"].values())


# -- properties


def parsed(text: str) -> jobfile.JobFile | str:
    """Return what a file says, or what is told of it."""
    try:
        return parse(text, "f")
    except JobFileError as problem:
        return str(problem)


@given(st.text())
@example("0_")
@example("&0")
@example("!!int x")
def test_any_text_is_a_job_file_or_told_what_is_wrong(text: str) -> None:
    for whole in (text, HEAD + f"  t: {text}\n", HEAD + f"  t: {{run: a, priority: {text}, timeout: {text}}}\n"):
        found = parsed(whole)
        assert found.startswith("f:") if isinstance(found, str) else found.jobs


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3),
    max_leaves=8,
)
jobs = st.fixed_dictionaries({}, optional=dict.fromkeys(JOB_KEYS.split(", "), values))
files = st.fixed_dictionaries(
    {},
    optional={
        "project": st.just("p") | values,
        "env": st.just({"A": "b"}) | values,
        "defaults": jobs | values,
        "jobs": st.dictionaries(st.sampled_from(("a", "b", "-")), jobs | values, max_size=3) | values,
    },
)


@given(files)
def test_any_values_are_jobs_or_told_what_is_wrong(value: object) -> None:
    text = json.dumps(value)  # JSON is YAML
    found = parsed(text)
    assert found.startswith("f:") if isinstance(found, str) else all(one.spec.steps for one in found.jobs)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("b: -24968", "is a number, not a command"),
        ("b: { run: x, matrix: { os: [a, b], concurrency: 2 } }", "is the job's key, beside `matrix`"),
    ],
)
def test_numbers_that_mean_something_else_are_refused(text: str, wrong: str) -> None:
    with pytest.raises(JobFileError, match=wrong):
        parse(f"project: p\njobs:\n  {text}\n", "orchestra.yaml")


def test_an_axis_may_be_called_concurrency() -> None:
    found = parse("project: p\njobs:\n  b: { run: x, matrix: { concurrency: [1, 2] } }\n", "orchestra.yaml")
    assert found.jobs[0].matrix is not None
    assert found.jobs[0].matrix.axes == {"concurrency": ("1", "2")}
