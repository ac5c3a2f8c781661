"""A client that does not trust agents to answer: JSON-RPC over a scripting socket, each question with its own patience.

Unlike the client of the package it does not look whether an agent still runs, and so also speaks to stopped ones.
"""

from pathlib import Path
from typing import Any

import msgspec
import zmq

SILENCE = "silence"
"""Kind of the error where no answer came in time."""


class Refused(Exception):
    """The agent answered with an error, or not at all."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


def ask(context: "zmq.Context[zmq.Socket[bytes]]", path: Path, method: str, patience_s: float, **params: object) -> Any:  # noqa: ANN401 - the method decides the type
    """Ask the agent whose scripting socket this is; return the result. Raises Refused."""
    socket = context.socket(zmq.DEALER)
    socket.set(zmq.LINGER, 0)
    try:
        socket.connect(f"ipc://{path}")
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        socket.send(msgspec.json.encode(request))
        if not socket.poll(round(patience_s * 1000)):
            raise Refused(SILENCE, f"no answer within {patience_s:g} s")
        answer = msgspec.json.decode(socket.recv())
    finally:
        socket.close(0)
    if "error" in answer:
        raise Refused(answer["error"]["data"]["kind"], answer["error"]["message"])
    return answer["result"]
