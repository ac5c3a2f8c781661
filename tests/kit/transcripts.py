"""Plays data-driven scripts in the language of etcd raft's interaction tests against core/consensus.

A script is a list of blocks: a command, lines of input, `----`, and the expected output up to an empty line. What the
machine does must match line by line; what a logger would say (INFO, DEBUG ...) is left out, for ours says nothing.
Scripts that need what we do not have on purpose raise `Unsupported` with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from job_orchestra.core.consensus import (
    NOBODY,
    Change,
    ChangeKind,
    Config,
    Configuration,
    Entry,
    EntryKind,
    Kind,
    MemoryLog,
    Message,
    Raft,
    Role,
    Snapshot,
)
from job_orchestra.core.consensus.config import UNLIMITED
from job_orchestra.core.errors import Conflict, LimitReached, NoMaster

from .wording import KINDS, ROLES, describe_entry, describe_message, describe_progress, describe_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from job_orchestra.core.consensus import Ready

SKIPPED = {
    "confchange_v2_*": "joint consensus: we change one member at a time",
    "async_storage_writes*": "asynchronous storage writes: our driver stores one Ready at a time",
}
"""Names of scripts -> why they are not played to the end. A script of another name that turns out to need the same is
skipped with the same reason; one of these names that does not need it is played."""

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE")
PROSE = re.compile(rf"^\s*(dropped: )?({'|'.join(LEVELS[:-1])}) ")
REPLIES = (Kind.APPEND_REPLY, Kind.HEARTBEAT_REPLY, Kind.VOTE_REPLY, Kind.PRE_VOTE_REPLY)
CHANGES = {"v": ChangeKind.ADD_VOTER, "l": ChangeKind.ADD_LEARNER, "r": ChangeKind.REMOVE, "u": None}
DROPPED = "raft proposal dropped"


class Unsupported(Exception):
    """A script needs what we do not have on purpose."""


class ScriptError(Exception):
    """A script is not in the language; the message names the line."""


class Refused(Exception):
    """A command had no effect; its text is part of the output."""


@dataclass(slots=True)
class Block:
    """One command with its input and the expected output."""

    line: int  # of the command, from 1
    command: str  # as written
    input: list[str] = field(default_factory=list[str])  # lines up to ----
    expected: list[str] = field(default_factory=list[str])  # lines behind it
    at: int = 0  # index of the first expected line


@dataclass(slots=True)
class Argument:
    """`key`, `key=value` or `key=(value, value)`."""

    key: str
    values: list[str]


@dataclass(slots=True)
class Difference:
    """The first line that is not as expected."""

    line: int  # of the command
    command: str  # as written
    expected: str  # the line that should be there
    found: str  # the line that is there


def parse(text: str) -> Iterator[Block]:
    """Read a script."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        if not line or line.startswith("#"):
            at += 1
            continue
        block = Block(at + 1, line)
        at += 1
        while block.command.endswith("\\") and at < len(lines):
            block.command = block.command[:-1] + lines[at].strip()
            at += 1
        while at < len(lines) and lines[at].strip() != "----":
            block.input.append(lines[at])
            at += 1
        if at == len(lines):
            raise ScriptError(f"line {block.line}: no ---- behind {block.command!r}")
        at += 1
        # A second ---- says that the output may hold empty lines, and ends with the same two.
        double = at < len(lines) and lines[at].strip() == "----"
        at += double
        block.at = at
        while at < len(lines):
            if double and lines[at : at + 2] == ["----", "----"]:
                at += 2
                break
            if not double and not lines[at].strip():
                break
            block.expected.append(lines[at])
            at += 1
        yield block


def arguments(line: str) -> tuple[str, list[Argument]]:
    """Split a command line into the command and its arguments."""
    words = re.findall(r"(?:[^\s()]|\([^)]*\))+", line)
    found: list[Argument] = []
    for word in words[1:]:
        key, sign, value = word.partition("=")
        values = [part for part in re.split(r"[,\s]+", value.strip("()")) if part] if sign else []
        found.append(Argument(key, values))
    return words[0], found


def play(text: str) -> Difference | None:
    """Play a script; return the first difference. Raises Unsupported and ScriptError."""
    theatre = Theatre()
    for block in parse(text):
        expected = _structural(block.expected)
        found = _structural(theatre.run(block).splitlines())
        if expected != found:
            for place in range(max(len(expected), len(found))):
                one, other = (lines[place] if place < len(lines) else "(nothing)" for lines in (expected, found))
                if one != other:
                    return Difference(block.line, block.command, one, other)
    return None


def rewrite(text: str) -> str:
    """Return the script with what is found in place of what was expected."""
    theatre, lines, done, result = Theatre(), text.splitlines(), 0, list[str]()
    for block in parse(text):
        result += [*lines[done : block.at], *(theatre.run(block).splitlines() or ["ok"])]
        done = block.at + len(block.expected)
    return "\n".join([*result, *lines[done:]]) + "\n"


