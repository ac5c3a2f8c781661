"""Reads the command line of `python3 -m tools`, and prints the plan or has it carried out."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .commands import COMMANDS, Request, plan
from .environment import Environment
from .perform import perform, tell
from .plan import Refusal, simulate

ROOT = Path(__file__).resolve().parent.parent
"""The project that these tools belong to, whatever the current directory is."""

INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit code.

    0 done; what the failed step returned; 2 for usage or something that this machine lacks; 130 interrupted.
    """
    options = _parse(arguments)
    environment = Environment(Path(os.path.relpath(options.venv, ROOT)) if options.venv else Path(".venv"))
    try:
        steps = plan(options.command, Request(ROOT, environment, tuple(options.arguments)))
        if options.simulate:
            print(f"# in {ROOT}; nothing is changed")
            print(simulate(steps))
            return 0
        return perform(steps, ROOT, verbose=options.verbose)
    except Refusal as refusal:
        tell(f"{refusal.what}\n{refusal.remedy}")
        return 2
    except OSError as error:
        tell(f"{error.strerror or error}: {error.filename or ROOT}\nmake the place writable, or give it room")
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED


def _parse(arguments: list[str]) -> argparse.Namespace:
    width = max(map(len, COMMANDS))
    listing = "\n".join(
        f"  {name:<{width}}  {command.summary}{f'  {command.usage}' if command.usage else ''}"
        for name, command in COMMANDS.items()
    )
    parser = argparse.ArgumentParser(
        prog="python3 -m tools",
        description="Develop Job Orchestra. Needs Python 3.11 and nothing else; makes its own environment.",
        epilog=f"commands:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--simulate", action="store_true", help="print exactly what would be done, and do nothing")
    parser.add_argument("--verbose", action="store_true", help="show every step, and all that the installer says")
    parser.add_argument("--venv", metavar="DIR", help="the environment to use (default: .venv in the project)")
    parser.add_argument("command", choices=COMMANDS, metavar="command", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to what the command runs")
    options = parser.parse_args(arguments)
    # Whoever writes it last means it just as well, and must not find the thing done.
    if "--simulate" in options.arguments:
        options.arguments.remove("--simulate")
        options.simulate = True
    return options
