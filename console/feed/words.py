"""What people type to filter a listing: `state:failed by:ann tst` is two conditions and a word. Pure.

Conditions are answered by whoever has the data. Words are looked for here, forgiving what was left out: the characters
of a word have to come in its order and close together (`tst` finds `test`). A large collection has its words in an
index, where they are looked for by their beginnings; there `~tst` asks to look at the rows themselves, forgivingly.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ...core.errors import InvalidInput
from ...core.model import LIVE_STATES, BuildState
from ...core.nearest import nearest


class Wish(msgspec.Struct, frozen=True):
    """What a filter asks for."""

    where: dict[str, Any] = {}  # as in builds.list
    words: tuple[str, ...] = ()  # in small letters; all must be found, forgivingly
    search: str = ""  # words for whoever has the data, by their beginnings
    text: str = ""  # as it was typed

    @property
    def empty(self) -> bool:
        """Whether everything is wanted."""
        return not self.where and not self.words and not self.search


_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)  # what every database takes as a number

STATES: Mapping[str, Sequence[str]] = {
    "live": sorted(LIVE_STATES),
    "ended": sorted(set(BuildState) - LIVE_STATES),
    "bad": sorted({BuildState.FAILED, BuildState.ERROR, BuildState.LOST}),
}
"""Words that stand for several states of builds."""


def parse(text: str, fields: Mapping[str, str], numbers: Iterable[str] = (), *, indexed: bool = False) -> Wish:
    """Return what a filter asks for; `fields` are the names that people may use -> field, `numbers` fields of numbers.

    `name:value`, `name:one,other`, `name:begin*`, `name:>5`; everything else is a word, and where words are `indexed`
    those with `~` are looked for forgivingly. Raises InvalidInput.
    """
    where: dict[str, Any] = {}
    words: list[str] = []
    search: list[str] = []
    for part in text.split():
        name, colon, value = part.partition(":")
        if not colon or not name or not value:
            if part.startswith("~") and len(part) > 1:
                words.append(part[1:].lower())
            elif indexed:
                search.append(part)
            else:
                words.append(part.lower())
            continue
        field = fields.get(name.lower())
        if field is None:
            guess = nearest(name.lower(), fields)
            hint = f"did you mean {guess}:?" if guess else f"there are: {', '.join(f'{one}:' for one in fields)}"
            raise InvalidInput(f"no field {name!r} to filter by; {hint}")
        where[field] = _condition(field, value, field in set(numbers))
    return Wish(where, tuple(words), " ".join(search), text.strip())


def _condition(field: str, value: str, number: bool) -> Any:  # noqa: ANN401, FBT001 - as in builds.list
    if field == "state":
        return [state for one in value.split(",") for state in STATES.get(one, (one,))]
    for sign, operator in ((">=", "ge"), ("<=", "le"), (">", "gt"), ("<", "lt")):
        if value.startswith(sign) and len(value) > len(sign):
            return {operator: _typed(field, value[len(sign) :], number)}
    if value.endswith("*") and not number:
        return {"prefix": value[:-1]}
    if "," in value:
        return [_typed(field, one, number) for one in value.split(",") if one]
    return _typed(field, value, number)


def _typed(field: str, value: str, number: bool) -> str | int:  # noqa: FBT001 - of the field
    if not number:
        return value
    if not _WHOLE.fullmatch(value):
        raise InvalidInput(f"{field} is a number; {value!r} is none")
    return int(value)


def matches(words: Iterable[str], texts: Sequence[str]) -> bool:
    """Whether each word is found in one of the texts."""
    lowered = [text.lower() for text in texts]
    return all(any(found(word, text) for text in lowered) for word in words)


def found(word: str, text: str) -> bool:
    """Whether the characters of a word come in a text in their order and close together. Both in small letters."""
    if word in text:
        return True
    if len(word) < 3:  # noqa: PLR2004 - two characters come in that order nearly everywhere
        return False
    reach = 2 * len(word) + 2
    start = text.find(word[0])
    while start >= 0:
        position = start
        for character in word[1:]:
            position = text.find(character, position + 1, start + reach)
            if position < 0:
                break
        else:
            return True
        start = text.find(word[0], start + 1)
    return False
