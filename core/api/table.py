"""All methods in one table, and as the JSON that the schema and the reference page in docs/ are made of."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ..version import SCHEMA_VERSION
from .method import Method
from .nouns import NOUNS, rows

METHODS: Mapping[str, Method] = {name: row for noun in NOUNS for name, row in rows(noun).items()}
"""Name of a method -> its row."""


def schema() -> dict[str, Any]:
    """Return the table as JSON: each method with the JSON Schemas of its parameters and result (definitions shared)."""
    types = [one for method in METHODS.values() for one in (method.params, method.result)]
    shapes, definitions = msgspec.json.schema_components(types, ref_template="#/definitions/{name}")
    by_type = dict(zip(types, shapes, strict=True))
    return {
        "schema_version": SCHEMA_VERSION,
        "methods": [
            {
                "name": method.name,
                "summary": method.summary,
                "permission": method.permission.value,
                "params": by_type[method.params],
                "result": by_type[method.result],
                "errors": [{"code": int(one.code), "kind": one.kind} for one in method.errors],
            }
            for method in METHODS.values()
        ],
        "definitions": definitions,
    }
