"""From a template's text to its tree."""

from collections.abc import Sequence

from services.render.handlebars.lexer import Chunk, TemplateFaultError, Token, chunks
from services.render.handlebars.tree import Block, Call, Expression, Mustache, Node, Path, Program, Text
from services.render.handlebars.whitespace import trimmed

MAX_DEPTH = 64
MAX_TAGS = 20_000


def parse(source: str) -> Program:
    """Return the template's tree. Raises TemplateFaultError."""
    parser = _Parser(trimmed(list(chunks(source))))
    program = parser.program(0)
    if (chunk := parser.peek()) is not None:
        what = "else" if chunk.kind == "else" else "closing tag"
        raise TemplateFaultError(f"this {what} belongs to no block", chunk.line)
    return program


class _Parser:
    """Reads chunks: blocks nest here, expressions are left to _Reader."""

    def __init__(self, found: Sequence[Chunk]) -> None:
        self._chunks = found
        self._next = 0
        tags = sum(chunk.kind != "text" for chunk in found)
        if tags > MAX_TAGS:
            raise TemplateFaultError(f"more than {MAX_TAGS} tags", 1)

    def peek(self) -> Chunk | None:
        """Return the next chunk without taking it."""
        return self._chunks[self._next] if self._next < len(self._chunks) else None

    def program(self, depth: int) -> Program:
        """Read nodes up to an else, a closing tag or the end."""
        nodes: list[Node] = []
        while (chunk := self.peek()) is not None and chunk.kind not in ("else", "close"):
            self._next += 1
            if chunk.kind == "text":
                nodes.append(Text(chunk.text, chunk.line))
            elif chunk.kind in ("mustache", "raw"):
                reader = _Reader(chunk)
                nodes.append(Mustache(reader.whole_call(), escaped=chunk.kind == "mustache"))
            elif chunk.kind in ("open", "invert"):
                nodes.append(self._block(chunk, depth + 1))
        return Program(tuple(nodes))

    def _block(self, opening: Chunk, depth: int) -> Block:
        call, names = _opened(opening, depth)
        program = self.program(depth)
        inverse = self._inverse(opening, depth)
        closing = self._take_close(opening)
        if (written := _Reader(closing).whole_call()).target != call.target or written.has_arguments:
            raise TemplateFaultError(
                f"{{{{/{_name(written)}}}}} closes {{{{#{_name(call)}}}}} of line {opening.line}", closing.line
            )
        return _made(opening, call, names, program, inverse)

    def _inverse(self, opening: Chunk, depth: int) -> Program:
        """Read what stands after else; ``{{else if x}}`` is a block of its own inside, closed with the outer one."""
        chunk = self.peek()
        if chunk is None or chunk.kind != "else":
            return Program()
        self._next += 1
        if not chunk.tokens:
            inverse = self.program(depth)
            if (after := self.peek()) is not None and after.kind == "else":
                raise TemplateFaultError(f"a second else in the block of line {opening.line}", after.line)
            return inverse
        call, names = _opened(chunk, depth + 1)
        program = self.program(depth + 1)
        return Program((_made(chunk, call, names, program, self._inverse(opening, depth + 1)),))

    def _take_close(self, opening: Chunk) -> Chunk:
        chunk = self.peek()
        if chunk is None:
            name = _name(_Reader(opening).opening()[0])
            raise TemplateFaultError(f"the block {{{{#{name}}}}} is not closed", opening.line)
        self._next += 1
        return chunk


def _opened(chunk: Chunk, depth: int) -> tuple[Call, tuple[str, ...]]:
    if depth > MAX_DEPTH:
        raise TemplateFaultError(f"blocks nested more than {MAX_DEPTH} deep", chunk.line)
    return _Reader(chunk).opening()


def _made(chunk: Chunk, call: Call, names: tuple[str, ...], program: Program, inverse: Program) -> Block:
    return Block(call, names, inverse, program) if chunk.kind == "invert" else Block(call, names, program, inverse)


