"""A keyboard: what is typed is taken in order, at most once, and no more than there is room for."""

import os
import selectors
from collections.abc import Iterator

import pytest

from job_orchestra.agent.executor.ending import NEVER
from job_orchestra.agent.executor.keyboards import QUEUE_BYTES, STREAMS, WAITING, Keyboard
from job_orchestra.agent.executor.protocol import Input, Taken


class Desk:
    """A keyboard, its answers, and who reads."""

    def __init__(self) -> None:
        self.answers: list[Taken] = []
        self.keyboard = Keyboard(self.answers.append)
        self.selector = selectors.DefaultSelector()
        self.reading, self.writing = os.pipe()

    def connect(self) -> None:
        self.keyboard.connect(self.writing, self.selector)

    def type(self, offset: int, data: bytes, stream: str = "me", *, over: bool = False) -> list[tuple[int, str]]:
        """Return what is answered at once."""
        before = len(self.answers)
        self.keyboard.take(Input(before, "b.1", stream, offset, data, over, "ann"))
        return [(one.next, one.refused) for one in self.answers[before:]]

    def read(self, size: int) -> bytes:
        """Read all there is, up to a size, as often as the keyboard hands some over."""
        data = os.read(self.reading, size)
        for key, events in self.selector.select(0):
            key.data(events)
        return data


@pytest.fixture
def desk() -> Iterator[Desk]:
    found = Desk()
    yield found
    found.keyboard.close("over")
    os.close(found.reading)
    found.selector.close()


def test_what_is_typed_before_anybody_reads_is_kept(desk: Desk) -> None:
    assert desk.type(0, b"ab") == [(2, "")]
    desk.connect()
    assert desk.type(2, b"c") == [(3, "")]
    assert desk.read(10) == b"abc"


def test_twice_is_once_and_too_early_is_not_taken(desk: Desk) -> None:
    desk.connect()
    assert [*desk.type(0, b"abc"), *desk.type(0, b"abc"), *desk.type(1, b"bcd"), *desk.type(9, b"x")] == [
        (3, ""),
        (3, ""),
        (4, ""),
        (4, ""),
    ]
    assert desk.type(0, b"other", "another sitting") == [(5, "")]
    assert desk.read(20) == b"abcdother"


def test_who_types_faster_than_is_read_waits_and_loses_nothing(desk: Desk) -> None:
    desk.connect()
    sent, data = 0, os.urandom(QUEUE_BYTES)
    while answer := desk.type(sent, data):
        sent += len(data)
        assert answer[0][0] <= sent
        sent = answer[0][0]
    assert sent >= QUEUE_BYTES, "what the pipe takes, and the queue"
    received = b""
    while len(desk.answers) == 0 or desk.answers[-1].next == sent:
        received += desk.read(4096)
    assert desk.answers[-1].next > sent
    while len(received) < desk.answers[-1].next:
        received += desk.read(1 << 20)
    assert len(received) == desk.answers[-1].next


def test_only_so_many_may_wait(desk: Desk) -> None:
    assert desk.type(0, bytes(QUEUE_BYTES)) == [(QUEUE_BYTES, "")]
    for _ in range(WAITING):
        assert desk.type(QUEUE_BYTES, b"x") == []
    assert desk.type(QUEUE_BYTES, b"x") == [(QUEUE_BYTES, "")]
    assert desk.type(0, b"x") == [(QUEUE_BYTES, "")], "what was taken before needs no room"
    desk.connect()
    desk.read(1 << 20)
    assert [one.next for one in desk.answers[-WAITING:]] == [QUEUE_BYTES + 1] * WAITING


def test_the_end_of_the_input_is_passed_on_behind_all_of_it(desk: Desk) -> None:
    desk.type(0, b"abc", over=True)
    desk.connect()
    assert (desk.read(10), desk.read(10)) == (b"abc", b"")
    assert desk.type(3, b"d") == [(3, "the end of its input was sent already")]
    assert desk.type(3, b"", over=True) == [(3, "")]


def test_nobody_waits_for_what_is_not_read_any_more(desk: Desk) -> None:
    desk.type(0, bytes(QUEUE_BYTES))
    assert desk.type(QUEUE_BYTES, b"x") == []
    desk.keyboard.close("it has ended")
    assert desk.answers[-1].refused == "it has ended"
    assert desk.type(QUEUE_BYTES, b"x") == [(QUEUE_BYTES, "it has ended")]


def test_old_sittings_are_forgotten(desk: Desk) -> None:
    desk.connect()
    for place in range(STREAMS + 1):
        desk.type(0, b"x", str(place))
    assert desk.type(1, b"y", str(STREAMS)) == [(2, "")]
    assert desk.type(1, b"y", "0") == [(0, "")]


def test_where_nothing_comes_for_too_long_the_input_ends(desk: Desk) -> None:
    desk.keyboard = Keyboard(desk.answers.append, 30.0)
    desk.type(0, b"abc")
    assert desk.keyboard.due == NEVER, "nobody reads yet"
    desk.connect()
    first = desk.keyboard.due
    assert first < NEVER
    desk.type(3, b"", stream="another")
    assert desk.keyboard.due > first
    desk.keyboard.on_silence()
    assert (desk.read(10), desk.read(10), desk.keyboard.due) == (b"abc", b"", NEVER)
    assert desk.type(3, b"") == [(3, "")]
    ((taken, why),) = desk.type(3, b"d")
    assert (taken, desk.answers[-1].late) == (3, True)
    assert why == "its input ended behind byte 3, for nothing came for 30 s; the rest is not read"


def test_one_that_is_bound_only_as_it_types_ends_so_too(desk: Desk) -> None:
    desk.connect()
    assert desk.keyboard.due == NEVER
    desk.keyboard.take(Input(1, "b.1", "me", 0, b"a", over=False, owner="ann", silence_s=30.0))
    assert desk.keyboard.due < NEVER
    desk.type(1, b"", over=True)
    assert desk.keyboard.due == NEVER
