"""A program that ends well when a service is ready: `... SECONDS tcp PORT | http ADDRESS | run WORDS`.

It tries again and again, until that succeeds or its time is over; then it says what it saw last. `$NAME` in PORT and
ADDRESS is a variable of the environment, as SERVICE_DB_PORT.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from string import Template

BETWEEN_S = 0.05
"""Seconds between two tries. Smaller: a service is found to be ready earlier, and is disturbed more."""

TRY_S = 5.0
"""Seconds for one try to connect or to be answered."""

RUN_S = 30.0
"""Seconds for one run of a command."""

_MISTAKES = 400  # from this status on an answer tells that it is not ready


def main(arguments: list[str]) -> int:
    """Try until it succeeds, or the time is over."""
    seconds, kind, *words = arguments
    over = time.monotonic() + float(seconds)
    if kind != "run":
        words = [Template(word).safe_substitute(os.environ) for word in words]
    while problem := _TRIES[kind](words):
        if time.monotonic() > over:
            sys.stdout.write(f"not ready: {problem}\n")
            return 1
        time.sleep(BETWEEN_S)
    return 0


def _tcp(words: list[str]) -> str:
    """Return why nobody answers at a port of this machine; empty: somebody does."""
    try:
        with socket.create_connection(("localhost", int(words[0])), timeout=TRY_S):
            return ""
    except (OSError, ValueError) as error:
        return f"port {words[0]}: {error}"


def _http(words: list[str]) -> str:
    """Return what is wrong with the answer of an address; empty: nothing."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, build_opener

    opener = build_opener(ProxyHandler({}))  # it is on this machine, whatever the environment says of proxies
    try:
        with opener.open(words[0], timeout=TRY_S) as answer:
            return "" if answer.status < _MISTAKES else f"{words[0]} answers {answer.status}"
    except HTTPError as error:
        return f"{words[0]} answers {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return f"{words[0]}: {error}"


def _run(words: list[str]) -> str:
    """Return how a command failed; empty: it did not."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, timeout=RUN_S, check=False)  # noqa: S603 - the job's own
    except subprocess.TimeoutExpired:
        return f"the command takes longer than {RUN_S:g} s"
    except OSError as error:
        return f"the command cannot be run: {error}"
    return f"the command ends with {done.returncode}" if done.returncode else ""


_TRIES: dict[str, Callable[[list[str]], str]] = {"tcp": _tcp, "http": _http, "run": _run}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
