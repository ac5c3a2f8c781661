"""A LAN of its own: network namespaces as machines, joined by cables (veth) to a switch (a bridge in one more).

Nothing of it is in the network of the machine that runs the tests, and all of it goes with the namespaces.
"""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.conftest import needs

_numbers = itertools.count()


class Machine:
    """One namespace; a process in it sees only its interfaces."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def ip(self, *words: str) -> None:
        """Run `ip` in it."""
        _ip("-n", self.namespace, *words)

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command line that runs `words` in it."""
        return ["ip", "netns", "exec", self.namespace, *words]


class Lan:
    """The switch, and the machines at it."""

    def __init__(self) -> None:
        self._namespaces: list[str] = []
        self._switch = self._namespace()
        _ip("-n", self._switch, "link", "add", "switch", "up", "type", "bridge")

    def machine(self, *addresses: str) -> Machine:
        """Add a machine with these addresses at its eth0, or no eth0 where there are none."""
        one = Machine(self._namespace())
        one.ip("link", "set", "lo", "up")
        if addresses:
            self.plug(one, "eth0", *addresses)
        return one

    def plug(self, machine: Machine, interface: str, *addresses: str) -> None:
        """Give a machine one more interface on this switch, with these addresses (`address/prefix`)."""
        port = f"port{next(_numbers)}"
        cable = ["type", "veth", "peer", "name", interface, "netns", machine.namespace]
        _ip("link", "add", port, "netns", self._switch, *cable)
        _ip("-n", self._switch, "link", "set", port, "master", "switch", "up")
        machine.ip("link", "set", interface, "up")
        for address in addresses:
            machine.ip("addr", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))

    def _namespace(self) -> str:
        name = f"orchestra-{os.getpid()}-{next(_numbers)}"
        _ip("netns", "add", name)
        self._namespaces.append(name)
        return name

    def close(self) -> None:
        """Take it all down."""
        for name in self._namespaces:
            _ip("netns", "del", name)


@contextmanager
def lan() -> Iterator[Lan]:
    """Give a LAN with nothing on it; skip the test where that cannot be had."""
    needs(os.getuid() == 0 and shutil.which("ip"), "network namespaces need root and the command `ip`")
    probe = f"orchestra-{os.getpid()}-probe"
    tried = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    needs(tried.returncode == 0, f"network namespaces cannot be made here: {tried.stderr.strip()}")
    _ip("netns", "del", probe)
    one = Lan()
    try:
        yield one
    finally:
        one.close()


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