def reason_to_skip(path: Path, error: Unsupported) -> str:
    """Return why a script is skipped: the list's words, or what it asked for."""
    return next((why for pattern, why in SKIPPED.items() if path.match(pattern + ".txt")), str(error))


def _structural(lines: list[str]) -> list[str]:
    kept = [line.rstrip() for line in lines if line.strip() and not PROSE.match(line)]
    return [] if kept == ["ok"] else kept


class Stage(MemoryLog):
    """The disk of one actor: a snapshot is always that of the last applied entry."""

    __slots__ = ("history",)

    def __init__(self, history: list[Snapshot], *, bootstrap: bool) -> None:
        super().__init__(history[0] if bootstrap else None)
        self.history = history

    def snapshot(self) -> Snapshot | None:
        return self.history[-1]


class Actor:
    """One member: the machine, its disk, and what it applied."""

    def __init__(self, config: Config, first: Snapshot, *, bootstrap: bool) -> None:
        self.config = config
        self.history = [first]
        self.stage = Stage(self.history, bootstrap=bootstrap)
        self.raft = Raft(config, self.stage, Random(config.id), first.index)
        self.validates_changes = True
        self.reads_by_lease = False

    def process(self, ready: Ready) -> None:
        """Store and apply."""
        stage = self.stage
        if ready.hard_state is not None:
            stage.hard_state = ready.hard_state
        if ready.snapshot is not None:
            stage.install(ready.snapshot)
        stage.append(ready.entries)
        for entry in ready.committed:
            last, update, configuration = self.history[-1], entry.data, self.history[-1].configuration
            if entry.kind is EntryKind.CHANGE:
                update = b""
                configuration = self.raft.apply_change(_decode(entry.data))
            self.history.append(Snapshot(entry.index, entry.term, configuration, last.data + update))
        self.raft.advance(ready)


