"""Scripts played against the machine: etcd's own, where they are at hand, and ours."""

from pathlib import Path

import pytest

from tests.kit.transcripts import ScriptError, Unsupported, play, reason_to_skip

ROOT = Path(__file__).parents[3]
SCENARIOS = ROOT / "tests" / "scenarios"
TRANSCRIPTS = ROOT.parent / "shared" / "consensus" / "transcripts"


@pytest.mark.parametrize("script", sorted(SCENARIOS.glob("*.txt")), ids=lambda script: script.stem)
def test_our_scenario_goes_as_written(script: Path) -> None:
    assert play(script.read_text(encoding="utf-8")) is None


@pytest.mark.skipif(not TRANSCRIPTS.is_dir(), reason="etcd's transcripts are not beside this checkout")
@pytest.mark.parametrize("script", sorted(TRANSCRIPTS.glob("*.txt")), ids=lambda script: script.stem)
def test_etcd_transcript_goes_as_written(script: Path) -> None:
    try:
        difference = play(script.read_text(encoding="utf-8"))
    except Unsupported as error:
        pytest.skip(reason_to_skip(script, error))
    assert difference is None


ELECTION = """\
add-nodes 3 voters=(1,2,3) index=2
----
INFO this is prose and not compared

campaign 1
----
ok

process-ready 1
----
Ready MustSync=true:
Lead:0 State:StateCandidate
HardState Term:1 Vote:1 Commit:2
Messages:
1->2 MsgVote Term:1 Log:1/2
1->3 MsgVote Term:1 Log:1/2
"""


def test_prose_is_not_compared_and_structure_is() -> None:
    assert play(ELECTION) is None
    difference = play(ELECTION.replace("1->3 MsgVote Term:1 Log:1/2", "1->3 MsgVote Term:1 Log:1/3"))
    assert difference is not None
    assert (difference.line, difference.command) == (9, "process-ready 1")
    assert (difference.expected, difference.found) == ("1->3 MsgVote Term:1 Log:1/3", "1->3 MsgVote Term:1 Log:1/2")


def test_a_line_too_much_or_missing_is_a_difference() -> None:
    missing = play(ELECTION.replace("1->3 MsgVote Term:1 Log:1/2\n", ""))
    assert missing is not None
    assert missing.expected == "(nothing)"
    too_much = play(ELECTION + "1->4 MsgVote Term:1 Log:1/2\n")
    assert too_much is not None
    assert too_much.found == "(nothing)"


@pytest.mark.parametrize(
    "command",
    [
        "add-nodes 1 voters=(1) index=2 async-storage-writes=true",
        "add-nodes 1 voters=(1) index=2\n----\nok\n\npropose-conf-change 1 transition=explicit\nv2",
        "add-nodes 1 voters=(1) index=2\n----\nok\n\npropose-conf-change 1\nv2 v3",
    ],
)
def test_what_we_lack_on_purpose_is_said(command: str) -> None:
    with pytest.raises(Unsupported):
        play(f"{command}\n----\nok\n")


def test_an_unknown_command_is_an_error() -> None:
    with pytest.raises(ScriptError, match="line 1: unknown command 'dance'"):
        play("dance 1\n----\nok\n")
