"""What stands inside a tag: names, paths, calls."""

from services.render.handlebars.lexer import Chunk, TemplateFaultError, Token
from services.render.handlebars.tree import CallExpression, Expression, PathExpression

MAX_DEPTH = 64

_SEPARATORS = frozenset("./")


class ExpressionParser:
    """Reads the expression inside one tag."""

    def __init__(self, chunk: Chunk) -> None:
        self._tokens = chunk.tokens
        self._line = chunk.line
        self._column = chunk.column
        self._next = 0

    def whole_call(self) -> CallExpression:
        """Read a call that fills the tag."""
        call = self._call(0)
        self._expect_end()
        return call

    def opening(self) -> tuple[CallExpression, tuple[str, ...]]:
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

    def leader(self, *, alone: bool = False) -> str:
        """Read a block's name, which its opening and closing tags must share. alone: nothing may follow."""
        first = self._next
        self._operand(0)
        if alone:
            self._expect_end()
        return self._written(first)

    def partial(self) -> tuple[str | CallExpression, Expression | None, tuple[tuple[str, Expression], ...]]:
        """Read a partial's tag: its name or the call that returns it, its context, its options."""
        first = self._next
        target = self._operand(0)
        name = target if isinstance(target, CallExpression) else self._written(first)
        args, options = self._arguments(0)
        self._expect_end()
        if len(args) > 1:
            raise self._fault("a partial takes one context")
        return name, args[0] if args else None, options

    def _written(self, first: int) -> str:
        """Return the tokens from first up to the current position as written, without brackets and quotes."""
        return "".join(_plain(token) for token in self._tokens[first : self._next])

    def _call(self, depth: int) -> CallExpression:
        target = self._operand(depth)
        if isinstance(target, CallExpression):
            raise self._fault("a name is expected here")
        args, options = self._arguments(depth)
        return CallExpression(target, args, options, self._line, self._column)

    def _arguments(self, depth: int) -> tuple[tuple[Expression, ...], tuple[tuple[str, Expression], ...]]:
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
        return tuple(args), tuple(options)

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

    def _path(self) -> PathExpression:
        first = self._next
        token = self._tokens[first]
        if token.kind == "name" and token.text != "this" and not self._goes_on(first + 1):
            # Most paths: one plain name.
            self._next += 1
            return PathExpression((token.text,), bare=True, text=token.text)
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

    def _made_path(self, first: int, parts: tuple[str, ...], depth: int, *, data: bool, scoped: bool) -> PathExpression:
        if data and not parts:
            raise self._fault("a name is expected after @")
        text = "".join(token.text for token in self._tokens[first : self._next])
        return PathExpression(parts, depth, data, bare=self._next - first == 1 and not scoped, scoped=scoped, text=text)

    def _part(self) -> list[str]:
        if self._at("segment"):
            return [self._take().text[1:-1]]
        if self._at("number"):
            return self._take().text.split(".")  # "rows.0.1" ends in one token
        if self._at("name", "this"):
            raise self._fault("this stands first in a path")
        if self._at("name") or self._at("keyword"):
            return [self._take().text]
        raise self._fault("a name is expected")

    def _goes_on(self, index: int) -> bool:
        return index < len(self._tokens) and self._tokens[index].text in _SEPARATORS

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
        return TemplateFaultError(f"{message}, near {near!r}", self._line, self._column)


def _plain(token: Token) -> str:
    return token.literal.text if token.literal is not None else token.text.strip("[]")
