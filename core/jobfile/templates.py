"""The expressions of a job file: every `${{ }}` stands where it is filled in, and what it names is there."""

from collections.abc import Iterator, Mapping

from ..definition import Job
from ..errors import InvalidInput
from ..expressions import Scope, parse_condition
from ..shapes import Problems
from ..templates import MARK, check_template, is_template
from ..variables import variable
from ..yamltree import Listing, Scalar, Table, Tree

FILLED_IN = frozenset({"env", "runs-on", "cache", "artifacts", "lock", "source"})
"""Keys of a job in whose texts expressions are filled in; beside them the `env` of steps and services."""

_OF_FILE = ("env", "source")  # keys of the file that all jobs have, if they do not say otherwise


def check_expressions(tree: Tree, jobs: Mapping[str, Job], problems: Problems) -> None:
    """Report expressions that are wrong, or stand where nothing is filled in."""
    if not isinstance(tree, Table) or "jobs" not in tree.entries:
        return
    listed = tree.entries["jobs"].value
    own = listed.entries if isinstance(listed, Table) else {}
    for name, job in jobs.items():
        node = own[name].value
        scope = Scope(tuple(one.name for one in job.parameters), _keys(job))
        _check(node, f"jobs.{name}", scope, problems)
        _check_condition(node, f"jobs.{name}", job, problems)
        said = frozenset(node.entries if isinstance(node, Table) else ())
        for key, one in _from_file(tree, said):
            _check_texts(one, key, scope, problems, f" (in job {name})")


def _keys(job: Job) -> tuple[str, ...]:
    if job.matrix is None:
        return ()
    return tuple(dict.fromkeys([*job.matrix.axes, *(key for one in job.matrix.include for key in one)]))


def _from_file(tree: Table, said: frozenset[str]) -> Iterator[tuple[str, Tree]]:
    """Yield what a job has from the file, beside what it said itself, with its key."""
    for key in _OF_FILE:
        if key in tree.entries and (key == "env" or key not in said):
            yield key, tree.entries[key].value
    defaults = tree.entries["defaults"].value if "defaults" in tree.entries else None
    if isinstance(defaults, Table):
        for key, entry in defaults.entries.items():
            if key in FILLED_IN and key not in said:
                yield f"defaults.{key}", entry.value


def _check_condition(node: Tree, key: str, job: Job, problems: Problems) -> None:
    if not job.condition or not isinstance(node, Table):
        return
    scope = Scope(tuple(one.name for one in job.parameters), _keys(job), tuple(one.job for one in job.needs))
    try:
        parse_condition(job.condition, scope)
    except InvalidInput as error:
        problems.add(node.entries["if"].value, f"{key}.if", str(error))


def _check(node: Tree, key: str, scope: Scope, problems: Problems) -> None:
    """Check all texts of a job."""
    if not isinstance(node, Table):
        _refuse(node, key, problems)
        return
    for name, entry in node.entries.items():
        where = f"{key}.{name}"
        if name in FILLED_IN:
            _check_texts(entry.value, where, scope, problems)
        elif name in {"steps", "services"}:
            for inner, one in _children(entry.value, where):
                _check_part(one, inner, scope, problems)
        elif name not in {"if", "description"}:
            _refuse(entry.value, where, problems)


def _check_part(node: Tree, key: str, scope: Scope, problems: Problems) -> None:
    """Check the texts of a step or service."""
    if not isinstance(node, Table):
        _refuse(node, key, problems)
        return
    for name, entry in node.entries.items():
        if name == "env":
            _check_texts(entry.value, f"{key}.{name}", scope, problems)
        else:
            _refuse(entry.value, f"{key}.{name}", problems)


def _children(node: Tree, key: str) -> Iterator[tuple[str, Tree]]:
    if isinstance(node, Listing):
        for place, one in enumerate(node.items):
            yield f"{key}[{place}]", one
    elif isinstance(node, Table):
        for name, entry in node.entries.items():
            yield f"{key}.{name}", entry.value


def _texts(node: Tree, key: str) -> Iterator[tuple[str, Scalar]]:
    """Yield the texts below a node that have expressions, with their keys."""
    if isinstance(node, Scalar):
        if is_template(node.text):
            yield key, node
        return
    for inner, one in _children(node, key):
        yield from _texts(one, inner)


def _check_texts(node: Tree, key: str, scope: Scope, problems: Problems, which: str = "") -> None:
    for inner, one in _texts(node, key):
        hashes = "cache" in key.split(".") and (inner.endswith(".key") or ".restore" in inner)
        try:
            check_template(one.text, Scope(scope.parameters, scope.matrix, None, hashes))
        except InvalidInput as error:
            problems.add(one, inner, f"{error}{which}")


def _refuse(node: Tree, key: str, problems: Problems) -> None:
    for inner, one in _texts(node, key):
        problems.add(one, inner, f"`{MARK} }}}}` is not filled in here; {_remedy(one.text)}")


def _remedy(text: str) -> str:
    """Return what to write instead of the first expression in a text."""
    written = text[text.index(MARK) + len(MARK) :].split("}", maxsplit=1)[0].strip()
    parts = written.split(".")
    known = {"parameters": "param", "matrix": "matrix"}
    if parts[0] in known and len(parts) == 2:  # noqa: PLR2004 - kind and name
        return f"in a command, write ${variable(known[parts[0]], parts[1])}"
    if written in {"branch", "revision"}:
        return f"in a command, write $ORCHESTRA_{written.upper()}"
    return "give it to `env`, and use that variable"
