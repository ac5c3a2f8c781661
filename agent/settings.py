"""An agent's settings: flags override ORCHESTRA_* variables, which override agent.toml in the data directory.

Refuses unknown keys and wrong types, naming the file and the nearest known key.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..core import addresses
from ..core.durations import parse_duration
from ..core.errors import InvalidInput
from ..core.nearest import nearest
from ..core.offer import Offer
from ..core.offer import check as check_offer
from ..core.repository import PROTOCOLS
from ..core.requirements import RESOURCE, number
from ..store.retention import Policy
from ..store.space import opening
from .facts import Facts
from .identity import host_name
from .paths import Paths, default_data

ANYWHERE = "0.0.0.0"  # noqa: S104 - only members get in, by their keys
"""All addresses (IPv4) of this machine."""

_MIB = 1 << 20
# with what separates them in a variable
_LISTS = {"pass_env": ",", "interface": ",", "peer": ",", "git_protocol": ",", "hours": ";"}
_TABLES = frozenset({"label", "resource"})


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set. Each field is a key of agent.toml, a variable ORCHESTRA_<FIELD> and a flag --<field>."""

    name: str = ""  # shown to people; empty: the host's name
    label: dict[str, str] = {}  # further labels that `runs-on` is matched with
    slots: int = 0  # builds at a time; 0: one per processor. More: better use while builds wait; fewer: each is faster
    worker: bool = True  # runs builds at all
    store: str = ""  # URL of the store; empty: SQLite in the data directory
    log_limit: int = 1 << 40  # bytes a build's log may reach before the build is ended
    blob_quota: int = 0  # bytes that kept logs may take, compressed; 0: no limit
    content_quota: int = 10 << 30  # bytes that shipped directories and caches may take, compressed; 0: no limit
    mirror_quota: int = 10 << 30  # bytes that copies of git repositories may take; 0: no limit
    warm_quota: int = 20 << 30  # bytes that workspaces may take which stay for the next `orchestra run`; 0: no limit
    git_protocol: tuple[
        str, ...
    ] = ()  # by which git repositories may be reached, beside https and ssh: file, http, git
    artifact_limit: int = 10 << 30  # bytes that the artifacts of one build may have; 0: no limit
    reserve: int = 100 * _MIB  # bytes of disk that stay free: below it new work is refused
    pass_env: tuple[str, ...] = ()  # further variables of the agent's environment that builds see; `*` at the end
    listen: str = ""  # HOST:PORT, HOST or :PORT for other agents; empty: all interfaces, port 7711 or another free one
    interface: tuple[str, ...] = ()  # network interfaces to announce this agent on; empty: those that lead out
    peer: tuple[str, ...] = ()  # HOST:PORT of other agents, where multicast does not reach
    mdns: bool = True  # announce this agent on the LAN, and look for others
    voter: str = "auto"  # `never`: this agent is never given a vote, as a laptop that comes and goes
    settle: float = 10.0  # seconds that another agent must be in contact before it may get a vote, while this one leads
    hours: tuple[str, ...] = ()  # when this machine takes builds, as 18:00-08:00 or sat,sun 00:00-24:00; empty: always
    pause_when_used: bool = False  # takes no builds while somebody uses it
    idle: float = 300.0  # seconds that nobody may have used it until it takes builds again
    pause_on_battery: bool = False  # takes no builds while it runs on its battery
    nice: bool = False  # builds give way to everything else on it
    keep: str = ""  # how long ended builds are kept in this agent's history, as 90d; empty: for ever
    keep_failed: str = ""  # the same for builds that did not succeed; empty: as the others
    keep_newest: int = 1  # newest builds of each job that stay whatever their age
    keep_most: int = 0  # builds of each job that stay at most; 0: any number
    resource: dict[str, str] = {}  # amounts that builds may take, over those that were found: cpus, memory, gpus, own
    blobs: str = ""  # URL of a place that holds logs and artifacts, too; empty, or `voters`: there is none

    def store_url(self, paths: Paths) -> str:
        """Return the URL of the store."""
        return self.store or f"sqlite:///{paths.history}"

    def policy(self) -> Policy | None:
        """Return which builds may be forgotten; None: none. Raises InvalidInput."""
        if not self.keep and not self.keep_most:
            if self.keep_failed:
                message = "keep-failed says how much longer builds are kept that failed; say keep, too"
                raise InvalidInput(message)
            return None
        policy = Policy(
            _age("keep", self.keep), _age("keep-failed", self.keep_failed), self.keep_newest, self.keep_most
        )
        policy.check()
        return policy

    def slot_count(self, facts: Facts) -> int:
        """Return how many builds run at a time."""
        return self.slots or max(1, int(facts.resources["cpus"]))

    def agent_name(self) -> str:
        """Return the agent's name."""
        return self.name or host_name()

    def place(self) -> tuple[str, int | None]:
        """Return host and port to listen at; None: any port. Raises InvalidInput."""
        host, colon, port = self.listen.rpartition(":")
        if not colon or self.listen.endswith("]"):
            return self.listen.strip("[]") or ANYWHERE, None
        if port in {"", "0"}:
            return host.strip("[]") or ANYWHERE, 0
        return addresses.split(self.listen if host else f"{ANYWHERE}:{port}")

    def over(self, facts: Facts) -> Facts:
        """Return what was found out about this machine with what is configured over it."""
        resources = {**facts.resources, **self.amounts()}
        labels = {name: f"{amount:.15g}" for name, amount in resources.items()}
        return Facts({**labels, **facts.labels, **self.label}, resources)

    def offer(self) -> Offer:
        """Return when this machine takes builds, and with what manners."""
        return Offer(
            hours=self.hours,
            pause_when_used=self.pause_when_used,
            idle_s=self.idle,
            pause_on_battery=self.pause_on_battery,
            nice=self.nice,
        )

    def amounts(self) -> dict[str, float]:
        """Return the configured amounts of what builds may take. Raises InvalidInput."""
        found: dict[str, float] = {}
        for name, text in self.resource.items():
            amount = number(text)
            if amount is None or not RESOURCE.fullmatch(name):
                message = f"resource must be NAME=AMOUNT, such as memory=8G or licences=3, not {name}={text}"
                raise InvalidInput(message)
            found[name] = amount
        return found


