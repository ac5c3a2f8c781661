"""The values that a submission gives to a job, checked against what the job takes."""

from collections.abc import Mapping

from ..definition import Job
from ..errors import InvalidInput
from ..nearest import nearest


def bind(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """Return the values that a build of `job` runs with. Raises InvalidInput for what does not fit its parameters."""
    known = {one.name: one for one in job.parameters}
    for name, value in given.items():
        if name not in known:
            guess = nearest(name, known)
            hint = f"did you mean {guess}?" if guess else f"it has: {', '.join(known) or 'none'}"
            message = f"{job.full_name} has no parameter {name!r}; {hint}"
            raise InvalidInput(message)
        choices = known[name].choices
        if choices and value not in choices:
            message = (
                f"parameter {name} of {job.full_name} cannot be {value[:80]!r}; choose one of: {', '.join(choices)}"
            )
            raise InvalidInput(message)
        if "\0" in value:
            message = f"parameter {name} holds a NUL character, which no program can receive; remove it"
            raise InvalidInput(message)
    missing = [one.name for one in job.parameters if one.required and one.name not in given]
    if missing:
        message = f"{job.full_name} needs a value for {', '.join(missing)}; give it with -p {missing[0]}=VALUE"
        raise InvalidInput(message)
    return {name: given.get(name, one.default or "") for name, one in known.items()}
