"""What is said between a client and an agent: requests, and replies as the Structs of `api` or as errors.

Nothing here sends or receives; both clients say the same.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from ...core import errors
from ...core.api import nouns
from ...core.api.builds import LogPart
from ...core.api.method import Method
from ...core.api.submitting import Submit


class Reply(msgspec.Struct):
    """What comes back: an answer, or the notification of an event."""

    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: dict[str, Any] | None = None
    method: str = ""
    params: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(list[Reply] | Reply)


def arguments(method: Method, positional: Sequence[object], named: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a call by name; None stands for not given."""
    fields = method.params.__struct_fields__
    if len(positional) > len(fields):
        message = f"{method.name} takes at most {len(fields)} parameters: {', '.join(fields)}"
        raise errors.InvalidInput(message)
    given = {**dict(zip(fields, positional, strict=False)), **named}
    return {name: value for name, value in given.items() if value is not None}


def table(name: str) -> Method:
    """Return a method's row. Raises InvalidInput for an unknown one."""
    method = nouns.method(name)
    if method is None:
        from ...core.api.table import METHODS

        message = f"unknown method {name!r}; there are: {', '.join(METHODS)}"
        raise errors.InvalidInput(message)
    return method


def request(number: int, method: str, params: Mapping[str, object]) -> dict[str, object]:
    """Return a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def replies_in(message: bytes) -> list[Reply]:
    """Return what is in a message: a reply, or those to a batch."""
    found = _decoder.decode(message)
    return found if isinstance(found, list) else [found]


def opened(method: str, reply: Reply) -> Any:  # noqa: ANN401 - the method decides the type
    """Return a reply's result as its Struct, or raise the error it holds."""
    if reply.error is not None:
        data = reply.error.get("data") or {}
        kind = errors.by_kind(data.get("kind", "")) or _by_code(reply.error.get("code", 0))
        raise kind(reply.error.get("message", ""))
    row = nouns.method(method)
    result: Any = row.result if row else Any
    return msgspec.json.decode(reply.result, type=result)


def _by_code(code: int) -> type[errors.OrchestraError]:
    if code in {errors.Code.PARAMS, errors.Code.METHOD}:
        return errors.InvalidInput
    return errors.PeerError if code in {errors.Code.PARSE, errors.Code.REQUEST} else errors.InvariantError


def log_bytes(part: LogPart) -> bytes:
    """Return the bytes of a range of a log."""
    return b64decode(part.data) if part.encoding == "base64" else part.data.encode()


def submission(what: str | Sequence[str], given: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of builds.submit: a text is a job, words are a command; other names are the job's own."""
    known = set(Submit.__struct_fields__)
    params = {name: value for name, value in given.items() if name in known and value is not None}
    own = {name: str(value) for name, value in given.items() if name not in known}
    if isinstance(what, str):
        params["job"] = what
    else:
        params["command"] = list(what)
    if own:
        params["parameters"] = {**cast("dict[str, str]", params.get("parameters", {})), **own}
    return params
