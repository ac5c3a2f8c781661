"""How a made-up network stands."""

from typing import Any

from msgspec.structs import replace

from job_orchestra.core.api.network import Identity, Status


def status(**changes: Any) -> Status:  # noqa: ANN401 - any field of Status
    """Return the status of a network of three agents that is well."""
    anna, bert, cora = (f"{name}{'0' * 12}" for name in ("anna", "bert", "cora"))
    found = Status(
        network=Identity("a" * 16, "workshop"),
        agent=Identity(anna, "anna"),
        master=Identity(anna, "anna"),
        term=3,
        voters=[anna, bert, cora],
        quorum=True,
        agents={"ready": 3, "unreachable": 0},
        queue={"pending": 2, "running": 3},
        version="5.0.0",
        store="sqlite:////home/ann/history.db",
        notices=[],
        age=0.0,
    )
    return replace(found, **changes)
