"""Git repositories for tests, made by git itself with nothing of this machine's configuration."""

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "a"), ("EMAIL", "a@b"))
    },
}


def git(folder: Path, *words: str, **environment: str) -> str:
    """Run git in a folder; return what it says."""
    env = {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")}, **ENVIRONMENT}
    command = ["git", "-c", "protocol.file.allow=always", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**env, **environment})
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


def repository(folder: Path, files: dict[str, str], branch: str = "main") -> Path:
    """Make a repository with a commit of these files."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", f"--initial-branch={branch}")
    commit(folder, files)
    return folder


def commit(folder: Path, files: dict[str, str], message: str = "a change") -> str:
    """Commit these files on top of what there is; return the revision."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")
