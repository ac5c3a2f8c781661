"""The console in a browser: a real client, a real agent, and who is let in."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import click
import psutil
import pytest

from job_orchestra.console.cli import browser
from job_orchestra.console.cli.console import console
from job_orchestra.core.errors import InvalidInput
from tests.kit.agents import AgentProcess
from tests.kit.commands import PROGRAM
from tests.kit.waiting import until

ESCAPES = re.compile(rb"\x1b\[[0-9;?:]*[a-zA-Z]")


class Served:
    """A server of consoles: its process and the address that it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.address = process.stdout.readline().strip()
        parts = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/([\w-]{43})/", self.address)
        assert parts is not None, self.address
        self.origin, self.token = parts.groups()

    @property
    def consoles(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


@pytest.fixture(scope="module")
def served(running_agent: AgentProcess) -> Iterator[Served]:
    command = [*PROGRAM, "console", "--web", "--readonly", "--data", str(running_agent.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield Served(process)
        finally:
            process.terminate()


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


async def shown(socket: aiohttp.ClientWebSocketResponse, *texts: str) -> None:
    """Read on until all these were drawn."""
    drawn = b""
    async with asyncio.timeout(60):
        while not all(one.encode() in ESCAPES.sub(b"", drawn) for one in texts):
            drawn += await socket.receive_bytes()


async def test_the_page_leads_to_a_console_that_hears_keys(served: Served) -> None:
    async with session() as client:
        async with client.get(served.address) as page:
            text = await page.text()
            assert page.status == 200
            assert page.headers["Referrer-Policy"] == "no-referrer"
            assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        address = re.search(r'data-session-websocket-url="([^"]+)"', text)
        script = re.search(r'src="([^"]+textual\.js)"', text)
        assert address is not None
        assert script is not None
        async with client.get(served.origin + script[1]) as found:
            assert found.status == 200
        async with client.ws_connect(f"{address[1]}?width=100&height=30") as socket:
            await shown(socket, "live", "READ-ONLY", "box")
            await socket.send_json(["stdin", "?"])
            await shown(socket, "What the keys do here")
            await socket.send_json(["resize", {"width": 200, "height": 60}])
            await socket.send_json(["ping", 7])
            assert len(served.consoles) == 1
    await until(lambda: not served.consoles, "its console has ended with the connection")


@pytest.mark.parametrize(
    "path", ["/", "/ws", "/static/js/textual.js", "/x/", "/{wrong}/", "/{wrong}/ws", "//ws", "/%00/"]
)
async def test_without_the_token_nothing_is_served(served: Served, path: str) -> None:
    wrong = ("B" if served.token[0] == "A" else "A") + served.token[1:]
    async with session() as client, client.get(served.origin + path.format(wrong=wrong)) as found:
        assert found.status == 403
        assert served.token not in await found.text()
    async with session() as client:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await client.ws_connect(served.origin + path.format(wrong=wrong))
    assert served.consoles == []


async def test_other_pages_cannot_open_it(served: Served) -> None:
    async with session() as client:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await client.ws_connect(f"{served.address}ws", headers={"Origin": "http://evil.example"})
    assert served.consoles == []


@pytest.mark.parametrize("text", ["no JSON", '["stdin", 7]', "[" * 5000])
async def test_what_no_page_says_ends_the_connection(served: Served, text: str) -> None:
    async with session() as client, client.ws_connect(f"{served.address}ws") as socket:
        await socket.send_str(text)
        async with asyncio.timeout(60):
            while (await socket.receive()).type is aiohttp.WSMsgType.BINARY:
                pass
        assert socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION
    await until(lambda: not served.consoles, "its console has ended")


def test_it_listens_on_loopback_only(served: Served) -> None:
    at = {
        one.laddr.ip for one in psutil.Process(served.process.pid).net_connections() if one.status == psutil.CONN_LISTEN
    }
    assert at == {"127.0.0.1"}


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r"pip install 'job-orchestra\[web\]'"):
        browser.serve(click.Context(console, info_name="console"), None)


def test_the_console_of_a_browser_has_the_same_options() -> None:
    words = ["--web", "--readonly", "--data", "/a b", "--listen", "127.0.0.1:9"]
    context = console.make_context("console", words)
    assert browser.again(context)[3:] == ["console", "--data", "/a b", "--readonly"]
