"""Starting processes, finding all that they started, and ending them.

On Linux the executor is the reaper of its descendants: whatever a build leaves behind, however often it forked,
becomes a child of the executor when its parent ends, so nothing can slip away. Which attempt such an orphan belongs to
is told by its session, its environment, its directory; failing these, by which attempts ran when it appeared. Elsewhere
(macOS) the process groups of the steps are what is found.
"""

import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LINUX = sys.platform == "linux"
MARK = "ORCHESTRA_TMP"
"""Variable by which a process is recognised as a build's: a path in its room."""

_PR_SET_CHILD_SUBREAPER = 36
_NICE = ("nice", "-n", "19")  # a program: what posix_spawn itself can set is not this, and it is at once and for all
_RESET = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@dataclass
class Track:
    """What one attempt's processes are recognised by."""

    mark: str = "/nowhere"  # value of MARK in the environment of its processes
    directory: str = "/nowhere"  # its own directory
    workspace: str = "/nowhere"  # where its steps begin, in its own directory or elsewhere
    main: int = 0  # process id of the step that runs; 0: none
    sessions: set[int] = field(default_factory=set[int])  # session ids (and group ids) of its steps


class Processes:
    """The executor's descendants."""

    def __init__(self) -> None:
        """Become the reaper of all that will be started."""
        self._programs: dict[tuple[str, str], str] = {}
        self._strangers: dict[tuple[int, str], set[str]] = {}  # (pid, start) -> attempts it may belong to
        self._children = f"/proc/self/task/{os.getpid()}/children"
        if LINUX:
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def spawn(
        self, argv: Sequence[str], env: Mapping[str, str], directory: str, log: int, *, nice: bool = False
    ) -> int:
        """Start a process in a session of its own, its output going to the descriptor `log`; return its id.

        With `nice` it, and all that it starts, gives way to everything else. Raises OSError; FileNotFoundError where
        there is no such program.
        """
        os.chdir(directory)
        path = env.get("PATH", os.defpath)
        program = self._program(argv[0], path)
        if nice:
            argv = (*_NICE, program, *argv[1:])
            program = self._program(_NICE[0], os.defpath)
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ]
        return os.posix_spawn(
            program,
            tuple(argv),
            env,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=_RESET,
        )

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
            yield pid, status

    def of(self, key: str, tracks: Mapping[str, Track]) -> set[int]:
        """Return all living processes of the attempt `key`; `tracks` are those of all attempts."""
        if not LINUX:
            return _groups(tracks[key].sessions)
        children = _pids(self._children)
        mains = {track.main: one for one, track in tracks.items() if track.main}
        roots = {pid for pid in children if (mains[pid] if pid in mains else self._owner(pid, key, tracks)) == key}
        if len(children) == len(mains):
            self._strangers.clear()
        return set(_with_descendants(roots)) if roots else roots

    def _owner(self, pid: int, key: str, tracks: Mapping[str, Track]) -> str | None:
        """Return the attempt that an adopted process belongs to."""
        found = _stat(pid)
        if found is None or found.state == "Z":
            return None
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

    def kill(self, key: str, tracks: Mapping[str, Track]) -> None:
        """Kill all processes of an attempt. They are stopped first, so that none can fork while others are killed."""
        held: set[int] = set()
        for _ in range(10):
            new = self.of(key, tracks) - held
            if not new:
                break
            self.signal(new, signal.SIGSTOP)
            held |= new
        self.signal(held, signal.SIGKILL)


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
