"""Control groups of Linux (cgroup v2), where this user may make some: whatever a build starts stays in its group.

That tells whose a process is beyond doubt, and kills all of a group at once. A process is born into its parent's group:
the executor steps into a group before it starts something there, so that nothing is outside for a moment. No controller
is switched on: a group limits nothing. Where there are none - another system, an older kernel, no permission -
processes.py does without.
"""

import os
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from .saying import say

ENTER = b"0"
"""What a process writes to the members of a group to become one."""

_CLEAR_S = 2.0  # longest time to wait until what was killed is gone
_LOOK_S = 0.01


class Group:
    """One control group."""

    def __init__(self, folder: Path, path: str) -> None:
        """Make the group in `folder`; `path` is its name in /proc. Raises OSError."""
        folder.mkdir(exist_ok=True)
        self.path = path
        self._kill = os.fspath(folder / "cgroup.kill")
        self.members = os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        """Descriptor of a file: who writes ENTER to it becomes one, which takes the kernel some milliseconds."""

    def enter(self) -> None:
        """Move this process into the group. Raises OSError."""
        os.write(self.members, ENTER)

    def kill(self) -> None:
        """Kill everything in the group; this process must not be in it."""
        with suppress(OSError), open(self._kill, "w") as file:
            file.write("1")


class Groups:
    """The control groups of one executor, itself included."""

    def __init__(self, work: str) -> None:
        """Find out whether there can be any; what an executor before this one left in them is killed."""
        self._groups: dict[str, Group] = {}
        self._home: Group | None = None  # where this process is when nothing is started
        self._current: Group | None = None  # where it is now
        own = _own_group()
        if own is None:
            return
        name = f"orchestra-{sha256(work.encode()).hexdigest()[:12]}"
        self._folder, self._path = own[0] / name, f"{own[1].rstrip('/')}/{name}"
        self._before = own[0] / "cgroup.procs"
        try:
            if self._folder.exists():
                _clear(self._folder)
            self._folder.mkdir()
            if (self._folder / "cgroup.kill").exists():  # since Linux 5.14
                home = Group(self._folder / "executor", f"{self._path}/executor")
                home.enter()
                self._home = self._current = home
        except OSError as error:
            if not isinstance(error, PermissionError):
                say(f"executor.no-groups: {self._folder}: {error.strerror}")

    def group(self, name: str) -> Group | None:
        """Return the group of this name; None where there can be none."""
        found = self._groups.get(name)
        if found is None and self._home is not None:
            try:
                found = self._groups[name] = Group(self._folder / name, f"{self._path}/{name}")
            except OSError as error:
                say(f"executor.no-group: {name}: {error.strerror}")
        return found

    def enter(self, group: Group | None) -> None:
        """Be in this group from now on, so that what is started is in it from its birth; None: at home."""
        group = group or self._home
        if group is not self._current and group is not None:
            try:
                group.enter()
            except OSError as error:
                say(f"executor.group-not-entered: {group.path}: {error.strerror}")
            else:
                self._current = group

    def close(self) -> None:
        """Leave and remove them; what is left in them keeps them."""
        if self._home is not None:
            self._home = None
            with suppress(OSError):
                self._before.write_text("0")
                _remove_when_empty(self._folder)


def group_of(pid: int) -> str:
    """Return the name of a process's control group; empty where it has none, or is gone."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")


def _own_group() -> tuple[Path, str] | None:
    """Return the folder and the name of the control group that this process is in."""
    name = group_of(os.getpid())
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    for line in mounts:
        left, _, right = line.partition(" - ")
        if name and right.startswith("cgroup2 "):
            root, mounted = left.split()[3:5]
            if name == root or name.startswith(root.rstrip("/") + "/"):
                return Path(mounted, name[len(root.rstrip("/")) :].lstrip("/")), name
    return None


def _clear(folder: Path) -> None:
    """Kill what is in a group and its subgroups, and remove those. Raises OSError where something stays."""
    (folder / "cgroup.kill").write_text("1")
    _remove_when_empty(folder)


def _remove_when_empty(folder: Path) -> None:
    until = time.monotonic() + _CLEAR_S
    while "populated 1" in (folder / "cgroup.events").read_text() and time.monotonic() < until:
        time.sleep(_LOOK_S)
    _remove(folder)


def _remove(folder: Path) -> None:
    for one in folder.iterdir():
        if one.is_dir():
            _remove(one)
    folder.rmdir()
