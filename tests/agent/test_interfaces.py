"""Which interfaces are chosen, and where an agent says it is."""

import socket
from ipaddress import ip_network
from types import SimpleNamespace

import psutil
import pytest

from job_orchestra.agent import interfaces
from job_orchestra.agent.interfaces import Interface, advertise, choose, passed_over, promising
from job_orchestra.core.errors import InvalidInput

LOOP = Interface("lo", ("127.0.0.1", "::1"), (), loopback=True)
CABLE = Interface("eth0", ("192.0.2.1", "fd00::1"), ())
RADIO = Interface("wlan0", ("198.51.100.1",), ())
DOCKER = Interface("docker0", ("172.17.0.1",), ())
UNPLUGGED = Interface("eth1", ("203.0.113.1",), (), up=False)
BARE = Interface("eth2", (), ())
ALL = [LOOP, CABLE, RADIO, DOCKER, UNPLUGGED, BARE]


def test_by_default_those_that_lead_out_of_the_machine() -> None:
    assert choose(ALL, ()) == [CABLE, RADIO]


@pytest.mark.parametrize(
    "name", ["docker0", "br-0af", "veth12", "virbr0", "cni0", "flannel.1", "tun0", "tap3", "wg0", "utun4", "cali8f"]
)
def test_what_containers_and_tunnels_hang_on_is_passed_over_with_a_reason(name: str) -> None:
    one = Interface(name, ("192.0.2.9",), ())
    assert choose([one], ()) == []
    assert passed_over(one)
    assert choose([one], (name,)) == [one]


def test_a_tunnel_is_known_by_its_kind_too() -> None:
    assert "tunnel" in passed_over(Interface("office", ("192.0.2.9",), (), direct=True))


@pytest.mark.parametrize("name", ["eth0", "en0", "wlan0", "br0", "bond0", "enp3s0", "wlp2s0", "eth0.7"])
def test_what_a_person_set_up_is_taken(name: str) -> None:
    assert passed_over(Interface(name, ("192.0.2.9",), ())) == ""


def test_a_named_one_is_used_whatever_it_is() -> None:
    assert choose(ALL, ("docker0",)) == [DOCKER]
    assert choose(ALL, ("lo", "wlan0")) == [LOOP, RADIO]
    assert choose(ALL, ("eth1",)) == []


def test_a_name_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(InvalidInput, match=r"'eth7'.*lo, eth0, wlan0, docker0, eth1, eth2"):
        choose(ALL, ("eth0", "eth7"))
    with pytest.raises(InvalidInput, match="no interface 'no-such'"):
        interfaces.chosen(("no-such",))


def test_where_an_agent_is_reached() -> None:
    assert advertise(ALL, "0.0.0.0", ()) == ("192.0.2.1", "198.51.100.1")
    assert advertise(ALL, "::", ()) == ("192.0.2.1", "198.51.100.1", "fd00::1")
    assert advertise(ALL, "0.0.0.0", ("docker0",)) == ("172.17.0.1",)
    assert advertise(ALL, "192.0.2.1", ("docker0",)) == ("192.0.2.1",)
    assert advertise(ALL, "build-2.local", ()) == ("build-2.local",)


def test_loopback_is_told_only_where_there_is_nothing_else() -> None:
    assert advertise([LOOP, DOCKER, UNPLUGGED], "0.0.0.0", ()) == ("127.0.0.1",)
    assert advertise([LOOP, DOCKER, UNPLUGGED], "::", ()) == ("127.0.0.1", "::1")
    assert advertise([], "0.0.0.0", ()) == ("127.0.0.1",)
    with pytest.raises(InvalidInput):
        advertise(ALL, "0.0.0.0", ("eth7",))


@pytest.mark.parametrize(
    ("addresses", "best"),
    [
        (["10.0.0.7", "192.0.2.7"], "192.0.2.7"),
        (["fd00::7", "10.0.0.7"], "fd00::7"),
        (["8.8.8.8", "10.0.0.7"], "10.0.0.7"),
        (["2606:4700::1111", "9.9.9.9"], "9.9.9.9"),
        (["8.8.8.8", "2606:4700::1111"], ""),
        (["127.0.0.1", "::1", "0.0.0.0", "224.0.0.251", "ff02::fb", "fe80::7", "255.255.255.255"], ""),
        ([], ""),
    ],
)
def test_of_a_neighbours_addresses_one_is_tried(addresses: list[str], best: str) -> None:
    networks = tuple(ip_network(text) for text in ("192.0.2.0/24", "fd00::/64", "9.9.9.0/24"))
    assert promising(addresses, [Interface("eth0", ("192.0.2.1",), networks)]) == best


def test_loopback_is_tried_where_it_was_chosen() -> None:
    assert promising(["127.0.0.1"], [Interface("lo", ("127.0.0.1",), (ip_network("127.0.0.0/8"),))]) == "127.0.0.1"


def test_what_the_system_says_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(family: int, address: str, mask: str | None) -> SimpleNamespace:
        return SimpleNamespace(family=family, address=address, netmask=mask)

    addresses = {
        "en0": [
            entry(socket.AF_INET6, "fe80::1%en0", "ffff:ffff:ffff:ffff::"),
            entry(socket.AF_INET6, "fd00::2", "ffff:ffff:ffff:ffff::"),
            entry(socket.AF_INET, "192.0.2.2", "255.255.255.0"),
            entry(psutil.AF_LINK, "02:fc:00:00:00:01", None),
        ],
        "ppp0": [entry(socket.AF_INET, "198.51.100.7", None)],
        "ghost": [],
    }
    states = {
        "en0": SimpleNamespace(isup=True, flags="up,broadcast,running,multicast"),
        "ppp0": SimpleNamespace(isup=True, flags="up,pointopoint,running"),
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: addresses)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: states)
    networks = (ip_network("192.0.2.0/24"), ip_network("fd00::/64"))
    assert interfaces.present() == [
        Interface("en0", ("192.0.2.2", "fd00::2"), networks),
        Interface("ghost", (), (), up=False),
        Interface("ppp0", ("198.51.100.7",), (), direct=True),
    ]
    assert [one.name for one in interfaces.chosen()] == ["en0"]
    assert interfaces.advertised("::") == ("192.0.2.2", "fd00::2")


def test_this_machine_can_be_looked_at() -> None:
    assert any(one.loopback and "127.0.0.1" in one.addresses for one in interfaces.present())
