"""Which branches of a template's blocks a rendering comes to, and which ones none of several renderings does.

Runs in worker processes (Branches) and in the service (unreached).
"""

from collections.abc import Iterable

from services.render.frames import Branch
from services.render.handlebars.tree import BlockStatement, CallExpression, Expression, Literal

# Branches that a report contains, and that are reported as unreached.
MAX_BRANCHES = 1000
MAX_UNREACHED = 100
_MAX_TAG = 80


class Branches:
    """Collects the branches of the blocks that are rendered."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, bool], Branch] = {}

    def note(self, part: str, node: BlockStatement, *, taken: bool | None) -> None:
        """Note that a block is rendered. taken: its condition; None: not known, so either may be rendered."""
        call = node.call
        for is_else, program in ((False, node.program), (True, node.inverse)):
            key = (part, call.line, call.column, is_else)
            known = self._found.get(key)
            if not program.nodes or (known is not None and known.is_reached):
                continue
            if known is None and len(self._found) >= MAX_BRANCHES:
                return
            is_reached = taken is None or taken is not is_else
            self._found[key] = Branch(part, call.line, call.column, _tag(call), is_else, is_reached)

    def found(self) -> list[Branch]:
        """Return the branches in the order in which the template comes to their blocks."""
        return list(self._found.values())


def unreached(reports: Iterable[Iterable[Branch]]) -> list[Branch]:
    """Return the branches that no rendering reaches, of blocks that at least one reaches."""
    known: dict[tuple[str, int, int, bool], Branch] = {}
    for branch in (branch for report in reports for branch in report):
        key = (branch.field, branch.line, branch.column, branch.is_else)
        if key not in known or branch.is_reached:
            known[key] = branch
    return sorted(branch for branch in known.values() if not branch.is_reached)[:MAX_UNREACHED]


def _tag(call: CallExpression) -> str:
    text = f"#{_shown(call)}"
    return text if len(text) <= _MAX_TAG else text[: _MAX_TAG - 1] + "…"


def _shown(call: CallExpression) -> str:
    arguments = [_argument(one) for one in call.args]
    options = [f"{key}={_argument(value)}" for key, value in call.options]
    return " ".join([call.target.text, *arguments, *options])


def _argument(expression: Expression) -> str:
    if isinstance(expression, CallExpression):
        return f"({_shown(expression)})"
    is_text = isinstance(expression, Literal) and isinstance(expression.value, str)
    return f'"{expression.text}"' if is_text else expression.text
