"""Builds whose end somebody wants to be told: kept in the session, looked for in what happens and after a silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...core.api.builds import OneBuild
from ...core.errors import NotFound, OrchestraError
from ..feed.contract import Feed
from .session import Session

LIVE = frozenset({"pending", "assigned", "running"})


class Watcher:
    """Tells the ends of builds."""

    def __init__(self, feed: Feed, session: Session, tell: Callable[[str, str], None]) -> None:
        """Tell, by (label, state), the ends of builds that the session has."""
        self._feed = feed
        self._session = session
        self._tell = tell

    @property
    def builds(self) -> list[str]:
        """The ids of builds whose end is to be told."""
        return self._session.state.watched

    def toggle(self, build: str) -> bool:
        """Watch a build, or no longer; return whether it is watched now."""
        if build in self.builds:
            self.builds.remove(build)
            return False
        self.builds.append(build)
        return True

    def on_build(self, build: Mapping[str, Any]) -> None:
        """A build changed: tell its end."""
        identity, state = str(build.get("id", "")), str(build.get("state", ""))
        if identity in self.builds and state not in LIVE:
            self.builds.remove(identity)
            self._tell(f"{build.get('project')}/{build.get('job')}#{build.get('number')}", state)

    async def catch_up(self) -> None:
        """Look at all that are watched: they may have ended while nobody told."""
        for identity in list(self.builds):
            try:
                found: OneBuild = await self._feed.call("builds.get", id=identity)
            except NotFound:
                self.builds.remove(identity)
                continue
            except OrchestraError:
                return  # when somebody answers again, this is done again
            one = found.build
            self.on_build(
                {"id": one.id, "state": one.state, "project": one.project, "job": one.job, "number": one.number}
            )
