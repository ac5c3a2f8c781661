"""Plays every transcript of a folder against core/consensus: `python -m tools.transcripts DIR`.

Prints PASS, FAIL with the first line that differs, or SKIP with the reason, for each file; exits with 1 if any fails.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.kit.transcripts import ScriptError, Unsupported, play, reason_to_skip, rewrite


def main(arguments: list[str]) -> int:
    """Play the folder; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m tools transcripts", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the scripts (*.txt) are")
    parser.add_argument("--rewrite", action="store_true", help="write what is found into the scripts; review the diff")
    options = parser.parse_args(arguments)
    folder: Path = options.folder
    scripts = sorted(folder.glob("*.txt"))
    if not scripts:
        print(f"{folder}: no *.txt; name the folder that holds the transcripts", file=sys.stderr)
        return 2
    if options.rewrite:
        for script in scripts:
            script.write_text(rewrite(script.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    failed = 0
    for script in scripts:
        try:
            difference = play(script.read_text(encoding="utf-8"))
        except Unsupported as error:
            print(f"SKIP {script.name}: {reason_to_skip(script, error)}")
            continue
        except ScriptError as error:
            failed += 1
            print(f"FAIL {script.name}: {error}")
            continue
        if difference is None:
            print(f"PASS {script.name}")
            continue
        failed += 1
        print(f"FAIL {script.name}:{difference.line}: {difference.command}")
        print(f"  expected: {difference.expected}")
        print(f"  found:    {difference.found}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
