"""Checks a built wheel: `python -m tools.wheel FOLDER` looks into the one wheel that is in the folder.

It must hold the package, its metadata and nothing else, and every module of the tree exactly as it is in the tree.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path, PurePosixPath

from .packages import PACKAGE, modules


def problems(wheel: Path, root: Path) -> list[str]:
    """Return what is wrong with the wheel, a sentence each; empty if it is as it must be."""
    with zipfile.ZipFile(wheel) as archive:
        names = [PurePosixPath(name) for name in archive.namelist() if not name.endswith("/")]
        packed = {name: archive.read(str(name)) for name in names if name.parts[0] == PACKAGE}
    found = [
        f"{name} does not belong in the wheel" for name in names if name.parts[0] != PACKAGE and not _is_metadata(name)
    ]
    expected = {PurePosixPath(PACKAGE, *module.parts): root / module for module in modules(root)}
    for name, source in expected.items():
        if name not in packed:
            found.append(f"{name} is missing from the wheel: is its package listed in setup.cfg?")
        elif packed[name] != source.read_bytes():
            found.append(f"{name} differs from the tree: remove build/ and build again")
    found += [
        f"{name} is in the wheel but not in the tree: remove build/ and build again"
        for name in packed
        if name.suffix == ".py" and name not in expected
    ]
    return found


def _is_metadata(name: PurePosixPath) -> bool:
    return name.parts[0].startswith(f"{PACKAGE}-") and name.parts[0].endswith(".dist-info")


def main(arguments: list[str]) -> int:
    """Check the wheel of a folder; returns 1 if it is not as it must be, 2 if there is not exactly one."""
    wheels = [wheel for argument in arguments for wheel in Path(argument).glob("*.whl")]
    if len(wheels) != 1:
        print(f"expected one wheel in {' '.join(arguments) or 'a folder'}, found {len(wheels)}", file=sys.stderr)
        return 2
    found = problems(wheels[0], Path(__file__).resolve().parent.parent)
    print("\n".join(found) or f"{wheels[0].name} holds the package and nothing else.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
