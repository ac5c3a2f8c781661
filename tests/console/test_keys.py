"""What is piped in on its way to a build, without an agent."""

from typing import Any, cast

import pytest

from job_orchestra.agent.client.awaiting import AsyncClient
from job_orchestra.console.cli import keys, terminal
from job_orchestra.console.cli.inputs import Keys
from job_orchestra.core.api.builds import InputTaken
from job_orchestra.core.errors import LimitReached


class Late:
    """An agent's end, where a build's input has ended without us."""

    def __init__(self) -> None:
        self.given: list[str] = []

    async def call(self, method: str, build: str, **params: Any) -> InputTaken:  # noqa: ANN401 - as in BuildsInput
        assert (method, build, params["bound"]) == ("builds.input", "b", True)
        self.given.append(params["data"])
        if params["data"]:
            raise LimitReached("its input ended behind byte 0")
        return InputTaken(0)


async def test_who_comes_too_late_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    piped = [b"late", b""]

    async def readable() -> None: ...

    monkeypatch.setattr(terminal, "readable", readable)
    monkeypatch.setattr(terminal, "read", lambda _: piped.pop(0))
    net = Late()
    typing = keys.Typing(cast("AsyncClient", net), "b", Keys.PIPE, lambda _: None)
    await typing.wanted()
    await typing.pass_on()
    assert net.given == ["", "bGF0ZQ=="]
    assert capsys.readouterr().err == "What is piped in does not arrive any more: its input ended behind byte 0\n"
