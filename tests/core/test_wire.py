"""JSON-RPC 2.0: whatever arrives, the answer is right in form."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core import wire
from job_orchestra.core.errors import Code, LimitReached, NoMaster, NotFound
from job_orchestra.core.wire import Malformed, Request

PARSE, REQUEST, PARAMS, LIMIT = Code.PARSE, Code.REQUEST, Code.PARAMS, Code.LIMIT
DEEP = 100_000


def call(**members: Any) -> bytes:  # noqa: ANN401 - any JSON
    return json.dumps({"jsonrpc": "2.0", "method": "builds.get", "id": 1, **members}).encode()


def the(frame: bytes) -> Request | Malformed:
    """Return the only thing in a frame that is no batch."""
    message = wire.parse(frame)
    assert not message.batch
    (one,) = message.requests
    return one


def test_a_request() -> None:
    one = the(call(params={"id": "last"}))
    assert isinstance(one, Request)
    assert (one.id, one.method, json.loads(bytes(one.params)), one.notification) == (
        1,
        "builds.get",
        {"id": "last"},
        False,
    )


def test_parameters_may_be_left_out() -> None:
    one = the(call())
    assert isinstance(one, Request)
    assert bytes(one.params) == b"{}"


@pytest.mark.parametrize("identity", [0, -1, 1.5, 10**30, "", "é", "x" * 1000, None])
def test_the_id_comes_back_as_it_was(identity: str | float | None) -> None:
    one = the(call(id=identity))
    assert isinstance(one, Request)
    assert (one.id, type(one.id), one.notification) == (identity, type(identity), False)
    answer = json.loads(wire.encode([wire.result(one, {})], batch=False))
    assert answer == {"jsonrpc": "2.0", "id": identity, "result": {}}


@pytest.mark.parametrize("identity", [True, False, [], [1], {}, {"a": 1}])
def test_an_id_of_another_type_is_refused(identity: object) -> None:
    one = the(call(id=identity))
    assert isinstance(one, Malformed)
    assert (one.id, one.error["code"], one.error["message"]) == (None, REQUEST, "`id` must be a text, a number or null")


def test_a_request_without_an_id_wants_no_answer() -> None:
    one = the(b'{"jsonrpc": "2.0", "method": "builds.list"}')
    assert isinstance(one, Request)
    assert (one.id, one.notification) == (None, True)


def test_members_that_mean_nothing_are_passed_over() -> None:
    assert isinstance(the(call(extra=[1, {"a": None}])), Request)


NO_JSON: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b" \r\n\t",
    "words": b"hello",
    "half an object": b'{"jsonrpc": "2.0", "method": "m"',
    "half an array": b"[",
    "half an array with requests": b"[" + call() + b",",
    "something behind": call() + b" x",
    "two objects": call() + call(),
    "a comma too many": b'{"jsonrpc": "2.0",}',
    "no UTF-8": b"\xff\xfe",
    "no UTF-8 in an array": b"[\xff]",
    "UTF-16": '{"jsonrpc": "2.0"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + call(),
    "NaN": b'{"jsonrpc": "2.0", "method": "m", "id": NaN}',
    "half a surrogate": b'{"jsonrpc": "2.0", "method": "m", "id": "\\ud800"}',
    "a NUL": b"\0",
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep arrays, not closed": b"[" * DEEP,
    "deep parameters": b'{"jsonrpc": "2.0", "method": "m", "id": 1, "params": {"a": '
    + b"[" * DEEP
    + b"]" * DEEP
    + b"}}",
    "a deep id": b'{"jsonrpc": "2.0", "method": "m", "id": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
}


@pytest.mark.parametrize("which", NO_JSON)
def test_what_is_no_json_is_told_so(which: str) -> None:
    one = the(NO_JSON[which])
    assert isinstance(one, Malformed)
    assert (one.id, one.error["code"], one.error["data"]) == (None, PARSE, {"kind": "parse", "retryable": False})
    assert one.error["message"].startswith("this is not JSON: ")
    assert len(one.error["message"]) < 300


NO_REQUEST: dict[str, tuple[bytes, Any, Code, str]] = {
    "a number": (b"1", None, REQUEST, 'a request is an object: {"jsonrpc": "2.0", ...}'),
    "null": (b"null", None, REQUEST, 'a request is an object: {"jsonrpc": "2.0", ...}'),
    "a text": (b'"x"', None, REQUEST, 'a request is an object: {"jsonrpc": "2.0", ...}'),
    "an empty object": (b"{}", None, REQUEST, '`jsonrpc` must be "2.0"'),
    "an empty batch": (b"[]", None, REQUEST, "an empty batch asks for nothing; put at least one request into it"),
    "an empty batch with blanks": (
        b" [ ] ",
        None,
        REQUEST,
        "an empty batch asks for nothing; put at least one request into it",
    ),
    "version 1": (call(jsonrpc="1.0"), 1, REQUEST, '`jsonrpc` must be "2.0"'),
    "version as a number": (call(jsonrpc=2.0), 1, REQUEST, '`jsonrpc` must be "2.0"'),
    "version null": (call(jsonrpc=None), 1, REQUEST, '`jsonrpc` must be "2.0"'),
    "no version": (b'{"method": "m", "id": "a"}', "a", REQUEST, '`jsonrpc` must be "2.0"'),
    "no method": (b'{"jsonrpc": "2.0", "id": 7}', 7, REQUEST, "`method` must be a text such as builds.submit"),
    "method as a number": (call(method=5), 1, REQUEST, "`method` must be a text such as builds.submit"),
    "method null": (call(method=None), 1, REQUEST, "`method` must be a text such as builds.submit"),
    "method that is no UTF-8": (
        b'{"jsonrpc": "2.0", "id": 7, "method": "\xff"}',
        7,
        REQUEST,
        "`method` must be a text such as builds.submit",
    ),
    "id that is no UTF-8": (
        b'{"jsonrpc": "2.0", "id": "\xff", "method": "m"}',
        None,
        REQUEST,
        "`id` must be a text, a number or null",
    ),
    "an id beyond all numbers": (
        b'{"jsonrpc": "2.0", "id": 1e999, "method": "m"}',
        None,
        REQUEST,
        "`id` must be a text, a number or null",
    ),
    **{
        f"parameters that are {value!r}": (
            call(params=value),
            1,
            PARAMS,
            '`params` must be an object with the parameters by name, as {"id": "last"}',
        )
        for value in ([], [1], None, "x", 5, True)
    },
}


@pytest.mark.parametrize("which", NO_REQUEST)
def test_what_is_no_request_is_told_what_is_wrong(which: str) -> None:
    frame, identity, code, message = NO_REQUEST[which]
    one = the(frame)
    assert isinstance(one, Malformed)
    assert (one.id, one.error["code"], one.error["message"]) == (identity, code, message)


def test_a_batch_keeps_its_order_and_answers_each() -> None:
    message = wire.parse(
        b" \n[" + call(id="a") + b", 5, " + call(id="b", params=[]) + b', {"jsonrpc": "2.0", "method": "n"}]'
    )
    assert message.batch
    kinds = [(type(one), one.id) for one in message.requests]
    assert kinds == [(Request, "a"), (Malformed, None), (Malformed, "b"), (Request, None)]
    note = message.requests[3]
    assert isinstance(note, Request)
    assert note.notification


def test_a_batch_in_a_batch_is_no_request() -> None:
    message = wire.parse(b"[[" + call() + b"]]")
    assert message.batch
    assert [type(one) for one in message.requests] == [Malformed]


def test_sizes_are_limited() -> None:
    most = call(params={"x": "y" * (wire.MAX_BYTES - len(call(params={"x": ""})))})
    assert len(most) == wire.MAX_BYTES
    assert isinstance(the(most), Request)
    one = the(most + b" ")
    assert isinstance(one, Malformed)
    assert one.error["code"] == LIMIT
    assert one.error["message"] == "the message has 4194305 bytes, more than 4194304; send it in several parts"


def test_batches_are_limited() -> None:
    assert len(wire.parse(b"[" + b"1," * (wire.MAX_BATCH - 1) + b"1]").requests) == wire.MAX_BATCH
    one = the(b"[" + b"1," * wire.MAX_BATCH + b"1]")
    assert isinstance(one, Malformed)
    assert (one.error["code"], one.error["message"]) == (
        LIMIT,
        "10001 requests in one batch, more than 10000; send several batches",
    )


def test_answers() -> None:
    one = the(call(id="a"))
    failed = wire.failure(one, wire.error(Code.CONFLICT, "no", "conflict"))
    single = json.loads(wire.encode([failed], batch=False))
    assert single == {
        "jsonrpc": "2.0",
        "id": "a",
        "error": {"code": -32004, "message": "no", "data": {"kind": "conflict", "retryable": False}},
    }
    assert json.loads(wire.encode([failed], batch=True)) == [single]
    assert wire.encode([], batch=True) == wire.encode([], batch=False) == b""


def test_an_event_is_a_notification() -> None:
    assert json.loads(wire.event({"kind": "build"})) == {
        "jsonrpc": "2.0",
        "method": "event",
        "params": {"kind": "build"},
    }


@pytest.mark.parametrize(
    ("problem", "code", "kind", "retryable"),
    [
        (NotFound("x"), -32002, "not-found", False),
        (NoMaster("x"), -32001, "no-master", True),
        (LimitReached("x"), -32005, "limit", False),
    ],
)
def test_our_errors_go_out_with_code_and_kind(problem: Any, code: int, kind: str, retryable: bool) -> None:  # noqa: ANN401 - any error
    assert wire.error_of(problem) == {"code": code, "message": "x", "data": {"kind": kind, "retryable": retryable}}


def answered(frame: bytes) -> None:
    message = wire.parse(frame)
    assert message.requests
    answers = [wire.failure(one, wire.error(Code.INTERNAL, "x", "y")) for one in message.requests]
    assert msgspec.json.decode(wire.encode(answers, batch=message.batch))


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(frame: bytes) -> None:
    answered(frame)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
)
near = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | json_values,
        "method": st.just("builds.get") | json_values,
        "params": st.just({}) | json_values,
        "id": json_values,
    },
)


@given(near | st.lists(near | json_values), st.data())
def test_anything_like_a_request_gets_an_answer(value: object, data: st.DataObject) -> None:
    text = json.dumps(value).encode("utf-8", "surrogatepass")
    answered(text)
    place = data.draw(st.integers(0, len(text)))
    answered(text[:place] + data.draw(st.binary(max_size=2)) + text[place + 1 :])
