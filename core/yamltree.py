"""YAML 1.2 as a tree in which every node knows its line and column. Pure; refuses to know what the tree means.

Scalars keep the text as it was written beside the type that YAML sees in it, so that `3.10` is not silently `3.1`.
Anchors, aliases and `<<` merges work; what would expand to more than MAX_NODES (an "alias bomb") is refused.
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

MAX_BYTES = 1 << 20
"""Bytes of one file."""

MAX_NODES = 50_000
"""Nodes after aliases are expanded."""

MAX_DEPTH = 32
"""Levels of nesting."""

_TAG = "tag:yaml.org,2002:"
_KINDS = {"str": "text", "int": "integer", "float": "number", "bool": "boolean", "null": "nothing", "timestamp": "text"}


class Malformed(Exception):
    """The text is no YAML that can be read. Carries the place."""

    def __init__(self, line: int, column: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value."""

    text: str  # as written, without quotes
    kind: str  # text, integer, number, boolean, nothing
    line: int  # from 1
    column: int  # from 1


@dataclass(frozen=True, slots=True)
class Listing:
    """A sequence."""

    items: "list[Tree]"  # in order
    line: int  # from 1
    column: int  # from 1
    kind: str = "list"


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; keys are texts."""

    entries: "dict[str, Entry]"  # in order
    line: int  # from 1
    column: int  # from 1
    kind: str = "mapping"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping, with its place, and the value."""

    key: Scalar
    value: "Tree"


Tree: TypeAlias = Scalar | Listing | Table


def read(text: str) -> Tree:
    """Return the tree of the one document in `text`. Raises Malformed."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as problem:
        line = text.count("\n", 0, problem.start) + 1
        column = problem.start - text.rfind("\n", 0, problem.start)
        raise Malformed(line, column, "there is half a character (a surrogate); save the file as UTF-8 text") from None
    if size > MAX_BYTES:
        raise Malformed(1, 1, f"the file has more than {MAX_BYTES >> 20} MiB; split it into several projects")
    loader: Any = YAML(typ="safe", pure=True)
    loader.allow_duplicate_keys = True  # seen below, with the place of the second
    loader.composer.warn_double_anchors = False  # the last one counts, says YAML
    try:
        root = loader.compose(text)
    except MarkedYAMLError as problem:
        raise _marked(problem) from None
    except RecursionError:
        raise Malformed(1, 1, f"nested more than {MAX_DEPTH} levels deep; flatten it") from None
    except (YAMLError, ValueError) as problem:
        raise Malformed(1, 1, f"this is no YAML: {_first_line(problem)}; save the file as UTF-8 text") from None
    if root is None:
        raise Malformed(1, 1, "the file is empty; begin with `project: NAME` and `jobs:`")
    return _Reader().tree(root, 0)


def _marked(problem: Any) -> Malformed:  # noqa: ANN401 - ruamel's errors have no types
    mark = problem.problem_mark or problem.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = str(problem.problem or problem.context or "wrong YAML")
    return Malformed(line, column, f"this is no YAML: {what}; check indentation, quotes and brackets")


def _first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or ["it cannot be read"])[0]


@dataclass
class _Reader:
    count: int = field(default=0)

    def tree(self, node: Any, depth: int) -> Tree:  # noqa: ANN401 - a node of ruamel
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        self.count += 1
        if self.count > MAX_NODES:
            raise Malformed(line, column, f"more than {MAX_NODES} values, with aliases expanded; write fewer of them")
        if depth > MAX_DEPTH:
            raise Malformed(line, column, f"nested more than {MAX_DEPTH} levels deep; flatten it")
        tag = str(node.tag)
        value: Any = node.value
        if isinstance(node, ScalarNode):
            kind = _KINDS.get(tag.removeprefix(_TAG)) if tag.startswith(_TAG) else None
            if kind is None:
                raise Malformed(line, column, f"the tag {tag} means nothing here; remove it")
            return Scalar(str(value), kind, line, column)
        if isinstance(node, SequenceNode):
            return Listing([self.tree(one, depth + 1) for one in value], line, column)
        if isinstance(node, MappingNode):
            return self._table(node, depth, line, column)
        raise Malformed(line, column, "only mappings, lists and values are understood here")

    def _table(self, node: Any, depth: int, line: int, column: int) -> Table:  # noqa: ANN401 - a node of ruamel
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            key = self.tree(key_node, depth + 1) if key_node.tag != f"{_TAG}merge" else None
            if key is None:
                for name, entry in self._merge(value_node, depth):
                    merged.setdefault(name, entry)
                continue
            if not isinstance(key, Scalar):
                raise Malformed(key.line, key.column, "a key must be a single word or text")
            if key.text in own:
                first = own[key.text].key.line
                raise Malformed(key.line, key.column, f"{key.text} is given twice, first in line {first}; remove one")
            own[key.text] = Entry(key, self.tree(value_node, depth + 1))
        return Table({**{name: entry for name, entry in merged.items() if name not in own}, **own}, line, column)

    def _merge(self, node: Any, depth: int) -> list[tuple[str, Entry]]:  # noqa: ANN401 - a node of ruamel
        found = self.tree(node, depth + 1)
        tables = found.items if isinstance(found, Listing) else [found]
        entries: list[tuple[str, Entry]] = []
        for table in tables:
            if not isinstance(table, Table):
                raise Malformed(table.line, table.column, "`<<` merges mappings; name one by its alias, as `<<: *base`")
            entries += table.entries.items()
        return entries
