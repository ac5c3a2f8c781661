"""`${{ }}` in texts: filled in around the steps, never in what they run."""

import pytest

from job_orchestra.core.definition import Artifacts, Cache, Lock, Service, Source, Spec, Step
from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.expressions import Path
from job_orchestra.core.templates import fill, fill_spec, has_templates

VALUES: dict[Path, str] = {("matrix", "os"): "linux", ("branch",): "a b", ("parameters", "dir"): "../.."}


def look(path: Path) -> str:
    return VALUES.get(path, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${{ matrix.os }}", "linux"),
        ("a-${{matrix.os}}-${{ branch }}-b", "a-linux-a b-b"),
        ("${{ branch == 'x' }}", "false"),
        ("${{ choose(matrix.os == 'linux', '}}', \"}\") }}", "}}"),
        ("${{ hash('uv.lock') }}", "${{ hash('uv.lock') }}"),
        ("py-${{ matrix.os }}-${{hash('a', 'b')}}", "py-linux-${{ hash('a', 'b') }}"),
        ("$HOME ${X} {{ y }}", "$HOME ${X} {{ y }}"),
    ],
)
def test_texts(text: str, expected: str) -> None:
    assert fill(text, look) == expected


def test_a_spec_is_filled_in_around_its_steps() -> None:
    mark = "${{ matrix.os }}"
    spec = Spec(
        steps=(Step("a", "echo", env={"A": mark}),),
        env={"B": mark},
        runs_on=(f"os={mark}", "gpu"),
        source=Source(git="x", branch=mark),
        locks=(Lock(mark),),
        artifacts=(Artifacts((f"{mark}/*",)),),
        caches=(Cache(f"{mark}-${{{{ hash('x') }}}}", (mark,), (mark,)),),
        services=(Service("db", "run", env={"C": mark}),),
    )
    assert has_templates(spec)
    assert fill_spec(spec, look) == Spec(
        steps=(Step("a", "echo", env={"A": "linux"}),),
        env={"B": "linux"},
        runs_on=("gpu", "os=linux"),
        source=Source(git="x", branch="linux"),
        locks=(Lock("linux"),),
        artifacts=(Artifacts(("linux/*",)),),
        caches=(Cache("linux-${{ hash('x') }}", ("linux",), ("linux",)),),
        services=(Service("db", "run", env={"C": "linux"}),),
    )


def test_a_spec_without_expressions_stays_the_same() -> None:
    spec = Spec((Step("a", "echo"),), runs_on=("b>=1", "a"), env={"A": "$x"})
    assert not has_templates(spec)


@pytest.mark.parametrize(
    "spec",
    [
        Spec((), artifacts=(Artifacts(("${{ parameters.dir }}/x",)),)),
        Spec((), caches=(Cache("k", ("${{ parameters.dir }}",)),)),
        Spec((), locks=(Lock("${{ branch }}"),)),
        Spec((), runs_on=("${{ branch }}",)),
    ],
)
def test_a_value_cannot_make_something_wrong(spec: Spec) -> None:
    with pytest.raises(InvalidInput):
        fill_spec(spec, look)
