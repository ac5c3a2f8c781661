"""The executor's end of the wire to the agent: frames in, frames out, without ever waiting.

Refuses to know what the messages mean; a peer that breaks the protocol is hung up on.
"""

import os
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from .protocol import LENGTH, MAX_FRAME, Reply, Request
from .saying import say


class Connection:
    """The way to the agent: frames in, frames out, without waiting."""

    def __init__(
        self,
        connection: socket.socket,
        selector: selectors.BaseSelector,
        on_request: Callable[[Request], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._socket = connection
        self._selector = selector
        self._on_request = on_request
        self._on_lost = on_lost
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
        selector.register(connection, selectors.EVENT_READ, self._on_events)

    def send(self, message: Reply) -> None:
        """Send a message, now or when the other side has room."""
        body = self._encoder.encode(message)
        self._outgoing += LENGTH.pack(len(body)) + body
        self._flush()

    def drain(self) -> None:
        """Send what is left, waiting for the other side, then close."""
        self._socket.settimeout(2.0)
        with suppress(OSError):
            self._socket.sendall(self._outgoing)
        self._socket.close()

    def close(self) -> None:
        """Hang up."""
        self._selector.unregister(self._socket)
        self._socket.close()

    def _on_events(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush()
        if events & selectors.EVENT_READ:
            self._read()

    def _flush(self) -> None:
        try:
            while self._outgoing:
                sent = self._socket.send(self._outgoing)
                del self._outgoing[:sent]
        except BlockingIOError:
            pass
        except OSError:
            return  # the read side notices, and hangs up
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        if self._selector.get_key(self._socket).events != wanted:
            self._selector.modify(self._socket, wanted, self._on_events)

    def _read(self) -> None:
        try:
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._on_lost()
            return
        self._incoming += data
        position = 0
        while len(self._incoming) - position >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._incoming, position)
            if length > MAX_FRAME:
                self._on_lost()
                return
            end = position + LENGTH.size + length
            if len(self._incoming) < end:
                break
            body = bytes(self._incoming[position + LENGTH.size : end])
            position = end
            try:
                request = self._decoder.decode(body)
            except msgspec.MsgspecError as error:
                say(f"executor.bad-message: {error}; hanging up")
                self._on_lost()
                return
            self._on_request(request)
        del self._incoming[:position]


def listen(path: Path) -> socket.socket:
    """Listen at a path that is ours alone: the lock is held."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(os.fspath(path))
    path.chmod(0o600)
    listener.listen()
    listener.setblocking(False)  # noqa: FBT003 - how the socket module has it
    return listener
