"""What a workspace holds at the start, as it is written."""

from ..definition import Source
from ..names import check_path
from ..repository import check_address, check_ref
from ..shapes import LINE, TRUTH, Key, Problems, Shape, checked, listing, mapping, whole
from ..templates import unless_template
from ..yamltree import Tree

_SOURCE = mapping(
    {
        "git": Key(checked(LINE, check_address), "address of a repository, as git clone takes it", required=True),
        "branch": Key(
            checked(LINE, unless_template(check_ref)),
            "branch, tag or full revision to check out; the repository's default branch by default",
        ),
        "submodules": Key(TRUTH, "whether those are checked out too"),
        "sparse": Key(listing(checked(LINE, check_path), "directories"), "directories to check out; all by default"),
        "depth": Key(whole(0, 1_000_000), "commits of history to have; 0, the default, for all"),
    },
    {"ref": "branch", "tag": "branch", "revision": "branch", "url": "git", "repository": "git"},
)


def _read_source(node: Tree, key: str, problems: Problems) -> Source | None:
    found = _SOURCE.read(node, key, problems)
    if found is None:
        return None
    return Source(
        git=found.get("git") or "",
        branch=found.get("branch") or "",
        submodules=bool(found.get("submodules")),
        sparse=found.get("sparse") or (),
        depth=found.get("depth") or 0,
    )


SOURCE: Shape[Source] = Shape(_read_source, _SOURCE.schema)
