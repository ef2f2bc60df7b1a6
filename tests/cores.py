"""The import contract that a core does no I/O, for import-linter. Every module is a core unless it is named an edge."""

from typing import Any

from grimp import ImportGraph
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.domain import fields
from importlinter.domain.contract import ContractCheck
from importlinter.domain.helpers import module_expressions_to_modules
from importlinter.domain.imports import ModuleExpression


class CoresContract(ForbiddenContract):
    """A forbidden contract for all modules of source_modules but the edges, which do I/O themselves or wire it."""

    # import-linter declares fields and fills in their values under the same names.
    edges: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    source_modules: Any = ForbiddenContract.source_modules
    as_packages: Any = ForbiddenContract.as_packages

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 - import-linter's signature
        """As a forbidden contract. Imports through other modules count, each module for itself."""
        edges = module_expressions_to_modules(graph, self.edges)
        self._check_all_modules_exist_in_graph(edges, graph)
        roots = {module.name for module in module_expressions_to_modules(graph, self.source_modules)}
        inside = roots.union(*(graph.find_descendants(root) for root in roots))
        self.source_modules = {ModuleExpression(name) for name in inside - {module.name for module in edges}}
        self.as_packages = False
        return super().check(graph, verbose)
