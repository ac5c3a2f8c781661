"""How fast a large file goes from one agent to another on the bulk path, and what memory that takes at both ends."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from job_orchestra.agent.bulk import Bulk

from .figures import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

SIZE = 1 << 30
"""Bytes of the file."""

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def transfer() -> Iterator[Figure]:
    """Yield megabytes per second between two processes, and how much their memory grew."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        big = Path(folder) / "big"
        with big.open("wb") as file:
            for _ in range(SIZE >> 20):
                file.write(os.urandom(1 << 20))
        keys = [_keys() for _ in range(2)]
        ours, theirs = get_context("spawn").Pipe()
        serving = get_context("spawn").Process(target=_serve, args=(theirs, str(big), keys[0], keys[1][0]))
        serving.start()
        port = ours.recv()
        rates, grown = asyncio.run(_fetch(Path(folder), keys[1], keys[0][0], port))
        ours.send("end")
        served = ours.recv()
        serving.join()
    yield Figure("1 GiB over encrypted loopback, best of 3", max(rates), "MB/s", ">= 400")
    yield Figure("slowest of 3", min(rates), "MB/s")
    yield Figure("memory grown at the fetching end", grown, "MiB", "<= 64")
    yield Figure("memory grown at the serving end", served, "MiB", "<= 64")


def _keys() -> tuple[str, str]:
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def _serve(pipe: Connection, path: str, keys: tuple[str, str], member: str) -> None:
    bulk = Bulk(*keys, host="127.0.0.1")
    bulk.offer(lambda _: Path(path))
    bulk.admit(lambda key: key == member)
    before = _peak()
    pipe.send(bulk.port)
    pipe.recv()
    pipe.send(_peak() - before)
    bulk.close()


async def _fetch(folder: Path, keys: tuple[str, str], public: str, port: int) -> tuple[list[float], float]:
    bulk = Bulk(*keys, host="127.0.0.1")
    before = _peak()
    rates: list[float] = []
    for number in range(3):
        began = time.perf_counter()
        await bulk.fetch_file([(public, (f"127.0.0.1:{port}",))], "big", folder / f"copy-{number}")
        rates.append(SIZE / 1e6 / (time.perf_counter() - began))
        (folder / f"copy-{number}").unlink()
    grown = _peak() - before
    bulk.close()
    return rates, grown


def _peak() -> float:
    """Return the most memory that this process ever had resident, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT / (1 << 20)


def _memory() -> str | None:
    """Return a directory in memory, so that the disk is not what is measured."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a fresh directory is made in it
