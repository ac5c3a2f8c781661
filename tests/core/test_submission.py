"""From definitions to builds and nodes: what a job needs comes along, a matrix multiplies, values are filled in."""

import pytest
from msgspec.structs import replace

from job_orchestra.core.definition import Job, Matrix, Need, Parameter, Source, Spec, Step, When
from job_orchestra.core.errors import Conflict, InvalidInput, LimitReached
from job_orchestra.core.model import Context, Node
from job_orchestra.core.repository import Tip
from job_orchestra.core.submission import Plan, Wish, plan, unresolved
from tests.kit.builders import job, spec

LINT = job("lint")
BUILD = job("build", needs=(Need("lint"),), parameters=(Parameter("level", default="1"),))
TEST = job("test", needs=(Need("build"), Need("lint", When.ALWAYS)), priority=3)
ALL = {one.name: one for one in (TEST, BUILD, LINT)}
ANN = Wish("ann")


def planned(*wanted: Job, wish: Wish = ANN, **others: Job) -> Plan:
    return plan(wanted, {**ALL, **{one.name: one for one in wanted}, **others}, wish)


def test_a_job_by_itself_is_a_build_and_no_pipeline() -> None:
    found = planned(LINT)
    assert [(one.project, one.job, one.spec, one.context) for one in found.builds] == [
        ("shop", "lint", LINT.spec.digest(), None)
    ]
    assert (found.nodes, found.specs) == ((), {})


def test_what_a_job_needs_comes_along_each_once_and_before_it() -> None:
    found = planned(TEST, LINT)
    assert [one.job for one in found.builds] == ["lint", "build", "test"]
    assert [(one.job, one.count, one.needs) for one in found.nodes] == [
        ("lint", 1, ()),
        ("build", 1, BUILD.needs),
        ("test", 1, TEST.needs),
    ]
    assert [one.priority for one in found.builds] == [0, 0, 3]


def test_a_condition_alone_makes_a_pipeline() -> None:
    assert planned(replace(LINT, condition="false")).nodes == (Node("lint", 1, condition="false"),)


def test_a_matrix_makes_a_build_for_each_combination_with_values_filled_in() -> None:
    own = Spec((Step("run", "make"),), env={"OS": "${{ matrix.os }}-${{ branch }}"}, runs_on=("os=${{ matrix.os }}",))
    wish = Wish("ann", branch="main")
    found = planned(job("m", spec=own, matrix=Matrix({"os": ("linux", "macos")}, most=1, stop_early=True)), wish=wish)
    assert [found.specs[one.spec].env for one in found.builds] == [{"OS": "linux-main"}, {"OS": "macos-main"}]
    assert [found.specs[one.spec].runs_on for one in found.builds] == [("os=linux",), ("os=macos",)]
    assert [one.context for one in found.builds] == [
        Context({"os": "linux"}, "main", most_of_node=1),
        Context({"os": "macos"}, "main", most_of_node=1),
    ]
    assert found.nodes == (Node("m", 2, stop_early=True),)


def test_parameters_go_to_those_that_have_them() -> None:
    found = planned(TEST, wish=Wish("ann", parameters={"level": "2"}))
    assert [one.parameters for one in found.builds] == [{}, {"level": "2"}, {}]


def test_a_parameter_that_none_has_is_refused() -> None:
    with pytest.raises(InvalidInput, match="none of lint, build, test has a parameter 'levle'; did you mean level"):
        planned(TEST, wish=Wish("ann", parameters={"levle": "2"}))
    with pytest.raises(InvalidInput, match="shop/lint has no parameter 'level'"):
        planned(LINT, wish=Wish("ann", parameters={"level": "2"}))


def test_another_source_and_another_branch() -> None:
    shipped = Source(archive="a" * 64)
    found = planned(LINT, wish=Wish("ann", source=shipped))
    assert found.specs[found.builds[0].spec].source == shipped


REPOSITORY = "https://host/x.git"
ONE, TWO = "1" * 40, "2" * 40
OF_GIT = job("g", spec=replace(spec(), source=Source(git=REPOSITORY, branch="main")))


def sources(found: Plan) -> list[tuple[str, str]]:
    """Return branch and revision of each build, as it checks them out and as its conditions see them."""
    seen = [(one.context.branch, one.context.revision) if one.context else ("", "") for one in found.builds]
    given = [found.specs[one.spec].source for one in found.builds]
    assert seen == [(one.branch, one.revision) for one in given]
    return seen


