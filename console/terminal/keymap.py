"""Keys that a user gives to actions, in a file of their own: `"build.abort" = "ctrl+k"`.

The names are the ids of the bindings; `orchestra console --keys` prints them all, as such a file.
"""

import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from textual.binding import Binding
from textual.dom import DOMNode

from ...core.errors import InvalidInput
from ...core.nearest import nearest

_PACKAGE = __name__.rpartition(".")[0]


def load(path: Path) -> dict[str, str]:
    """Return id -> keys from a file; nothing where there is none. Raises InvalidInput with the place and the remedy."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: {error}; correct it, or move it away") from None
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
    known = actions()
    for name, keys in found.items():
        if name not in known:
            guess = nearest(name, known)
            hint = f"did you mean {guess}?" if guess else "orchestra console --keys lists them"
            raise InvalidInput(f"{path}: no action {name!r}; {hint}")
        if not isinstance(keys, str) or not keys.strip():
            raise InvalidInput(f'{path}: write keys as a text, as "{name}" = "ctrl+k" or "x,delete"')
    return {name: str(keys) for name, keys in found.items()}


def actions() -> Mapping[str, tuple[str, str]]:
    """Return id -> (keys, what it does) of every action there is."""
    found: dict[str, tuple[str, str]] = {}
    for binding in _bindings():
        if binding.id and binding.description:
            found.setdefault(binding.id, (binding.key, binding.description))
    return dict(sorted(found.items()))


def _bindings() -> Iterator[Binding]:
    for module in (_PACKAGE, f"{_PACKAGE}.screens"):
        for one in iter_modules(import_module(module).__path__):
            for value in list(vars(import_module(f"{module}.{one.name}")).values()):
                if isinstance(value, type) and issubclass(value, DOMNode):
                    declared: list[Any] = vars(value).get("BINDINGS", [])
                    yield from (binding for binding in declared if isinstance(binding, Binding))


def template() -> str:
    """Return a file with every action and its own keys, as comments."""
    lines = ["# Keys of the console: take the # away and write the keys you like, several with commas.", ""]
    for name, (keys, does) in actions().items():
        lines.append(f'# "{name}" = "{keys}"'.ljust(52) + f"# {does}")
    return "\n".join(lines)
