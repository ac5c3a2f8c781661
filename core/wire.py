"""JSON-RPC 2.0 as it goes over the scripting socket: bytes to requests, results and errors to bytes. Pure.

Whatever arrives gets an answer, except a notification (a request without `id`), as the protocol wants it. Refuses to
know which methods exist and who answers them.
"""

from typing import Any, TypeAlias

import msgspec

from .errors import Code, OrchestraError

MAX_BYTES = 4 << 20
"""Bytes of one message; the socket drops longer ones itself, and says so first where it can."""

MAX_BATCH = 10_000
"""Requests in one batch."""

Id: TypeAlias = str | int | float | None  # as the client chose it


class Request(msgspec.Struct, frozen=True):
    """One request, right in form."""

    id: Id  # echoed in the answer
    method: str  # not yet looked up
    params: msgspec.Raw  # the parameters as JSON; `{}` where the client gave none
    notification: bool  # no answer is wanted


class Malformed(msgspec.Struct, frozen=True):
    """One thing that is no request, with the answer it gets."""

    id: Id  # null where it could not be read
    error: dict[str, Any]  # as in the protocol


class Message(msgspec.Struct, frozen=True):
    """What one frame held."""

    requests: list[Request | Malformed]  # in order
    batch: bool  # the answers go back as an array


class _Envelope(msgspec.Struct):
    jsonrpc: msgspec.Raw = msgspec.Raw(b"")
    method: msgspec.Raw = msgspec.Raw(b"")
    params: msgspec.Raw = msgspec.Raw(b"")
    id: msgspec.Raw = msgspec.Raw(b"")


_array = msgspec.json.Decoder(list[msgspec.Raw])
_envelope = msgspec.json.Decoder(_Envelope)
_text = msgspec.json.Decoder(str)
_id = msgspec.json.Decoder(str | int | float | None)
_encoder = msgspec.json.Encoder()
_NOTHING = msgspec.Raw(b"{}")


def error(code: Code, message: str, kind: str, *, retryable: bool = False) -> dict[str, Any]:
    """Return a JSON-RPC error object."""
    return {"code": int(code), "message": message, "data": {"kind": kind, "retryable": retryable}}


def error_of(problem: OrchestraError) -> dict[str, Any]:
    """Return the JSON-RPC error object of one of our errors."""
    return error(problem.code, str(problem), problem.kind, retryable=problem.retryable)


def parse(frame: bytes) -> Message:
    """Take a frame apart. Never raises: what is wrong is told in the answer it gets."""
    if len(frame) > MAX_BYTES:
        text = f"the message has {len(frame)} bytes, more than {MAX_BYTES}; send it in several parts"
        return _refuse(Code.LIMIT, text, "limit")
    stripped = frame.lstrip(b" \t\r\n")
    if not stripped.startswith(b"["):
        return Message([_one(frame)], batch=False)
    try:
        parts = _array.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return _refuse(Code.PARSE, f"this is not JSON: {problem}; send one JSON-RPC 2.0 object or an array", "parse")
    if not parts:
        return _refuse(Code.REQUEST, "an empty batch asks for nothing; put at least one request into it", "request")
    if len(parts) > MAX_BATCH:
        text = f"{len(parts)} requests in one batch, more than {MAX_BATCH}; send several batches"
        return _refuse(Code.LIMIT, text, "limit")
    return Message([_one(bytes(part)) for part in parts], batch=True)


def result(request: Request, value: object) -> dict[str, Any]:
    """Return the answer to a request that was carried out."""
    return {"jsonrpc": "2.0", "id": request.id, "result": value}


def failure(request: Request | Malformed, problem: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request that was not."""
    return {"jsonrpc": "2.0", "id": request.id, "error": problem}


def event(params: dict[str, Any]) -> bytes:
    """Return the notification `event`."""
    return _encoder.encode({"jsonrpc": "2.0", "method": "event", "params": params})


def encode(answers: list[dict[str, Any]], *, batch: bool) -> bytes:
    """Return the frame that holds the answers; empty if there is none to give."""
    if not answers:
        return b""
    return _encoder.encode(answers if batch else answers[0])


def _refuse(code: Code, text: str, kind: str) -> Message:
    return Message([Malformed(None, error(code, text, kind))], batch=False)


def _one(part: bytes) -> Request | Malformed:  # noqa: PLR0911 - one answer per thing that can be wrong
    try:
        found = _envelope.decode(part)
    except msgspec.ValidationError:
        return Malformed(None, error(Code.REQUEST, 'a request is an object: {"jsonrpc": "2.0", ...}', "request"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return Malformed(None, error(Code.PARSE, f"this is not JSON: {problem}; send a JSON-RPC 2.0 object", "parse"))
    raw_id = bytes(found.id)
    try:
        identity = _id.decode(raw_id) if raw_id else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Malformed(None, error(Code.REQUEST, "`id` must be a text, a number or null", "request"))
    if bytes(found.jsonrpc) != b'"2.0"':
        return Malformed(identity, error(Code.REQUEST, '`jsonrpc` must be "2.0"', "request"))
    try:
        method = _text.decode(found.method)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Malformed(identity, error(Code.REQUEST, "`method` must be a text such as builds.submit", "request"))
    params = bytes(found.params).strip()
    if params and not params.startswith(b"{"):
        text = '`params` must be an object with the parameters by name, as {"id": "last"}'
        return Malformed(identity, error(Code.PARAMS, text, "invalid"))
    return Request(identity, method, found.params if params else _NOTHING, notification=not raw_id)