class Theatre:
    """All members and the messages between them, and the commands that direct them."""

    def __init__(self) -> None:
        self.actors: list[Actor] = []
        self.messages: list[Message] = []
        self.quiet = False
        self.output: list[str] = []

    def run(self, block: Block) -> str:
        """Carry out one block and return its output."""
        self.output = []
        name, given = arguments(block.command)
        try:
            if name == "propose-conf-change":
                self._propose_conf_change(given, block.input)
            else:
                self._single(name, given, block.line)
                for offset, line in enumerate(block.input, 1):
                    self._single(*arguments(line), block.line + offset)
        except Refused as refused:
            # Even where everything else is silenced, a refusal is told.
            return str(refused) if self.quiet else "\n".join([*self.output, str(refused)])
        return "" if self.quiet else "\n".join(self.output)

    def _single(self, name: str, given: list[Argument], line: int) -> None:
        if name == "_breakpoint":  # a place to stop at in a debugger
            return
        if name not in COMMANDS:
            raise ScriptError(f"line {line}: unknown command {name!r}")
        handler: Callable[[list[Argument]], None] = getattr(self, "_" + name.replace("-", "_"))
        handler(given)

    def _say(self, text: str) -> None:
        if not self.quiet:
            self.output += text.splitlines()

    # Commands

    def _add_nodes(self, given: list[Argument]) -> None:  # noqa: C901, PLR0912 - a case for each option
        count = int(given[0].key)
        lists: dict[str, tuple[int, ...]] = {"voters": (), "learners": ()}
        index, content = 0, b""
        settings: dict[str, int | float | bool] = {}
        validates, by_lease = True, False
        for argument in given[1:]:
            for value in argument.values:
                match argument.key:
                    case "voters" | "learners":
                        lists[argument.key] += (int(value),)
                    case "index":
                        index = int(value)
                    case "content":
                        content = value.encode()
                    case "inflight":
                        settings["max_inflight_messages"] = int(value)
                    case "max-inflight-bytes":
                        settings["max_inflight_bytes"] = int(value)
                    case "max-committed-size-per-ready":
                        settings["max_apply_bytes"] = int(value)
                    case "prevote":
                        settings["pre_vote"] = _true(value)
                    case "checkquorum":
                        settings["check_quorum"] = _true(value)
                    case "step-down-on-removal":
                        settings["step_down_when_removed"] = _true(value)
                    case "disable-conf-change-validation":
                        validates = not _true(value)
                    case "read-only":
                        by_lease = value == "lease-based"
                    case "async-storage-writes":
                        if _true(value):
                            raise Unsupported("asynchronous storage writes: our driver stores one Ready at a time")
                    # What follows is not etcd's: it switches on what we do differently.
                    case "own-term-before-changes":
                        settings["own_term_before_changes"] = _true(value)
                    case "lease":
                        settings["lease_s"] = float(value)
                    case _:
                        raise Unsupported(f"add-nodes {argument.key}=")
        snapshot = Snapshot(index, 0, Configuration(lists["voters"], lists["learners"]), content)
        bootstrap = snapshot != Snapshot(0, 0, Configuration())
        if bootstrap and index <= 1:
            raise Refused("index must be specified as > 1 due to bootstrap")
        if bootstrap:
            snapshot = Snapshot(index, 1, snapshot.configuration, content)
        for _ in range(count):
            config = _config(len(self.actors) + 1, settings)
            actor = Actor(config, snapshot, bootstrap=bootstrap)
            actor.validates_changes, actor.reads_by_lease = validates, by_lease
            self.actors.append(actor)

    def _campaign(self, given: list[Argument]) -> None:
        self._actor(given).raft.campaign()

    def _compact(self, given: list[Argument]) -> None:
        actor, index = self._actor(given), int(given[1].key)
        if index <= actor.stage.start:
            raise Refused("requested index is unavailable due to compaction")
        actor.stage.compact(index)
        self._raft_log(given)

    def _deliver_msgs(self, given: list[Argument]) -> None:
        kind: Kind | None = None
        recipients: list[tuple[int, bool]] = [(int(a.key), False) for a in given if not a.values]
        for argument in given:
            for value in argument.values:
                if argument.key == "drop":
                    recipients.append((int(value), True))
                elif argument.key == "type":
                    kind = next(kind for kind, name in KINDS.items() if name == value)
        if not sum([self._deliver(member, kind, drop=drop) for member, drop in recipients]):
            self._say("no messages")

    def _process_ready(self, given: list[Argument]) -> None:
        members = self._chosen(given)
        for actor in members:
            if len(members) > 1:
                self._say(f"> {actor.config.id} handling Ready")
            self._process(actor, "  " if len(members) > 1 else "")

    def _process_append_thread(self, given: list[Argument]) -> None:
        raise Unsupported("asynchronous storage writes: our driver stores one Ready at a time")

    _process_apply_thread = _process_append_thread

    def _log_level(self, given: list[Argument]) -> None:
        level = given[0].key.upper()
        if level not in LEVELS:
            raise Refused(f"log levels must be either of [{' '.join(LEVELS)}]")
        self.quiet = level == "NONE"

    def _raft_log(self, given: list[Argument]) -> None:
        stage = self._actor(given).stage
        first, last = stage.first_index(), stage.last_index()
        if last < first:
            self._say(f"log is empty: first index={first}, last index={last}")
        for entry in stage.entries(first, last + 1):
            self._say(describe_entry(entry))

    def _raft_state(self, given: list[Argument]) -> None:
        for actor in self.actors:
            raft = actor.raft
            voter = "Voter" if raft.id in raft.members.configuration.voters else "Non-Voter"
            self._say(f"{raft.id}: {ROLES[raft.role]} ({voter}) Term:{raft.term} Lead:{raft.leader}")

    def _set_randomized_election_timeout(self, given: list[Argument]) -> None:
        self._actor(given).raft.timeout = next(int(a.values[0]) for a in given if a.key == "timeout")

    def _stabilize(self, given: list[Argument]) -> None:
        before = self.quiet
        for argument in given:
            if argument.key == "log-level":
                self._log_level([Argument(argument.values[0], [])])
        actors = self._chosen(given) or self.actors
        busy = True
        while busy:
            busy = False
            for actor in actors:
                if actor.raft.has_ready():
                    self._say(f"> {actor.config.id} handling Ready")
                    self._process(actor, "  ")
                    busy = True
            for actor in actors:
                if any(message.to == actor.config.id for message in self.messages):
                    self._say(f"> {actor.config.id} receiving messages")
                    self._deliver(actor.config.id, None, drop=False, indent="  ")
                    busy = True
        self.quiet = before

    def _status(self, given: list[Argument]) -> None:
        raft = self._actor(given).raft
        if raft.role is Role.LEADER:
            for member, progress in raft.members.progress.items():
                self._say(f"{member}: {describe_progress(progress)}")

    def _tick_election(self, given: list[Argument]) -> None:
        actor = self._actor(given)
        for _ in range(actor.config.election_ticks):
            actor.raft.tick()

    def _tick_heartbeat(self, given: list[Argument]) -> None:
        actor = self._actor(given)
        for _ in range(actor.config.heartbeat_ticks):
            actor.raft.tick()

    def _transfer_leadership(self, given: list[Argument]) -> None:
        ends = {argument.key: int(argument.values[0]) for argument in given}
        self.actors[ends["from"] - 1].raft.transfer(ends["to"])

    def _forget_leader(self, given: list[Argument]) -> None:
        # Ours has no such call; its whole effect is this.
        actor = self._actor(given)
        if actor.raft.role is Role.FOLLOWER and not actor.reads_by_lease:
            actor.raft.leader = NOBODY

    def _send_snapshot(self, given: list[Argument]) -> None:
        source, target = self._actor(given), int(given[1].key)
        message = Message(
            Kind.SNAPSHOT, to=target, sender=source.config.id, term=source.raft.term, snapshot=source.history[-1]
        )
        self.messages.append(message)
        self._say(describe_message(message))

    def _propose(self, given: list[Argument]) -> None:
        actor = self._actor(given)
        self._step(actor, _proposal(actor, Entry(0, 0, given[1].key.encode())))

    def _propose_conf_change(self, given: list[Argument], lines: list[str]) -> None:
        actor, old, transition = self._actor(given), False, "auto"
        for argument in given[1:]:
            for value in argument.values:
                if argument.key == "v1":
                    old = _true(value)
                elif argument.key == "transition":
                    transition = value
                else:
                    raise Refused(f"unknown command {argument.key}")
        changes = " ".join(lines).split()
        if old and (len(changes) > 1 or transition != "auto"):
            raise Refused("v1 conf change can only have one operation and no transition")
        if len(changes) > 1 or transition != "auto":
            raise Unsupported("joint consensus: we change one member at a time")
        entry = Entry(0, 0)  # no change is the wish to leave a joint configuration, and nobody is in one
        if changes:
            entry = Entry(0, 0, f"{1 if old else 2} {changes[0]}".encode(), EntryKind.CHANGE)
        self._step(actor, _proposal(actor, entry))

    def _report_unreachable(self, given: list[Argument]) -> None:
        self._actor(given).raft.report_unreachable(int(given[1].key))

    # What they share

    def _actor(self, given: list[Argument]) -> Actor:
        return self.actors[int(given[0].key) - 1]

    def _chosen(self, given: list[Argument]) -> list[Actor]:
        return [self.actors[int(argument.key) - 1] for argument in given if not argument.values]

    def _process(self, actor: Actor, indent: str) -> None:
        ready = actor.raft.ready()
        for line in describe_ready(ready):
            self._say(indent + line)
        actor.process(ready)
        self.messages += ready.messages

    def _deliver(self, member: int, kind: Kind | None, *, drop: bool, indent: str = "") -> int:
        chosen = [m for m in self.messages if m.to == member and (kind is None or m.kind is kind)]
        self.messages = [m for m in self.messages if not any(m is one for one in chosen)]
        for message in chosen:
            for place, line in enumerate(describe_message(message).splitlines()):
                self._say(indent + ("dropped: " if drop and not place else "") + line)
            if drop:
                continue
            actor = self.actors[member - 1]
            if message.kind in REPLIES and message.sender not in actor.raft.members.progress:
                self._say(f"{indent}raft: cannot step as peer not found")
                continue
            try:
                self._step(actor, message)
            except Refused as refused:
                self._say(f"{indent}{refused}")
        return len(chosen)

    def _step(self, actor: Actor, message: Message) -> None:
        if not actor.validates_changes:
            actor.raft.pending_change = 0
        try:
            actor.raft.step(message)
        except (NoMaster, LimitReached, Conflict) as error:
            raise Refused(DROPPED) from error


