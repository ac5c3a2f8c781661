"""Which texts are addresses and names of git's, and what a listing of a repository says."""

import pytest

from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.repository import Tip, check_ref, is_revision, not_listed, protocol_of, read_listing, tip_of

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 64

ADDRESSES = {
    "https://host.example/team/x.git": "https",
    "HTTPS://host:8443/x": "https",
    "https://ann@host/x": "https",
    "ssh://git@host:2222/x.git": "ssh",
    "ssh://[::1]:22/x": "ssh",
    "git@host.example:team/x.git": "ssh",
    "host:x": "ssh",
    "[::1]:x": "ssh",
    "http://host/x": "http",
    "git://host/x": "git",
    "file:///srv/x.git": "file",
    "file://localhost/srv/x": "file",
    "/srv/with blank/x.git": "file",
}


@pytest.mark.parametrize(("address", "protocol"), ADDRESSES.items())
def test_addresses_as_git_takes_them(address: str, protocol: str) -> None:
    assert protocol_of(address) == protocol


NO_ADDRESSES = [
    *("", "x", "./x", "../x", "~/x", "-x", "--upload-pack=id", "-oProxyCommand=id:x"),
    *("ext::sh -c id", "fd::3", "transport::https://host/x", "ftp://host/x", "javascript://x/y"),
    *("ssh://-oProxyCommand=id/x", "ssh://-l@host/x", "host:-x", "-host:x", "https:///x", "https://host"),
    *("https://host/x\n", "https://ho st/x", "https://host/\0", "https://ann:secret@host/x"),
    *("https://host@-evil/x", "https://" + "x" * 2000),
]


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        protocol_of(address)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("ref", ["main", "feature/x-1", "v1.2.3", "refs/pull/5/head", "a@b", "ünï", ONE, "@x"])
def test_names_of_branches(ref: str) -> None:
    check_ref(ref)


NO_REFS = ["", "-f", "a..b", "a b", "a\nb", "a~1", "a^", "a:b", "a*", "a?", "a[b", "a\\b", "@{-1}", "/a", "a/", "a//b"]


@pytest.mark.parametrize("ref", [*NO_REFS, "a.lock", "x.lock/y", ".a", "a/.b", "a.", "@", "x" * 2000, "a\0"])
def test_what_is_no_name_of_a_branch(ref: str) -> None:
    with pytest.raises(InvalidInput):
        check_ref(ref)


def test_full_revisions_of_both_kinds() -> None:
    assert is_revision(ONE)
    assert is_revision(THREE)
    assert not any(map(is_revision, ("", "1" * 39, "1" * 41, "G" * 40, "A" * 40, f"{ONE}\n")))


LISTING = f"""ref: refs/heads/trunk\tHEAD
{ONE}\tHEAD
{ONE}\trefs/heads/trunk
{TWO}\trefs/heads/v1
{ONE}\trefs/tags/v1
{ONE}\trefs/tags/v2
{TWO}\trefs/tags/v2^{{}}
warning: what is no line of a listing
"""


def test_what_a_branch_or_a_tag_is() -> None:
    listed, default = read_listing(LISTING)
    assert tip_of(listed, default, "") == Tip(ONE, "trunk")
    assert tip_of(listed, default, "trunk") == Tip(ONE, "trunk")
    assert tip_of(listed, default, "v1") == Tip(TWO, "v1"), "a branch comes before a tag, as in git clone"
    assert tip_of(listed, default, "v2") == Tip(TWO, "v2"), "a tag is the commit that it names"
    assert tip_of(listed, default, "refs/tags/v1") == Tip(ONE, "refs/tags/v1")
    assert tip_of(listed, default, "next") is None


def test_the_nearest_name_is_told_where_one_is_not_there() -> None:
    listed, _ = read_listing(LISTING)
    assert not_listed("x:y", "trnk", listed) == "x:y has no branch or tag 'trnk'; did you mean trunk?"
    assert not_listed("x:y", "qqq", listed) == "x:y has no branch or tag 'qqq'; there are: trunk, v1, v2"
    assert not_listed("x:y", "", {}) == "x:y has no commits yet; push a branch first"
