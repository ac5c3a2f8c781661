"""Running git for others' repositories: it never asks anybody anything, runs nothing of theirs, and says what is wrong.

Configuration of the agent's own user counts, for there are its credentials; what a repository would have executed does
not: hooks are off, and the only protocols are those that are allowed, for submodules and redirections too. Methods
block. Refuses to know what it is all for.
"""

import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from ...core.errors import (
    Conflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    OrchestraError,
    TimedOut,
    UserError,
)
from ...core.repository import USUAL, protocol_of

PASSED_ON = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
"""Variables for git that are kept; all others of that kind would lead it elsewhere."""

MAX_SAID = 16 << 20
"""Bytes that a repository may say of its branches and tags: of some two hundred thousand."""

MAX_LISTED = 256 << 20
"""Bytes that git may say of a repository that is here: of some two million files."""

ALONE_S = 3600.0
"""Seconds for a command that does not say how far it is, with what filters fetch for it (Git LFS). Larger: more comes
through a slow line; smaller: a build is held up for less by a disk or a filter that hangs."""

SILENT_S = 300.0
"""Seconds for which git may say nothing while it fetches. Larger: servers may think longer before they send; smaller: a
build is held up for less by one that hangs."""

_PART = 64 << 10
_OPTIONS = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.askPass="),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "advice.detachedHead=false"),
    *("-c", "credential.interactive=false", "-c", "submodule.recurse=false"),
)
_SSH = "ssh -oBatchMode=yes -oConnectTimeout=15 -oServerAliveInterval=15 -oServerAliveCountMax=4"
_REFUSED = re.compile(
    r"authentication failed|could not read (?:username|password)|permission denied|terminal prompts disabled"
    r"|host key verification failed|error: 40[13]\b|403 forbidden|access denied|invalid username or password",
    re.IGNORECASE,
)
_UNREACHED = re.compile(
    r"could not resolve|unable to connect|connection (?:refused|timed out|reset|closed)|failed to connect|no route to"
    r"|network is unreachable|unable to look up|timed out|error: 5[0-9]{2}\b|early eof|remote end hung up",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"repository .*not found|does not appear to be a git repository|not a git repository|error: 404\b|no such file",
    re.IGNORECASE,
)

_TELLING = (re.compile(r"^(?:fatal|error|remote|ERROR)\b"), _REFUSED, _UNREACHED, _MISSING)
_FILLING = re.compile(r"^fatal: Could not read from remote repository")
_PROGRESS = re.compile(r"^(?:remote: )?(?:Total \d|[A-Z][a-z ]+: +\d+(?:%|,|$))")


class Git:
    """Git, as this agent may use it."""

    def __init__(self, further: Sequence[str] = (), environment: Mapping[str, str] = os.environ) -> None:
        """Allow the protocols of USUAL and these."""
        self.protocols = frozenset((*USUAL, *further))
        self._env = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
        self._env |= {name: environment[name] for name in PASSED_ON if name in environment}
        self._env.setdefault("GIT_SSH_COMMAND", _SSH)
        self._env |= {
            "GIT_ALLOW_PROTOCOL": ":".join(sorted(self.protocols)),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_CONFIG_COUNT": "0",
            "LC_ALL": "C",
        }

    def check(self, address: str) -> None:
        """Raise InvalidInput for what is no address, NotAllowed for one whose protocol is not allowed here."""
        protocol = protocol_of(address)
        if protocol not in self.protocols:
            message = (
                f"{address} is reached by {protocol}, which this agent does not allow; let its user start it with "
                f"--git-protocol {protocol}"
            )
            raise NotAllowed(message)

    def __call__(self, folder: Path, *words: str, given: bytes = b"", talks: bool = False) -> bytes:
        """Run git in a folder that is there; return what it says.

        With `talks` it tells how far it is, and may take long as long as it does. Raises GitFailed, NotFound where
        there is no git, TimedOut, LimitReached.
        """
        much = f"git says more than {MAX_LISTED >> 20} MiB; the repository has too many files, branches or tags"
        limits = _Limits(ALONE_S, MAX_LISTED, f"git has not ended within {ALONE_S:g} s", much)
        if talks:
            limits = _Limits(SILENT_S, MAX_LISTED, f"git has said nothing for {SILENT_S:g} s", much, talks=True)
        with TemporaryFile() as typed:
            typed.write(given)
            typed.seek(0)
            return self._ask(words, limits, cwd=folder, stdin=typed)

    def within(self, seconds: float, *words: str) -> str:
        """Run git for so long at most; return what it says. Raises as a call; all that it started has ended."""
        much = f"the repository says more than {MAX_SAID >> 20} MiB; it has too many branches and tags"
        limits = _Limits(seconds, MAX_SAID, f"git had no answer within {seconds:g} s", much)
        return self._ask(words, limits, cwd="/", stdin=subprocess.DEVNULL, leads=True).decode(errors="replace")

    def _ask(
        self, words: Sequence[str], limits: "_Limits", *, cwd: Path | str, stdin: int | IO[bytes], leads: bool = False
    ) -> bytes:
        """Return what git says. Where it `leads` a session, what it started ends with it if it takes too long."""
        try:
            running = subprocess.Popen(  # noqa: S603 - git, words of our own and texts that were checked
                ["git", *_OPTIONS, *words],  # noqa: S607 - the user's git
                cwd=cwd,
                env=self._env,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=leads,
            )
        except OSError as problem:
            raise no_git(problem) from None
        with running:
            try:
                out, problem = _said(running, limits)
            except BaseException:
                if leads:
                    os.killpg(running.pid, signal.SIGKILL)
                else:
                    running.kill()
                raise
        if running.returncode:
            raise GitFailed(words, running.returncode, problem.decode(errors="replace"))
        return out


