"""Orders to a worker elsewhere: what was meant for an earlier way to it is not sent when the worker has joined anew."""

import asyncio

from job_orchestra.agent.mastery import RemoteWorker
from job_orchestra.agent.mesh.contract import Contact
from job_orchestra.agent.mesh.memory import MemoryNetwork
from job_orchestra.core.messages import Assigned, Call, unpack
from tests.kit.builders import attempt, build, spec
from tests.kit.meshes import until


async def test_a_way_that_is_closed_orders_nothing_more() -> None:
    net = MemoryNetwork()
    master, worker = net.mesh("m", "key of m"), net.mesh("w", "key of w")
    running = [asyncio.ensure_future(one.run()) for one in (master, worker)]
    master.know([Contact("w", "key of w")])
    worker.know([Contact("m", "key of m")])
    came: list[str] = []
    entered, opened = asyncio.Event(), asyncio.Event()

    async def on_assign(_: str, payload: bytes) -> bytes:
        came.extend(one.key for one, _ in unpack(payload, Assigned).attempts)
        entered.set()
        await opened.wait()
        return b""

    worker.handle(Call.ASSIGN, on_assign)
    await until(lambda: master.silence("w") < 1, "they are linked")
    way = RemoteWorker("w", master, 1, lambda *_: None)
    one, other = build(1), build(2)
    way.assign([(attempt(one), one, spec())])
    await entered.wait()
    way.assign([(attempt(other), other, spec())])
    way.close()
    way.assign([(attempt(other), other, spec())])
    opened.set()
    sending = way._sending
    assert sending is not None
    await sending
    assert came == [attempt(one).key]
    for mesh in (master, worker):
        await mesh.close()
    await asyncio.gather(*running)
