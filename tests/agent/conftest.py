"""What tests of whole agents share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.towns import Town


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """Give a network in this process, without agents yet."""
    async with Town(tmp_path) as found:
        yield found
