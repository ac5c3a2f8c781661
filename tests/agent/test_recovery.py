"""Going on when a majority of the voters is gone for good, in networks of whole agents."""

import pytest

from job_orchestra.agent import recovery
from job_orchestra.core.consensus import Configuration
from job_orchestra.core.errors import Conflict, NoMaster, NotAllowed
from tests.kit.meshes import until
from tests.kit.towns import Town


async def test_a_survivor_goes_on_alone_and_the_others_stay_out_until_they_join_anew(town: Town) -> None:
    first, second, third = await town.grow(3)
    build = await second.submit(request="r")
    await until(lambda: build in third.agent.replica.ledger.builds, "all know")
    for one in (first, second, third):
        await one.stop()

    plan = recovery.look(third.paths, third.settings)
    assert all(word in plan.told for word in ("3 voters", "a, b", "join --again", "lost"))
    recovery.carry_out(third.paths, plan)
    await third.start()
    await until(lambda: third.leads, "the survivor leads")
    assert third.agent.replica.configuration.voters == (third.agent.identity.member,)
    assert await third.submit(request="r") == build
    assert await third.submit()

    await second.start()  # nobody told it
    await until(lambda: third.id in second.mesh.rejecting(), "it is not listened to")
    town.long_silent(second)
    with pytest.raises(NoMaster, match=r"recovered without it\. .* --again TOKEN"):
        await second.submit()
    await third.stop()
    await third.start()  # once more: what the recovery said still holds
    await until(lambda: third.leads, "the survivor leads")
    # nobody who was not heard is given a vote, or a copy
    assert third.agent.replica.configuration == Configuration(voters=(third.agent.identity.member,))
    assert (await third.ask("builds.get", id=build))["build"]["id"] == build
    fourth = await town.admit("d")
    assert await fourth.submit()


async def test_only_a_voter_of_several_recovers(town: Town) -> None:
    first = await town.found()
    far = await town.admit("far", votes=False)
    for one in (first, far):
        await one.stop()
    with pytest.raises(Conflict, match="the only voter"):
        recovery.look(first.paths, first.settings)
    with pytest.raises(NotAllowed, match="was no voter"):
        recovery.look(far.paths, far.settings)
