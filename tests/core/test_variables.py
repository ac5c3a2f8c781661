"""By which variables a step sees what its build was made with."""

from job_orchestra.core.model import Context
from job_orchestra.core.variables import variable, variables
from tests.kit.builders import build


def test_a_plain_build_has_none() -> None:
    assert variables(build()) == {}


def test_all_that_a_build_may_be_made_with() -> None:
    context = Context(
        matrix={"python-version": "3.13"},
        branch="$(rm -rf /)",
        revision="abc",
        inherited={"build.all": {"version": "1.2", "path": "dist/x"}, "lint": {}},
    )
    assert variables(build(parameters={"dry-run": "yes"}, context=context)) == {
        "PARAM_DRY_RUN": "yes",
        "MATRIX_PYTHON_VERSION": "3.13",
        "NEEDS_BUILD_ALL_VERSION": "1.2",
        "NEEDS_BUILD_ALL_PATH": "dist/x",
        "ORCHESTRA_BRANCH": "$(rm -rf /)",
        "ORCHESTRA_REVISION": "abc",
    }


def test_a_name_that_no_variable_can_have() -> None:
    assert variable("needs", "größe+1", "a b") == "NEEDS_GR__E_1_A_B"
