"""The judge of the network tests: a history without fault passes, and each planted breach is found under its name."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.kit.lab.checker import RULES, Breach, check, history
from tests.kit.lab.events import (
    Accepted,
    AttemptRow,
    Began,
    BuildRow,
    Drained,
    Ended,
    Event,
    Failed,
    Healed,
    Leftover,
    LogRow,
    Members,
    Seen,
    StateRow,
    Tried,
    Witness,
)
from tests.kit.lab.figures import Figures, detections, failovers, figures, percentile, told
from tests.kit.lab.jobs import PAYLOADS, expected, expected_digest

HOSTS = ("h1", "h2", "h3")
AGENTS = {host: f"agent-{host}" for host in HOSTS}

Change = Callable[[list[Event]], list[Event]]


def good() -> list[Event]:
    """Return what three agents and two builds leave behind: b1 succeeded at once, b2 at the second attempt."""
    found: list[Event] = []
    for number, (build, host) in enumerate((("b1", "h1"), ("b2", "h2")), start=1):
        attempt = number
        found += [
            Tried(number, f"r{number}", number, number, host),
            Accepted(number + 0.1, number, f"r{number}", (build,), host),
            Witness(build, attempt, host),
        ]
        for replica in HOSTS:
            found.append(BuildRow(replica, build, "succeeded", attempt, f"r{number}", AGENTS[host]))
            found.append(AttemptRow(replica, build, attempt, AGENTS[host], "succeeded"))
            log = expected(number, number)
            found.append(LogRow(replica, build, len(log), expected_digest(number, number)))
    found += [AttemptRow(host, "b2", 1, AGENTS["h3"], "lost") for host in HOSTS]
    found += [StateRow(host, AGENTS[host], copy=True, index=70, digest="abc") for host in HOSTS]
    found += [Seen(0.0, host, AGENTS["h1"], 1) for host in HOSTS]
    found += [Seen(5.0, "h2", AGENTS["h2"], 2), Leftover("h1", ()), Healed(8.0, 1.0), Drained(9.0, 1.0)]
    return found


def without(kind: type, **fields: object) -> Change:
    """Remove the events of a kind that look like this."""
    return lambda found: [one for one in found if not _like(one, kind, fields)]


def altered(kind: type, *, where: dict[str, object], **fields: object) -> Change:
    """Change the events of a kind that look like this."""
    return lambda found: [replace(one, **fields) if _like(one, kind, where) else one for one in found]


def also(*events: Event) -> Change:
    """Add events."""
    return lambda found: [*found, *events]


def _like(one: Event, kind: type, fields: dict[str, object]) -> bool:
    return isinstance(one, kind) and all(getattr(one, name) == value for name, value in fields.items())


def breaches(change: Change) -> list[Breach]:
    found = change(good())
    assert found != good(), "the planted breach changed nothing"
    return check(history(found))


def test_a_history_without_fault_passes() -> None:
    assert check(history(good())) == []


@pytest.mark.parametrize(
    ("rule", "change", "text"),
    [
        ("nothing proven", without(Accepted), "no build was accepted"),
        ("nothing proven", without(Witness), "no build was executed"),
        ("nothing proven", without(StateRow), "no replica was dumped"),
        ("lost", without(BuildRow, id="b1"), "b1 is not known to h1"),
        ("lost", without(BuildRow, id="b1", host="h3"), "b1 is not known to h3"),
        ("lost", altered(BuildRow, where={"id": "b1"}, state="running"), "b1 is still running on h2"),
        ("lost", altered(BuildRow, where={"id": "b1", "host": "h2"}, state="pending"), "b1 is still pending on h2"),
        ("lost", also(Accepted(7.0, 6.9, "r9", ("b9",), "h1")), "b9 is not known to h1"),
        ("doubled", altered(BuildRow, where={"id": "b1", "host": "h3"}, state="failed"), "failed and succeeded"),
        ("doubled", also(BuildRow("h2", "b1", "succeeded", 1, "r1")), "b1 is listed twice"),
        ("doubled", also(Accepted(7.0, 6.9, "r1", ("b2",), "h1")), "request r1 was answered with b1 and b2"),
        (
            "doubled",
            also(*(BuildRow(host, "b3", "lost", 0, "r1") for host in HOSTS)),
            "request r1 has the builds b1, b3",
        ),
        ("executed twice", also(Witness("b1", 1, "h1")), "attempt 1 of b1 was executed 2 times, on h1"),
        ("executed twice", also(Witness("b1", 1, "h3")), "attempt 1 of b1 was executed 2 times, on h1, h3"),
        ("executed twice", also(Witness("b2", 1, "h3")), "b2 has no retry policy"),
        ("executed twice", also(Witness("b7", 1, "h3")), "attempt 1 of b7 was executed on h3, and no replica knows"),
        ("executed twice", altered(Witness, where={"build": "b1"}, host="h3"), "executed on h3, and given to h1"),
        ("executed twice", altered(AttemptRow, where={"number": 1}, state="failed"), "after attempt 1, which failed"),
        ("executed twice", without(AttemptRow, build="b2", number=1), "an attempt 2 and no attempt 1"),
        ("false success", without(Witness, build="b1"), "b1 succeeded, and its attempt 1 was not executed anywhere"),
        ("log mismatch", altered(LogRow, where={"build": "b2", "host": "h3"}, sha256="0"), "b2: the log from h3"),
        ("log mismatch", altered(LogRow, where={"build": "b2"}, problem="gone"), "b2: h1 has no log: gone"),
        ("two masters", also(Seen(6.0, "h3", AGENTS["h3"], 2)), "term 2: agent-h2 by h2, agent-h3 by h3"),
        ("diverged", altered(StateRow, where={"host": "h2"}, digest="x"), "at entry 70 the states differ"),
        ("diverged", altered(StateRow, where={"host": "h2"}, index=60), "replicas stayed behind: h1 at 70, h2 at 60"),
        ("left running", also(Leftover("h2", (7, 8))), "2 processes of builds still run on h2"),
        ("not healed", also(Healed(9.0, 60.0, "h2 sees no master")), "after 60 s: h2 sees no master"),
        ("not healed", also(Drained(9.0, 60.0, "3 builds wait")), "after 60 s: 3 builds wait"),
    ],
)
def test_a_planted_breach_is_found(rule: str, change: Change, text: str) -> None:
    found = breaches(change)
    assert [breach for breach in found if breach.rule == rule and text in breach.what], found


@pytest.mark.parametrize("state", ["failed", "lost", "aborted"])
def test_a_build_may_end_badly_and_then_its_log_is_not_judged(state: str) -> None:
    def change(found: list[Event]) -> list[Event]:
        found = altered(BuildRow, where={"id": "b1"}, state=state)(found)
        return altered(LogRow, where={"build": "b1"}, sha256="0")(found)

    assert breaches(change) == []


def test_a_satellite_holds_no_copy_and_is_not_asked_for_one() -> None:
    def change(found: list[Event]) -> list[Event]:
        found = altered(StateRow, where={"host": "h3"}, copy=False, index=3)(found)
        return without(BuildRow, host="h3")(found)

    assert breaches(change) == []


def test_a_request_nobody_answered_may_have_a_build_and_that_ends_too() -> None:
    orphans: list[Event] = [BuildRow(host, "b3", "cancelled", 0, "r3") for host in HOSTS]
    tried: list[Event] = [Tried(3.0, "r3", 3, 3, "h1"), Failed(4.0, 3.0, "r3", "h1", "silence", "", final=True)]
    assert breaches(also(*orphans, *tried)) == []
    still: list[Event] = [replace(one, state="pending") for one in orphans]
    assert {breach.rule for breach in breaches(also(*still, *tried))} == {"lost"}


def test_every_rule_has_a_planted_breach() -> None:
    marks = test_a_planted_breach_is_found.pytestmark  # type: ignore[attr-defined] - set by the decorator
    assert {case[0] for mark in marks for case in mark.args[1]} == set(RULES)


def test_failover_counts_from_the_kill_to_what_was_asked_for_later() -> None:
    found: list[Event] = [
        Began(10.0, "kill master", ("h1",), master=True),
        Accepted(10.2, 9.9, "r5", ("b5",), "h1"),  # on its way when the master died
        Accepted(11.5, 10.1, "r6", ("b6",), "h2"),
        Accepted(11.6, 11.5, "r7", ("b7",), "h2"),
    ]
    assert failovers([one for one in found if isinstance(one, Began)], found) == [1.5]


def test_detection_counts_until_another_agent_knows() -> None:
    found: list[Event] = [
        Members(9.0, "h2", HOSTS, HOSTS),
        Began(10.0, "lose worker", ("h1",), worker=True),
        Members(11.0, "h3", (), ()),  # it just started, and knows nothing
        Members(21.0, "h2", ("h2", "h3"), ("h2", "h3")),
        Ended(25.0, "lose worker", ("h1",)),
        Began(40.0, "lose worker", ("h3",), worker=True),
        Ended(42.0, "lose worker", ("h3",)),
        Members(43.0, "h2", ("h2",), ("h2",)),  # too late: it is back
    ]
    assert detections(found) == [11.0]


def test_figures_name_everything() -> None:
    found = [*good(), Began(4.0, "kill master", ("h1",), master=True), Accepted(5.5, 4.2, "r3", ("b1",), "h2")]
    made = history(found)
    counted = figures(found, made, check(made), seed=7, minutes=0.5, agents=3, mode="netns")
    assert isinstance(counted, Figures)
    assert (counted.submitted, counted.builds, counted.ended_once, counted.executed, counted.logs) == (2, 2, 2, 2, 6)
    assert counted.states == {"succeeded": 2}
    assert counted.failover_s == [1.5]
    assert counted.faults == {"kill master": 1}
    text = told(counted)
    for word in ("seed", "7, 3 agents (netns)", "2 of 2", "p50 1.50 s", *RULES):
        assert word in text, text


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (99, 4.0), (1, 1.0)])
def test_percentiles(percent: int, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == value
    assert percentile([], percent) is None


def test_payloads_differ_and_logs_name_their_submission() -> None:
    logs = {expected_digest(number, of) for number in (1, 2) for of in range(PAYLOADS)}
    assert len(logs) == 2 * PAYLOADS
    assert expected(7, 0) == b"submission 7 begins\nsubmission 7 complains\nsubmission 7 ends\n"
