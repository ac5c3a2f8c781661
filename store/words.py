"""The words of a text, as they are searched: folded letters and digits, in any script. Pure."""

import re
from functools import lru_cache
from typing import Any

from .collections import Collection

MAX_WORDS = 32
"""Different words of one record that are searched; the rest of a longer text is not."""

MAX_LENGTH = 32
"""Characters of a word that count."""

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Return the words of a text, each once, in their order."""
    return list(_words(text))


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    """Return the same; what is searched repeats itself."""
    found = dict.fromkeys(one[:MAX_LENGTH] for one in _WORD.findall(text.casefold()))
    return tuple(found)[:MAX_WORDS]


def words_of(collection: Collection, record: Any) -> list[str]:  # noqa: ANN401 - a record of that collection
    """Return the words by which a record is found."""
    return words(" ".join(collection.value(record, one) for one in collection.texts))


def matches(terms: tuple[str, ...], found: list[str]) -> bool:
    """Whether each term is the beginning of one of the words."""
    return all(any(word.startswith(term) for word in found) for term in terms)
