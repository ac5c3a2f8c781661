"""The console in a browser: pages and WebSockets through textual-serve, below a path that is a secret.

Each browser that opens the address gets a process of its own, which is this program again with a driver that draws to
the socket; it ends with the connection. The first part of every path is the token; without it everything is refused.
Whoever has the address does what the user may who runs this. Refuses to know what the console shows.
"""

import asyncio
import hmac
import socket as sockets
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import jinja2
from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.server import Server

from ...core import addresses
from ...core.errors import InvalidInput

SITTINGS = 8
"""Browsers that may be served at a time; each costs a process of some 60 MB."""

FRAME_LIMIT = 1 << 20
"""Bytes of one message of a browser: room for a large paste."""

END_S = 3.0
"""Seconds for a console to end when its browser is gone, before it is killed."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the address is the secret
    "X-Content-Type-Options": "nosniff",
}
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data:; connect-src 'self' ws://{host}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Sitting(AppService):
    """One browser's console: a process, started without a shell."""

    words: Sequence[str] = ()  # the program and its arguments

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        environment = self._build_environment(width=width, height=height)
        process = await asyncio.create_subprocess_exec(
            *self.words, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, start_new_session=True
        )
        self._process, self._stdin = process, process.stdin
        return process

    async def end(self) -> None:
        """End the process, whatever it is doing."""
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(END_S):
                await self.stop()
        if self._process is not None:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
            await self._process.wait()


class WebConsole(Server):
    """The server."""

    def __init__(self, words: Sequence[str], token: str) -> None:
        """Run `words` for each browser that knows `token`."""
        super().__init__("orchestra console", title="Job Orchestra")
        self._words = words
        self._token = token
        self._pages = jinja2.Environment(loader=jinja2.FileSystemLoader(self.templates_path), autoescape=True)
        self._sittings = 0

    def application(self) -> web.Application:
        """Return what answers."""
        inner = web.Application()
        inner.add_routes(
            [
                web.get("/", self.handle_index),
                web.get("/ws", self.handle_websocket),
                web.get("/download/{key}", self.handle_download),
                web.static("/static", self.statics_path),
            ]
        )
        outer = web.Application(middlewares=[self._guard()])
        outer.add_subapp(f"/{self._token}", inner)
        return outer

    def _guard(self) -> Any:  # noqa: ANN401 - aiohttp has a type of its own for it
        @web.middleware
        async def guard(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            given = request.path.split("/")[1] if request.path.startswith("/") else ""
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                return _refused("Open the whole address that `orchestra console --web` printed.")
            origin = request.headers.get("Origin")
            if origin not in {None, f"http://{request.host}", f"https://{request.host}"}:
                return _refused("Another page may not open the console.")
            return await handler(request)

        return guard

    async def handle_index(self, request: web.Request) -> web.Response:
        """Answer with the page."""
        base = f"{request.host}/{self._token}"
        page = {
            "font_size": 15,
            "app_websocket_url": f"{'wss' if request.secure else 'ws'}://{base}/ws",
            "config": {"static": {"url": f"/{self._token}/static/"}},
            "application": {"name": self.title},
        }
        text = self._pages.get_template("app_index.html").render(page)
        policy = {"Content-Security-Policy": _POLICY.format(host=request.host)}
        return web.Response(text=text, content_type="text/html", headers={**_HEADERS, **policy})

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one browser until it or its console ends."""
        if self._sittings >= SITTINGS:
            raise web.HTTPServiceUnavailable(text=f"{SITTINGS} browsers are served already; close one first")
        socket = web.WebSocketResponse(heartbeat=15, max_msg_size=FRAME_LIMIT)
        self._sittings += 1
        sitting = Sitting(
            self.command,
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=socket.close,  # pyright: ignore[reportArgumentType] - it says whether it was open
            download_manager=self.download_manager,
        )
        sitting.words = self._words
        try:
            await socket.prepare(request)
            await sitting.start(_cells(request, "width", 80), _cells(request, "height", 24))
            await self._process_messages(socket, sitting)
        finally:
            self._sittings -= 1
            await sitting.end()
        return socket

    async def _process_messages(self, websocket: web.WebSocketResponse, app_service: AppService) -> None:
        """Pass on what the browser sends; what is no message of it ends the connection."""
        async for message in websocket:
            if message.type != WSMsgType.TEXT:
                continue
            match _decoded(message):
                case ["stdin", str(text)]:
                    await app_service.send_bytes(text.encode("utf-8", "replace"))
                case ["resize", {"width": int(width), "height": int(height)}]:
                    await app_service.set_terminal_size(min(max(width, 1), 1000), min(max(height, 1), 1000))
                case ["ping", data]:
                    await websocket.send_json(["pong", data])
                case ["blur", *_]:
                    await app_service.blur()
                case ["focus", *_]:
                    await app_service.focus()
                case _:
                    await websocket.close(code=1008, message=b"no message of the console's page")


def _refused(why: str) -> web.Response:
    return web.Response(status=403, text=f"{why}\n", headers=_HEADERS)


def _decoded(message: Any) -> Any:  # noqa: ANN401 - of aiohttp, and any JSON
    try:
        return message.json()
    except (ValueError, RecursionError):
        return None


def _cells(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return min(max(int(text), 1), 1000) if text.isascii() and text.isdecimal() and len(text) < 6 else default  # noqa: PLR2004


def listen(text: str) -> sockets.socket:
    """Return a socket that listens at `HOST:PORT`; port 0 picks one. Raises InvalidInput."""
    host, port = (text.rpartition(":")[0], 0) if text.endswith(":0") else addresses.split(text)
    try:
        family = sockets.AF_INET6 if ":" in host.strip("[]") else sockets.AF_INET
        return sockets.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        raise InvalidInput(f"cannot listen at {text}: {error.strerror or error}; name another with --listen") from None


async def serve(words: Sequence[str], token: str, socket: sockets.socket, tell: Callable[[str], None]) -> None:
    """Serve until cancelled; `tell` is told the address as soon as it can be opened."""
    runner = web.AppRunner(WebConsole(words, token).application(), access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, socket, shutdown_timeout=END_S).start()
        host, port = socket.getsockname()[:2]
        tell(f"http://{addresses.join(host, port)}/{token}/")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
