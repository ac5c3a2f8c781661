"""Every agent that may become master opens the secrets; who left opens none that are set later; no byte tells any."""

import asyncio

import pytest
import zmq
from msgspec.structs import replace

from job_orchestra.agent import sealing
from job_orchestra.agent.identity import Identity
from job_orchestra.agent.master import Master
from job_orchestra.agent.vault import Vault
from job_orchestra.core.commands import Admit, Remove
from job_orchestra.core.errors import Damaged, StorageError
from job_orchestra.core.ids import fingerprint
from job_orchestra.core.model import AgentRecord
from tests.kit.builders import T0, build, spec
from tests.kit.council import Council
from tests.kit.meshes import until

VALUE = "correct horse battery staple"


def identity(name: str) -> Identity:
    public, secret = (one.decode() for one in zmq.curve_keypair())
    return Identity(fingerprint(public), name, public, secret, "network", "lab")


def record(of: Identity, votes: bool = True) -> AgentRecord:
    return AgentRecord(of.id, of.name, public=of.public, votes=votes)


class Lab:
    """A council whose voters have vaults."""

    def __init__(self) -> None:
        self.council = Council()
        self.people = [identity(name) for name in ("ant", "bee", "cow")]
        self.vaults: list[Vault] = []
        self.running: list[asyncio.Task[None]] = []
        for person, voter in zip(self.people, self.council.voters, strict=True):
            vault = Vault(person, voter, Master(voter, clock=lambda: T0))
            self.vaults.append(vault)
            self.running.append(asyncio.create_task(vault.run()))

    async def do(self, command: Admit | Remove) -> None:
        leader = next(one for one in self.council.voters if one.leading)
        assert (await leader.propose([command]))[0].error is None

    async def admit(self, *people: Identity, votes: bool = True) -> None:
        for one in people:
            await self.do(Admit(T0, "ann", record(one, votes)))

    @property
    def ring(self) -> dict[str, bytes]:
        return self.council.voters[0].ledger.secrecy.keyring.wraps

    def read(self, vault: int) -> dict[str, str]:
        return self.vaults[vault].values(build(), spec(secrets=("TOKEN",)))

    async def close(self) -> None:
        for one in self.running:
            one.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)


@pytest.fixture
async def lab():  # noqa: ANN201 - an async generator
    one = Lab()
    await one.admit(*one.people)
    yield one
    await one.close()


async def test_every_voter_opens_what_one_of_them_keeps(lab: Lab) -> None:
    await lab.vaults[0].keep("ann", "shop", "TOKEN", VALUE)
    assert set(lab.ring) == {one.id for one in lab.people}
    assert [lab.read(one) for one in range(3)] == [{"TOKEN": VALUE}] * 3


async def test_a_secret_can_be_set_and_opened_after_a_failover(lab: Lab) -> None:
    await lab.vaults[0].keep("ann", "shop", "TOKEN", VALUE)
    lab.council.elect(lab.council.voters[2])
    assert lab.read(2) == {"TOKEN": VALUE}
    await lab.vaults[2].keep("ann", "shop", "TOKEN", "another value")
    assert [lab.read(one) for one in range(3)] == [{"TOKEN": "another value"}] * 3


async def test_who_is_admitted_later_gets_the_key_and_who_never_votes_does_not(lab: Lab) -> None:
    await lab.vaults[0].keep("ann", "shop", "TOKEN", VALUE)
    dog, elk = identity("dog"), identity("elk")
    await lab.admit(dog)
    await lab.admit(elk, votes=False)
    await until(lambda: dog.id in lab.ring, "dog holds the key")
    assert elk.id not in lab.ring
    assert sealing.unwrap(lab.ring[dog.id], dog.secret) == lab.vaults[0]._key()


async def test_a_new_master_gives_the_key_to_whom_the_one_before_did_not(lab: Lab) -> None:
    await lab.vaults[0].keep("ann", "shop", "TOKEN", VALUE)
    lab.council.fail_before = 0
    lab.running[0].cancel()  # the master does not get to it
    dog = identity("dog")
    await lab.admit(dog)
    lab.council.elect(lab.council.voters[1])
    await until(lambda: dog.id in lab.ring, "dog holds the key")


