"""Staying with a build until it ends, as if its command ran here: its output, Ctrl-C, and its exit code."""

import contextlib
import sys

from ...core.errors import Exit, OrchestraError
from ...core.model import BuildState, StepState
from ...core.views.builds import BuildView
from .following import copy_log, tell_end
from .output import say
from .session import Client

SIGNALLED = 128
"""A shell's exit code for a command that a signal ended is this plus the signal's number; `run` does the same."""


def follow(net: Client, build: str) -> BuildView:
    """Copy a build's log until it has ended; on Ctrl-C abort the build, and see it end."""
    try:
        copy_log(net, build)
        return net.call("builds.wait", id=build).build
    except KeyboardInterrupt:
        say("Interrupted: aborting the build (Ctrl-C again leaves it to itself).")
        with contextlib.suppress(OrchestraError):
            net.call("builds.abort", id=build)
        ended: BuildView = net.call("builds.wait", id=build).build
        tell_end(ended)
        sys.exit(int(Exit.INTERRUPTED))


def code_of_command(build: BuildView) -> int:
    """Return the exit code of the command that a build ran, as a shell would."""
    if build.state is BuildState.SUCCEEDED:
        return int(Exit.OK)
    if build.state is BuildState.FAILED:
        bad = next((one for one in build.steps if one.state in {StepState.FAILED, StepState.TIMEOUT}), None)
        if bad is None or bad.state is StepState.TIMEOUT:
            return int(Exit.TIMEOUT)  # without a bad step, its time was over before the first one ran
        if bad.signal is not None:
            return SIGNALLED + bad.signal
        return bad.exit_code or int(Exit.FAILED)
    return int(Exit.INTERRUPTED if build.state in {BuildState.ABORTED, BuildState.CANCELLED} else Exit.INTERNAL)
