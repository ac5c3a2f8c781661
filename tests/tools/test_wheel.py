"""What a wheel holds, against the tree it should come from."""

import zipfile
from pathlib import Path

import pytest

from tools import wheel
from tools.packages import modules

from .conftest import Tree


def pack(tree: Tree, *, without: str = "", extra: dict[str, str] | None = None) -> Path:
    """Write a wheel as setuptools would, with the given defects."""
    path = tree.root / "job_orchestra-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for module in modules(tree.root):
            if str(module) != without:
                archive.write(tree.root / module, f"job_orchestra/{module}")
        archive.writestr("job_orchestra-1.2.3.dist-info/METADATA", "")
        for name, text in (extra or {}).items():
            archive.writestr(name, text)
    return path


def test_the_package_and_its_metadata_are_all(tree: Tree) -> None:
    assert wheel.problems(pack(tree), tree.root) == []


def test_a_missing_module_is_found(tree: Tree) -> None:
    found = wheel.problems(pack(tree, without="core/model.py"), tree.root)
    assert found == ["job_orchestra/core/model.py is missing from the wheel: is its package listed in setup.cfg?"]


@pytest.mark.parametrize("name", ["tests/test_it.py", "other-1.dist-info/METADATA", "core/model.py"])
def test_what_does_not_belong_is_found(tree: Tree, name: str) -> None:
    assert wheel.problems(pack(tree, extra={name: ""}), tree.root) == [f"{name} does not belong in the wheel"]


def test_a_module_of_an_earlier_build_is_found(tree: Tree) -> None:
    found = wheel.problems(pack(tree, extra={"job_orchestra/core/gone.py": ""}), tree.root)
    assert found == ["job_orchestra/core/gone.py is in the wheel but not in the tree: remove build/ and build again"]


def test_a_module_that_differs_is_found(tree: Tree) -> None:
    packed = pack(tree)
    tree.write("core/model.py", "changed = True\n")
    assert wheel.problems(packed, tree.root) == [
        "job_orchestra/core/model.py differs from the tree: remove build/ and build again"
    ]


def test_there_must_be_one_wheel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wheel.main([str(tmp_path)]) == 2
    assert "found 0" in capsys.readouterr().err
