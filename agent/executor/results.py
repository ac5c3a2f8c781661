"""What a build's steps wrote to ORCHESTRA_RESULTS: lines of KEY=VALUE, or one JSON object. Pure but for the reading."""

from collections.abc import Sequence
from typing import Any

import msgspec

MAX_BYTES = 64 * 1024
"""Bytes of the file."""

MAX_KEYS = 256
"""Results of one build."""


def read_results(path: str, secrets: Sequence[str] = ()) -> dict[str, str]:
    """Return the results, without secrets; none when the file was not written. Raises ValueError with what is wrong."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        message = f"the results cannot be read: {error.strerror}"
        raise ValueError(message) from None
    if len(data) > MAX_BYTES:
        message = f"the results have more than {MAX_BYTES >> 10} KiB; write larger things to the log"
        raise ValueError(message)
    if not secrets:
        return parse_results(data)
    from ...core import masking  # few builds have secrets, and it takes a moment to load

    try:
        return masking.masked_values(parse_results(data), secrets)
    except ValueError as error:
        raise ValueError(masking.masked(str(error), secrets)) from None


def parse_results(data: bytes) -> dict[str, str]:
    """Return the results in the bytes of the file. Raises ValueError with what is wrong."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        message = f"the results are not UTF-8 (byte {error.start})"
        raise ValueError(message) from None
    found = _json(text) if text.lstrip().startswith("{") else _lines(text)
    if len(found) > MAX_KEYS:
        message = f"{len(found)} results are more than {MAX_KEYS}"
        raise ValueError(message)
    return found


def _json(text: str) -> dict[str, str]:
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"the results are no JSON object: {error}"
        raise ValueError(message) from None
    return {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode() for key, value in found.items()
    }


def _lines(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            message = f"line {number} of the results is not KEY=VALUE: {line[:60]!r}"
            raise ValueError(message)
        found[key.strip()] = value
    return found
