"""Commands in the log: yesterday's bytes mean the same today."""

import msgspec
import pytest

from job_orchestra.core.commands import (
    Admit,
    Apply,
    Assign,
    Command,
    Expire,
    Fire,
    Invite,
    Join,
    NewBuild,
    Overdue,
    PinBuilds,
    Record,
    Refuse,
    Rekey,
    Remove,
    RemoveSecret,
    SetAgent,
    SetOffer,
    SetSchedule,
    SetSecret,
    StopBuild,
    StopPipeline,
    Submit,
    UnpinBuilds,
    decode,
    encode,
)
from job_orchestra.core.definition import Job, Parameter, Source, Spec, Step, When
from job_orchestra.core.model import AgentRecord, Attempt, BuildState, StepResult, StepState, Stop
from job_orchestra.core.offer import OfferChange

SPEC = Spec(
    (Step("a", "make"), Step("b", ("ls", "-l"), env={"X": "1"}, when=When.ALWAYS, timeout_s=2.5)),
    env={"E": "f"},
    runs_on=("gpu",),
    timeout_s=60.0,
    shell=("bash", "-e"),
    source=Source("ab12", "main"),
)

LOG: dict[str, tuple[Command, str]] = {
    "submit": (
        Submit(1, "ann", (NewBuild("p", "j", "d1", {"k": "v"}, 5),), {"d1": SPEC}, "r1", "run", "builds.rerun"),
        (
            "9188a474797065a67375626d6974a2617401a9726571756573746572a3616e6ea66275696c64739185a770726f6a656374a1"
            "70a36a6f62a16aa473706563a26431aa706172616d657465727381a16ba176a87072696f7269747905a5737065637381a264"
            "3186a573746570739282a46e616d65a161a372756ea46d616b6585a46e616d65a162a372756e92a26c73a22d6ca3656e7681"
            "a158a131a47768656ea6616c77617973a974696d656f75745f73cb4004000000000000a3656e7681a145a166a772756e735f"
            "6f6e91a3677075a974696d656f75745f73cb404e000000000000a57368656c6c92a462617368a22d65a6736f7572636582a7"
            "61726368697665a461623132a86465736372696265a46d61696ea772657175657374a27231a56361757365a372756ea46b69"
            "6e64ac6275696c64732e726572756e"
        ),
    ),
    "submit, short": (
        Submit(1, "ann", (NewBuild("p", "j", "d1"),)),
        (
            "9184a474797065a67375626d6974a2617401a9726571756573746572a3616e6ea66275696c64739183a770726f6a656374a1"
            "70a36a6f62a16aa473706563a26431"
        ),
    ),
    "apply": (
        Apply(2, "ann", "p", (Job("p", "j", SPEC, (Parameter("x", "y", "1", choices=("1",)),), "text", 3),)),
        (
            "9185a474797065a56170706c79a2617402a9726571756573746572a3616e6ea770726f6a656374a170a46a6f62739186a770"
            "726f6a656374a170a46e616d65a16aa47370656386a573746570739282a46e616d65a161a372756ea46d616b6585a46e616d"
            "65a162a372756e92a26c73a22d6ca3656e7681a158a131a47768656ea6616c77617973a974696d656f75745f73cb40040000"
            "00000000a3656e7681a145a166a772756e735f6f6e91a3677075a974696d656f75745f73cb404e000000000000a57368656c"
            "6c92a462617368a22d65a6736f7572636582a761726368697665a461623132a86465736372696265a46d61696eaa70617261"
            "6d65746572739184a46e616d65a178ab6465736372697074696f6ea179a764656661756c74a131a763686f6963657391a131"
            "ab6465736372697074696f6ea474657874a87072696f7269747903"
        ),
    ),
    "stop": (
        StopBuild(3, "ann", "k3x9q7ab", Stop.CANCEL),
        (
            "9185a474797065a473746f70a2617403a9726571756573746572a3616e6ea56275696c64a86b33783971376162a3686f77a6"
            "63616e63656c"
        ),
    ),
    "assign": (
        Assign(4, "a1", "s1", ("k3x9q7ab",)),
        (
            "9185a474797065a661737369676ea2617404a56167656e74a26131a773657373696f6ea27331a66275696c647391a86b3378"
            "3971376162"
        ),
    ),
    "record": (
        Record(
            5,
            "a1",
            (
                Attempt(
                    "k3x9q7ab",
                    1,
                    "a1",
                    "s1",
                    BuildState.FAILED,
                    "exit code 2",
                    1,
                    2,
                    3,
                    (StepResult("a", StepState.FAILED, 2, None, 2, 3, 0, 9),),
                    9,
                    {"k": "v"},
                ),
            ),
        ),
        (
            "9184a474797065a67265636f7264a2617405a56167656e74a26131a8617474656d707473918ca56275696c64a86b33783971"
            "376162a66e756d62657201a56167656e74a26131a773657373696f6ea27331a57374617465a66661696c6564a6726561736f"
            "6eab6578697420636f64652032a861737369676e656401a77374617274656402a866696e697368656403a573746570739186"
            "a46e616d65a161a57374617465a66661696c6564a9657869745f636f646502a77374617274656402a866696e697368656403"
            "a76c6f675f656e6409a96c6f675f627974657309a7726573756c747381a16ba176"
        ),
    ),
    "join": (
        Join(6, AgentRecord("a1", "ant", "s1", {"os": "linux"}, 4, version="1.2.3")),
        (
            "9183a474797065a46a6f696ea2617406a56167656e7486a26964a26131a46e616d65a3616e74a773657373696f6ea27331a6"
            "6c6162656c7381a26f73a56c696e7578a5736c6f747304a776657273696f6ea5312e322e33"
        ),
    ),
    "set-agent": (
        SetAgent(7, "ann", "a1", enabled=False, draining=True),
        (
            "9186a474797065a97365742d6167656e74a2617407a9726571756573746572a3616e6ea56167656e74a26131a7656e61626c"
            "6564c2a8647261696e696e67c3"
        ),
    ),
    "set-offer": (
        SetOffer(
            12,
            "ann",
            "a1",
            OfferChange(
                slots=2,
                cpus=1.5,
                hours=("18:00-08:00",),
                pause_when_used=True,
                idle_s=90.0,
                pause_on_battery=False,
                nice=True,
            ),
            reset=True,
        ),
        (
            "9186a474797065a97365742d6f66666572a261740ca9726571756573746572a3616e6ea56167656e74a26131a66368616e67"
            "6587a5736c6f747302a463707573cb3ff8000000000000a5686f75727391ab31383a30302d30383a3030af70617573655f77"
            "68656e5f75736564c3a669646c655f73cb4056800000000000b070617573655f6f6e5f62617474657279c2a46e696365c3a5"
            "7265736574c3"
        ),
    ),
    "refuse": (
        Refuse(8, "eve", "builds.abort", "k3x9q7ab", "may not"),
        (
            "9186a474797065a6726566757365a2617408a9726571756573746572a3657665a46b696e64ac6275696c64732e61626f7274"
            "a6746172676574a86b33783971376162a6726561736f6ea76d6179206e6f74"
        ),
    ),
    "invite": (
        Invite(9, "ann", "d" * 64, 99, votes=False),
        (
            "9186a474797065a6696e76697465a2617409a9726571756573746572a3616e6ea6646967657374d940646464646464646464"
            "6464646464646464646464646464646464646464646464646464646464646464646464646464646464646464646464646464"
            "6464646464a76578706972657363a5766f746573c2"
        ),
    ),
    "admit": (
        Admit(
            10, "ann", AgentRecord("b2", "bee", public="k" * 40, addresses=("10.0.0.2:7711",), bulk=7712), 0, "d" * 64
        ),
        (
            "9185a474797065a561646d6974a261740aa9726571756573746572a3616e6ea56167656e74de0005a26964a26232a46e616d"
            "65a3626565a67075626c6963d9286b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b"
            "6b6b6b6ba961646472657373657391ad31302e302e302e323a37373131a462756c6bcd1e20a6696e76697465d94064646464"
            "6464646464646464646464646464646464646464646464646464646464646464646464646464646464646464646464646464"
            "64646464646464646464"
        ),
    ),
    "remove": (
        Remove(11, "ann", "b2"),
        ("9184a474797065a672656d6f7665a261740ba9726571756573746572a3616e6ea56167656e74a26232"),
    ),
    "expire": (
        Expire(12, "b2", "s9"),
        ("9184a474797065a6657870697265a261740ca56167656e74a26232a773657373696f6ea27339"),
    ),
    "overdue": (
        Overdue(19, {"b0000001": "no worker is there"}),
        (
            "9183a474797065a76f766572647565a2617413a66275696c647381a86230303030303031b26e6f20776f726b6572206973207468657265"
        ),
    ),
    "set-secret": (
        SetSecret(13, "ann", "shop", "TOKEN", b"sealed", 1),
        (
            "9187a474797065aa7365742d736563726574a261740da9726571756573746572a3616e6ea770726f6a656374a473686f70a4"
            "6e616d65a5544f4b454ea3626f78c4067365616c6564aa67656e65726174696f6e01"
        ),
    ),
    "remove-secret": (
        RemoveSecret(14, "ann", "shop", "TOKEN"),
        (
            "9185a474797065ad72656d6f76652d736563726574a261740ea9726571756573746572a3616e6ea770726f6a656374a47368"
            "6f70a46e616d65a5544f4b454e"
        ),
    ),
    "rekey": (
        Rekey(15, 2, {"b2": b"wrapped"}, {"shop/TOKEN": b"sealed"}, 3),
        (
            "9186a474797065a572656b6579a261740faa67656e65726174696f6e02a5777261707381a26232c40777726170706564a562"
            "6f78657381aa73686f702f544f4b454ec4067365616c6564a47365656e03"
        ),
    ),
    "fire": (
        Fire(16, "shop", "nightly", 960_000, Submit(16, "schedule", (NewBuild("shop", "test", "5" * 32),)), 2),
        (
            "9187a474797065a466697265a2617410a770726f6a656374a473686f70a46e616d65a76e696768746c79a66d696e757465ce"
            "000ea600a67375626d697484a474797065a67375626d6974a2617410a9726571756573746572a87363686564756c65a66275"
            "696c64739183a770726f6a656374a473686f70a36a6f62a474657374a473706563d920353535353535353535353535353535"
            "3535353535353535353535353535353535a66d697373656402"
        ),
    ),
    "fire that is left out": (
        Fire(17, "shop", "nightly", 1_020_000, why="there is no such job"),
        (
            "9186a474797065a466697265a2617411a770726f6a656374a473686f70a46e616d65a76e696768746c79a66d696e757465ce"
            "000f9060a3776879b47468657265206973206e6f2073756368206a6f62"
        ),
    ),
    "pin": (
        PinBuilds(19, "ann", "p-1", {"d28nk001": "shop/test#1"}, "the release", "pipelines.pin"),
        (
            "9187a474797065a370696ea2617413a9726571756573746572a3616e6ea6746172676574a3702d31a66275696c647381a864"
            "32386e6b303031ab73686f702f746573742331a46e6f7465ab7468652072656c65617365a46b696e64ad706970656c696e65"
            "732e70696e"
        ),
    ),
    "unpin": (
        UnpinBuilds(20, "ann", "d28nk001", ("d28nk001",)),
        (
            "9185a474797065a5756e70696ea2617414a9726571756573746572a3616e6ea6746172676574a86432386e6b303031a66275"
            "696c647391a86432386e6b303031"
        ),
    ),
    "set-schedule": (
        SetSchedule(18, "ann", "shop", "nightly", enabled=False),
        (
            "9186a474797065ac7365742d7363686564756c65a2617412a9726571756573746572a3616e6ea770726f6a656374a473686f"
            "70a46e616d65a76e696768746c79a7656e61626c6564c2"
        ),
    ),
    "stop pipeline": (
        StopPipeline(3, "ann", "p-12", Stop.ABORT),
        (
            "9185a474797065ad73746f702d706970656c696e65a2617403a9726571756573746572a3616e6ea8706970656c696e65a470"
            "2d3132a3686f77a561626f7274"
        ),
    ),
}
"""Commands with the bytes that version 1 wrote for them. Lines are added, never changed."""


