"""The contract type `homes` for import-linter (see pyproject.toml): every foreign library has a home.

import-linter's own `protected` contract refuses a library or module that is not in the graph yet, and would not notice
a library that nobody listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from importlinter import Contract, ContractCheck, fields, output

from .homes import Import, parse, strays

if TYPE_CHECKING:
    from grimp import ImportGraph


class HomesContract(Contract):
    """A foreign library is imported only at home.

    Options: `homes`, a list of lines `library: module module ...` (modules with all that is below them, without the
    name of the root package), and `ignored`, top-level folders of the root that are not part of the package.
    """

    homes = fields.ListField(subfield=fields.StringField())
    ignored = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 - import-linter's signature
        """Compare the direct imports of the graph with the homes."""
        output.verbose_print(verbose, "Comparing the libraries with their homes...")
        (root,) = self.session_options["root_packages"]
        ours = {name: name.removeprefix(f"{root}.") for name in graph.modules if name.split(".")[0] == root}
        imports = {
            Import(module, imported)
            for name, module in ours.items()
            if module.split(".")[0] not in self.ignored  # pyright: ignore[reportOperatorIssue] - parsed by the field
            for imported in graph.find_modules_directly_imported_by(name)
            if imported not in ours
        }
        found = strays(imports, parse(self.homes))  # pyright: ignore[reportArgumentType] - parsed by the field
        return ContractCheck(kept=not found, metadata={"strays": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the sentences."""
        for sentence in check.metadata["strays"]:
            output.print_error(f"- {sentence}", bold=False)
