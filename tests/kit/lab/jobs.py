"""What the load's builds do: bear witness that they ran, wait a little, and write a log that is known beforehand.

The script and its payloads lie outside of the agents' directories, so that nothing an agent loses is lost for the
judge. A witness is one line, appended at once: `BUILD.ATTEMPT` in a file named after the agent that ran it.
"""

import random
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from .events import Witness

PAYLOADS = 12
"""Different payloads: an empty one, text, bytes of all values, and one that is longer than a message."""

_SCRIPT = """\
set -e  # a line that a full disk does not take is no line that was written
echo "$ORCHESTRA_BUILD_ID.$ORCHESTRA_ATTEMPT" >> "{folder}/witness/$ORCHESTRA_AGENT"
echo "submission $1 begins"
cat "{folder}/payload/$2"
echo "submission $1 complains" >&2
sleep "$3"
cat "{folder}/payload/$2"
echo "submission $1 ends"
"""


def payload(number: int) -> bytes:
    """Return a payload; the same on every machine."""
    if number == 0:
        return b""
    if number == 1:
        return b"".join(b"%d: a line of text, gr\xc3\xbc\xc3\x9fe\n" % line for line in range(40))
    size = 700_000 if number == PAYLOADS - 1 else 37 * number
    return random.Random(number).randbytes(size)


def expected(number: int, of: int) -> bytes:
    """Return the whole log of submission `number` with payload `of`."""
    body = payload(of)
    return b"submission %d begins\n%bsubmission %d complains\n%bsubmission %d ends\n" % (
        *(number, body),
        *(number, body),
        number,
    )


def expected_digest(number: int, of: int) -> str:
    """Return the SHA-256 (hex) of `expected`."""
    return sha256(expected(number, of)).hexdigest()


class Workshop:
    """The folder in which script, payloads and witnesses lie."""

    def __init__(self, folder: Path) -> None:
        """Speak of `folder`, which must be outside of the agents' directories."""
        self.folder = folder
        self.witnesses = folder / "witness"

    def prepare(self) -> None:
        """Write the script and the payloads."""
        (self.folder / "payload").mkdir(parents=True)
        self.witnesses.mkdir()
        for number in range(PAYLOADS):
            (self.folder / "payload" / str(number)).write_bytes(payload(number))
        self._script.write_text(_SCRIPT.format(folder=self.folder))

    @property
    def _script(self) -> Path:
        return self.folder / "build.sh"

    def command(self, number: int, of: int, seconds: float) -> list[str]:
        """Return the words of a build's command; it takes about `seconds`."""
        return ["/bin/sh", str(self._script), str(number), str(of), f"{seconds:g}"]

    def testimony(self) -> Iterator[Witness]:
        """Yield what the builds witnessed. The last line of a file may be torn by a full disk; none is skipped."""
        for file in sorted(self.witnesses.iterdir()):
            for line in file.read_text().split():
                build, _, attempt = line.partition(".")
                yield Witness(build, int(attempt), file.name)