@pytest.mark.parametrize("which", LOG)
def test_yesterdays_bytes_are_understood(which: str) -> None:
    command, written = LOG[which]
    assert decode(bytes.fromhex(written)) == (command,)


@pytest.mark.parametrize("which", LOG)
def test_what_is_written_can_be_read_by_yesterday(which: str) -> None:
    # a field more is fine: what has the old fields, in a mapping, is read by the old version as well
    command, written = LOG[which]
    (old,) = msgspec.msgpack.decode(bytes.fromhex(written))
    (new,) = msgspec.msgpack.decode(encode((command,)))
    assert old.items() <= new.items()


def test_every_kind_of_command_is_here() -> None:
    assert {type(command) for command, _ in LOG.values()} == set(Command.__args__)


def test_the_digest_of_a_spec_never_changes() -> None:
    # the name under which stores and logs know it
    assert SPEC.digest() == "284a77455bc67fad45dcd7cea012deef"
    assert Spec((Step("run", "make"),)).digest() == "fbe32e531782344e3db6a3554c8555f7"


def test_fields_of_tomorrow_are_passed_over() -> None:
    raw = msgspec.msgpack.encode(
        [{"type": "stop", "at": 3, "requester": "ann", "build": "b", "how": "abort", "new": 1}]
    )
    assert decode(raw) == (StopBuild(3, "ann", "b", Stop.ABORT),)
