"""The page docs/store-schema.md: what is in the database, from store/collections.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_orchestra.store.collections import COLLECTIONS, Kind

if TYPE_CHECKING:
    from job_orchestra.store.collections import Collection, Field, Index

_PAGE = """\
# What is in the database

<!-- Written by `python -m tools.reference` from store/collections.py. -->

Each collection is a table (in MongoDB: a collection). The columns are what one filters and orders by; `doc` holds the
whole record as JSON, as `orchestra store query` prints it. Columns are taken from the record: of a text they hold the
first 255 characters. Texts compare by their code points, upper case before lower case.

| | SQLite | PostgreSQL | MariaDB, MySQL | MongoDB |
| --- | --- | --- | --- | --- |
| text | `text` | `varchar(255)` | `varchar(255)` | string |
| integer | `integer` | `bigint` | `bigint` | long |
| instant (UTC, milliseconds) | `integer`: ms since 1970 | `timestamptz(3)` | `datetime(3)` | date |
| `doc` | `text` | `json` | `longtext` | document |

In MongoDB a key of one field is `_id`; one of several is a document of these, and they are fields as well. There, `rev`
is the index of the log entry that a document is as of, `words` holds the words that are searched, and a document with
`gone` is what is left of a record that is no more: leave it out. In SQL the words of a large collection are in a table
beside it, as `builds_words`.

{collections}
## Beside them

| name | what it is |
| --- | --- |
| `meta` | the store's own state: its schema, the last log entry that it reflects, whose history it is |
| `sizes`, `tallies`, `agent_days`, `vocabulary` | sums that are kept so that counting needs no scan |
| `build_times`, `failure_rates`, `job_days` | [views for reports](stores.md#reports) |
| `pending` (MongoDB) | what is about to be put in |

Read whatever you like, best as a user who may only read. Write nothing: it would be lost, or found to be damage.
"""

_KINDS = {Kind.TEXT: "text", Kind.INTEGER: "integer", Kind.INSTANT: "instant"}


def schema_page() -> str:
    """Return the page."""
    return _PAGE.format(collections="\n".join(_collection(one) for one in COLLECTIONS.values()))


def _collection(collection: Collection) -> str:
    indexes = ", ".join(map(_index, collection.indexes))
    lines = [
        f"## `{collection.name}`",
        "",
        f"{collection.caption}. Key: {', '.join(f'`{one}`' for one in collection.key)}."
        + (f" Indexes: {indexes}." if indexes else ""),
        "",
        "| column | type | what it is |",
        "| --- | --- | --- |",
        *(_field(name, field) for name, field in collection.fields.items()),
    ]
    return "\n".join([*lines, ""])


def _index(index: Index) -> str:
    kept = ""
    if index.given:
        kept = f" where `{index.given}` is not empty"
    elif index.among is not None:
        field, values = index.among
        kept = f" where `{field}` is {', '.join(values[:-1])} or {values[-1]}"
    return f"({', '.join(index.fields)}){' unique' if index.unique else ''}{kept}"


def _field(name: str, field: Field) -> str:
    choices = f": {', '.join(field.choices)}" if field.choices else ""
    missing = ", may be missing" if field.optional else ""
    return f"| `{name}` | {_KINDS[field.kind]}{missing} | {field.caption}{choices} |"
