"""Events: what happens, told to whoever subscribed."""

import msgspec

from .method import READ, Method, Params

EVENT_KINDS = frozenset({"build", "pipeline", "task", "job", "agent", "schedule", "pin"})
"""What `events.subscribe` can tell of."""


class Subscribe(Params, frozen=True):
    """Which events to send from now on."""

    kinds: list[str] = []  # build, pipeline, task, job, agent, schedule, pin; empty: all
    builds: list[str] = []  # only events of these builds (ids); empty: of all


class Subscribed(msgspec.Struct, frozen=True):
    """Events will follow as notifications `event` on this DEALER socket."""

    subscribed: bool  # true


METHODS = (Method("events.subscribe", "Send what happens to this DEALER socket", Subscribe, Subscribed, READ),)
