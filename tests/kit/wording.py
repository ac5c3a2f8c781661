"""How machines, messages and logs are written in transcripts: the words of etcd raft's interaction tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_orchestra.core.consensus import Entry, EntryKind, Kind, Message, Role, Snapshot
from job_orchestra.core.consensus.progress import Flow

if TYPE_CHECKING:
    from job_orchestra.core.consensus import HardState, Ready
    from job_orchestra.core.consensus.progress import Progress

KINDS = {
    Kind.PROPOSE: "MsgProp",
    Kind.APPEND: "MsgApp",
    Kind.APPEND_REPLY: "MsgAppResp",
    Kind.HEARTBEAT: "MsgHeartbeat",
    Kind.HEARTBEAT_REPLY: "MsgHeartbeatResp",
    Kind.VOTE: "MsgVote",
    Kind.VOTE_REPLY: "MsgVoteResp",
    Kind.PRE_VOTE: "MsgPreVote",
    Kind.PRE_VOTE_REPLY: "MsgPreVoteResp",
    Kind.SNAPSHOT: "MsgSnap",
    Kind.TRANSFER: "MsgTransferLeader",
    Kind.TIMEOUT_NOW: "MsgTimeoutNow",
}
ROLES = {
    Role.FOLLOWER: "StateFollower",
    Role.CANDIDATE: "StateCandidate",
    Role.LEADER: "StateLeader",
    Role.PRE_CANDIDATE: "StatePreCandidate",
}
FLOWS = {Flow.PROBE: "StateProbe", Flow.REPLICATE: "StateReplicate", Flow.SNAPSHOT: "StateSnapshot"}


def describe_ready(ready: Ready) -> list[str]:
    """Return the lines of one Ready."""
    lines: list[str] = []
    if ready.role is not None:
        lines.append(f"Lead:{ready.role[0]} State:{ROLES[ready.role[1]]}")
    if ready.hard_state is not None:
        lines.append(f"HardState {_hard_state(ready.hard_state)}")
    if ready.entries:
        lines += ["Entries:", *map(describe_entry, ready.entries)]
    if ready.snapshot is not None:
        lines.append(f"Snapshot {_snapshot(ready.snapshot)}")
    if ready.committed:
        lines += ["CommittedEntries:", *map(describe_entry, ready.committed)]
    if ready.messages:
        lines.append("Messages:")
        for message in ready.messages:
            lines += describe_message(message).splitlines()
    if not lines:
        return ["<empty Ready>"]
    return [f"Ready MustSync={str(ready.must_sync).lower()}:", *lines]


def describe_message(message: Message) -> str:
    """Return one message, in one line or more."""
    text = (
        f"{message.sender:x}->{message.to:x} {KINDS[message.kind]} Term:{message.term} "
        f"Log:{message.log_term}/{message.index}"
    )
    if message.reject:
        text += f" Rejected (Hint: {message.hint})"
    if message.commit:
        text += f" Commit:{message.commit}"
    if len(message.entries) == 1:
        text += f" Entries:[{describe_entry(message.entries[0])}]"
    elif message.entries:
        text += " Entries:[" + "".join(f"\n  {describe_entry(entry)}" for entry in message.entries) + "\n]"
    if message.snapshot is not None and message.snapshot.index:
        text += f"\n  Snapshot: {_snapshot(message.snapshot)}"
    return text


def describe_entry(entry: Entry) -> str:
    """Return one entry."""
    if entry.kind is EntryKind.NORMAL:
        return f"{entry.term}/{entry.index} EntryNormal {_quoted(entry.data)}"
    version, _, change = entry.data.decode(errors="replace").partition(" ")
    return f"{entry.term}/{entry.index} EntryConfChange{'V2' if version == '2' else ''} {change}"


def describe_progress(progress: Progress) -> str:
    """Return one line of a leader's status."""
    text = f"{FLOWS[progress.state]} match={progress.match} next={progress.next}"
    if progress.learner:
        text += " learner"
    if progress.halted:
        text += " paused"
    if progress.pending_snapshot:
        text += f" pendingSnap={progress.pending_snapshot}"
    if not progress.active:
        text += " inactive"
    if progress.inflight:
        text += f" inflight={len(progress.inflight)}" + ("[full]" if progress.full else "")
    return text


def _hard_state(state: HardState) -> str:
    return f"Term:{state.term}" + (f" Vote:{state.vote}" if state.vote else "") + f" Commit:{state.commit}"


def _snapshot(snapshot: Snapshot) -> str:
    voters, learners = (
        "[" + " ".join(map(str, members)) + "]"
        for members in (snapshot.configuration.voters, snapshot.configuration.learners)
    )
    return (
        f"Index:{snapshot.index} Term:{snapshot.term} ConfState:Voters:{voters} VotersOutgoing:[] "
        f"Learners:{learners} LearnersNext:[] AutoLeave:false"
    )


def _quoted(data: bytes) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(c, c if c.isprintable() else f"\\x{ord(c):02x}") for c in data.decode()) + '"'
