"""From an assignment to the executor's plan: which commands run, where their output goes, what is in their environment.

Refuses to know whether and when it runs.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..core.definition import ANY_PORT, Service, Spec, Step
from ..core.model import Attempt, Build, Context
from ..core.variables import variable, variables
from .executor import keyboards, probing
from .executor.protocol import Plan, ServicePlan, StepPlan
from .furnishing import Furnished
from .paths import Paths

PASSED_ON = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "SHELL"})
"""Variables of the agent's own environment that builds see; everything else is theirs to set."""

_NOTHING = Context()


class Planner:
    """Makes the plans of one agent."""

    def __init__(self, paths: Paths, agent: str, *, pass_on: Sequence[str] = (), log_limit: int = 0) -> None:
        """Plan for the agent of this name; `log_limit` is in bytes, 0 is none. See base_environment for `pass_on`."""
        self._paths = paths
        self._agent = agent
        self._base = base_environment(os.environ, pass_on)
        self._log_limit = log_limit
        self.nice = False  # builds give way to everything else on the machine
        self._folders: set[Path] = set()

    def plan(
        self, attempt: Attempt, build: Build, spec: Spec, *, furnished: Furnished, secrets: Mapping[str, str]
    ) -> Plan:
        """Return the plan of an attempt whose steps see these secrets; the folder of its log is there then."""
        log_file = self._paths.log(attempt.key)
        if log_file.parent not in self._folders:
            log_file.parent.mkdir(mode=0o700, exist_ok=True)
            self._folders.add(log_file.parent)
        rare = build.context or _NOTHING
        return Plan(
            key=attempt.key,
            log=str(log_file),
            env={**self._environment(attempt, build, spec), **secrets},
            steps=tuple(_step(one, spec, secrets) for one in spec.steps),
            prepare=furnished.prepare,
            workspace=furnished.workspace,
            collect=furnished.collect,
            timeout_s=spec.timeout_s,
            log_limit=self._log_limit,
            secrets=tuple(secrets.values()),
            services=tuple(_service(one, spec.shell, secrets) for one in spec.services),
            terminal=rare.terminal,
            input=rare.input,
            owner=build.requester,
            silence_s=keyboards.SILENCE_S if rare.bound else 0.0,
            nice=self.nice,
        )

    def _environment(self, attempt: Attempt, build: Build, spec: Spec) -> dict[str, str]:
        env = dict(self._base)
        env["GIT_CEILING_DIRECTORIES"] = str(self._paths.data)  # a repository around all of this is none of theirs
        env.update(
            CI="true",
            ORCHESTRA_BUILD_ID=build.id,
            ORCHESTRA_PROJECT=build.project,
            ORCHESTRA_JOB=build.job,
            ORCHESTRA_NUMBER=str(build.number),
            ORCHESTRA_ATTEMPT=str(attempt.number),
            ORCHESTRA_AGENT=self._agent,
        )
        env.update(variables(build))
        env.update({variable("service", one.name, "port"): str(one.port) for one in spec.services if one.port > 0})
        env.update(spec.env)
        return env


def base_environment(own: Mapping[str, str], pass_on: Sequence[str]) -> dict[str, str]:
    """Return what builds see of the agent's environment: PASSED_ON, and `pass_on` (a trailing `*` is any end)."""
    wanted = set(PASSED_ON).union(name for name in pass_on if not name.endswith("*"))
    prefixes = tuple(name[:-1] for name in pass_on if name.endswith("*"))
    return {name: value for name, value in own.items() if name in wanted or (prefixes and name.startswith(prefixes))}


def _step(step: Step, spec: Spec, secrets: Mapping[str, str]) -> StepPlan:
    argv = (*spec.shell, "-c", step.run) if isinstance(step.run, str) else step.run
    env = {name: value for name, value in step.env.items() if name not in secrets}  # a secret comes before them
    where = spec.source.directory
    return StepPlan(name=step.name, argv=argv, env=env, when=step.when, timeout_s=step.timeout_s, directory=where)


def _service(service: Service, shell: tuple[str, ...], secrets: Mapping[str, str]) -> ServicePlan:
    port = variable("service", service.name, "port")
    return ServicePlan(
        name=service.name,
        argv=(*shell, "-c", service.run),
        env={name: value for name, value in service.env.items() if name not in secrets},
        ready=_probe(service, shell, f"${port}"),
        ready_s=service.ready_s,
        port=port if service.port == ANY_PORT else "",
    )


def _probe(service: Service, shell: tuple[str, ...], port: str) -> tuple[str, ...]:
    """Return the command that sees whether a service is ready; `port` is how it can speak of the service's port."""
    if service.ready_http:
        words = ("http", service.ready_http)
    elif service.ready_run:
        words = ("run", *shell, "-c", service.ready_run)
    elif service.ready_tcp or service.port:
        words = ("tcp", str(service.ready_tcp) if service.ready_tcp else port)
    else:
        return ()
    return (sys.executable, "-E", "-P", "-m", probing.__name__, f"{service.ready_s:g}", *words)
