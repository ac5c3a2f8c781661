"""Starting processes, finding all that they started, and ending them.

On Linux the executor is the reaper of its descendants: whatever a build leaves behind, however often it forked,
becomes a child of the executor when its parent ends, so nothing can slip away. Which attempt such an orphan belongs to
is told by its control group, where there are some (groups.py); else by its session, its environment, its directory;
failing these, by which attempts ran when it appeared. Elsewhere (macOS) the process groups of the steps are what is
found.
"""

import ctypes
import errno
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .groups import Group, Groups, group_of
from .outlets import Actions

LINUX = sys.platform == "linux"
MARK = "ORCHESTRA_TMP"
"""Variable by which a process is recognised as a build's: a path in its room."""

_PR_SET_CHILD_SUBREAPER = 36
_NICENESS = 19
# a program: what posix_spawn itself can set is not this, and it is at once and for all
_NICE = ("nice", "-n", str(_NICENESS))
_RESET = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Exit(NamedTuple):
    """How a process ended."""

    code: int | None  # its exit code; None: a signal ended it
    signal: int | None  # the number of that


def exit_of(status: int) -> Exit:
    """Return what a wait status says."""
    if os.WIFSIGNALED(status):
        return Exit(None, os.WTERMSIG(status))
    return Exit(os.WEXITSTATUS(status), None)


@dataclass
class Track:
    """What one attempt's processes are recognised by."""

    mark: str = "/nowhere"  # value of MARK in the environment of its processes
    directory: str = "/nowhere"  # its own directory
    workspace: str = "/nowhere"  # where its steps begin, in its own directory or elsewhere
    nice: bool = False  # gives way to everything else on the machine
    main: int = 0  # process id of the step that runs; 0: none
    sessions: set[int] = field(default_factory=set[int])  # session ids (and group ids) of all that was started for it
    services: set[int] = field(default_factory=set[int])  # those of them that are services
    group: Group | None = None  # its control group
    service_group: Group | None = None  # that of its services


class Processes:
    """The executor's descendants."""

    def __init__(self, groups: Groups) -> None:
        """Become the reaper of all that will be started."""
        self._groups = groups
        self._helpers: set[int] = set()  # processes that belong to the executor, and to no attempt
        self._programs: dict[tuple[str, str], str] = {}
        self._strangers: dict[tuple[int, str], set[str]] = {}  # (pid, start) -> attempts it may belong to
        self._children = f"/proc/self/task/{os.getpid()}/children"
        if LINUX:
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def spawn(  # noqa: PLR0913 - what a process is started with
        self,
        track: Track,
        argv: Sequence[str],
        env: Mapping[str, str],
        actions: Actions,
        *,
        serves: bool,
        directory: str = "",
    ) -> int:
        """Start a process of the attempt `track` in a session of its own, with these descriptors; return its id.

        It begins in `directory`, relative to the workspace. One that `serves` is told from the others, see `of`. Raises
        OSError; FileNotFoundError where there is no such program.
        """
        try:
            os.chdir(f"{track.workspace}/{directory}")
        except (FileNotFoundError, NotADirectoryError):
            raise NotADirectoryError(errno.ENOTDIR, f"there is no directory {directory} in its workspace") from None
        path = env.get("PATH", os.defpath)
        program = self._program(argv[0], path)
        if track.nice:
            argv = (*_NICE, program, *argv[1:])
            program = self._program(_NICE[0], os.defpath)
        self._groups.enter(track.service_group if serves else track.group)
        pid = os.posix_spawn(
            program, tuple(argv), env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_RESET
        )
        track.sessions.add(pid)
        if serves:
            track.services.add(pid)
        return pid

    def start_helper(self, command: Sequence[str], env: Mapping[str, str], actions: Actions) -> None:
        """Start a program of ours that belongs to no attempt. Raises OSError."""
        self._groups.enter(None)
        self._helpers.add(os.posix_spawn(command[0], tuple(command), env, file_actions=actions, setsid=True))

    def help_with(self, pid: int) -> None:
        """Take note of a child that a helper has left to this process: it belongs to no attempt."""
        if _lives(pid):
            self._helpers.add(pid)

    def adopt(self, pid: int, track: Track) -> None:
        """Make a helper a process of the attempt `track`, whose group it enters by itself.

        Raises ChildProcessError where it has ended; OSError.
        """
        if not _lives(pid):
            raise ChildProcessError
        self._helpers.discard(pid)
        if track.nice:
            os.setpriority(os.PRIO_PROCESS, pid, _NICENESS)
        track.sessions.add(pid)

    def _program(self, name: str, path: str) -> str:
        if "/" in name:
            return name
        known = self._programs.get((name, path))
        if known is not None and os.access(known, os.X_OK):
            return known
        found = shutil.which(name, path=path)
        if found is None:
            raise FileNotFoundError(name)
        self._programs[name, path] = found
        return found

    def reap(self) -> Iterator[tuple[int, int]]:
        """Yield (process id, wait status) of all children that have ended, adopted ones too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._helpers.discard(pid)
            yield pid, status

    def of(self, key: str, tracks: Mapping[str, Track], *, services: bool = True) -> set[int]:
        """Return all living processes of the attempt `key`, its services only if asked; `tracks`: of all attempts."""
        track = tracks[key]
        if not LINUX:
            return _groups(track.sessions if services else track.sessions - track.services)
        children = _pids(self._children)
        mains = {one.main: other for other, one in tracks.items() if one.main}
        roots = {pid for pid in children if (mains[pid] if pid in mains else self._owner(pid, key, tracks)) == key}
        if len(children) == len(mains) + len(self._helpers):
            self._strangers.clear()
        if track.services and not services:
            roots = {pid for pid in roots if not _serves(pid, track)}
        return set(_with_descendants(roots)) if roots else roots

    def _owner(self, pid: int, key: str, tracks: Mapping[str, Track]) -> str | None:
        """Return the attempt that an adopted process belongs to."""
        found = None if pid in self._helpers else _stat(pid)
        if found is None or found.state == "Z" or found.session in self._helpers:
            return None
        if tracks[key].group is not None:
            path = group_of(pid)
            for one, track in tracks.items():
                if any(group is not None and group.path == path for group in (track.group, track.service_group)):
                    return one
        for one, track in tracks.items():
            if found.session in track.sessions:
                return one
        for one, track in tracks.items():
            if _marked(pid, track.mark) or _inside(pid, track.directory, track.workspace):
                return one
        candidates = self._strangers.setdefault((pid, found.start), set(tracks))
        candidates.intersection_update(tracks)
        return key if candidates <= {key} else None

    @staticmethod
    def signal(pids: Iterable[int], number: int) -> None:
        """Send a signal to processes; those that are gone are passed over."""
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def kill(self, key: str, tracks: Mapping[str, Track], *, services: bool = True) -> None:
        """Kill all processes of an attempt. They are stopped first, so that none can fork while others are killed."""
        track = tracks[key]
        self._groups.enter(None)
        for group in (track.group, track.service_group if services else None):
            if group is not None:
                group.kill()
        held: set[int] = set()
        for _ in range(10):
            new = self.of(key, tracks, services=services) - held
            if not new:
                break
            self.signal(new, signal.SIGSTOP)
            held |= new
        self.signal(held, signal.SIGKILL)


def _lives(pid: int) -> bool:
    """Whether this process has such a child that has not ended."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def _serves(pid: int, track: Track) -> bool:
    """Whether a process of an attempt is one of its services, or was started by one."""
    found = _stat(pid)
    if found is not None and found.session in track.services:
        return True
    return track.service_group is not None and track.service_group.path == group_of(pid)


