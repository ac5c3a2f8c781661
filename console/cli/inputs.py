"""Where the input of a command comes from that is run here. Known before it is submitted; passing it on is for keys."""

import os
import stat
import sys
from enum import Enum

from . import terminal


class Keys(Enum):
    """Where the input of a build comes from."""

    NONE = "none"  # from nowhere
    TERMINAL = "terminal"  # somebody types
    PIPE = "pipe"  # standard input, up to its end


def source(*, wanted: bool) -> Keys:
    """Return where the input of a command that is run here comes from; not `wanted`: from nowhere."""
    if not wanted:
        return Keys.NONE
    if terminal.at_screen() and terminal.at_keys():
        return Keys.TERMINAL
    return Keys.PIPE if _piped() else Keys.NONE


def _piped() -> bool:
    """Whether standard input is a pipe or a file: no terminal that somebody else has, and not nothing."""
    if sys.stdin is None:
        return False
    try:
        mode = os.fstat(terminal.KEYS).st_mode
    except OSError:
        return False
    return not stat.S_ISCHR(mode)
