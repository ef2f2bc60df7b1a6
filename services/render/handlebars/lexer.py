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
    | (?P<close>\}}~\}}\}}|~?\}}\}}\}}?)
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
_KEYWORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "undefined": None}


class TemplateFaultError(Exception):
    """A template that cannot be compiled. line: from 1, where the fault is."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a tag: kind as in _TOKEN, its text as written; literal for strings, numbers and keywords."""

    kind: str
    text: str
    literal: Literal | None = None


_ELSE = Token("name", "else")


@dataclass(slots=True)
class Chunk:
    """Text (kind "text"), or a tag: "mustache", "raw" (unescaped), "open", "invert", "close", "else", "comment".

    trim_before, trim_after: ``~`` on that side.
    """

    kind: str
    line: int
    text: str = ""
    tokens: tuple[Token, ...] = ()
    trim_before: bool = False
    trim_after: bool = False


_KINDS = {None: "mustache", "{": "raw", "&": "raw", "#": "open", "^": "invert", "/": "close"}
_UNSUPPORTED = {
    ">": "partials are not supported",
    "#>": "partial blocks are not supported",
    "*": "decorators are not supported",
    "#*": "inline partials are not supported",
    "{{": "raw blocks are not supported; write \\{{ for literal braces",
}


def chunks(source: str) -> Iterator[Chunk]:
    """Yield the template's chunks in order. Raises TemplateFaultError."""
    text: list[str] = []
    position = counted = 0
    line = text_line = 1
    while (found := source.find("{{", position)) >= 0:
        line += source.count("\n", counted, found)
        counted = found
        if source.endswith("\\\\", position, found):
            text.append(source[position : found - 1])
        elif source.endswith("\\", position, found):
            text.append(source[position : found - 1] + "{{")
            position = found + 2
            continue
        else:
            text.append(source[position:found])
        if literal := "".join(text):
            yield Chunk("text", text_line, literal)
        chunk, position = _tag(source, found, line)
        yield chunk
        text = []
        text_line = line + source.count("\n", found, position)
    if literal := "".join([*text, source[position:]]):
        yield Chunk("text", text_line, literal)


def _tag(source: str, start: int, line: int) -> tuple[Chunk, int]:
    """Return the tag that begins at start, and where it ends."""
    opening = _OPENING.match(source, start)
    if opening is None:
        raise TemplateFaultError("a tag is expected", line)
    sigil = opening["sigil"]
    if sigil in _UNSUPPORTED:
        raise TemplateFaultError(_UNSUPPORTED[sigil], line)
    trim = opening["trim"] is not None
    if sigil in ("!", "!--"):
        return _comment(source, opening, line, trim_before=trim)
    tokens, position = _tokens(source, opening.end(), line)
    close = tokens.pop().text
    if sigil == "{" and close not in ("}}}", "}~}}"):
        raise TemplateFaultError("a tag opened by {{{ ends with }}}", line)
    if sigil != "{" and close == "}~}}":
        raise TemplateFaultError("only a tag opened by {{{ ends with }~}}", line)
    if sigil != "{" and close.endswith("}}}"):
        position -= 1  # the third brace is text
    kind = _KINDS[sigil]
    if kind == "mustache" and tokens and tokens[0] == _ELSE:
        kind, tokens = "else", tokens[1:]
    elif kind == "invert" and not tokens:
        kind = "else"
    chunk = Chunk(kind, line, tokens=tuple(tokens), trim_before=trim, trim_after="~" in close)
    return chunk, position


def _comment(source: str, opening: re.Match[str], line: int, *, trim_before: bool) -> tuple[Chunk, int]:
    closing = _COMMENT_END[opening["sigil"]].search(source, opening.end())
    if closing is None:
        raise TemplateFaultError("the comment is not closed", line)
    trim_after = closing["trim"] is not None
    return Chunk("comment", line, trim_before=trim_before, trim_after=trim_after), closing.end()


def _tokens(source: str, position: int, line: int) -> tuple[list[Token], int]:
    """Return the tag's tokens without white space, the closing braces last, and where it ends."""
    found: list[Token] = []
    while (match := _TOKEN.match(source, position)) is not None:
        kind, text = str(match.lastgroup), match[0]
        position = match.end()
        if kind != "space":
            found.append(Token(kind, text, _literal(kind, text)))
        if kind == "close":
            return found, position
    if position >= len(source):
        raise TemplateFaultError("the tag is not closed", line)
    raise TemplateFaultError(f"unexpected {source[position : position + 10]!r} in a tag", line)


def _literal(kind: str, text: str) -> Literal | None:
    if kind == "string":
        quote = text[0]
        return Literal(text[1:-1].replace("\\" + quote, quote), text[1:-1])
    if kind == "number":
        return Literal(float(text) if "." in text else int(text), text)
    if kind == "keyword":
        return Literal(_KEYWORDS[text], text)
    return None
