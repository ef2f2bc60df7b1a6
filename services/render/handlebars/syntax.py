"""From a template's text to its tree."""

from collections.abc import Sequence

from services.render.handlebars.expressions import MAX_DEPTH, ExpressionParser
from services.render.handlebars.lexer import Chunk, TemplateFaultError, chunks
from services.render.handlebars.tree import (
    BlockStatement,
    CallExpression,
    ContentStatement,
    InlinePartial,
    Literal,
    MustacheStatement,
    Node,
    PartialStatement,
    Program,
)
from services.render.handlebars.whitespace import trimmed

MAX_TAGS = 20_000

# What a closing tag calls the kind of block it ends.
_OPENERS = {"open": "#", "invert": "^", "open_partial": "#> ", "open_inline": "#*"}


def parse(source: str) -> Program:
    """Return the template's tree. Raises TemplateFaultError."""
    parser = _TemplateParser(trimmed(_counted(source)))
    program = parser.program(0)
    if (chunk := parser.peek()) is not None:
        what = "else" if chunk.kind == "else" else "closing tag"
        raise TemplateFaultError(f"this {what} belongs to no block", chunk.line, chunk.column)
    return program


class _TemplateParser:
    """Reads chunks: blocks nest here, expressions are left to ExpressionParser."""

    def __init__(self, found: Sequence[Chunk]) -> None:
        self._chunks = found
        self._next = 0

    def peek(self) -> Chunk | None:
        """Return the next chunk without taking it."""
        return self._chunks[self._next] if self._next < len(self._chunks) else None

    def program(self, depth: int) -> Program:
        """Read nodes up to an else, a closing tag or the end."""
        nodes: list[Node] = []
        while (chunk := self.peek()) is not None and chunk.kind not in ("else", "close"):
            self._next += 1
            if chunk.kind != "comment":
                nodes.append(self._node(chunk, depth))
        return Program(tuple(nodes))

    def _node(self, chunk: Chunk, depth: int) -> Node:
        match chunk.kind:
            case "text":
                return ContentStatement(chunk.text, chunk.line)
            case "mustache" | "raw":
                return MustacheStatement(ExpressionParser(chunk).whole_call(), escaped=chunk.kind == "mustache")
            case "partial":
                name, context, options = ExpressionParser(chunk).partial()
                return PartialStatement(name, context, options, chunk.line, chunk.column, chunk.text)
            case "open_partial":
                return self._partial_block(chunk, depth + 1)
            case "open_inline":
                return self._inline(chunk, depth + 1)
            case _:
                return self._block(chunk, depth + 1)

    def _block(self, opening: Chunk, depth: int) -> BlockStatement:
        call, names = _opened(opening, depth)
        program = self.program(depth)
        inverse = self._inverse(opening, depth)
        self._close(opening)
        return _made(opening, call, names, program, inverse)

    def _partial_block(self, opening: Chunk, depth: int) -> PartialStatement:
        _check_depth(opening, depth)
        name, context, options = ExpressionParser(opening).partial()
        if not isinstance(name, str):
            raise TemplateFaultError("a partial with a block has a fixed name", opening.line, opening.column)
        block = self.program(depth)
        self._close(opening)
        return PartialStatement(name, context, options, opening.line, opening.column, block=block)

    def _inline(self, opening: Chunk, depth: int) -> InlinePartial:
        _check_depth(opening, depth)
        call = ExpressionParser(opening).whole_call()
        name = call.args[0] if len(call.args) == 1 and not call.options else None
        if call.target.text != "inline" or not isinstance(name, Literal):
            raise TemplateFaultError('write {{#*inline "name"}}', opening.line, opening.column)
        program = self.program(depth)
        self._close(opening)
        return InlinePartial(name.text, program)

    def _inverse(self, opening: Chunk, depth: int) -> Program:
        """Read what stands after else; ``{{else if x}}`` is a block of its own inside, closed with the outer one."""
        chunk = self.peek()
        if chunk is None or chunk.kind != "else":
            return Program()
        self._next += 1
        if not chunk.tokens:
            inverse = self.program(depth)
            if (after := self.peek()) is not None and after.kind == "else":
                message = f"a second else in the block of line {opening.line}"
                raise TemplateFaultError(message, after.line, after.column)
            return inverse
        call, names = _opened(chunk, depth + 1)
        program = self.program(depth + 1)
        return Program((_made(chunk, call, names, program, self._inverse(opening, depth + 1)),))

    def _close(self, opening: Chunk) -> None:
        """Take the closing tag of a block."""
        name = ExpressionParser(opening).leader()
        opened = f"{{{{{_OPENERS[opening.kind]}{name}}}}}"
        chunk = self.peek()
        if chunk is None:
            raise TemplateFaultError(f"the block {opened} is not closed", opening.line, opening.column)
        self._next += 1
        if chunk.kind == "else":
            raise TemplateFaultError(f"{opened} has no else", chunk.line, chunk.column)
        if (written := ExpressionParser(chunk).leader(alone=True)) != name:
            message = f"{{{{/{written}}}}} closes {opened} of line {opening.line}"
            raise TemplateFaultError(message, chunk.line, chunk.column)


def _counted(source: str) -> list[Chunk]:
    """Return the chunks; stops at the first tag too many, for cutting costs time."""
    found: list[Chunk] = []
    tags = 0
    for chunk in chunks(source):
        tags += chunk.kind != "text"
        if tags > MAX_TAGS:
            raise TemplateFaultError(f"more than {MAX_TAGS} tags", chunk.line, chunk.column)
        found.append(chunk)
    return found


def _check_depth(chunk: Chunk, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TemplateFaultError(f"blocks nested more than {MAX_DEPTH} deep", chunk.line, chunk.column)


def _opened(chunk: Chunk, depth: int) -> tuple[CallExpression, tuple[str, ...]]:
    _check_depth(chunk, depth)
    return ExpressionParser(chunk).opening()


def _made(
    chunk: Chunk, call: CallExpression, names: tuple[str, ...], program: Program, inverse: Program
) -> BlockStatement:
    return (
        BlockStatement(call, names, inverse, program)
        if chunk.kind == "invert"
        else BlockStatement(call, names, program, inverse)
    )
