"""What is kept of a workspace: what fits, as it is, and nothing from outside, whatever a build put there."""

import os
import stat
from pathlib import Path

import pytest

from job_orchestra.agent.blobs import Contents, Why
from job_orchestra.agent.workspace import collect, gathering, order
from job_orchestra.agent.workspace.order import Order
from job_orchestra.core.definition import Artifacts, When

KEY = "build.1"


class Place:
    """A workspace, and what is collected from it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.outside = folder / "outside"
        self.outside.mkdir()
        (self.outside / "secret").write_text("secret")
        self.contents = Contents(folder / "contents")
        self._folder = folder
        self._patch = monkeypatch

    def put(self, path: str, text: str = "x", mode: int = 0o644) -> None:
        target = self.workspace / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def collect(self, *paths: str, outcome: str = "succeeded", code: int = 0, limit: int = 0, **rule: object) -> None:
        """Run the program; it ends with this code."""
        rules = (Artifacts(paths, **rule),)  # type: ignore[arg-type] - as the test says
        wanted, kept = self._folder / "order.json", self._folder / "order.kept"
        order.write(wanted, Order(str(self.contents.folder), key=KEY, artifacts=rules, limit=limit))
        self._patch.setenv(collect.OUTCOME, outcome)
        self._patch.setenv(collect.WORKSPACE, str(self.workspace))
        assert collect.main([str(wanted), str(kept)]) == code
        self.root = order.kept(kept).artifacts

    def kept(self) -> dict[str, str | bytes]:
        """Return what is kept: path -> content, or where a link leads to."""
        if not self.root:
            return {}
        return {
            one.path.decode(errors="surrogateescape"): b"".join(self.contents.stream(one)).decode()
            if one.is_file
            else one.digest
            for one in self.contents.entries(bytes.fromhex(self.root))
        }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_what_fits_is_kept_as_it_is_and_held(place: Place) -> None:
    place.put("dist/tool", "tool", 0o755)
    place.put("dist/sub/deep.txt", "deep")
    place.put("other.txt", "other")
    (place.workspace / "dist/link").symlink_to("sub/deep.txt")
    (place.workspace / "dist/empty").mkdir()
    place.collect("dist")
    assert place.kept() == {
        "dist/tool": "tool",
        "dist/sub/deep.txt": "deep",
        "dist/link": b"sub/deep.txt",
        "dist/empty": b"",
    }
    modes = {one.path: stat.S_IMODE(one.mode) for one in place.contents.entries(bytes.fromhex(place.root))}
    assert modes[b"dist/tool"] == 0o755
    (held,) = place.contents.held(Why.ARTIFACTS)
    assert (held.root.hex(), held.name) == (place.root, KEY)


@pytest.mark.parametrize(
    ("outcome", "when", "kept"),
    [
        ("succeeded", When.SUCCESS, True),
        ("failed", When.SUCCESS, False),
        ("failed", When.FAILURE, True),
        ("error", When.ALWAYS, True),
        ("aborted", When.ALWAYS, True),
        ("aborted", When.FAILURE, False),
    ],
)
def test_how_the_build_ended_decides(place: Place, outcome: str, when: When, kept: bool) -> None:
    place.put("report.xml")
    place.collect("report.xml", outcome=outcome, when=when)
    assert bool(place.root) is kept


def test_what_is_not_there_is_no_error_unless_it_is_required(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.collect("nothing/*")
    assert place.root == ""
    place.put("something")
    place.collect("something", "nothing/*", required=True, code=1)
    assert "nothing fits nothing/*, and it is required" in capsys.readouterr().out


def test_links_out_of_the_workspace_are_not_followed_and_not_kept(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.put("out/inside", "inside")
    (place.workspace / "out/absolute").symlink_to(place.outside / "secret")
    (place.workspace / "out/up").symlink_to("../../outside/secret")
    (place.workspace / "out/folder").symlink_to(place.outside)
    (place.workspace / "linked").symlink_to(place.outside)
    os.mkfifo(place.workspace / "out/pipe")
    place.collect("out/**", "linked/secret", "out/folder/secret")
    assert place.kept() == {"out/inside": "inside"}
    told = capsys.readouterr().out
    assert told.count("is left out") == 4


def test_a_workspace_that_became_a_link_is_not_looked_into(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.workspace.rmdir()
    place.workspace.symlink_to(place.outside)
    place.collect("secret", code=1)
    assert "cannot keep what the build leaves" in capsys.readouterr().out
    assert place.contents.held() == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside/secret", "a/../../outside/secret", "~/x", "a\0b", ""])
def test_paths_that_lead_out_are_refused(place: Place, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    place.collect(path, code=1)
    assert "write it relative to that, without `..`" in capsys.readouterr().out


def test_names_of_any_bytes_are_kept(place: Place) -> None:
    odd = os.fsencode(place.workspace) + b"/odd\n\xff"
    with open(odd, "wb") as file:
        file.write(b"odd")
    place.collect("*")
    assert place.kept() == {"odd\n\udcff": "odd"}


def test_more_than_may_be_kept_is_refused_and_leaves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.put("a", "x" * 60)
    place.put("b", "y" * 60)
    place.collect("*", limit=100, code=1)
    assert "more than 100 bytes" in capsys.readouterr().out
    place.collect("*", limit=120)
    assert len(place.kept()) == 2
    monkeypatch.setattr(gathering, "MOST", 1)
    place.collect("*", code=1)


def test_the_same_content_is_stored_once(place: Place) -> None:
    for number in range(50):
        place.put(f"copies/{number}", "the same" * 1000)
    place.collect("copies")
    digests = {one.digest for one in place.contents.entries(bytes.fromhex(place.root))}
    assert len(digests) == 1
    assert place.contents.tree(bytes.fromhex(place.root)).size == 50 * 8000
