"""Which orders of builds can be had at once."""

import pytest

from job_orchestra.console.feed.ordering import at_once


@pytest.mark.parametrize(
    ("order", "where", "quick"),
    [
        ("-created", {}, True),
        ("created", {"state": "failed"}, True),
        ("created", {"state": ["failed", "lost"]}, True),
        ("project,job,number", {}, True),
        ("-project,-job", {}, True),
        ("project,-job", {}, False),
        ("number", {}, False),
        ("number", {"project": "shop", "job": "test"}, True),
        ("-number", {"project": "shop", "job": "test", "state": "failed"}, True),
        ("state", {}, True),
        ("state,created", {}, True),
        ("state,number", {}, False),
        ("state,created", {"project": "shop"}, True),
        ("requester,created", {}, True),
        ("created,state", {}, False),
        ("log_bytes", {}, False),
    ],
)
def test_orders(order: str, where: dict[str, object], quick: bool) -> None:
    assert at_once("builds", order.split(","), where) is quick
