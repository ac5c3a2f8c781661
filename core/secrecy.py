"""Secrets as the ledger keeps them: sealed, by project and name, with the key that opens them wrapped for its holders.

Part of the ledger, and deterministic like it. Everything in here may be read by whoever gets hold of a disk. Refuses to
know how sealing is done and who holds which key (agent/sealing, agent/vault): it never sees a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .changes import Changes, Outcome
from .errors import Conflict, InvalidInput, LimitReached, NotFound
from .masking import why_unmaskable
from .model import Millis
from .names import check_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .commands import Rekey, RemoveSecret, SetSecret
    from .ledger import Ledger

SECRET = "secret/"  # noqa: S105 - a prefix
"""Prefix of the meta rows that hold the sealed secrets, as JSON; an empty row: it was removed."""

KEYRING = "keyring"
"""Name of the meta row that holds the wrapped key, as JSON."""

MAX_BYTES = 16 << 10
"""Bytes of one secret. Larger: less fits into one message to a worker; what is larger belongs into a file store."""

MAX_PROJECT_BYTES = 128 << 10
"""Bytes of all secrets of a project, sealed: they all fit into one message to a worker."""


class Sealed(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A secret that only the network's key opens."""

    project: str  # whose builds may have it
    name: str  # the variable by which their steps see it
    box: bytes  # the sealed value
    set: Millis  # when it was set last
    requester: str  # who set it

    @property
    def full_name(self) -> str:
        """`project/NAME`."""
        return f"{self.project}/{self.name}"


class Keyring(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The network's key for secrets, wrapped for each agent that may become master."""

    generation: int = 0  # counts the keys; 0: there was none yet
    wraps: dict[str, bytes] = {}  # agent id -> the key, for that agent's own key to open
    changes: int = 0  # counts what was set and removed: a rotation that did not see all of it is void


class Secrecy:
    """The sealed secrets and the keyring."""

    def __init__(self, meta: dict[str, str]) -> None:
        """Begin with what a store remembers."""
        self.keyring = msgspec.json.decode(meta[KEYRING], type=Keyring) if KEYRING in meta else Keyring()
        self.sealed: dict[str, Sealed] = {}  # by full name
        for name in sorted(meta):
            if name.startswith(SECRET) and meta[name]:
                one = msgspec.json.decode(meta[name], type=Sealed)
                self.sealed[one.full_name] = one

    def missing(self, project: str, names: Iterable[str]) -> str:
        """Return, for people, which of these secrets a project lacks, and the remedy; empty: none."""
        found = [name for name in names if f"{project}/{name}" not in self.sealed]
        if not found:
            return ""
        what = f"secret {found[0]} is" if len(found) == 1 else f"secrets {', '.join(found)} are"
        return f"{what} not set for {project}: orchestra secrets set {found[0]} --project {project}, then run it again"

    def set(self, ledger: Ledger, command: SetSecret, changes: Changes) -> Outcome:
        """Keep a sealed value in place of the one before."""
        at = ledger.advance(command.at)
        one = Sealed(command.project, command.name, command.box, at, command.requester)
        if command.generation != self.keyring.generation:
            error = Conflict("the network's key for secrets was changed at this moment; set the secret again")
            return ledger.refused(command.kind, command.requester, one.full_name, error, changes)
        others = [two for two in self.sealed.values() if two.project == one.project and two.name != one.name]
        if sum(len(two.box) for two in others) + len(one.box) > MAX_PROJECT_BYTES:
            error = LimitReached(
                f"the secrets of {one.project} take more than {MAX_PROJECT_BYTES >> 10} KiB; remove some, or keep "
                "what is long elsewhere, sealed with a secret"
            )
            return ledger.refused(command.kind, command.requester, one.full_name, error, changes)
        outcome = "replaced" if one.full_name in self.sealed else "set"
        self._keep(one, changes)
        self._count(changes)
        return Outcome(task=ledger.task(command.kind, command.requester, one.full_name, outcome, (), changes))

    def remove(self, ledger: Ledger, command: RemoveSecret, changes: Changes) -> Outcome:
        """Forget a secret."""
        ledger.advance(command.at)
        name = f"{command.project}/{command.name}"
        if self.sealed.pop(name, None) is None:
            error = NotFound(f"no secret {command.name} in {command.project}; orchestra secrets list shows them")
            return ledger.refused(command.kind, command.requester, name, error, changes)
        changes.meta[SECRET + name] = ""
        self._count(changes)
        return Outcome(task=ledger.task(command.kind, command.requester, name, "removed", (), changes))

    def rekey(self, ledger: Ledger, command: Rekey, changes: Changes) -> Outcome:
        """Take over a keyring: a further holder of the same key, or a new key with everything sealed anew."""
        ledger.advance(command.at)
        ring = self.keyring
        anew = command.generation == ring.generation + 1
        whole = command.boxes.keys() == self.sealed.keys() and command.seen == ring.changes
        if not (anew and whole) and command.generation != ring.generation:
            return Outcome(changed=False)  # somebody else did it, or a secret was set meanwhile: the master looks again
        if anew:
            for name, box in command.boxes.items():
                self._keep(msgspec.structs.replace(self.sealed[name], box=box), changes)
        self.keyring = Keyring(command.generation, command.wraps, ring.changes)
        changes.meta[KEYRING] = msgspec.json.encode(self.keyring).decode()
        names = ", ".join(sorted(ledger.agents[one].name for one in command.wraps if one in ledger.agents))
        what = "a new key for secrets" if anew else "the key for secrets"
        task = ledger.task(command.kind, "network", "", f"{what}, held by {names}", (), changes)
        return Outcome(task=task)

    def _keep(self, one: Sealed, changes: Changes) -> None:
        self.sealed[one.full_name] = one
        changes.meta[SECRET + one.full_name] = msgspec.json.encode(one).decode()

    def _count(self, changes: Changes) -> None:
        self.keyring = msgspec.structs.replace(self.keyring, changes=self.keyring.changes + 1)
        changes.meta[KEYRING] = msgspec.json.encode(self.keyring).decode()


def check(name: str, value: str) -> None:
    """Raise InvalidInput where something cannot be a secret; what is said holds nothing of its value."""
    check_secret(name)
    if "\0" in value:
        message = f"the value of {name} holds a NUL character, which no variable can; encode it, as with base64"
        raise InvalidInput(message)
    if len(value.encode()) > MAX_BYTES:
        message = f"the value of {name} has more than {MAX_BYTES >> 10} KiB; keep it elsewhere, sealed with a secret"
        raise InvalidInput(message)
    why = why_unmaskable(value)
    if why:
        message = f"the value of {name} {why}"
        raise InvalidInput(message)
