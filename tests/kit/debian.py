"""Sources of Debian packages, fetched by apt-get into a folder; nothing of the machine's own configuration changes."""

import shutil
import subprocess
from pathlib import Path

SOURCES = Path("/etc/apt")
"""Where the machine says which archives it uses."""


def missing() -> str:
    """Return what lacks on this machine to fetch sources; empty: nothing."""
    lacking = [one for one in ("apt-get", "dpkg-source") if shutil.which(one) is None]
    return f"{' and '.join(lacking)} not found" if lacking else ""


def source(package: str, folder: Path) -> Path:
    """Return the unpacked source of a package, below a new folder. Raises OSError where the archive is out of reach."""
    parts = folder / "parts"
    for one in (parts, folder / "lists" / "partial", folder / "cache"):
        one.mkdir(parents=True)
    for path in SOURCES.glob("sources.list.d/*.sources"):
        (parts / path.name).write_text(_line_by_line(path, "Types: deb", "Types: deb-src"))
    for path in (*SOURCES.glob("sources.list"), *SOURCES.glob("sources.list.d/*.list")):
        (parts / f"{path.stem}.list").write_text(_line_by_line(path, "deb ", "deb-src "))
    options = {
        "Dir::State::lists": folder / "lists",
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": parts,
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::http::Timeout": "20",
    }
    apt_get = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    for words in (["update"], ["source", package]):
        done = subprocess.run([*apt_get, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise OSError(f"apt-get {words[0]}: {done.stderr.strip()}")
    return next(one for one in folder.iterdir() if one.is_dir() and one.name.startswith(f"{package}-"))


def _line_by_line(path: Path, begin: str, other: str) -> str:
    """Return a file in which the lines that begin so begin otherwise."""
    lines = path.read_text().splitlines()
    return "".join(f"{other}{line.removeprefix(begin)}\n" if line.startswith(begin) else f"{line}\n" for line in lines)
