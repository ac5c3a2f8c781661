"""Carries a plan out: runs, writes, links, removes, and stops at the first failure that matters.

It knows steps and nothing of the commands they come from. What the steps print is theirs; what it says itself goes
to standard error, one line what happened and one line what to do.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, assert_never

from .plan import Link, Refusal, Remove, Run, Say, Step, Write, describe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SETUP_FAILED = 2
"""Exit code of a command that could not get ready: nothing was tested, linted or measured."""


def perform(steps: Sequence[Step], root: Path, *, verbose: bool) -> int:
    """Carry out the steps in order, in `root`.

    Returns the exit code: 0, or that of the first step that failed (128 + n for one that died of signal n).
    Raises `Refusal` when a program of the plan is not on this machine.
    """
    failures: list[tuple[Run, int]] = []
    for step in steps:
        if verbose:
            tell(describe(step))
        if isinstance(step, Run):
            code = _run(step, root, verbose=verbose)
            if code:
                failures.append((step, code))
                if not step.keep_going:
                    break
        else:
            if isinstance(step, Remove) and not verbose:
                tell(describe(step))
            _change(step, root)
    return _conclude(failures)


def tell(text: str) -> None:
    """Write narration to standard error, each line under the name of the tool."""
    for line in text.splitlines():
        print(f"tools: {line}", file=sys.stderr, flush=True)


def _change(step: Write | Link | Remove | Say, root: Path) -> None:
    match step:
        case Write(path=path, text=text):
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        case Link(path=path, target=target):
            link = root / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(target, target_is_directory=True)
        case Remove(path=path):
            _remove(root / path)
        case Say(text=text):
            print(text, flush=True)
        case _:
            assert_never(step)


def _run(step: Run, root: Path, *, verbose: bool) -> int:
    if not verbose:
        tell(step.says)
    program = step.argv[0]
    # A path is relative to the root on every system; a bare name is searched in PATH.
    executable = str(root / program) if "/" in program or "\\" in program else program
    held_back = step.setup and not verbose
    try:
        done = subprocess.run(
            [executable, *step.argv[1:]],
            cwd=root,
            check=False,
            stdout=subprocess.PIPE if held_back else None,
            stderr=subprocess.STDOUT if held_back else None,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise Refusal(f"{program} was not found ({step.says})", step.remedy or f"install {program}") from None
    if done.returncode and held_back:
        tell("\n".join(done.stdout.splitlines()[-_LAST_WORDS:]))
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


_LAST_WORDS = 5
"""Lines shown of a setup step that failed: pip repeats itself at length, and its reason comes last."""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _conclude(failures: Sequence[tuple[Run, int]]) -> int:
    for step, code in failures:
        # A program that ran alone, with its output shown, has said what there is to say (pytest's summary comes last).
        if not (step.setup or step.keep_going or step.remedy or len(failures) > 1):
            continue
        tell(f"failed with exit code {code}: {shlex.join(step.argv)}")
        if step.remedy:
            tell(step.remedy)
    if not failures:
        return 0
    step, code = failures[0]
    return SETUP_FAILED if step.setup else code
