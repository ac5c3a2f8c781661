"""Directories that travel with a submission: packed by the client, content-addressed, unpacked into the workspace.

As a program (`python -m job_orchestra.agent.sources ARCHIVE DIRECTORY`) it unpacks: the executor runs it as the first
thing of an attempt, so that it is killed, logged and timed like a step.
"""

import io
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath

from ..core.errors import InvalidInput, NotFound


def path_of(folder: Path, digest: str) -> Path:
    """Return where the packed directory with this SHA-256 (hex) lies in `folder`."""
    if len(digest) != sha256().digest_size * 2 or not set(digest) <= set("0123456789abcdef"):
        message = f"{digest[:80]!r} is not a SHA-256 in hex; pack a directory first (orchestra run does)"
        raise InvalidInput(message)
    return folder / f"{digest}.tar"


def pack(directory: Path, folder: Path) -> str:
    """Pack `directory` into `folder` and return the SHA-256 (hex) of the archive; the same content gives the same one.

    Of a git work tree: tracked files and untracked ones that are not ignored. Of any other directory: everything.
    Raises InvalidInput where `directory` is none.
    """
    if not directory.is_dir():
        message = f"{directory} is not a directory; name the one to ship with --directory"
        raise InvalidInput(message)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = folder / f".partial-{os.getpid()}"
    hashed = _HashedFile(partial)
    try:
        with tarfile.open(fileobj=hashed, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[arg-type] - only write() is used
            for relative in sorted(_content(directory)):
                _add(archive, directory, relative)
        hashed.close()
        digest = hashed.digest()
        partial.replace(path_of(folder, digest))
    finally:
        hashed.close()
        partial.unlink(missing_ok=True)
    return digest


def unpack(archive: Path, directory: Path) -> None:
    """Unpack into an existing directory; names that lead out of it are refused. Raises NotFound for a lost archive."""
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(directory, filter="data")
    except FileNotFoundError:
        message = f"the shipped directory {archive.stem[:12]} is no longer kept here; submit it again"
        raise NotFound(message) from None


class _HashedFile(io.RawIOBase):
    """A file being written whose SHA-256 is known at the end."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
        self._hash = sha256()

    def write(self, data: bytes) -> int:  # type: ignore[override] - tarfile hands over bytes
        self._hash.update(data)
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()

    def digest(self) -> str:
        return self._hash.hexdigest()


def _content(directory: Path) -> Iterator[str]:
    """Yield the relative names of what is to travel."""
    listing = _git_listing(directory)
    if listing is not None:
        yield from listing
        return
    for root, folders, files in os.walk(directory):
        relative = os.path.relpath(root, directory)
        for name in [*files, *folders]:
            yield name if relative == "." else f"{relative}/{name}"


def _git_listing(directory: Path) -> list[str] | None:
    """Return what git would take from a work tree, or None where there is no git or no work tree."""
    command = [
        "git",
        "-C",
        str(directory),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--deduplicate",
    ]
    try:
        found = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - git, and words of our own
    except FileNotFoundError:
        return None
    if found.returncode:
        return None
    names = [os.fsdecode(name) for name in found.stdout.split(b"\0") if name]
    return [name for name in names if os.path.lexists(directory / name)]


def _add(archive: tarfile.TarFile, directory: Path, relative: str) -> None:
    path = directory / relative
    found = path.lstat()
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode) or stat.S_ISLNK(found.st_mode)):
        return  # sockets, pipes and devices mean nothing elsewhere
    info = archive.gettarinfo(path, arcname=str(PurePosixPath(relative)))
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    if info.islnk():
        info.type = tarfile.REGTYPE  # a hard link may point to what does not travel
        info.size = found.st_size
    if info.isreg():
        with path.open("rb") as content:
            archive.addfile(info, content)
    else:
        archive.addfile(info)


def main(arguments: list[str]) -> int:
    """Unpack, as told on the command line: ARCHIVE DIRECTORY."""
    archive, directory = arguments
    try:
        unpack(Path(archive), Path(directory))
    except (NotFound, OSError, tarfile.TarError) as error:
        sys.stdout.write(f"cannot prepare the workspace: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
