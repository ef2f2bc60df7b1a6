"""An e-mail's markup without data: an error in it is an error with any data. Runs in worker processes only."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from services.render.handlebars import CompiledTemplate
from services.render.handlebars.tree import (
    BlockStatement,
    ContentStatement,
    InlinePartial,
    MustacheStatement,
    PartialStatement,
    PathExpression,
    Program,
)

_SLOT = "content"
_PARTIAL_BLOCK = "@partial-block"

# Limits against partials that multiply. No real template comes near them.
_MAX_NODES = 50_000
_MAX_DEPTH = 32


class Piece(NamedTuple):
    """Literal text, the part that it is from (as in Fault.field), and its first line in that part."""

    text: str
    field: str
    line: int


class _Part(NamedTuple):
    program: Program
    field: str


class Skeleton:
    """The literal text of one branch of each block, with the body in the layout's slot.

    is_inverse: take the branches for "no condition is true"; otherwise those for "all are true".
    """

    def __init__(self, body: CompiledTemplate, layout: CompiledTemplate | None, *, is_inverse: bool) -> None:
        self._body = _Part(body.program, "body")
        self._is_inverse = is_inverse
        self.pieces: list[Piece] = []
        self._nodes = 0
        trees = {**body.partials, **({} if layout is None else layout.partials)}
        known = {name: _Part(program, f"partials.{name}") for name, program in trees.items()}
        self._walk(self._body if layout is None else _Part(layout.program, "layout"), known, 0)

    def markup(self) -> str:
        """Return the whole text."""
        return "".join(piece.text for piece in self.pieces)

    def place(self, offset: int) -> tuple[str, int]:
        """Return the part and line of an offset in the markup. line: 0 if not known."""
        if offset < 0 or not self.pieces:
            return "body", 0
        for piece in self.pieces:
            if offset < len(piece.text):
                return piece.field, piece.line + piece.text.count("\n", 0, offset)
            offset -= len(piece.text)
        last = self.pieces[-1]
        return last.field, last.line + last.text.count("\n")

    def _walk(self, part: _Part, partials: Mapping[str, _Part], depth: int) -> None:
        inline = {
            node.name: _Part(node.program, part.field) for node in part.program.nodes if isinstance(node, InlinePartial)
        }
        partials = {**partials, **inline} if inline else partials
        for node in part.program.nodes:
            self._nodes += 1
            if self._nodes > _MAX_NODES or depth > _MAX_DEPTH:
                return
            if isinstance(node, ContentStatement):
                self.pieces.append(Piece(node.value, part.field, node.line))
            elif isinstance(node, BlockStatement):
                self._walk(_Part(self._branch(node), part.field), partials, depth)
            elif isinstance(node, PartialStatement):
                self._partial(node, part, partials, depth + 1)
            elif isinstance(node, MustacheStatement) and part.field == "layout" and is_slot(node):
                self._walk(self._body, partials, depth + 1)

    def _branch(self, node: BlockStatement) -> Program:
        is_second = self._is_inverse != (node.call.target.text == "unless")
        return node.inverse if is_second else node.program

    def _partial(self, node: PartialStatement, part: _Part, partials: Mapping[str, _Part], depth: int) -> None:
        found = partials.get(node.name) if isinstance(node.name, str) else None
        if node.block is not None:
            block = _Part(node.block, part.field)
            partials = {**partials, **dict(_inlines(block)), _PARTIAL_BLOCK: block}
            found = found or block
        if found is not None:
            self._walk(found, partials, depth)


def slots(layout: Program) -> int:
    """Return the number of slots for the body in all branches of a layout."""
    count = 0
    for node in layout.nodes:
        if isinstance(node, MustacheStatement):
            count += is_slot(node)
        elif isinstance(node, BlockStatement):
            count += slots(node.program) + slots(node.inverse)
    return count


def is_slot(node: MustacheStatement) -> bool:
    """Return whether a tag is ``{{{content}}}``."""
    target = node.call.target
    is_named = isinstance(target, PathExpression) and target.parts == (_SLOT,) and not target.depth and not target.data
    return is_named and not node.escaped and not node.call.has_arguments


def _inlines(part: _Part) -> Iterator[tuple[str, _Part]]:
    for node in part.program.nodes:
        if isinstance(node, InlinePartial):
            yield node.name, _Part(node.program, part.field)