def test_all_builds_begin_with_what_the_branch_is_when_they_are_submitted() -> None:
    other = replace(OF_GIT, name="h", needs=(Need("g"),))
    jobs = {one.name: one for one in (OF_GIT, other)}
    assert unresolved([other], jobs, ANN) == [(REPOSITORY, "main")]
    wish = replace(ANN, tips={(REPOSITORY, "main"): Tip(ONE, "main")})
    found = plan([other], jobs, wish)
    assert sources(found) == [("main", ONE)] * 2
    assert unresolved([other], jobs, wish) == []


def test_the_default_branch_gets_its_name() -> None:
    plain = job("g", spec=replace(spec(), source=Source(git=REPOSITORY)))
    assert unresolved([plain], {"g": plain}, ANN) == [(REPOSITORY, "")]
    assert sources(planned(plain, wish=replace(ANN, tips={(REPOSITORY, ""): Tip(ONE, "trunk")}))) == [("trunk", ONE)]


def test_a_submission_may_name_another_branch_or_a_revision() -> None:
    assert unresolved([OF_GIT], {}, Wish("ann", branch="next")) == [(REPOSITORY, "next")]
    for wish in (Wish("ann", branch="next", revision=TWO), Wish("ann", branch=TWO), Wish("ann", revision=TWO)):
        assert unresolved([OF_GIT], {}, wish) == []
    assert sources(planned(OF_GIT, wish=Wish("ann", branch="next", revision=TWO))) == [("next", TWO)]
    assert sources(planned(OF_GIT, wish=Wish("ann", branch=TWO))) == [("", TWO)]
    assert sources(planned(OF_GIT, wish=Wish("ann", revision=TWO))) == [("main", TWO)]


def test_a_branch_may_come_of_parameters_and_of_the_matrix() -> None:
    source = Source(git=REPOSITORY, branch="${{ parameters.kind }}/${{ matrix.release }}")
    own = job(
        "g",
        spec=replace(spec(), source=source, env={"B": "${{ branch }}"}),
        parameters=(Parameter("kind", default="rel"),),
        matrix=Matrix({"release": ("1", "2")}),
    )
    assert unresolved([own], {"g": own}, ANN) == [(REPOSITORY, "rel/1"), (REPOSITORY, "rel/2")]
    wish = replace(ANN, tips={(REPOSITORY, "rel/2"): Tip(TWO, "rel/2")})
    found = planned(own, wish=wish)
    assert sources(found) == [("rel/1", ""), ("rel/2", TWO)]
    assert [found.specs[one.spec].env["B"] for one in found.builds] == ["rel/1", "rel/2"]


@pytest.mark.parametrize(
    "wish", [Wish("ann", branch="--force"), Wish("ann", branch="a..b"), Wish("ann", revision="1a")]
)
def test_what_is_no_branch_or_revision_is_refused(wish: Wish) -> None:
    for ask in (lambda: unresolved([OF_GIT], {}, wish), lambda: planned(OF_GIT, wish=wish)):
        with pytest.raises(InvalidInput, match="is no "):
            ask()


def test_a_job_with_a_repository_goes_where_git_is() -> None:
    found = planned(OF_GIT)
    assert found.specs[found.builds[0].spec].runs_on == ("git",)
    own = replace(OF_GIT, spec=replace(OF_GIT.spec, runs_on=("git>=2.40",)))
    found = planned(own)
    assert found.specs[found.builds[0].spec].runs_on == ("git>=2.40",)


def test_what_is_not_defined_any_more() -> None:
    with pytest.raises(Conflict, match="shop/a needs gone, which is not defined any more"):
        planned(job("a", needs=(Need("gone"),)))
    one, two = job("one", needs=(Need("two"),)), job("two", needs=(Need("one"),))
    with pytest.raises(Conflict):
        planned(one, two=two)


def test_too_many_builds() -> None:
    values = tuple(map(str, range(1000)))
    wide = [job(f"w{place}", matrix=Matrix({"x": values})) for place in range(11)]
    with pytest.raises(LimitReached, match="more than 10000 builds"):
        planned(*wide)