class _Limits(NamedTuple):
    """What a command may take."""

    seconds: float  # until its end, or where it talks until it says something again
    most: int  # bytes that it may say
    slow: str  # what is wrong where it takes longer
    much: str  # what is wrong where it says more
    talks: bool = False  # it tells how far it is


def _said(running: subprocess.Popen[bytes], limits: _Limits) -> tuple[bytes, bytes]:
    """Return what a command says to its end. Raises TimedOut, and LimitReached where it says too much."""
    deadline = time.monotonic() + limits.seconds
    out, problem = bytearray(), bytearray()
    with selectors.DefaultSelector() as pipes:
        for pipe, said in ((running.stdout, out), (running.stderr, problem)):
            if pipe is not None:
                pipes.register(pipe, selectors.EVENT_READ, said)
        while pipes.get_map():
            left = deadline - time.monotonic()
            ready = pipes.select(left) if left > 0 else []
            if not ready:
                raise TimedOut(limits.slow)
            for one, _ in ready:
                part = os.read(one.fd, _PART)
                if not part:
                    pipes.unregister(one.fileobj)
                one.data.extend(part)
            if limits.talks:
                deadline = time.monotonic() + limits.seconds
            if len(out) + len(problem) > limits.most:
                raise LimitReached(limits.much)
    try:
        running.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimedOut(limits.slow) from None
    return bytes(out), bytes(problem)


class GitFailed(UserError):
    """Git refused; `said` is what it said about that."""

    def __init__(self, words: Sequence[str], code: int, said: str) -> None:
        """Of a command with these words, which ended with this code."""
        lines = [line.strip() for line in said.splitlines() if line.strip() and not _PROGRESS.search(line)]
        told = [line for line in lines if any(one.search(line) for one in _TELLING) and not _FILLING.search(line)]
        self.said = "; ".join(dict.fromkeys((told or lines)[-3:])) or f"it ended with {code}"
        self.whole = said
        super().__init__(f"git {words[0]}: {self.said}")


def no_git(problem: OSError) -> NotFound:
    """Return the error for a machine on which git cannot be run, because of a problem."""
    if not isinstance(problem, FileNotFoundError):
        return NotFound(f"this machine's agent cannot run git: {problem.strerror}; see that its user can")
    return NotFound("there is no git on the PATH of this machine's agent; install it, and start the agent again")


def refusal(address: str, problem: GitFailed) -> OrchestraError:
    """Return what a failure to reach a repository means, and what to do about it."""
    if "transport" in problem.whole and "not allowed" in problem.whole:
        return NotAllowed(f"{address} leads to a protocol that this agent does not allow: {problem.said}")
    if "dubious ownership" in problem.whole:
        return NotAllowed(f"{address} belongs to another user: git config --global --add safe.directory PATH allows it")
    if _REFUSED.search(problem.whole):
        return NotAllowed(
            f"access to {address} is refused: {problem.said}; give the agent's user a key, a known host or a "
            "credential helper, and try git ls-remote as that user"
        )
    if _UNREACHED.search(problem.whole):
        return Conflict(f"{address} cannot be reached: {problem.said}; check the address, or try again later")
    if _MISSING.search(problem.whole):
        return NotFound(f"there is no repository at {address}: {problem.said}; check the address, and who may see it")
    return InvalidInput(f"git cannot read {address}: {problem.said}")
