"""The command line as a user has it: a process for each command, with what it said and its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = [sys.executable, "-c", "from job_orchestra.console.cli.main import main; main()"]


class Result:
    """What a command came to."""

    def __init__(self, done: "subprocess.CompletedProcess[bytes]") -> None:
        self.code = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()
        assert "Traceback" not in self.err, self.err

    def json(self) -> dict[str, object]:
        found = json.loads(self.out)
        assert found["schema_version"] == 1
        return found


def orchestra(data: Path, *words: str, stdin: bytes = b"", cwd: Path | None = None, **env: str) -> Result:
    environment = {**os.environ, "ORCHESTRA_HOME": str(data), "COLUMNS": "200", **env}
    done = subprocess.run(
        [*PROGRAM, *words], input=stdin, capture_output=True, check=False, env=environment, cwd=cwd, timeout=120
    )
    return Result(done)