COMMANDS = frozenset(
    {
        *("add-nodes", "campaign", "compact", "deliver-msgs", "forget-leader", "log-level", "process-append-thread"),
        *("process-apply-thread", "process-ready", "propose", "raft-log", "raft-state", "report-unreachable"),
        *("send-snapshot", "set-randomized-election-timeout", "stabilize", "status", "tick-election"),
        *("tick-heartbeat", "transfer-leadership"),
    }
)


def _config(member: int, settings: dict[str, int | float | bool]) -> Config:
    base: dict[str, int | float | bool] = {
        "election_ticks": 3,
        "heartbeat_ticks": 1,
        "check_quorum": False,
        "pre_vote": False,
        "max_message_bytes": UNLIMITED,
        "max_apply_bytes": UNLIMITED,
        "max_uncommitted_bytes": UNLIMITED,
        "max_inflight_messages": UNLIMITED,
        "max_inflight_bytes": UNLIMITED,
        "forward_proposals": True,
        "own_term_before_changes": False,
        "step_down_when_removed": False,
    }
    return Config(id=member, **{**base, **settings})  # pyright: ignore[reportArgumentType] - the keys are its fields


def _true(text: str) -> bool:
    if text not in ("true", "false"):
        raise ScriptError(f"neither true nor false: {text!r}")
    return text == "true"


def _proposal(actor: Actor, entry: Entry) -> Message:
    return Message(Kind.PROPOSE, to=actor.config.id, sender=actor.config.id, entries=(entry,))


def _decode(data: bytes) -> Change | None:
    text = data.decode()[2:]
    kind = CHANGES[text[0]]
    return None if kind is None else Change(kind, int(text[1:]))
