"""Whose key may connect: the answer to libzmq's question at every handshake (ZAP, RFC 27).

Without somebody who answers it libzmq lets any key in, so this stands before the listener does, and its end is the end
of the mesh. It decides about connections only; who may speak is looked up again at every message.
"""

import asyncio
from collections.abc import Callable

import zmq
from zmq.auth import Authenticator

from .reading import descriptor, readable

DOMAIN = "mesh"
"""The ZAP domain of the listener; a domain is what makes libzmq ask at all."""


class Admission(Authenticator):
    """Admits the keys that `admits` knows, and no other."""

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", admits: Callable[[bytes], bool], domain: str = DOMAIN
    ) -> None:
        """Hold the place where libzmq asks, from now on; the answers come with `run`."""
        super().__init__(context)
        self._admits = admits
        self._domain = domain
        self.configure_curve_callback(domain, self)
        self.start()

    def callback(self, domain: str, key: bytes) -> bool:
        """Return whether a client with this public key (Z85) may connect; asked by the base class."""
        return domain == self._domain and self._admits(key)

    async def run(self) -> None:
        """Answer until cancelled."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        ready.set()  # it may have been asked before
        socket = self.zap_socket
        watched = descriptor(socket)
        loop.add_reader(watched, ready.set)
        try:
            while True:
                await ready.wait()
                ready.clear()
                while not socket.closed and readable(socket):
                    await self.handle_zap_message(socket.recv_multipart(zmq.NOBLOCK))
        finally:
            loop.remove_reader(watched)
