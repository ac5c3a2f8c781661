"""The commands of `python3 -m tools`, each as a plan: what it needs in the environment, and the steps it takes.

Planning reads the tree and changes nothing. Whatever a command checks or measures is a program of its own that the
plan runs by name, so that each line of a simulated plan can be repeated by hand.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import environment as env
from .packages import version
from .plan import Refusal, Remove, Run, Say, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .environment import Environment

WHEELS = Path("build/wheel")
"""Where lint builds the wheel that it looks into."""

SIDE_BY_SIDE = ("-n", "logical", "--maxprocesses", "4", "--dist", "loadfile")
"""How all tests run: in a few processes, those of one file in one of them, because they share what was started."""

BUILD_LEFTOVERS = (Path("build"), Path("job_orchestra.egg-info"))
"""setuptools packs again whatever it left here last time, also modules that are gone."""

PRODUCTS = (
    *BUILD_LEFTOVERS,
    Path("dist"),
    Path(".hypothesis"),
    Path(".import_linter_cache"),
    Path(".pytest_cache"),
    Path(".ruff_cache"),
    Path(".coverage"),
    Path("htmlcov"),
)
"""What the commands leave behind. The environment and the link for type checkers are not products: they are kept."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a command is planned from."""

    root: Path
    """The project; steps run in it."""
    environment: Environment
    """The environment to run in, whether it is there yet or not."""
    arguments: tuple[str, ...]
    """What followed the command."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: how it is listed, and how it is planned."""

    summary: str
    plan: Callable[[Request], list[Step]]
    usage: str = ""
    """What may follow the command; empty if nothing may."""


def develop(request: Request) -> list[Step]:
    """Make the environment with everything that any command needs."""
    environment = request.environment
    steps = env.prepare(request.root, environment, {*env.ALL_EXTRAS, *_node()})
    steps += env.typing_link(request.root)
    return [*steps, Say(f"Ready: {environment.python}, and {environment.script('orchestra')} runs this checkout.")]


def test(request: Request) -> list[Step]:
    """Run the tests: all of them side by side, or those that are asked for one after the other."""
    steps = env.prepare(request.root, request.environment, {"test"})
    return [*steps, _python(request, "pytest", *(request.arguments or SIDE_BY_SIDE), says="test")]


def lint(request: Request) -> list[Step]:
    """Run every check; all of them, so that one round shows everything."""
    environment, fix = request.environment, request.arguments == ("--fix",)
    if request.arguments and not fix:
        raise Refusal(f"lint does not know {' '.join(request.arguments)}", "it takes nothing, or --fix")
    checks: list[tuple[str, tuple[str, ...]]] = [
        ("ruff: rules", (environment.script("ruff"), "check", *(["--fix"] if fix else []), ".")),
        ("ruff: format", (environment.script("ruff"), "format", *([] if fix else ["--check"]), ".")),
        ("pyright: types", (environment.script("pyright"), "--pythonpath", environment.python)),
        ("import-linter: who imports whom", (environment.script("lint-imports"), "--no-logo")),
        ("the list of packages in setup.cfg", (environment.python, "-m", "tools.packages")),
        ("pages in docs/ that come from the code", (environment.python, "-m", "tools.reference", "--check")),
    ]
    return [
        # with those of the tests, which are checked too
        *env.prepare(request.root, environment, {"lint", "test", *_node()}),
        *env.typing_link(request.root),
        *(Run(argv, says=says, keep_going=True) for says, argv in checks),
        *_present(request.root, BUILD_LEFTOVERS),
        _python(
            request,
            *("pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"),
            *("--wheel-dir", str(WHEELS), "."),
            says="build a wheel",
        ),
        _python(request, "tools.wheel", str(WHEELS), says="what is in the wheel"),
    ]


def bench(request: Request) -> list[Step]:
    """Measure, beside the peers."""
    steps = env.prepare(request.root, request.environment, {"bench"})
    return [*steps, _python(request, "tools.bench", *request.arguments, says="bench")]


def demo(request: Request) -> list[Step]:
    """Run the project's own pipeline on temporary agents."""
    steps = env.prepare(request.root, request.environment, {"test", "lint", *_node()})
    return [*steps, _python(request, "tools.demo", *request.arguments, says="demo")]


def screenshots(request: Request) -> list[Step]:
    """Make the pictures in docs/."""
    steps = env.prepare(request.root, request.environment, {"test"})
    return [*steps, _python(request, "tools.screenshots", *request.arguments, says="screenshots")]


