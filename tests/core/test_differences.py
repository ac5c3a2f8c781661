"""What a job file changes: each job and schedule once, and by the keys that people know."""

from msgspec.structs import replace

from job_orchestra.core import jobfile
from job_orchestra.core.definition import Job, Spec
from job_orchestra.core.differences import KEYS, Difference, differences
from job_orchestra.core.jobfile import parse

BEFORE = """
project: p
jobs:
  gone: make old
  same: make
  test: { run: make test, timeout: 30m, if: branch == 'main' }
schedules:
  nightly: { cron: "0 3 * * *", jobs: [test] }
"""
AFTER = """
project: p
jobs:
  test: { run: [make, make test], timeout: 20m, needs: same, lock: box, env: { A: b } }
  same: make
  added: make new
schedules:
  nightly: { cron: "0 4 * * *", jobs: [test] }
  weekly: { cron: "0 3 * * 1", jobs: [test] }
"""


def between(before: str, after: str) -> list[Difference]:
    old, new = parse(before), parse(after)
    return differences(
        {one.full_name: one for one in old.jobs},
        {one.full_name: one for one in old.schedules},
        {one.full_name: one for one in new.jobs},
        {one.full_name: one for one in new.schedules},
    )


def test_what_is_new_changed_and_gone() -> None:
    assert between(BEFORE, AFTER) == [
        Difference("job", "test", "changed", ["steps", "env", "timeout", "lock", "needs", "if"]),
        Difference("job", "added", "new"),
        Difference("job", "gone", "gone"),
        Difference("schedule", "nightly", "changed", ["cron"]),
        Difference("schedule", "weekly", "new"),
    ]
    assert between(AFTER, AFTER) == []


def test_every_field_has_the_name_of_a_key() -> None:
    schema = jobfile.schema()
    job = next(one for one in schema["properties"]["jobs"]["additionalProperties"]["anyOf"] if "properties" in one)
    fields = {*Job.__struct_fields__, *Spec.__struct_fields__} - {"project", "name", "spec"}
    assert {KEYS.get(field, field) for field in fields} <= job["properties"].keys()
    assert KEYS.keys() <= fields


def test_a_value_that_comes_and_goes_is_seen() -> None:
    (job,) = parse("project: p\njobs:\n  a: make\n").jobs
    other = replace(job, spec=replace(job.spec, resources={"cpus": 2.0}))
    assert differences({"p/a": job}, {}, {"p/a": other}, {}) == [Difference("job", "a", "changed", ["resources"])]