def load(data: Path | None = None, flags: Mapping[str, Any] | None = None) -> tuple[Paths, Settings]:
    """Return the paths and settings of the agent in `data`. Raises InvalidInput with the place and the remedy."""
    paths = Paths((data or default_data()).expanduser().absolute())
    merged: dict[str, Any] = {}
    merged.update(_from_file(paths.config))
    merged.update(_from_environment(os.environ))
    merged.update({key: value for key, value in (flags or {}).items() if value is not None and value != ()})
    for table in _TABLES.intersection(merged):
        merged[table] = labels_of(merged[table])
    try:
        settings = msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as error:
        message = f"wrong setting: {error}; correct it in {paths.config}, the ORCHESTRA_* variables or the flags"
        raise InvalidInput(message) from None
    if settings.voter not in {"auto", "never"}:
        message = f"voter must be auto or never, not {settings.voter!r}"
        raise InvalidInput(message)
    if not 0 <= settings.settle < float("inf"):
        message = f"settle must be 0 or more seconds, not {settings.settle}"
        raise InvalidInput(message)
    settings.place()
    settings.amounts()
    settings.policy()
    opening.check(settings.blobs)
    check_offer(settings.offer())
    for one in settings.peer:
        addresses.split(one)
    for name in ("blob_quota", "content_quota", "mirror_quota", "warm_quota", "artifact_limit"):
        if getattr(settings, name) < 0:
            message = f"{name.replace('_', '-')} must be 0 (no limit) or more bytes, not {getattr(settings, name)}"
            raise InvalidInput(message)
    unknown = [one for one in settings.git_protocol if one not in PROTOCOLS]
    if unknown:
        message = f"git-protocol must be one of {', '.join(PROTOCOLS)}, not {unknown[0]!r}"
        raise InvalidInput(message)
    if settings.slots < 0:
        message = f"slots must be 0 (one per processor) or more, not {settings.slots}"
        raise InvalidInput(message)
    return paths, settings


def _age(name: str, text: str) -> float | None:
    try:
        return parse_duration(text) if text else None
    except ValueError as problem:
        message = f"{name}: {text[:40]!r} {problem}"
        raise InvalidInput(message) from None


def labels_of(given: Any) -> dict[str, str]:  # noqa: ANN401 - from a file, a variable or flags
    """Return labels from a table or from texts `KEY=VALUE` or `KEY`."""
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    words = [word for word in given.split(",") if word] if isinstance(given, str) else list(given)
    return {key.strip(): value.strip() for key, _, value in (str(word).partition("=") for word in words)}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path}: {error}; correct it"
        raise InvalidInput(message) from None
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}; check its permissions"
        raise InvalidInput(message) from None
    for key in found:
        if key.replace("-", "_") not in Settings.__struct_fields__:
            guess = nearest(key, Settings.__struct_fields__)
            hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(Settings.__struct_fields__)}"
            message = f"{path}: unknown setting {key!r}; {hint}"
            raise InvalidInput(message)
    return {key.replace("-", "_"): value for key, value in found.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in Settings.__struct_fields__:
        value = environment.get(f"ORCHESTRA_{field.upper()}")
        if value:
            found[field] = tuple(value.split(_LISTS[field])) if field in _LISTS else value
    return found
