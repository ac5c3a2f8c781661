"""Invitations as text: what is written is read, and whatever happened to it on its way is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.tokens import MAX_ADDRESSES, MAX_DOORS, Door, Invitation, digest, encode, known, parse

KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"  # of the example in ZeroMQ's RFC 26
INVITATION = Invitation("0123456789abcdef", "lab", bytes(range(32)), (Door(KEY, ("192.0.2.1:7713", "[fd00::1]:7713")),))
TOKEN = encode(INVITATION)


def test_what_is_written_is_read() -> None:
    assert parse(TOKEN) == INVITATION
    assert TOKEN.startswith("orch1-")
    assert TOKEN.isascii()
    assert len(TOKEN.split()) == 1


@given(
    st.text("0123456789abcdef", min_size=16, max_size=16),
    st.text(max_size=64),
    st.binary(min_size=32, max_size=32),
    st.lists(st.lists(st.text(max_size=30), max_size=MAX_ADDRESSES), min_size=1, max_size=MAX_DOORS),
)
def test_whatever_is_written_is_read(network: str, name: str, secret: bytes, places: list[list[str]]) -> None:
    one = Invitation(network, name, secret, tuple(Door(KEY, tuple(each)) for each in places))
    assert parse(encode(one)) == one


def test_only_so_many_doors_and_addresses_are_written() -> None:
    many = Invitation("00", "lab", bytes(32), (Door(KEY, ("host:1",) * 9),) * 9)
    found = parse(encode(many))
    assert len(found.doors) == MAX_DOORS
    assert {len(one.addresses) for one in found.doors} == {MAX_ADDRESSES}


@pytest.mark.parametrize("where", [10, 60, len(TOKEN) - 1])
def test_a_line_that_was_broken_is_read(where: int) -> None:
    assert parse(f"  {TOKEN[:where]}\n\t {TOKEN[where:]} \r\n") == INVITATION


@pytest.mark.parametrize("length", range(len("orch1-"), len(TOKEN)))
def test_a_token_that_is_cut_off_is_told(length: int) -> None:
    with pytest.raises(InvalidInput, match=r"orchestra invite"):
        parse(TOKEN[:length])


@pytest.mark.parametrize("place", range(len("orch1-"), len(TOKEN)))
def test_a_token_with_any_character_altered_is_told(place: int) -> None:
    other = "A" if TOKEN[place] != "A" else "B"
    with pytest.raises(InvalidInput, match=r"altered|cut off") as error:
        parse(TOKEN[:place] + other + TOKEN[place + 1 :])
    assert TOKEN[10:30] not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "x", "orch-", "ORCH1-AAAA", "orch1", "a" * 5_000, "orch1-" + "A" * 5_000, "orch1-ü"]
)
def test_what_is_no_token_is_told(text: str) -> None:
    with pytest.raises(InvalidInput, match="orchestra invite"):
        parse(text)


def test_another_form_names_the_remedy() -> None:
    with pytest.raises(InvalidInput, match=r"form 2.*orchestra status"):
        parse(TOKEN.replace("orch1", "orch2"))


@given(st.text("ABCDabcd0123-_", max_size=200))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(f"orch1-{text}")


def test_digests_are_found_among_others() -> None:
    one, other = digest(b"one"), digest(b"other")
    assert known(one, [other, one])
    assert not known(one, [other])
    assert not known(one, [])
