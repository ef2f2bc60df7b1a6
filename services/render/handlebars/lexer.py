"""Cuts a template into text and tags, and a tag into tokens. Strings and ``[segments]`` may hold braces."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.render.handlebars.tree import Literal

# A plain name ends where one of these, or white space, begins.
_NAME = r"""[^\s!"#%&'()*+,./;<=>@\[\\\]^`{|}~]+"""
_ENDS = r"(?=[\s=~}/.)|\]]|$)"
# A literal that goes on as a path, or names an option, is a name.
_LITERAL_ENDS = r"(?=[\s~})|\]]|$)"
# A number of more digits than any has is a name: Python refuses to read thousands.
_TOKEN = re.compile(
    rf"""
      (?P<space>\s+)
    | (?P<close>\}}~?\}}\}}|~?\}}\}})
    | (?P<string>"(?:\\"|[^"])*"|'(?:\\'|[^'])*')
    | (?P<number>-?[0-9]{{1,300}}(?:\.[0-9]+)?{_LITERAL_ENDS})
    | (?P<keyword>(?:true|false|null|undefined){_LITERAL_ENDS})
    | (?P<params>as\s+\|)
    | (?P<up>\.\.)
    | (?P<here>\.{_ENDS})
    | (?P<segment>\[[^\]]*\])
    | (?P<name>{_NAME}{_ENDS})
    | (?P<sign>[.()|=@/])
    """,
    re.VERBOSE,
)
_OPENING = re.compile(r"\{\{(?P<trim>~)?(?P<sigil>\{\{|\{|!--|[#][>*]|[#^/&!>*])?")
_COMMENT_END = {"!": re.compile(r"(?P<trim>~)?\}\}"), "!--": re.compile(r"--(?P<trim>~)?\}\}")}
_MAX_TOKENS = 2000
_KEYWORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "undefined": None}


class TemplateFaultError(Exception):
    """A template that cannot be compiled, or not with these data.

    line, column: from 1, where the tag with the fault begins; 0: unknown. partial: its name, or empty.
    """

    def __init__(self, message: str, line: int, column: int, partial: str = "") -> None:
        where = [f"partial {partial!r}"] if partial else []
        if line:
            where.append(f"line {line}, column {column}")
        super().__init__(": ".join((", ".join(where), message)) if where else message)
        self.message = message
        self.line = line
        self.column = column
        self.partial = partial

    def within(self, partial: str) -> "TemplateFaultError":
        """Return the same fault, of a partial's text."""
        return TemplateFaultError(self.message, self.line, self.column, self.partial or partial)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a tag: kind as in _TOKEN, its text as written; literal for strings, numbers and keywords."""

    kind: str
    text: str
    literal: Literal | None = None


_ELSE = Token("name", "else")


@dataclass(slots=True)
class Chunk:
    """Text (kind "text"), or a tag: "mustache", "raw" (unescaped), "open", "invert", "close", "else", "comment",
    "partial", "open_partial", "open_inline".

    trim_before, trim_after: ``~`` on that side. text: of a comment, what it says; of a partial alone on its line, the
    white space before it.
    """

    kind: str
    line: int
    column: int
    text: str = ""
    tokens: tuple[Token, ...] = ()
    trim_before: bool = False
    trim_after: bool = False


_KINDS = {
    None: "mustache",
    "{": "raw",
    "&": "raw",
    "#": "open",
    "^": "invert",
    "/": "close",
    ">": "partial",
    "#>": "open_partial",
    "#*": "open_inline",
}
_UNSUPPORTED = {
    "*": "decorators are not supported",
    "{{": "raw blocks are not supported; write \\{{ for literal braces",
}


@dataclass(slots=True)
class _Place:
    """Where reading has come to: the offset up to which lines are counted, the line, and where it begins."""

    counted: int = 0
    line: int = 1
    begin: int = 0

    def move(self, source: str, offset: int) -> tuple[int, int]:
        """Go on to offset; return its line and column."""
        if lines := source.count("\n", self.counted, offset):
            self.line += lines
            self.begin = source.rfind("\n", self.counted, offset) + 1
        self.counted = offset
        return self.line, offset - self.begin + 1


def chunks(source: str) -> Iterator[Chunk]:
    """Yield the template's chunks in order. Raises TemplateFaultError."""
    text: list[str] = []
    position = 0
    place = _Place()
    text_at = (1, 1)
    while (found := source.find("{{", position)) >= 0:
        if source.endswith("\\\\", position, found):
            text.append(source[position : found - 1])
        elif source.endswith("\\", position, found):
            text.append(source[position : found - 1] + "{{")
            position = found + 2
            continue
        else:
            text.append(source[position:found])
        if literal := "".join(text):
            yield Chunk("text", *text_at, literal)
        chunk, position = _tag(source, found, *place.move(source, found))
        yield chunk
        text = []
        text_at = place.move(source, position)
    if literal := "".join([*text, source[position:]]):
        yield Chunk("text", *text_at, literal)


