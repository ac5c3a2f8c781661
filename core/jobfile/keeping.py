"""What outlives a workspace, as it is written: artifacts, and caches for later builds."""

from ..definition import Artifacts, Cache, When
from ..names import check_path
from ..shapes import LINE, TRUTH, Key, Problems, Shape, checked, listing, mapping, one_or_many
from ..templates import unless_template
from ..yamltree import Listing, Scalar, Table, Tree
from .steps import WHEN

PATH = checked(LINE, unless_template(check_path))
_PATHS = one_or_many(PATH, "paths")

_ARTIFACTS = mapping(
    {
        "paths": Key(_PATHS, "globs, relative to the workspace", required=True),
        "when": Key(WHEN, "under which outcome of the steps they are kept: success (default), failure or always"),
        "required": Key(TRUTH, "a glob that matches nothing fails the build"),
    },
    {"path": "paths", "name": "paths", "retention-days": "the network's retention", "if-no-files-found": "required"},
)


def _read_rule(node: Tree, key: str, problems: Problems) -> Artifacts | None:
    found = _ARTIFACTS.read(node, key, problems)
    if found is None:
        return None
    if "paths" in found and isinstance(node, Table) and not found["paths"]:
        _empty(node, key, problems)
    return Artifacts(
        found.get("paths") or (), When(found.get("when") or When.SUCCESS), required=bool(found.get("required"))
    )


def _empty(node: Tree, key: str, problems: Problems) -> None:
    if not problems.found:
        problems.add(node, key, "names no path; write at least one, as [dist/*]")


def _read_artifacts(node: Tree, key: str, problems: Problems) -> tuple[Artifacts, ...] | None:
    if isinstance(node, Table):
        found = _read_rule(node, key, problems)
        return None if found is None else (found,)
    if isinstance(node, Scalar):
        path = PATH.read(node, key, problems)
        return None if path is None else (Artifacts((path,)),)
    if not node.items:
        _empty(node, key, problems)
    plain: list[str] = []
    rules: list[Artifacts] = []
    for place, one in enumerate(node.items):
        where = f"{key}[{place}]"
        if isinstance(one, Table):
            rule = _read_rule(one, where, problems)
            rules += [rule] if rule is not None else []
        else:
            path = PATH.read(one, where, problems)
            plain += [path] if path is not None else []
    return (*((Artifacts(tuple(plain)),) if plain else ()), *rules)


ARTIFACTS: Shape[tuple[Artifacts, ...]] = Shape(
    _read_artifacts,
    {
        "anyOf": [
            PATH.schema,
            {"type": "array", "items": {"anyOf": [PATH.schema, _ARTIFACTS.schema]}, "minItems": 1},
            _ARTIFACTS.schema,
        ]
    },
)

_CACHE = mapping(
    {
        "key": Key(LINE, "what names the content, as py-${{ hash('uv.lock') }}", required=True),
        "paths": Key(_PATHS, "what is kept, relative to the workspace", required=True),
        "restore": Key(
            one_or_many(LINE, "keys"), "prefixes of keys that will do where the key itself has nothing, best first"
        ),
    },
    {"path": "paths", "restore-keys": "restore"},
)


def _read_cache(node: Tree, key: str, problems: Problems) -> Cache | None:
    found = _CACHE.read(node, key, problems)
    if found is None:
        return None
    if found.get("paths") == ():
        _empty(node, key, problems)
    return Cache(found.get("key") or "", found.get("paths") or (), found.get("restore") or ())


_CACHES = listing(Shape(_read_cache, _CACHE.schema), "caches")


def _read_caches(node: Tree, key: str, problems: Problems) -> tuple[Cache, ...] | None:
    if isinstance(node, Listing):
        return _CACHES.read(node, key, problems)
    found = _read_cache(node, key, problems)
    return None if found is None else (found,)


CACHES: Shape[tuple[Cache, ...]] = Shape(_read_caches, {"anyOf": [_CACHE.schema, _CACHES.schema]})
