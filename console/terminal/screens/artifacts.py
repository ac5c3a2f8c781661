"""The files that a build kept: listed, looked at, and saved into a directory of this machine."""

from __future__ import annotations

import base64
import stat
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, cast

from textual.binding import Binding, BindingType

from ....core.api.artifacts import Artifact, ArtifactPart, Artifacts
from ....core.errors import InvalidInput
from ....core.views.builds import BuildSummary
from ...escapes import Neutraliser
from ...feed.listing import Listing, Rows
from ...feed.patterns import plain
from ...feed.words import Wish
from ...format import ago, size
from .. import commands
from ..cells import Part, Tone, clean
from ..columns import Column
from ..dialogs import Line
from ..doing import label
from ..telling import Lines
from .document import DocumentScreen
from .listed import Listed

LOOKED_AT = 256 << 10
"""Bytes of a file that are shown; the rest takes saving it."""

_PAGE = 10_000  # files of one request
_PART = 256 << 10  # bytes of one request while saving


def _changed(one: Artifact, now: datetime) -> Part:
    return ago(one.modified, now), Tone.DIM


class ArtifactsScreen(Listed):
    """The files of one build."""

    PLACE = "builds"
    INTEREST = frozenset({"standing"})
    ORDER: ClassVar[Mapping[str, bool]] = {"path": False}
    EMPTY = "It kept no files.\n\n`artifacts` in its job says what is kept:  artifacts: [dist/*, report.xml]"
    COLUMNS: ClassVar[Sequence[Column]] = (
        Column("path", "FILE", lambda one, _: (clean(one.path), Tone.STRONG), 24, 200, 0, value=lambda one: one.path),
        Column(
            "size",
            "SIZE",
            lambda one, _: (size(one.size), Tone.PLAIN),
            8,
            10,
            1,
            right=True,
            value=lambda one: one.size,
        ),
        Column("changed", "CHANGED", _changed, 8, 11, 2, value=lambda one: one.modified),
        Column("mode", "MODE", lambda one, _: (clean(one.mode), Tone.DIM), 10, 10, 3, value=lambda one: one.mode),
        Column("digest", "SHA-256", lambda one, _: (clean(one.digest), Tone.DIM), 8, 64, 4, chosen=False),
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "save", "Save", id="artifact.save"),
    ]

    def __init__(self, build: BuildSummary) -> None:
        """Show the files of `build`."""
        super().__init__()
        self._build = build

    @property
    def state_name(self) -> str:
        """See Listed."""
        return "artifacts"

    def key_of(self, row: Any) -> str:  # noqa: ANN401 - an Artifact
        """See Listed."""
        return cast("Artifact", row).path

    def source(self, wish: Wish) -> Rows:
        """See Listed."""
        values = {one.name: one.value for one in self.COLUMNS if one.value}
        order = [(values[name], down) for name, down in self.table.order.items() if name in values]

        async def fetch() -> Sequence[Artifact]:
            files: list[Artifact] = []
            page: dict[str, Any] = {"id": self._build.id, "limit": _PAGE}
            while True:
                found: Artifacts = await self.feed.call("artifacts.list", **page)
                files += found.files
                if found.next is None:
                    return files
                page |= {"attempt": found.attempt, "after": found.next}

        return Listing(fetch, self.wanted(wish), order)

    def status(self) -> list[Part]:
        """See Listed."""
        return [(f"Files that {label(self._build)} kept  ", Tone.TITLE), *super().status()]

    def on_open(self, row: Any) -> None:  # noqa: ANN401 - an Artifact
        """See Listed: show a text."""
        one = cast("Artifact", row)
        if not one.mode.startswith("-"):
            self.console.tell(f"It is no file: it leads to {one.digest}.")
            return

        async def lines() -> Lines:
            return _shown(one, await self._read(one, 0, LOOKED_AT))

        command = commands.of("artifacts", "get", self._build.id, one.path)
        self.console.show(DocumentScreen(self.PLACE, one.path, lines, command))

    async def _read(self, one: Artifact, offset: int, limit: int) -> bytes:
        part: ArtifactPart = await self.feed.call(
            "artifacts.get", id=self._build.id, path=one.path, offset=offset, limit=limit
        )
        return base64.b64decode(part.data)

    # -- saving

    def action_save(self) -> None:
        """Ask where to, and save the marked files, or the one under the cursor."""
        found: list[Artifact] = [one for one in self.table.selected if one.mode.startswith("-")]
        if found:
            what = clean(found[0].path) if len(found) == 1 else f"{len(found)} files"
            self.app.push_screen(
                Line(f"Save {what} under", str(Path.cwd()), "a directory; it is made if need be", _check),
                lambda text: self._save(found, Path(text).expanduser().absolute()) if text else None,
            )

    def _save(self, files: Sequence[Artifact], folder: Path) -> None:
        def told(length: int) -> None:
            self.console.tell(f"{len(files)} files, {size(length)}, under {folder}", "Saved")

        self.do(self._saved(files, folder), told)

    async def _saved(self, files: Sequence[Artifact], folder: Path) -> int:
        return sum([await self._saved_one(one, place_of(one.path, folder)) for one in files])

    async def _saved_one(self, one: Artifact, path: Path) -> int:
        """Write one file, which must be a new one; return its length."""
        done = 0
        begun = whole = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                begun = True
                while done < one.size and (part := await self._read(one, done, _PART)):
                    file.write(part)
                    done += len(part)
            if one.mode[3] == "x":
                path.chmod(path.stat().st_mode | stat.S_IXUSR)  # noqa: ASYNC240 - a moment
            whole = done == one.size
        except OSError as error:
            raise InvalidInput(f"cannot write {path}: {error.strerror}; choose another place") from None
        finally:
            if begun and not whole:
                path.unlink(missing_ok=True)  # noqa: ASYNC240 - half a file would be taken for a whole one
        return done

    def command(self) -> str:
        """See Place."""
        return commands.of("artifacts", "list", self._build.id)


def place_of(path: str, folder: Path) -> Path:
    """Return where a file goes under a folder. Raises InvalidInput for a name that leads out of it."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise InvalidInput(f"{clean(path)} would lie outside of {folder}; get it with: orchestra artifacts get")
    place = folder.joinpath(*parts)
    if not place.parent.resolve().is_relative_to(folder.resolve()):
        raise InvalidInput(f"{place.parent} leads out of {folder} by a link; choose another directory")
    return place


def _check(text: str) -> None:
    path = Path(text).expanduser()
    if path.exists() and not path.is_dir():
        raise InvalidInput(f"{path} is a file; name a directory")


def _shown(one: Artifact, data: bytes) -> Lines:
    """Return a file as lines: its text, or what it is where it holds none."""
    if b"\0" in data[:8192]:
        return [[(f"{size(one.size)} that are no text; s in the list saves it.", Tone.DIM)]]
    filtering = Neutraliser()
    text = plain(filtering.feed(data) + filtering.end()).decode(errors="replace")
    lines: Lines = [[(clean(line.expandtabs()), Tone.PLAIN)] for line in text.split("\n")]
    if len(data) < one.size:
        lines.append([(f"... {size(one.size - len(data))} more; s in the list saves it whole.", Tone.WARN)])
    return lines or [[("It is empty.", Tone.DIM)]]
