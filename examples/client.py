"""A complete client in one file, with pyzmq alone: submits a command, follows its log, returns its exit code.

python client.py "$(orchestra socket)" make test
"""

import base64
import json
import sys

import zmq


def main(address: str, command: list[str]) -> int:
    """Run `command` on the agent at `address`."""
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.connect(address)

    def call(method: str, **params: object) -> dict:
        socket.send_json({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        answer = json.loads(socket.recv())
        if "error" in answer:
            sys.exit(f"{method}: {answer['error']['message']}")
        return answer["result"]

    build = call("builds.submit", command=command)["builds"][0]
    print(f"build {build['id']}", file=sys.stderr)
    offset, complete = 0, False
    while not complete:
        part = call("builds.log", id=build["id"], offset=offset, wait=20)
        data = part["data"]
        sys.stdout.buffer.write(base64.b64decode(data) if part["encoding"] == "base64" else data.encode())
        sys.stdout.buffer.flush()
        offset, complete = part["next"], part["complete"]
    ended = call("builds.wait", id=build["id"])["build"]
    print(f"{ended['state']} {ended['reason']}", file=sys.stderr)
    return 0 if ended["state"] == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
