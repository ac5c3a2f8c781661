"""Every error of Job Orchestra, in one tree. An error's text says what happened and what to do about it.

    OrchestraError
    +-- UserError                 the user erred: asking again the same way will fail again
    |   +-- InvalidInput          a parameter, file or option is wrong
    |   |   +-- JobFileError      with file, line, column and key
    |   +-- NotFound              no build, job, agent ... of that name
    |   +-- NotAllowed            the requester lacks the permission
    |   +-- Conflict              the thing is not in a state for that
    |   +-- LimitReached          over a limit; nothing accepted is lost
    +-- Unavailable               nobody erred: not now, perhaps later
    |   +-- NoAgent               this machine's agent does not answer
    |   +-- NoMaster              there is an agent but no elected master
    |   |   +-- NotLeading        the asked agent is not the master, and did nothing
    |   +-- Unreachable           another agent does not answer
    |   +-- TimedOut              the answer did not come in time
    +-- PeerError                 the other side erred: it spoke the protocol wrongly
    +-- StorageError              the disk or the database refused
    |   +-- DiskFull              no space left
    |   +-- Damaged               stored bytes fail their check
    |   +-- Unfinished            a store that was not filled to its end
    |   +-- NewerSchema           written by a newer version
    |   +-- OlderSchema           written by an older version, and not brought up to date yet
    +-- InvariantError            we erred: a rule that must hold does not
        +-- IllegalTransition     a state change that the lifecycle table does not have

Each class carries the JSON-RPC `code` (ARCHITECTURE, "The scripting contract"), a stable `kind` for programs, whether
asking again can help (`retryable`), and the exit code of the command line.
"""

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """Exit codes of the command line."""

    OK = 0  # what was asked for was done
    FAILED = 1  # the build failed
    USAGE = 2  # the command, its parameters or a file are wrong
    UNAVAILABLE = 3  # no agent or no master; try again
    NOT_ALLOWED = 4  # the requester may not do this
    NOT_FOUND = 5  # no such build, job or agent
    TIMEOUT = 124  # waited as long as was asked
    INTERNAL = 125  # our own failure
    INTERRUPTED = 130  # Ctrl-C


class Code(IntEnum):
    """Error codes of the scripting socket: those of JSON-RPC 2.0, then our own."""

    PARSE = -32700  # not JSON
    REQUEST = -32600  # JSON, but no JSON-RPC 2.0 request
    METHOD = -32601  # unknown method
    PARAMS = -32602  # wrong parameters
    INTERNAL = -32603  # our failure
    NO_MASTER = -32001  # no agent or master can decide now
    NOT_FOUND = -32002  # no such thing
    NOT_ALLOWED = -32003  # permission missing
    CONFLICT = -32004  # not in a state for that
    LIMIT = -32005  # over a limit


class OrchestraError(Exception):
    """Base of all errors that we raise on purpose; `str(error)` is fit for a user's eyes."""

    code: ClassVar[Code] = Code.INTERNAL
    kind: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[Exit] = Exit.INTERNAL


class UserError(OrchestraError):
    """The user erred; the message says how to ask rightly."""

    code = Code.PARAMS
    kind = "user"
    exit_code = Exit.USAGE


class InvalidInput(UserError):
    """A parameter, an option or a file holds something that cannot be accepted."""

    kind = "invalid"


class JobFileError(InvalidInput):
    """A job file is wrong. `str()` gives one line per problem: `file:line:column: key: what; what to do`."""

    kind = "job-file"


class NotFound(UserError):
    """Nothing has that name or id."""

    code = Code.NOT_FOUND
    kind = "not-found"
    exit_code = Exit.NOT_FOUND


class NotAllowed(UserError):
    """The requester's role does not permit this."""

    code = Code.NOT_ALLOWED
    kind = "not-allowed"
    exit_code = Exit.NOT_ALLOWED


class Conflict(UserError):
    """The thing exists but is not in a state in which this can be done."""

    code = Code.CONFLICT
    kind = "conflict"
    exit_code = Exit.USAGE


class LimitReached(UserError):
    """A limit was reached. What was accepted before stays accepted."""

    code = Code.LIMIT
    kind = "limit"
    exit_code = Exit.UNAVAILABLE


class Unavailable(OrchestraError):
    """Nobody erred; it cannot be done now and may be possible later."""

    code = Code.NO_MASTER
    kind = "unavailable"
    retryable = True
    exit_code = Exit.UNAVAILABLE


class NoAgent(Unavailable):
    """No agent answers at the scripting socket."""

    kind = "no-agent"


class NoMaster(Unavailable):
    """The agent knows of no master that could decide."""

    kind = "no-master"


class NotLeading(NoMaster):
    """The asked agent is not the master, and did nothing."""

    kind = "not-leading"


class Unreachable(Unavailable):
    """No answer came from another agent: there is no way to it now, the way was lost, or the time is over.

    Whether it did what it was asked for is unknown.
    """

    kind = "unreachable"


class TimedOut(Unavailable):
    """The awaited thing did not happen in the time given."""

    kind = "timeout"
    exit_code = Exit.TIMEOUT


class PeerError(OrchestraError):
    """The other side sent what the protocol does not allow."""

    code = Code.REQUEST
    kind = "peer"


class StorageError(OrchestraError):
    """The disk or the database refused; the message names the path or URL and the remedy."""

    kind = "storage"


class DiskFull(StorageError):
    """No space is left, or the reserve that must stay free is reached."""

    code = Code.LIMIT
    kind = "disk-full"
    retryable = True
    exit_code = Exit.UNAVAILABLE


class Damaged(StorageError):
    """Stored bytes do not match their checksum or shape; they are refused, never skipped."""

    kind = "damaged"


class Unfinished(StorageError):
    """A store is being filled from another one, or was not filled to the end."""

    kind = "unfinished"


class NewerSchema(StorageError):
    """The data was written by a newer version of Job Orchestra than this one."""

    kind = "newer-schema"


class OlderSchema(StorageError):
    """The data was written by an older version of Job Orchestra and has to be migrated first."""

    kind = "older-schema"


class InvariantError(OrchestraError):
    """A rule that must always hold does not. This is a defect of ours; the operation changed nothing."""

    kind = "invariant"


class IllegalTransition(InvariantError):
    """A change of state that the lifecycle table does not contain."""


_BY_KIND = {
    found.kind: found
    for found in list(vars().values())
    if isinstance(found, type) and issubclass(found, OrchestraError) and "kind" in vars(found)
}


def by_kind(kind: str) -> type[OrchestraError] | None:
    """Return the error class that introduced this kind, so that an error that was sent can be raised again."""
    return _BY_KIND.get(kind)


def kind_of(error: OrchestraError) -> str:
    """Return the kind of the nearest class above an error that `by_kind` knows: what can be sent to another agent."""
    above = (found for found in type(error).__mro__ if issubclass(found, OrchestraError))
    return next(found.kind for found in above if found.kind in _BY_KIND)