def _tag(source: str, start: int, line: int, column: int) -> tuple[Chunk, int]:
    """Return the tag that begins at start, and where it ends."""
    opening = _OPENING.match(source, start)
    if opening is None:
        raise TemplateFaultError("a tag is expected", line, column)
    sigil = opening["sigil"]
    if sigil in _UNSUPPORTED:
        raise TemplateFaultError(_UNSUPPORTED[sigil], line, column)
    if sigil in ("!", "!--"):
        return _comment(source, opening, line, column)
    try:
        tokens, position = _tokens(source, opening.end())
        close = tokens.pop().text
        _check_close(sigil, close)
    except ValueError as error:
        raise TemplateFaultError(str(error), line, column) from None
    kind = _KINDS[sigil]
    if kind == "mustache" and tokens and tokens[0] == _ELSE:
        kind, tokens = "else", tokens[1:]
    elif kind == "invert" and not tokens:
        kind = "else"
    trim_before, trim_after = opening["trim"] is not None, "~" in close
    return Chunk(kind, line, column, tokens=tuple(tokens), trim_before=trim_before, trim_after=trim_after), position


def _check_close(sigil: str | None, close: str) -> None:
    """Raise ValueError unless the tag ends as it began."""
    if sigil == "{" and close not in ("}}}", "}~}}"):
        raise ValueError("a tag opened by {{{ ends with }}}")
    if sigil != "{" and close in ("}}}", "}~}}"):
        raise ValueError("only a tag opened by {{{ ends with }}}; write a space before a brace that is text")


def _comment(source: str, opening: re.Match[str], line: int, column: int) -> tuple[Chunk, int]:
    closing = _COMMENT_END[opening["sigil"]].search(source, opening.end())
    if closing is None:
        raise TemplateFaultError("the comment is not closed", line, column)
    trim_before, trim_after = opening["trim"] is not None, closing["trim"] is not None
    text = source[opening.end() : closing.start()]
    return Chunk("comment", line, column, text, trim_before=trim_before, trim_after=trim_after), closing.end()


def _tokens(source: str, position: int) -> tuple[list[Token], int]:
    """Return the tag's tokens without white space, the closing braces last, and where it ends. Raises ValueError."""
    found: list[Token] = []
    while (match := _TOKEN.match(source, position)) is not None:
        kind, text = str(match.lastgroup), match[0]
        position = match.end()
        if kind != "space":
            found.append(Token(kind, text, _literal(kind, text)))
            if len(found) > _MAX_TOKENS:
                raise ValueError(f"more than {_MAX_TOKENS} words and signs in a tag")
        if kind == "close":
            return found, position
    if position >= len(source):
        raise ValueError("the tag is not closed")
    raise ValueError(f"unexpected {source[position : position + 10]!r} in a tag")


def _literal(kind: str, text: str) -> Literal | None:
    if kind == "string":
        quote = text[0]
        return Literal(text[1:-1].replace("\\" + quote, quote), text[1:-1])
    if kind == "number":
        return Literal(float(text) if "." in text else int(text), text)
    if kind == "keyword":
        return Literal(_KEYWORDS[text], text)
    return None
