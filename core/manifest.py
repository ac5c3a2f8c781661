"""A directory as a value: what lies in it, with the digests of the contents. Equal directories have equal digests.

The entries, in the order of their paths, are cut into *leaves*; a *tree* lists the leaves, and its digest stands for
all of it. Where a leaf ends is decided by the paths alone, so that a changed file changes one leaf and the tree, and
two agents that hold nearly the same directory have nearly all leaves in common. Refuses to know about disks.

What comes from elsewhere is checked here as it is read: paths that lead out of the directory, kinds of files that mean
nothing elsewhere, and sizes beyond the limits do not get any further. Set-id bits and owners are not part of it at all.
"""

import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import TypeAlias
from zlib import crc32

import msgspec

from .errors import InvalidInput, PeerError

Digest: TypeAlias = bytes  # SHA-256, 32 bytes

DIGEST = sha256().digest_size
"""Bytes of a digest."""

FILES = 1_000_000
"""Entries that a tree may have."""

LEAF = 128
"""One path in so many ends a leaf. Larger: a changed file costs more; smaller: the tree is longer, at every change."""

LEAF_BYTES = 128 << 10
"""Bytes of entries at which a leaf ends in any case."""

_PATH = re.compile(rb"(?:(?!\.{1,2}(?:/|\Z))[^/\0]{1,255}/)*(?!\.{1,2}\Z)[^/\0]{1,255}", re.DOTALL)
_PATH_LIMIT = 4096
_PERMISSIONS = 0o777


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file, symbolic link, or directory that is to be there even if it is empty."""

    path: bytes  # relative, as the system has it; names are bytes
    mode: int  # its kind and permissions, as in stat.st_mode
    size: int = 0  # bytes of content
    digest: bytes = b""  # SHA-256 of a file's content; where a link leads to
    mtime: int = 0  # when a file was last changed, nanoseconds since the epoch

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)


class Tree(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A whole directory."""

    leaves: bytes  # digests of the leaves, one behind the other
    entries: int  # how many there are in all
    size: int  # bytes of all files

    def digests(self) -> list[Digest]:
        """Return the digests of the leaves."""
        return [self.leaves[at : at + DIGEST] for at in range(0, len(self.leaves), DIGEST)]


class Written(msgspec.Struct, frozen=True):
    """A directory as contents."""

    root: Digest  # digest of the tree, which stands for all
    contents: tuple[bytes, ...]  # the tree and its leaves, encoded


def file_mode(mode: int) -> int:
    """Return what a tree keeps of a file's mode: that it is a file, and who may do what with it; readable anyway."""
    return stat.S_IFREG | (mode & _PERMISSIONS) | stat.S_IRUSR


def write(entries: Sequence[Entry]) -> Written:
    """Return the contents that a directory with these entries (each path once, in any order) consists of.

    Raises InvalidInput where there are too many.
    """
    if len(entries) > FILES:
        message = f"{len(entries)} files are more than the {FILES} that can travel; name a smaller directory with -C"
        raise InvalidInput(message)
    leaves = [_encode(leaf) for leaf in _leaves(sorted(entries, key=lambda one: one.path))]
    listed = b"".join(sha256(leaf).digest() for leaf in leaves)
    tree = _encode(Tree(listed, len(entries), sum(one.size for one in entries)))
    return Written(sha256(tree).digest(), (tree, *leaves))


def _leaves(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut entries into leaves. Their ends depend on the paths, and on nothing before them but the leaf they are in."""
    leaf: list[Entry] = []
    size = 0
    for one in entries:
        leaf.append(one)
        size += len(one.path) + DIGEST
        if crc32(one.path) % LEAF == 0 or size > LEAF_BYTES:
            yield leaf
            leaf, size = [], 0
    if leaf:
        yield leaf


def read_tree(data: bytes) -> Tree:
    """Return the tree that is encoded in `data`. Raises PeerError where it is none."""
    try:
        tree = _tree.decode(data)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise PeerError(f"what should list a directory does not: {problem}") from None
    if len(tree.leaves) % DIGEST or not 0 <= tree.entries <= FILES or tree.size < 0:
        raise PeerError("what should list a directory does not: its numbers cannot be right")
    return tree


def read_leaf(data: bytes) -> list[Entry]:
    """Return the entries that are encoded in `data`. Raises PeerError where one may not be in a tree."""
    try:
        entries = _leaf.decode(data)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise PeerError(f"what should be part of a directory's list is not: {problem}") from None
    for one in entries:
        _check(one)
    return entries


def read_all(tree: Tree, leaves: Iterable[bytes]) -> list[Entry]:
    """Return all entries of a tree, in order. Raises PeerError where they do not make a directory."""
    entries = [one for leaf in leaves for one in read_leaf(leaf)]
    if len(entries) != tree.entries or sum(one.size for one in entries) != tree.size:
        raise PeerError("a directory's list does not hold what its head says")
    last = b""
    for one in entries:
        if one.path <= last:
            raise PeerError(f"a directory's list is not in order at {shown(one.path)}")
        last = one.path
    folders = {above for one in entries for above in _above(one.path)}
    for one in entries:
        if one.path in folders and not stat.S_ISDIR(one.mode):
            raise PeerError(f"a directory's list has {shown(one.path)} as a file and as a directory")
    return entries


def _above(path: bytes) -> Iterator[bytes]:
    """Yield the directories that a path lies in."""
    end = path.rfind(b"/")
    while end > 0:
        yield path[:end]
        end = path.rfind(b"/", 0, end)


def _check(one: Entry) -> None:
    kind = stat.S_IFMT(one.mode)
    if len(one.path) > _PATH_LIMIT or _PATH.fullmatch(one.path) is None:
        raise PeerError(f"a directory's list names {shown(one.path)}, which may lead out of it")
    if kind == stat.S_IFREG:
        wrong = len(one.digest) != DIGEST or one.size < 0
    elif kind == stat.S_IFLNK:
        wrong = not 0 < len(one.digest) < _PATH_LIMIT or b"\0" in one.digest or one.size != 0
    else:
        wrong = kind != stat.S_IFDIR or one.size != 0
    if wrong or (one.mode & ~(stat.S_IFMT(one.mode) | _PERMISSIONS)) or not 0 <= one.mtime < 1 << 63:
        raise PeerError(f"a directory's list has {shown(one.path)} as something that does not travel")


def shown(path: bytes) -> str:
    r"""Return a path as text, whatever bytes it is made of: those that are no UTF-8 as `\xNN`."""
    return path.decode("utf-8", "backslashreplace")


_encode = msgspec.msgpack.Encoder().encode
_tree = msgspec.msgpack.Decoder(Tree)
_leaf = msgspec.msgpack.Decoder(list[Entry])
