"""Build ids: a bijection of the serial numbers."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from job_orchestra.core.ids import build_id, is_attempt_key, is_id_prefix, serial_of

LAST = 2**40 - 1
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@given(st.integers(1, LAST))
@example(1)
@example(LAST)
def test_an_id_names_its_serial(serial: int) -> None:
    identity = build_id(serial)
    assert len(identity) == 8
    assert is_id_prefix(identity)
    assert serial_of(identity) == serial


@given(st.text(ALPHABET, min_size=8, max_size=8).filter(lambda one: one != "00000000"))
def test_a_serial_names_its_id(identity: str) -> None:
    assert build_id(serial_of(identity)) == identity


def test_neighbours_differ_and_none_repeats() -> None:
    ids = [build_id(serial) for serial in range(1, 20_001)]
    assert len(set(ids)) == len(ids)
    assert len({one[:4] for one in ids[:1000]}) > 950, "four characters are enough to name a recent build"
    assert not any(one[:4] == two[:4] for one, two in pairwise(ids))


def test_ids_stay_what_they_were() -> None:
    # in stores and in people's notes: never to change
    assert [build_id(one) for one in (1, 2, 3, LAST)] == KNOWN


KNOWN = ["d28nk7ne", "m6749xps", "jpvfxphm", "3dgvpp1b"]


@pytest.mark.parametrize("serial", [0, -1, LAST + 1])
def test_there_is_no_id_for_other_numbers(serial: int) -> None:
    with pytest.raises(ValueError, match=rf"serial {serial} is not in 1\.\.{LAST}"):
        build_id(serial)


@pytest.mark.parametrize("text", ["", "0", "0000000", "000000000", "0000000i", "0000000A", "0000 000", "0000000é"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no build id: eight characters of "):
        serial_of(text)


@pytest.mark.parametrize(
    ("text", "right"), [("", False), ("k", True), ("k3x9q7ab", True), ("k3x9q7ab0", False), ("K3", False), ("l", False)]
)
def test_prefixes(text: str, right: bool) -> None:
    assert is_id_prefix(text) is right


def test_keys_of_attempts() -> None:
    assert is_attempt_key(f"{build_id(1)}.1")
    assert is_attempt_key(f"{build_id(7)}.999999999")
    for wrong in (
        "",
        "1",
        build_id(1),
        f"{build_id(1)}.",
        f"{build_id(1)}.1.2",
        f"{build_id(1)}./../x",
        "../x.1",
        "x.1",
    ):
        assert not is_attempt_key(wrong)
    assert not is_attempt_key(f"{build_id(1)}.\N{SUPERSCRIPT TWO}")
