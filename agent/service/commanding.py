"""What a client's command becomes: a spec like that of a job with one step, with everything about it checked. Pure."""

from ...core.api.submitting import LockParam, Submit
from ...core.definition import MAX_RETRIES, Artifacts, Lock, Retry, Source, Spec, Step, When
from ...core.errors import InvalidInput
from ...core.globs import Globs
from ...core.names import check_name
from ...core.requirements import parse_requirement
from ...core.resources import check as check_resources
from ...core.retrying import check_reason

OF_COMMANDS = (
    *("command", "env", "runs_on", "timeout", "retry", "resources", "locks", "waiting"),
    *("retry_when", "retry_wait", "backoff", "artifacts"),
)
"""What a submission may say of a command only, for a job says it itself."""

MOST = 1_000_000
"""Of one lock, and seconds to wait: more than anybody has."""


def check_job_alone(params: Submit) -> None:
    """Raise InvalidInput where a job is submitted with what belongs to a command."""
    plain = Submit()
    wrong = [name for name in OF_COMMANDS if getattr(params, name) != getattr(plain, name)]
    if wrong:
        message = f"a job brings its own {', '.join(wrong)}; give only `parameters`, `priority` and `source`"
        raise InvalidInput(message)


def spec_of(params: Submit, source: Source) -> tuple[str, Spec]:
    """Return what a command is listed under, and what it runs. Raises InvalidInput for what is wrong with it."""
    if params.command is None or not params.command:
        raise InvalidInput('say what to run: {"job": "project/name"} or {"command": ["make", "test"]}')
    if params.parameters:
        raise InvalidInput("parameters belong to jobs; give a command its values as words or `env`")
    run = params.command if isinstance(params.command, str) else tuple(params.command)
    _check_texts(run, params.env)
    for name, seconds in (("timeout", params.timeout), ("waiting", params.waiting)):
        if seconds is not None and not 0 < seconds < float("inf"):
            message = f"{name} must be more than 0 seconds, not {seconds}"
            raise InvalidInput(message)
    check_resources(params.resources)
    Globs(params.artifacts)  # which refuses what leads out of the directory
    spec = Spec(
        steps=(Step("run", run),),
        env=params.env,
        runs_on=tuple(sorted({str(parse_requirement(one)) for one in params.runs_on})),
        timeout_s=params.timeout,
        source=source,
        retry=_retry(params),
        resources=params.resources,
        locks=tuple(_lock(one) for one in sorted(params.locks, key=lambda one: one.name)),
        waiting_s=params.waiting,
        artifacts=(Artifacts(tuple(params.artifacts), When.ALWAYS),) if params.artifacts else (),
    )
    if len({one.name for one in spec.locks}) < len(spec.locks):
        raise InvalidInput("a lock is named twice; say with `take` how many of it the command takes")
    return command_name(params.name, run), spec


def command_name(name: str | None, run: str | tuple[str, ...]) -> str:
    """Return the name a command is listed under: the given one, else the last part of its first word."""
    words = run.split(None, 1) if isinstance(run, str) else run
    text = name or (words[0].rsplit("/", 1)[-1] if words else "")
    kept = "".join(character if character.isalnum() or character in "._-+" else "-" for character in text)
    return kept[:64] or "command"


def _check_texts(run: str | tuple[str, ...], env: dict[str, str]) -> None:
    for text in [*((run,) if isinstance(run, str) else run), *env, *env.values()]:
        if "\0" in text:
            raise InvalidInput(
                "a command or its environment holds a NUL character, which no program can receive; remove it"
            )
    if any("=" in name or not name for name in env):
        raise InvalidInput("a variable's name is empty or holds `=`; rename it")


def _retry(params: Submit) -> Retry:
    if not 0 <= params.retry <= MAX_RETRIES:
        message = f"retry must be 0 to {MAX_RETRIES} further attempts, not {params.retry}"
        raise InvalidInput(message)
    if not 0 <= params.retry_wait <= MOST:
        message = f"retry_wait must be 0 to {MOST} seconds, not {params.retry_wait}"
        raise InvalidInput(message)
    for reason in params.retry_when:
        check_reason(reason)
    return Retry(params.retry, tuple(params.retry_when) or Retry().when, params.retry_wait, params.backoff)


def _lock(given: LockParam) -> Lock:
    check_name(given.name)
    if not 1 <= given.take <= given.of <= MOST:
        message = (
            f"the lock {given.name} is taken {given.take} of {given.of}, which can never be had; take 1 to {given.of}"
        )
        raise InvalidInput(message)
    return Lock(given.name, given.of, given.take)
