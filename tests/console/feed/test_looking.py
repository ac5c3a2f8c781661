"""A feed through which one only looks."""

import pytest

from job_orchestra.console.feed.looking import LookingFeed
from job_orchestra.core.api.method import Permission
from job_orchestra.core.api.table import METHODS
from job_orchestra.core.errors import NotAllowed
from tests.kit.consoles import story


async def test_it_answers_what_only_looks() -> None:
    feed = story()
    looking = LookingFeed(feed)
    assert (await looking.call("builds.list")).builds
    assert looking.standing == feed.standing
    assert looking.remembered("builds.list") == feed.remembered("builds.list")


@pytest.mark.parametrize("method", [name for name, one in METHODS.items() if one.permission is not Permission.READ])
async def test_it_refuses_all_else(method: str) -> None:
    feed = story()
    looking = LookingFeed(feed)
    assert method not in looking.methods
    with pytest.raises(NotAllowed, match="start without --readonly"):
        await looking.call(method)
    assert feed.asked == []
