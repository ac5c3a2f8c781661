"""Taking something out of a log: a line, a selection or all of it to the clipboard; the whole to a file."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from ...core.errors import InvalidInput
from ...core.views.builds import BuildSummary
from ..escapes import Neutraliser
from ..feed.loglines import Kind, Row
from ..feed.patterns import plain
from ..format import size
from .cells import clean
from .dialogs import Line
from .logfinding import LogFinding

MOST = 1 << 20
"""Bytes that are put into a clipboard: terminals refuse more, or take very long."""

_PART = 1 << 20  # bytes of one request while saving


class LogTaking(LogFinding):
    """A screen with a log from which one can take something."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("V", "select", "Select lines", show=False, id="log.select"),
        Binding("Y", "copy_lines", "Copy line or selection", show=False, id="log.copy"),
        Binding("A", "copy_all", "Copy the whole log", show=False, id="log.copy_all"),
        Binding("s", "save", "Save", id="log.save"),
    ]

    def the_build(self) -> BuildSummary | None:
        """Return the build whose log it is; None where that is not known yet."""
        raise NotImplementedError

    def action_select(self) -> None:
        """Begin to select lines; or no longer."""
        view = self.log_view
        view.selecting = None if view.selecting is not None else view.cursor
        view.follow = False
        view.refresh()
        if view.selecting is not None:
            self.console.tell("Move to select, Y copies, esc leaves it.")

    def action_copy_lines(self) -> None:
        """Copy the selected lines, or the one under the cursor."""
        view = self.log_view
        if view.cursor is None or view.source is None:
            return
        low, high = sorted((view.selecting or view.cursor, view.cursor))
        texts: list[str] = []
        row: object = low
        length = 0
        while isinstance(row, Row) and not high < row and length < MOST:
            if row.kind is Kind.TEXT:
                texts.append(view.plain_text(row))
                length += len(texts[-1]) + 1
            row = view.source.after(row)
        view.selecting = None
        view.refresh()
        if length >= MOST:
            self.console.tell(f"That is more than {size(MOST)}; the first part was copied. s saves the whole log.")
        self.console.copy("\n".join(texts))

    def action_copy_all(self) -> None:
        """Copy the whole log, without colours, and harmless wherever it is put in."""
        log = self.log_view.bytes
        if log is None:
            return
        if log.size > MOST:
            self.console.tell(f"The log has {size(log.size)}, too much for a clipboard. s saves it to a file.")
            return
        self.do(self._read_all(), self.console.copy)

    async def _read_all(self) -> str:
        log = self.log_view.bytes
        data = b""
        while log is not None and len(data) < log.size and (part := await log.read(len(data), _PART)):
            data += part
        filtering = Neutraliser()
        return plain(filtering.feed(data) + filtering.end()).decode(errors="replace")

    def action_save(self) -> None:
        """Ask where to, and save the whole log."""
        build = self.the_build()
        if build is None:
            return
        name = f"{build.project}-{build.job}-{build.number}.log".replace("/", "-").replace("\0", "")
        self.app.push_screen(
            Line("Save the whole log to", str(Path.cwd() / clean(name)[-120:]), "path of a new file", _check),
            lambda text: self._save(Path(text).expanduser().absolute()) if text else None,
        )

    def _save(self, path: Path) -> None:
        self.do(self._saved(path), lambda length: self.console.tell(f"{size(length)} in {path}", "Saved"))

    async def _saved(self, path: Path) -> int:
        """Write the log, as far as it goes now, to a new file; return its length."""
        log = self.log_view.bytes
        if log is None:
            return 0
        done = 0
        begun = whole = False
        try:
            with path.open("xb") as file:
                begun = True
                while part := await log.read(done, _PART):
                    file.write(part)
                    done += len(part)
                    self._progress = f"saved {size(done)} of {size(max(done, log.size))}"
                    self.say_status()
            whole = True
        except OSError as error:
            raise InvalidInput(f"cannot write {path}: {error.strerror}; choose another place") from None
        finally:
            if begun and not whole:
                path.unlink(missing_ok=True)  # noqa: ASYNC240 - half a log would be taken for a whole one
            self._progress = ""
            self.say_status()
        return done


def _check(text: str) -> None:
    path = Path(text).expanduser()
    if path.exists():
        raise InvalidInput(f"{path} exists; name a new file")
    if not path.parent.is_dir():
        raise InvalidInput(f"there is no directory {path.parent}; name one that exists")
