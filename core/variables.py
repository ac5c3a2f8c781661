"""The environment variables by which a step sees what its build was made with. Pure.

Values reach a step only so, never by being written into its shell text: whatever a branch or a parameter is called, it
is data there.
"""

import re
from collections.abc import Mapping

from .model import Build, Context

_OTHER = re.compile(r"[^A-Za-z0-9]")


def variable(*names: str) -> str:
    """Return the variable of a value: its names in capitals, joined by `_`; what no variable can hold is `_`, too."""
    return "_".join(_OTHER.sub("_", name).upper() for name in names)


def variables(build: Build) -> dict[str, str]:
    """Return the variables that come of a build's parameters, of its matrix, pipeline and revision."""
    found = {variable("param", name): value for name, value in build.parameters.items()}
    return found | (_rare(build.context) if build.context is not None else {})


def _rare(context: Context) -> dict[str, str]:
    found = {variable("matrix", name): value for name, value in context.matrix.items()}
    for job, results in context.inherited.items():
        found |= {variable("needs", job, name): value for name, value in results.items()}
    return found | _known({"ORCHESTRA_BRANCH": context.branch, "ORCHESTRA_REVISION": context.revision})


def _known(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