async def test_when_a_holder_is_removed_there_is_a_new_key_and_everything_is_sealed_anew(lab: Lab) -> None:
    await lab.vaults[0].keep("ann", "shop", "TOKEN", VALUE)
    before = lab.council.voters[0].ledger.secrecy.sealed["shop/TOKEN"].box
    old_key, cow = lab.vaults[2]._key(), lab.people[2]
    await lab.do(Remove(T0, "ann", cow.id))
    await until(lambda: cow.id not in lab.ring, "cow holds no key")
    ledger = lab.council.voters[0].ledger
    assert ledger.secrecy.keyring.generation == 2
    box = ledger.secrecy.sealed["shop/TOKEN"].box
    assert box != before
    with pytest.raises(Damaged):
        sealing.unseal(old_key, box, "network/shop/TOKEN")
    assert lab.read(0) == lab.read(1) == {"TOKEN": VALUE}
    assert lab.read(2) == {}


async def test_a_secret_that_is_damaged_holds_up_no_new_key(lab: Lab) -> None:
    await lab.vaults[0].keep("ann", "shop", "TOKEN", VALUE)
    await lab.vaults[0].keep("ann", "shop", "OTHER", "some other value")
    for voter in lab.council.voters:
        sealed = voter.ledger.secrecy.sealed
        sealed["shop/OTHER"] = replace(sealed["shop/OTHER"], box=b"damaged")
    await lab.do(Remove(T0, "ann", lab.people[2].id))
    await until(lambda: len(lab.ring) == 2, "there is a new key")
    assert lab.read(0) == {"TOKEN": VALUE}
    assert lab.vaults[0].values(build(), spec(secrets=("OTHER",))) == {}


async def test_a_removal_that_is_interrupted_is_made_up_for_by_the_next_master(lab: Lab) -> None:
    await lab.vaults[0].keep("ann", "shop", "TOKEN", VALUE)
    cow = lab.people[2]
    await lab.do(Remove(T0, "ann", cow.id))
    lab.council.fail_before = 1  # the master dies with the new key in its hands
    await until(lambda: not lab.council.voters[0].leading, "the master died")
    assert cow.id in lab.ring
    lab.council.elect(lab.council.voters[1])
    await until(lambda: cow.id not in lab.ring, "cow holds no key")
    assert lab.read(0) == lab.read(1) == {"TOKEN": VALUE}


async def test_no_entry_of_the_log_tells_a_secret(lab: Lab) -> None:
    await lab.vaults[0].keep("ann", "shop", "TOKEN", VALUE)
    await lab.do(Remove(T0, "ann", lab.people[2].id))
    await until(lambda: len(lab.ring) == 2, "there is a new key")
    log = b"".join(lab.council.entries)
    assert b"TOKEN" in log
    assert VALUE.encode() not in log
    assert lab.vaults[0]._key() not in log


async def test_a_sealed_value_cannot_pass_for_another_secret(lab: Lab) -> None:
    await lab.vaults[0].keep("ann", "shop", "TOKEN", VALUE)
    await lab.vaults[0].keep("ann", "other", "TOKEN", "of another project")
    secrecy = lab.council.voters[0].ledger.secrecy
    secrecy.sealed["shop/TOKEN"] = replace(secrecy.sealed["other/TOKEN"], project="shop")
    assert lab.read(0) == {}


async def test_a_master_without_the_key_says_so(lab: Lab) -> None:
    await lab.vaults[0].keep("ann", "shop", "TOKEN", VALUE)
    stranger = Vault(identity("eve"), lab.council.voters[0], Master(lab.council.voters[0], clock=lambda: T0))
    with pytest.raises(StorageError, match="does not hold the network's key"):
        await stranger.keep("ann", "shop", "OTHER", "some other value")
    assert stranger.values(build(), spec(secrets=("TOKEN",))) == {}


def test_a_box_that_was_changed_is_refused() -> None:
    key, who = sealing.new_key(), identity("ant")
    box = sealing.seal(key, VALUE, "x")
    assert sealing.unseal(key, box, "x") == VALUE
    for wrong in (box[:-1] + bytes([box[-1] ^ 1]), b"", box[:10]):
        with pytest.raises(Damaged):
            sealing.unseal(key, wrong, "x")
    wrapped = sealing.wrap(key, who.public)
    assert sealing.unwrap(wrapped, who.secret) == key
    for wrong in (wrapped[:-1], b"", wrapped[:-1] + bytes([wrapped[-1] ^ 1])):
        with pytest.raises(Damaged):
            sealing.unwrap(wrong, who.secret)
    with pytest.raises(Damaged):
        sealing.unwrap(wrapped, identity("bee").secret)
