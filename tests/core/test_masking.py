"""Secrets never come out of a masker, however they are spelled and cut; everything else does, and at once."""

import base64
import html
import json
import shlex
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.masking import MASK, MIN_LENGTH, Masker, masked, masked_values, spellings, why_unmaskable

SECRET = "p4ss/wörd+\"7'&=<x"
KEY = (
    "-----BEGIN KEY-----\n"
    + "\n".join(f"line{n}/{n * 7919 % 9973:04}+abcdefghijklmnopqrstuvwx=" for n in range(12))
    + "\n}"
)
TOKEN = "".join(chr(97 + (n * 7 + n // 5) % 26) + str(n % 10) for n in range(60))


def run(data: bytes, *secrets: str, size: int = 1 << 16) -> bytes:
    masker = Masker(secrets)
    parts = [masker.feed(data[place : place + size]) for place in range(0, len(data), size)]
    return b"".join((*parts, masker.end()))


def b64(text: str, before: str = "") -> bytes:
    return base64.b64encode((before + text).encode())


SPELLED = {
    "as it is": SECRET.encode(),
    "hex": SECRET.encode().hex().encode(),
    "capital hex": SECRET.encode().hex().upper().encode(),
    "in a path of a URL": quote(SECRET).encode(),
    "in a query of a URL": quote_plus(SECRET).encode(),
    "in JSON": json.dumps(SECRET)[1:-1].encode(),
    "in JSON as UTF-8": json.dumps(SECRET, ensure_ascii=False)[1:-1].encode(),
    "in XML": html.escape(SECRET).encode(),
    "quoted by a shell": SECRET.replace("'", "'\\''").encode(),
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 16])
@pytest.mark.parametrize("spelled", SPELLED.values(), ids=SPELLED)
def test_a_secret_is_masked_however_it_is_spelled_and_cut(spelled: bytes, size: int) -> None:
    assert run(b"before " + spelled + b" after\n", SECRET, size=size) == b"before " + MASK + b" after\n"


@pytest.mark.parametrize("size", [1, 5, 1 << 16])
@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "token="])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_nothing_of_a_secret_is_left_of_its_base64(before: str, encode: Callable[[bytes], bytes], size: int) -> None:
    encoded = encode((before + SECRET + "xy").encode())
    left = run(encoded, SECRET, size=size)
    assert MASK in left
    # the digits at both ends hold bits of their neighbours, too; no whole byte of the secret can be read from them
    around = sum(len(part) for part in left.split(MASK))
    assert around <= len(encode(before.encode())) + len(encode(b"xy")) + 2


@pytest.mark.parametrize("size", [13, 4096])
@pytest.mark.parametrize("columns", [60, 64, 76])
@pytest.mark.parametrize("before", ["", "a", "key: ", "x" * 33])
def test_a_long_secret_is_masked_in_base64_that_is_wrapped(before: str, columns: int, size: int) -> None:
    encoded = "\n".join(textwrap.wrap(b64(KEY, before).decode(), columns)).encode()
    left = run(encoded + b"\nend\n", KEY, size=size)
    assert left.endswith(b"end\n")
    assert len(left) <= len(base64.b64encode(before.encode())) + len(MASK) + len(b"\nend\n") + 8


@pytest.mark.parametrize("columns", [20, 40, 77])
def test_a_long_secret_is_masked_where_it_is_folded(columns: int) -> None:
    folded = "\n".join(textwrap.wrap(TOKEN, columns)).encode()
    assert run(folded, TOKEN) == MASK


def test_the_lines_of_a_secret_are_masked_one_by_one() -> None:
    lines = KEY.splitlines()
    assert run(f"key: {lines[3]} and {lines[7]}\n".encode(), KEY) == b"key: *** and ***\n"
    assert run(b64(lines[5]), KEY).startswith(MASK)


def test_a_whole_secret_of_many_lines_is_masked_whole_with_any_line_ends() -> None:
    assert run(KEY.encode(), KEY) == MASK
    assert run(KEY.replace("\n", "\r\n").encode(), KEY) == MASK


def test_short_lines_of_a_secret_are_not_taken_out_of_everything() -> None:
    assert run(b"int main() {\n}\n", KEY) == b"int main() {\n}\n"


def test_what_is_no_secret_comes_out_at_once() -> None:
    masker = Masker([SECRET])
    assert masker.feed(b"password: ") == b"password: "
    assert masker.feed(b"wrong\n") == b"wrong\n"
    assert masker.end() == b""


def test_what_may_be_the_beginning_of_a_secret_is_held_back_until_that_is_known() -> None:
    masker = Masker(["abcdefgh"])
    assert masker.feed(b"see abcd") == b"see "
    assert masker.feed(b"\n") == b"abcd\n"
    assert masker.feed(b"see abcd") == b"see "
    assert masker.feed(b"efgh!") == b"***!"
    assert masker.feed(b"abc") == b""
    assert masker.end() == b"abc"


def test_secrets_that_overlap_are_masked_together() -> None:
    assert run(b"<abcdefghijkl>", "abcdefgh", "efghijkl", size=1) == b"<***>"
    assert run(b"<abababababab>", "abababab", size=3) == b"<***>"


def test_a_secret_inside_another_one_is_masked_too() -> None:
    assert run(b"12345678 0123456789", "12345678", "0123456789") == b"*** ***"


@pytest.mark.parametrize(
    ("secret", "why"),
    [("short", "fewer than 8"), ("", "fewer than 8"), ("ab\ncd\nef\ngh", "no line"), ("12345678", ""), (KEY, "")],
)
def test_what_could_not_be_masked_is_told(secret: str, why: str) -> None:
    found = why_unmaskable(secret)
    assert why in found
    assert bool(found) == bool(why)


def test_texts_and_values_are_masked() -> None:
    assert masked(f"exit with {SECRET}", [SECRET]) == "exit with ***"
    assert masked_values({"url": f"https://u:{quote(SECRET)}@host", "n": "1"}, [SECRET]) == {
        "url": "https://u:***@host",
        "n": "1",
    }
    assert masked_values({SECRET: "x"}, [SECRET]) == {"***": "x"}


def test_no_spelling_is_so_short_that_it_is_found_everywhere() -> None:
    for secret in ("12345678", SECRET, KEY):
        assert min(len(one) for one in spellings(secret)) >= MIN_LENGTH


def test_without_secrets_everything_passes() -> None:
    assert run(b"abc\r\ndef", size=2) == b"abc\r\ndef"


def test_quoting_by_the_shell_itself_is_masked() -> None:
    assert SECRET.encode() not in run(shlex.quote(SECRET).encode(), SECRET)
    assert MASK in run(shlex.quote(SECRET).encode(), SECRET)


@given(
    secret=st.text("abAB01+/=\n ", min_size=MIN_LENGTH, max_size=90).filter(lambda text: not why_unmaskable(text)),
    noise=st.lists(st.binary(max_size=12), max_size=6),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=10),
)
def test_however_it_is_cut_the_result_is_that_of_one_piece(secret: str, noise: list[bytes], cuts: list[int]) -> None:
    data = secret.encode().join(noise) + b64(secret) + secret[: len(secret) // 2].encode()
    masker = Masker([secret])
    parts: list[bytes] = []
    position = turn = 0
    while position < len(data):
        size = cuts[turn % len(cuts)]
        parts.append(masker.feed(data[position : position + size]))
        position, turn = position + size, turn + 1
    cut = b"".join((*parts, masker.end()))
    assert secret.encode() not in cut
    assert cut == run(data, secret) or len(secret) >= 40  # across line breaks, very short pieces may differ
