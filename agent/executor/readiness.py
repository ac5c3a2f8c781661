"""The program's end of standing by: it waits, with all imported that it needs, to be told what to be; see standby.

It makes copies of itself, which become children of the executor's, not its own: whatever is started for an attempt is
told from all else, waited for and killed in the same way. A copy is told once, ends when it has done as it was told,
and does nothing at all where whoever would tell it is gone. Refuses to know what it is told.
"""

import gc
import os
import signal
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from .groups import ENTER

CONTROL = 0
"""Descriptor of the socket on which the executor asks for copies, each with the socket that is for it."""

COPY = b"+"
"""Asks for a copy; the answer is its process id."""

PID = struct.Struct("!I")

MAX_TOLD = 64 << 10
"""Bytes of what a copy is told, which fit into a socket at once: nobody has to wait for it to read."""

MAX_DESCRIPTORS = 8
"""Descriptors that it is given."""


class Opened(msgspec.Struct, frozen=True, array_like=True):
    """One descriptor that a process begins with."""

    place: int  # its number
    given: int = -1  # which of the descriptors that come along it is a copy of; -1: none
    copied: int = -1  # which of those that it has by now it is a copy of; -1: none
    path: str = ""  # what is opened otherwise
    flags: int = 0  # how


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What a copy is to be, as if it had been started so."""

    words: tuple[str, ...]  # its command line, from the module's name on
    env: dict[str, str]  # its whole environment
    directory: str  # where it begins
    opened: tuple[Opened, ...]  # its descriptors, in the order in which they come to be
    group: int = -1  # which of the descriptors that come along is that of the members of its control group; -1: none


def told() -> tuple[str, ...] | None:
    """Make copies as long as somebody asks for them. Returns in each what it is told, else None: it is to end."""
    os.chdir("/")  # it was started from wherever the executor was, perhaps a directory that is to go
    gc.collect()
    gc.freeze()  # the copies share the memory of what is there now
    with socket.socket(fileno=os.dup(CONTROL)) as control:
        _open(Opened(CONTROL, path=os.devnull, flags=os.O_RDONLY), ())
        while True:
            asked, descriptors, _, _ = socket.recv_fds(control, len(COPY), 1)
            if not asked:
                return None
            (way,) = descriptors
            pid = _copy()
            if not pid:
                break
            os.close(way)
            try:
                control.send(PID.pack(pid))
            except OSError:
                return None  # nobody is there any more to hear of it; the copy will see that for itself
    with socket.socket(fileno=way) as telling:
        return _become(telling)


def _copy() -> int:
    """Return the process id of a copy that is no child of ours any more; in the copy 0."""
    reading, writing = os.pipe()
    between = os.fork()
    if not between:
        if pid := os.fork():
            os.write(writing, PID.pack(pid))
            os._exit(0)
        os.close(reading)
        os.close(writing)
        return 0
    os.close(writing)
    os.waitpid(between, 0)  # its child has become the executor's with its end
    (pid,) = PID.unpack(os.read(reading, PID.size))
    os.close(reading)
    return pid


def _become(telling: socket.socket) -> tuple[str, ...] | None:
    """Wait to be told; be it."""
    data, descriptors, _, _ = socket.recv_fds(telling, MAX_TOLD, MAX_DESCRIPTORS)
    if not data:
        return None
    while part := telling.recv(MAX_TOLD):
        data += part
    wish = msgspec.msgpack.decode(data, type=Told)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if wish.group >= 0:
        with suppress(OSError):  # as where there are no groups, it is told from others by its session then
            os.write(descriptors[wish.group], ENTER)
    os.setsid()  # before a terminal is opened, which becomes that of the session
    for one in wish.opened:
        _open(one, descriptors)
    for one in descriptors:
        os.close(one)
    os.chdir(wish.directory)
    os.environ.clear()
    os.environ.update(wish.env)
    return wish.words


def _open(one: Opened, descriptors: Sequence[int]) -> None:
    if one.given >= 0:
        os.dup2(descriptors[one.given], one.place)
    elif one.copied >= 0:
        os.dup2(one.copied, one.place)
    else:
        found = os.open(one.path, one.flags)
        os.dup2(found, one.place)
        if found != one.place:
            os.close(found)
