"""What a packet's records say of a service, and what they do not."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zeroconf import DNSRecord, RecordUpdate, ServiceInfo, Zeroconf  # pyright: ignore[reportPrivateImportUsage]

from job_orchestra.agent.announcement import from_texts, to_texts
from job_orchestra.agent.responder import SERVICE, Found, _Listener, open_responder
from job_orchestra.core.errors import PeerError, Unavailable
from tests.kit.announcements import announced

OWN = announced(1)
NOW = 1_000.0  # ms


def told(
    name: str = OWN.id,
    server: str = "box",
    hosts: tuple[str, ...] = ("192.0.2.1",),
) -> ServiceInfo:
    return ServiceInfo(
        SERVICE,
        f"{name}.{SERVICE}",
        port=7711,
        properties=to_texts(OWN),
        server=f"{server}.local.",
        parsed_addresses=list(hosts),
    )


def heard(*records: DNSRecord) -> list[Found]:
    found: list[Found] = []
    for one in records:
        one.created = NOW
    listener = _Listener(found.append)
    listener.async_update_records(None, NOW, [RecordUpdate(one, None) for one in records])  # type: ignore[arg-type]
    return found


def test_a_whole_service_is_found() -> None:
    info = told(hosts=("192.0.2.1", "fd00::1"))
    (found,) = heard(info.dns_pointer(), info.dns_service(), info.dns_text(), *info.dns_addresses())
    assert (found.name, found.port, found.hosts) == (OWN.id, 7711, ("192.0.2.1", "fd00::1"))
    assert from_texts(found.texts) == OWN


def test_the_order_and_the_case_do_not_matter() -> None:
    info = told(server="BOX")
    info.name = info.name.upper()
    (found,) = heard(*info.dns_addresses(), info.dns_text(), *told().dns_addresses(), info.dns_service())
    assert (found.name, found.hosts) == (OWN.id, ("192.0.2.1", "192.0.2.1"))


def test_half_a_service_is_none() -> None:
    info = told()
    assert heard(info.dns_pointer(), info.dns_service(), *info.dns_addresses()) == []
    assert heard(info.dns_pointer(), info.dns_text(), *info.dns_addresses()) == []
    assert heard() == []


def test_the_addresses_are_those_of_its_server() -> None:
    (found,) = heard(told().dns_service(), told().dns_text(), *told(server="other").dns_addresses())
    assert found.hosts == ()


def test_a_goodbye_and_another_service_are_passed_over() -> None:
    info = told()
    assert heard(info.dns_service(), info.dns_text(override_ttl=0), *info.dns_addresses()) == []
    other = ServiceInfo("_http._tcp.local.", f"{OWN.id}._http._tcp.local.", port=1, properties={}, server="box.local.")
    assert heard(other.dns_service(), other.dns_text()) == []


def test_many_in_one_packet_are_all_found() -> None:
    infos = [told(announced(number).id) for number in range(20)]
    records = [record for one in infos for record in (one.dns_service(), one.dns_text(), *one.dns_addresses())]
    assert {found.name for found in heard(*records)} == {announced(number).id for number in range(20)}


@given(
    st.binary(max_size=1_300)
    | st.lists(st.binary(max_size=255)).map(lambda all_: b"".join(bytes([len(one)]) + one for one in all_))
)
def test_any_bytes_as_texts_are_read_or_refused(text: bytes) -> None:
    with pytest.raises(PeerError):
        from_texts(Found(OWN.id, text, 7711, ()).texts)


async def test_where_it_cannot_speak_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroconf._core.create_sockets", lambda *_, **__: (None, []))
    with pytest.raises(Unavailable, match=r"none of 192\.0\.2\.7 can be used"):
        await open_responder(["192.0.2.7"])


async def test_where_the_port_is_refused_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(*_: object) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr("zeroconf._core.create_sockets", lambda *_, **__: bind())
    with pytest.raises(Unavailable, match="Address already in use"):
        await open_responder(["127.0.0.1"])


def test_zeroconf_is_what_we_take_it_for() -> None:
    """Names we use that it could take away."""
    assert hasattr(Zeroconf, "async_add_listener")
    assert hasattr(Zeroconf, "async_send")
    assert socket.inet_ntop(socket.AF_INET, told().dns_addresses()[0].address) == "192.0.2.1"