def transcripts(request: Request) -> list[Step]:
    """Play consensus transcripts."""
    steps = env.prepare(request.root, request.environment, ())
    return [*steps, _python(request, "tools.transcripts", *request.arguments, says="transcripts")]


def simulate(request: Request) -> list[Step]:
    """Run simulated networks."""
    steps = env.prepare(request.root, request.environment, ())
    return [*steps, _python(request, "tools.simulate", *request.arguments, says="simulate")]


def soak(request: Request) -> list[Step]:
    """Try a network of real agents under faults."""
    steps = env.prepare(request.root, request.environment, {"test"})
    return [*steps, _python(request, "tools.soak", *request.arguments, says="soak")]


def clean(request: Request) -> list[Step]:
    """Remove what the other commands left behind."""
    steps = _present(request.root, PRODUCTS)
    inside = [folder for folder in request.root.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    caches = sorted(
        cache.relative_to(request.root)
        for folder in inside
        for cache in [folder, *folder.rglob("__pycache__")]
        if cache.name == "__pycache__"
    )
    kept = [cache for cache in caches if not any(cache.is_relative_to(product) for product in PRODUCTS)]
    steps += [Remove(cache) for cache in kept]
    return steps or [Say("Nothing to remove.")]


def release(request: Request) -> list[Step]:
    """Build what could be published, prove that it installs, and say how to publish it."""
    this = version(request.root)
    wheel = f"dist/job_orchestra-{this}-py3-none-any.whl"
    trial = env.Environment(Path("build/trial"))
    return [
        *env.prepare(request.root, request.environment, {"release"}),
        _python(request, "tools.release", says="is this tree ready to be released?"),
        *_present(request.root, (*BUILD_LEFTOVERS, Path("dist"))),
        _python(request, "build", "--outdir", "dist", ".", says="build the source distribution and the wheel"),
        _python(request, "tools.wheel", "dist", says="what is in the wheel"),
        env.fresh(trial),
        Run(
            (trial.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel),
            says="install the wheel in a fresh environment",
            remedy="pip needs a package index: check the network, or name a mirror in PIP_INDEX_URL",
        ),
        Run((trial.script("orchestra"), "--version"), says="run what was installed"),
        Remove(trial.folder),
        Say(_PUBLISH.format(version=this)),
    ]


_PUBLISH = """\
dist/ holds version {version}. Nothing was uploaded. By hand, from here:
  git tag --annotate v{version} --message "Job Orchestra {version}"
  git push origin v{version}
  python3 -m twine upload dist/job_orchestra-{version}*
  then set the next .dev0 version in setup.cfg and open "Unreleased" in CHANGELOG.md"""


COMMANDS = {
    "develop": Command("make .venv with the project (editable) and every tool", develop),
    "demo": Command("start three temporary agents and run this project's pipeline on them", demo, "[ARGUMENT...]"),
    "test": Command("run the tests", test, "[PYTEST ARGUMENT...]"),
    "lint": Command("ruff, pyright, import contracts, package list, contents of the wheel", lint, "[--fix]"),
    "bench": Command("measure, beside comparable systems", bench, "[NAME...] [--json]"),
    "screenshots": Command("make the pictures of the console in docs/ from a real network", screenshots, "[NAME...]"),
    "clean": Command("remove build products and caches", clean),
    "release": Command("build and try what could be published; uploads nothing", release),
    "transcripts": Command("play consensus transcripts", transcripts, "DIR"),
    "simulate": Command("run simulated networks", simulate, "[ARGUMENT...]"),
    "soak": Command("try a network of real agents under faults", soak, "[--minutes N] [--seed S] [ARGUMENT...]"),
}
"""In the order in which a newcomer meets them."""


def plan(name: str, request: Request) -> list[Step]:
    """Return the plan of a command.

    Raises `Refusal` for arguments that the command does not take, and for what this machine lacks.
    """
    command = COMMANDS[name]
    if request.arguments and not command.usage:
        raise Refusal(f"{name} takes no arguments", f"leave out {' '.join(request.arguments)}")
    return command.plan(request)


def _python(request: Request, module: str, *arguments: str, says: str) -> Run:
    return Run((request.environment.python, "-m", module, *arguments), says=says)


def _node() -> set[str]:
    """Return the extra that brings Node.js for pyright, if this machine has none."""
    return set() if shutil.which("node") else {"node"}


def _present(root: Path, paths: Sequence[Path]) -> list[Step]:
    return [Remove(path) for path in paths if (root / path).exists()]