def leftovers(work: str, *workspaces: str) -> set[int]:
    """Return the living processes of an executor before this one: of builds in rooms below `work`, or elsewhere."""
    if not LINUX:
        return set()
    own = {os.getpid(), os.getppid()}
    pids = {int(name) for name in os.listdir("/proc") if name.isdecimal()} - own
    return {pid for pid in pids if (_marked(pid, f"{work}/") or _inside(pid, work, *workspaces)) and _alive(pid)}


@dataclass
class _Stat:
    state: str  # Z: ended, not reaped
    session: int  # session id
    start: str  # clock ticks since boot: tells a process id from its next use


def _stat(pid: int) -> _Stat | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return _Stat(fields[0].decode(), int(fields[3]), fields[19].decode())


def _alive(pid: int) -> bool:
    found = _stat(pid)
    return found is not None and found.state != "Z"


def _pids(children: str) -> list[int]:
    try:
        descriptor = os.open(children, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        words = b""
        while data := os.read(descriptor, 65536):
            words += data
    except OSError:  # it has ended meanwhile
        return []
    finally:
        os.close(descriptor)
    return [int(word) for word in words.split()]


def _with_descendants(roots: Iterable[int]) -> Iterator[int]:
    """Yield processes and all below them; those that have ended are left out."""
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if _alive(pid):
            yield pid
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                waiting += _pids(f"/proc/{pid}/task/{task}/children")


def _marked(pid: int, path: str) -> bool:
    """Whether the environment of a process bears this mark, or one below it where it ends with a slash."""
    try:
        env = b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    mark = f"\0{MARK}={path}".encode()
    return mark in env if path.endswith("/") else mark + b"\0" in env + b"\0"


def _inside(pid: int, *directories: str) -> bool:
    """Whether a process works in one of these directories, or below it."""
    try:
        current = os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)")
    except OSError:
        return False
    return any(current == one or current.startswith(f"{one}/") for one in directories)


def _groups(groups: Iterable[int]) -> set[int]:
    """Return those of the process groups, as negative numbers for os.kill, in which something lives."""
    found: set[int] = set()
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, 0)
            found.add(-group)
    return found
