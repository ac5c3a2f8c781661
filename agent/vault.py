"""Who can open the network's secrets: every agent that may become master holds the key, nobody else does.

The master sees to that: it makes the key when the first secret is set, wraps it for each member that may get a vote as
soon as that is admitted, and takes a new key when a holder has left. It opens a secret only to give it to a worker
with an attempt that needs it. Refuses to know how sealing is done (sealing), and what the ledger checks (secrecy).
"""

import asyncio
import logging
from collections.abc import Mapping

from ..core.changes import Changes
from ..core.commands import Rekey, SetSecret
from ..core.definition import Spec
from ..core.errors import Conflict, Damaged, NoMaster, OrchestraError, StorageError
from ..core.model import Build
from ..core.secrecy import Keyring
from . import sealing
from .agreement import Replica
from .identity import Identity
from .master import Master

log = logging.getLogger(__name__)

RETRY_S = 3.0
"""Seconds until the keyring is looked after again, where that failed."""

ATTEMPTS = 5
"""Times that a secret is sealed anew because the key was changed at the same moment."""


class Vault:
    """The secrets, for the master in this process."""

    def __init__(self, identity: Identity, replica: Replica, master: Master) -> None:
        """Open with the key pair of `identity` what the replica's ledger holds."""
        self._identity = identity
        self._replica = replica
        self._master = master
        self._opened: tuple[bytes, bytes] = (b"", b"")  # the wrapped key that was opened last, and what was in it
        self._look = asyncio.Event()  # set when the holders may be others than they should be
        replica.watch(self._on_changes)
        replica.on_leading(lambda _: self._look.set())
        master.reveal = self.values

    # -- for builds

    def values(self, build: Build, spec: Spec) -> dict[str, str]:
        """Return the secrets that a build's steps see, by name; without those that cannot be opened."""
        found: dict[str, str] = {}
        for name in spec.secrets:
            one = self._replica.ledger.secrecy.sealed.get(f"{build.project}/{name}")
            try:
                if one is not None:
                    found[name] = sealing.unseal(self._key(), one.box, self._what(one.full_name))
            except StorageError as error:
                log.error("vault.not-opened: %s of %s: %s", name, build.label, error)  # noqa: TRY400 - no defect
        return found

    # -- for people

    async def keep(self, requester: str, project: str, name: str, value: str) -> int:
        """Keep a secret, sealed; return the id of the task that tells of it."""
        for _ in range(ATTEMPTS):
            ring, sealed = self._ring, self._replica.ledger.secrecy.sealed
            if not ring.generation or (not sealed and self._identity.id not in ring.wraps):
                await self._rotate()
            box = sealing.seal(self._key(), value, self._what(f"{project}/{name}"))
            generation = self._ring.generation
            command = SetSecret(self._master.time(), requester, project, name, box, generation)
            outcome = (await self._master.propose(command))[0]
            if outcome.error is None:
                return outcome.task
            if generation == self._ring.generation:
                raise outcome.error
        raise Conflict("the network's key for secrets keeps changing; set the secret again in a moment")

    # -- for those who may become master

    async def run(self) -> None:
        """Keep the keyring with those who should hold it, until cancelled."""
        while True:
            await self._look.wait()
            self._look.clear()
            if not self._replica.leading or not self._ring.generation:
                continue
            try:
                await self._tend()
            except OrchestraError as error:
                log.warning("vault.later: %s", error)
                await asyncio.sleep(RETRY_S)
                self._look.set()

    async def _tend(self) -> None:
        """Wrap the key for new holders; take a new one where a holder is no member any more."""
        ring, members = self._ring, self._replica.ledger.agents
        if any(one not in members for one in ring.wraps):
            await self._rotate()
        elif any(one not in ring.wraps for one in self._holders()):
            wraps = {one: box for one, box in ring.wraps.items() if one in members}
            wraps.update(self._wrapped(self._key(), without=wraps))
            await self._master.propose(Rekey(self._master.time(), ring.generation, wraps))

    async def _rotate(self) -> None:
        """Seal everything with a new key. Others than the present holders cannot open what is set from now on."""
        secrecy, ring = self._replica.ledger.secrecy, self._ring
        old = self._key() if secrecy.sealed else b""
        new = sealing.new_key()
        boxes: dict[str, bytes] = {}
        for name, one in secrecy.sealed.items():
            try:
                value = sealing.unseal(old, one.box, self._what(name))
            except Damaged as error:  # it holds up nothing else; whoever needs it is told to set it again
                log.error("vault.damaged: %s", error)  # noqa: TRY400 - no defect
                boxes[name] = b""
            else:
                boxes[name] = sealing.seal(new, value, self._what(name))
        wraps = self._wrapped(new, without={})
        command = Rekey(self._master.time(), ring.generation + 1, wraps, boxes, ring.changes)
        outcome = (await self._master.propose(command))[0]
        if not outcome.changed:
            raise NoMaster("a secret was set while all were sealed anew; it is tried again")

    def _on_changes(self, changes: Changes) -> None:
        if changes.agents or changes.removed_agents:
            self._look.set()

    def _holders(self) -> dict[str, str]:
        """Return the agents that should hold the key, with their public keys: those that may become master."""
        agents = self._replica.ledger.agents.values()
        return {one.id: one.public for one in agents if one.member and one.votes and one.public}

    def _wrapped(self, key: bytes, without: Mapping[str, bytes]) -> dict[str, bytes]:
        return {one: sealing.wrap(key, public) for one, public in self._holders().items() if one not in without}

    def _key(self) -> bytes:
        """Return the network's key. Raises StorageError where this agent does not hold it."""
        box = self._ring.wraps.get(self._identity.id)
        if box is None:
            message = (
                f"{self._identity.name} does not hold the network's key for secrets, and leads: let another agent lead "
                "(orchestra down, orchestra up), or remove all secrets and set them again"
            )
            raise StorageError(message)
        if self._opened[0] != box:
            self._opened = (box, sealing.unwrap(box, self._identity.secret))
        return self._opened[1]

    @property
    def _ring(self) -> Keyring:
        return self._replica.ledger.secrecy.keyring

    def _what(self, name: str) -> str:
        return f"{self._identity.network}/{name}"
