"""A program that copies what an attempt writes into its log, without secrets: `python -m ...executor.filtering`.

Reads descriptor 0, writes descriptor 1, and ends when 0 does. On the socket CONTROL each ASK is answered by the same
byte when all is written that was there to be read before. The secrets are in its environment. An executor that is gone
changes nothing: what is still written is still filtered.
"""

import os
import select
import socket
import sys
from contextlib import suppress

SECRET = "ORCHESTRA_SECRET_"  # noqa: S105 - the name of a variable
"""What the names of the variables begin with that hold the secrets."""

CONTROL = 3
"""Descriptor of the socket to the executor."""

ASK = b"?"
"""Asks for an answer when all that was written by now is in the log."""

_CHUNK = 1 << 18
_AHEAD = 4 << 20  # bytes after which an answer is given although more comes: who writes on and on is not waited for


def main() -> int:
    """Filter until nobody writes any more."""
    from ...core.masking import Masker  # not for the executor, which knows of this module only what it is called by

    masker = Masker(value for name, value in os.environ.items() if name.startswith(SECRET))
    with socket.socket(fileno=CONTROL) as control:
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(control, select.POLLIN)
        while True:
            ready = [one for one, _ in poll.poll()]
            asked = b""
            if CONTROL in ready:
                asked = control.recv(64)
                if not asked:
                    poll.unregister(control)
            copied = 0
            while copied < _AHEAD and (0 in ready or _readable()):
                ready = []
                data = _read()
                if not data:
                    _write(masker.end())
                    return 0
                copied += len(data)
                _write(masker.feed(data))
            if asked:
                with suppress(OSError):
                    control.send(asked)


def _readable() -> bool:
    return bool(select.select([0], [], [], 0)[0])


def _read() -> bytes:
    try:
        return os.read(0, _CHUNK)
    except OSError:  # a terminal that nobody has open any more
        return b""


def _write(data: bytes) -> None:
    with suppress(OSError):  # no space is left: the executor ends the attempt for that
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    sys.exit(main())
