"""Where one agent keeps its things: the data directory's layout, and the short directory of its sockets.

Refuses to create or read anything but what `prepare` says. Several agents run on one machine with different data
directories; each has sockets of its own, whose paths are short whatever the data directory is called, because a Unix
socket's path is limited to 108 bytes (104 on macOS).
"""

import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ..core.errors import StorageError
from ..core.ids import serial_of

LOGS_IN_FOLDER = 1000
"""Builds whose logs share a folder."""


def default_data() -> Path:
    """Return ORCHESTRA_HOME, or this user's data directory of the platform."""
    home = os.environ.get("ORCHESTRA_HOME")
    if home:
        return Path(home).expanduser().absolute()
    import platformdirs  # long, and not needed where the variable says it

    return Path(platformdirs.user_data_dir("job-orchestra"))


@dataclass(frozen=True)
class Paths:
    """Every path of one agent, derived from its data directory."""

    data: Path  # absolute

    @property
    def config(self) -> Path:
        """The settings file that people write."""
        return self.data / "agent.toml"

    @property
    def keys(self) -> Path:
        """The agent's key pair; mode 0600."""
        return self.data / "agent.key"

    @property
    def network(self) -> Path:
        """Which network this agent belongs to."""
        return self.data / "network.json"

    @property
    def peers(self) -> Path:
        """Who the members were when this agent last knew."""
        return self.data / "peers.json"

    @property
    def ports(self) -> Path:
        """The ports that this agent had last."""
        return self.data / "ports.json"

    @property
    def former(self) -> Path:
        """What earlier memberships left, a folder each."""
        return self.data / "former"

    @property
    def lock(self) -> Path:
        """Held by the running agent; holds its process id."""
        return self.data / "agent.lock"

    @property
    def settings(self) -> Path:
        """What the agent that runs, or ran last, was started with."""
        return self.data / "settings.json"

    @property
    def journal(self) -> Path:
        """The durable log of consensus."""
        return self.data / "journal.db"

    @property
    def history(self) -> Path:
        """The default store."""
        return self.data / "history.db"

    @property
    def logs(self) -> Path:
        """Attempts' logs, a folder per LOGS_IN_FOLDER builds: neighbours in time are neighbours on disk."""
        return self.data / "logs"

    @property
    def work(self) -> Path:
        """Attempts' directories while they run."""
        return self.data / "work"

    @property
    def contents(self) -> Path:
        """Directories that builds begin in, leave, and share, as contents by SHA-256."""
        return self.data / "contents"

    @property
    def mirrors(self) -> Path:
        """Copies of git repositories that builds begin in."""
        return self.data / "mirrors"

    @property
    def shipped(self) -> Path:
        """What is remembered of directories that were shipped from this machine."""
        return self.data / "shipped"

    @property
    def bundles(self) -> Path:
        """Contents on their way to others, and from them."""
        return self.data / "bundles"

    @property
    def warm(self) -> Path:
        """Workspaces that stay, with what builds left in them."""
        return self.data / "warm"

    @property
    def orders(self) -> Path:
        """What is to be done with the workspaces of attempts."""
        return self.data / "orders"

    def order(self, key: str) -> Path:
        """Return the file with what is to be done with the workspace of an attempt."""
        return self.orders / f"{key}.json"

    @property
    def executor(self) -> Path:
        """The executor's own records."""
        return self.data / "executor"

    @property
    def agent_log(self) -> Path:
        """What the agent says when it runs in the background."""
        return self.data / "agent.log"

    @property
    def blobs(self) -> Path:
        """Contents by SHA-256 that are kept for the network."""
        return self.data / "blobs"

    @property
    def space(self) -> Path:
        """A note of how far the blob space was filled."""
        return self.data / "space.json"

    @property
    def outgoing(self) -> Path:
        """A copy of the store, made for others."""
        return self.data / "outgoing.db"

    @property
    def installing(self) -> Path:
        """A note that the store is being replaced by another agent's."""
        return self.data / "installing.json"

    @property
    def rebuilding(self) -> Path:
        """A copy of another agent's store, from which this agent's is rebuilt."""
        return self.incoming("rebuilding")

    @property
    def suspected(self) -> Path:
        """A note that the store was found to be damaged while it was used."""
        return self.data / "store-suspected"

    @property
    def set_aside(self) -> Path:
        """Which stores were damaged and set aside, and why."""
        return self.data / "set-aside.json"

    def kept(self, key: str) -> Path:
        """Return the file with what was taken from the workspace of an attempt."""
        return self.orders / f"{key}.kept"

    def incoming(self, name: str) -> Path:
        """Return where something that is being fetched is put together."""
        return self.data / "incoming" / name

    def log(self, key: str) -> Path:
        """Return the log file of the attempt `key` (`build.number`)."""
        return self.logs / str(serial_of(key.partition(".")[0]) // LOGS_IN_FOLDER) / f"{key}.log"

    @property
    def sockets(self) -> Path:
        """A short directory, private to the user, that is this data directory's own."""
        root = os.environ.get("XDG_RUNTIME_DIR") or _temporary()
        base = Path(root)
        if len(str(base)) > 60:  # noqa: PLR2004 - 108 bytes less our own names, with room to spare
            base = Path("/tmp")  # noqa: S108 - the directory below is made 0700 and its owner is checked
        mark = sha256(str(self.data).encode()).hexdigest()[:12]
        return base / f"orchestra-{os.getuid()}" / mark

    @property
    def scripting(self) -> Path:
        """The scripting socket."""
        return self.sockets / "rpc"

    @property
    def executor_socket(self) -> Path:
        """The socket between agent and executor."""
        return self.sockets / "exec"

    def prepare(self) -> None:
        """Create the directories, 0700. Raises StorageError, with the remedy, where that is impossible or unsafe."""
        for folder in (
            *(self.data, self.logs, self.work, self.executor, self.blobs, self.data / "incoming"),
            *(self.contents, self.shipped, self.bundles, self.orders, self.warm, self.mirrors),
            *(self.sockets.parent, self.sockets),
        ):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                message = (
                    f"cannot create {folder}: {error.strerror}; "
                    "choose another data directory with --data or ORCHESTRA_HOME"
                )
                raise StorageError(message) from None
            check_private(folder)
        if not os.access(self.data, os.W_OK):
            message = f"cannot write to {self.data}; fix its permissions or choose another directory with --data"
            raise StorageError(message)


def _temporary() -> str:
    import tempfile  # takes as long as all of this module, and is not needed where there is a runtime directory

    return tempfile.gettempdir()


def check_private(path: Path) -> None:
    """Raise StorageError unless `path` belongs to this user and nobody else may read or write it."""
    found = path.stat()
    if found.st_uid != os.getuid():
        message = f"{path} belongs to another user (uid {found.st_uid}); remove it or choose another --data"
        raise StorageError(message)
    if stat.S_IMODE(found.st_mode) & 0o077:
        wanted = "700" if path.is_dir() else "600"
        message = f"{path} can be read by others; run: chmod {wanted} {path}"
        raise StorageError(message)
