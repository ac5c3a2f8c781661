"""Letting a machine in by a code that people compare: how the code comes about, and who waits for being let in.

The code is made from both keys and a nonce of each side. Each side is bound before it knows the other's nonce (the
joining one by a commitment, the member by having sent its own), so that somebody between them, who has other keys,
cannot search for nonces that give the same code on both sides: one try in a million, and few tries (Vaudenay, "Secure
Communications over Insecure Channels Based on Short Authenticated Strings", 2005).

Refuses to know how one knocks (door), and what being let in means (membership). The clock is handed in.
"""

import hmac
import re
from collections import deque
from collections.abc import Callable
from hashlib import sha256

import msgspec

from ..core.errors import Conflict, InvalidInput, LimitReached, NotAllowed, NotFound
from ..core.model import AgentRecord

EXPIRES_S = 120.0
"""Seconds that a request waits. Longer: more time to walk to the other machine; shorter: fewer codes to hit."""

PER_MINUTE = 3
"""Requests taken in a minute, whoever asks. More: more tries at a code; fewer: patience with many new machines."""

MAX_PENDING = 8
"""Requests that wait at a time."""

_MINUTE_S = 60.0
_DIGITS = 6


class Request(msgspec.Struct, frozen=True):
    """A machine that waits for being let in."""

    code: str  # what it shows, as 482-913
    record: AgentRecord  # who it says it is; the key is proven
    address: str  # where it was seen
    expires: float  # seconds of the clock


def commitment(nonce: bytes) -> bytes:
    """Return what the joining side says before it says its nonce."""
    return sha256(nonce).digest()


def code(network: str, member: str, joiner: str, joiner_nonce: bytes, member_nonce: bytes) -> str:
    """Return the code of a conversation: network id, public keys (Z85) of member and joining side, both nonces."""
    parts = (network.encode(), member.encode(), joiner.encode(), joiner_nonce, member_nonce)
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    number = int.from_bytes(sha256(b"orchestra pairing 1" + framed).digest(), "big") % 10**_DIGITS
    text = f"{number:0{_DIGITS}}"
    return f"{text[:3]}-{text[3:]}"


class Pending:
    """The requests that wait, and how many may."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that only go forward."""
        self._clock = clock
        self._requests: dict[str, Request] = {}  # by agent id, oldest first
        self._asked: deque[float] = deque()  # when the last requests were taken

    def ask(self, record: AgentRecord, code: str, address: str) -> Request:
        """Let a machine wait; what it asked before is over. Raises LimitReached, or Conflict for a code in use."""
        waiting = self.requests()
        now = self._clock()
        while self._asked and self._asked[0] <= now - _MINUTE_S:
            self._asked.popleft()
        others = [one for one in waiting if one.record.id != record.id]
        if len(self._asked) >= PER_MINUTE or len(others) >= MAX_PENDING:
            wait = _MINUTE_S if len(self._asked) < PER_MINUTE else self._asked[0] + _MINUTE_S - now
            message = (
                f"too many machines ask to join; try again in {max(1, round(wait))} s, "
                "or use an invitation: orchestra invite on a member, orchestra join TOKEN here"
            )
            raise LimitReached(message)
        self._asked.append(now)
        if any(hmac.compare_digest(one.code, code) for one in others):
            message = "another machine happens to show the same code; run orchestra join again"
            raise Conflict(message)
        self._requests.pop(record.id, None)
        found = self._requests[record.id] = Request(code, record, address, now + EXPIRES_S)
        return found

    def requests(self) -> list[Request]:
        """Return who waits, oldest first."""
        now = self._clock()
        self._requests = {agent: one for agent, one in self._requests.items() if one.expires > now}
        return list(self._requests.values())

    def withdraw(self, request: Request) -> None:
        """Forget a request whose machine is gone."""
        if self._requests.get(request.record.id) is request:
            del self._requests[request.record.id]

    def approve(self, code: str) -> Request:
        """Return the request that shows `code`, which waits no longer.

        A wrong code ends all that wait: whoever tries codes has one attempt at each request. Raises NotAllowed for
        one, NotFound where nobody waits, InvalidInput for what is no code (which costs nothing).
        """
        wanted = normal(code)
        waiting = self.requests()
        if not waiting:
            message = (
                "nobody asks to join at the moment: a request is over after "
                f"{EXPIRES_S / _MINUTE_S:.0f} minutes, and after a wrong code; run orchestra join there again"
            )
            raise NotFound(message)
        found = [one for one in waiting if hmac.compare_digest(one.code, wanted)]
        if not found:
            self._requests.clear()
            count = "the request" if len(waiting) == 1 else f"all {len(waiting)} requests"
            message = (
                f"no machine that asks shows {wanted}; to be safe {count} to join are refused now. If the code was "
                "mistyped, run orchestra join there again; if it was not, somebody stands between the two machines"
            )
            raise NotAllowed(message)
        del self._requests[found[0].record.id]
        return found[0]


def normal(code: str) -> str:
    """Return a code as it is shown, from how people type it. Raises InvalidInput for what is none."""
    digits = re.sub(r"[\s-]", "", code)
    if len(digits) != _DIGITS or not (digits.isascii() and digits.isdecimal()):
        message = f"{code[:40]!r} is no code; it has six digits, as 482-913, and the machine that joins shows it"
        raise InvalidInput(message)
    return f"{digits[:3]}-{digits[3:]}"
