"""host:port, taken apart and put together."""

import pytest

from job_orchestra.core import addresses
from job_orchestra.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.7:7711", "192.0.2.7", 7711),
        ("build-2.local:1", "build-2.local", 1),
        ("[fd00::1]:65535", "fd00::1", 65535),
        ("[fe80::1%eth0]:7711", "fe80::1%eth0", 7711),
    ],
)
def test_what_is_right_comes_apart_and_together_again(text: str, host: str, port: int) -> None:
    assert addresses.split(text) == (host, port)
    assert addresses.join(host, port) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "host",
        "host:",
        ":7711",
        "host:0",
        "host:65536",
        "host:99999999999",
        "host:7x",
        "host:-1",
        "host:²",
        "[]:7",
        *["fd00::1:7711", "a b:7711", "hö:7711", "a\0b:7711", "x" * 254 + ":7711", "host:+7"],
    ],
)
def test_what_is_wrong_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match="7711"):
        addresses.split(text)