def _name(call: Call) -> str:
    return call.target.text


class _Reader:
    """Reads the expression inside one tag."""

    def __init__(self, chunk: Chunk) -> None:
        self._tokens = chunk.tokens
        self._line = chunk.line
        self._next = 0

    def whole_call(self) -> Call:
        """Read a call that fills the tag."""
        call = self._call(0)
        self._expect_end()
        return call

    def opening(self) -> tuple[Call, tuple[str, ...]]:
        """Read a block's opening: a call, then ``as |names|`` where given."""
        call = self._call(0)
        names: list[str] = []
        if self._at("params"):
            self._next += 1
            while self._at("name"):
                names.append(self._take().text)
            if not names or not self._at("sign", "|"):
                raise self._fault("names are expected after as |")
            self._next += 1
        self._expect_end()
        return call, tuple(names)

    def _call(self, depth: int) -> Call:
        target = self._operand(depth)
        if isinstance(target, Call):
            raise self._fault("a name is expected here")
        args: list[Expression] = []
        options: list[tuple[str, Expression]] = []
        while self._next < len(self._tokens) and not self._at("params") and not self._at("sign", ")"):
            if self._at("name") and self._at("sign", "=", offset=1):
                key = self._take().text
                self._next += 1
                options.append((key, self._operand(depth)))
            elif options:
                raise self._fault("an argument stands after key=value")
            else:
                args.append(self._operand(depth))
        return Call(target, tuple(args), tuple(options), self._line)

    def _operand(self, depth: int) -> Expression:
        if self._next >= len(self._tokens):
            raise self._fault("a name is expected")
        token = self._tokens[self._next]
        if token.literal is not None:
            self._next += 1
            return token.literal
        if token.text == "(":
            if depth >= MAX_DEPTH:
                raise self._fault("expressions nested too deep")
            self._next += 1
            call = self._call(depth + 1)
            if not self._at("sign", ")"):
                raise self._fault("a closing parenthesis is missing")
            self._next += 1
            return call
        return self._path()

    def _path(self) -> Path:
        first = self._next
        data = self._skip("@")
        depth, scoped = 0, False
        while self._at("up") or self._at("here") or (self._at("name", "this") and not data):
            depth += self._at("up")
            scoped = scoped or not self._at("up")
            self._next += 1
            if not self._skip_separator():
                return self._made_path(first, (), depth, data=data, scoped=scoped)
        parts = self._part()
        while self._skip_separator():
            parts.extend(self._part())
        return self._made_path(first, tuple(parts), depth, data=data, scoped=scoped)

    def _made_path(self, first: int, parts: tuple[str, ...], depth: int, *, data: bool, scoped: bool) -> Path:
        if data and not parts:
            raise self._fault("a name is expected after @")
        text = "".join(token.text for token in self._tokens[first : self._next])
        return Path(parts, depth, data, bare=self._next - first == 1 and not scoped, scoped=scoped, text=text)

    def _part(self) -> list[str]:
        if self._at("segment"):
            return [self._take().text[1:-1]]
        if self._at("number"):
            return self._take().text.split(".")  # "rows.0.1" ends in one token
        if self._at("name") or self._at("keyword"):
            return [self._take().text]
        raise self._fault("a name is expected")

    def _skip_separator(self) -> bool:
        return self._skip(".") or self._skip("/")

    def _skip(self, sign: str) -> bool:
        found = self._at("sign", sign)
        self._next += found
        return found

    def _at(self, kind: str, text: str | None = None, *, offset: int = 0) -> bool:
        index = self._next + offset
        if index >= len(self._tokens):
            return False
        token: Token = self._tokens[index]
        return token.kind == kind and (text is None or token.text == text)

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _expect_end(self) -> None:
        if self._next < len(self._tokens):
            raise self._fault("unexpected")

    def _fault(self, message: str) -> TemplateFaultError:
        near = self._tokens[self._next].text if self._next < len(self._tokens) else "}}"
        return TemplateFaultError(f"{message}, near {near!r}", self._line)
