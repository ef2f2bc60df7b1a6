"""What Handlebars has and pybars3's grammar lacks, or reads as something else: refused with its place and a way out."""

import re
from collections.abc import Iterator, Sequence

from services.render.handlebars import TemplateFaultError
from services.render.handlebars.lexer import Chunk, Token, chunks
from services.render.handlebars.syntax import parse
from services.render.handlebars.tree import (
    BlockStatement,
    CallExpression,
    Expression,
    Literal,
    MustacheStatement,
    PartialStatement,
    PathExpression,
    Program,
)

_LITERAL_BRACES = re.compile(r"\\\{\{")
_SPACED_CLOSING_TAG = re.compile(r"\{\{~?/(?:\s[^}]*|[^}]*\s)~?\}\}")
_NAME = re.compile(r"[\w@-]+")
# In brackets or not, it is no name.
_IS_SPECIAL = re.compile(r"\[(?:this|\.|/|)\]|\[@")
_OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]+")
# pybars3 takes the beginning of an argument for the whole of it.
_BEGINS_AS_LITERAL = re.compile(r"true|false|null|undefined|-?\d")

_UNKNOWN_TAGS = {
    "open_inline": "pybars3 knows no inline partials: save it as a partial of its own",
    "open_partial": "pybars3 knows no partials with a block: write {{> name}}",
}


def refuse_unsupported(source: str) -> None:
    """Raise TemplateFaultError at the first thing that pybars3 would not do as Handlebars does."""
    _check_text(source, _LITERAL_BRACES, r"pybars3 knows no \{{")
    _check_text(source, _SPACED_CLOSING_TAG, "pybars3 takes no white space within a closing tag")
    for chunk in chunks(source):
        if why := _fault_of_tag(chunk):
            raise TemplateFaultError(why, chunk.line, chunk.column)
    _check_program(parse(source))


def _check_text(source: str, wrong: re.Pattern[str], why: str) -> None:
    if found := wrong.search(source):
        offset = found.start()
        raise TemplateFaultError(why, source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset))


def _fault_of_tag(chunk: Chunk) -> str:
    """Return what is wrong with a tag, empty where nothing is."""
    tokens = chunk.tokens
    if chunk.kind in _UNKNOWN_TAGS:
        return _UNKNOWN_TAGS[chunk.kind]
    if chunk.kind == "comment" and "}}" in chunk.text:
        return "pybars3 ends a comment at the first }}"
    if chunk.kind == "else" and tokens:
        return "pybars3 knows no {{else if …}}: write {{else}}{{#if …}}…{{/if}}"
    if chunk.kind == "partial" and tokens[0].kind in ("string", "segment") and not _is_plain_partial(tokens[0].text):
        return "pybars3 takes a partial's name without quotes and spaces"
    return next(filter(None, map(_fault_of_token, tokens)), "")


def _fault_of_token(token: Token) -> str:
    if token.kind == "params":
        return "pybars3 knows no `as |name|`: write this, @index and ../"
    if token.kind == "segment" and _IS_SPECIAL.match(token.text):
        return f"pybars3 takes {token.text} for {token.text[1:-1]} without brackets"
    if token.kind == "name" and token.text == "else":
        return "pybars3 takes no variable called else without brackets: write [else]"
    if token.kind == "name" and not _NAME.fullmatch(token.text):
        return f"pybars3 reads only letters, digits, _ and - in a name: write [{token.text}]"
    return ""


def _is_plain_partial(text: str) -> bool:
    return text[0] in '"[' and not re.search(r"""[\s"\]\\]""", text[1:-1])


def _check_program(program: Program) -> None:
    for node in program.nodes:
        if isinstance(node, MustacheStatement | BlockStatement):
            _check_call(node.call)
        if isinstance(node, BlockStatement):
            if not _NAME.fullmatch(node.call.target.text):
                why = "pybars3 opens blocks by one plain name: write {{#with …}}, {{#each …}} or {{#if …}}"
                raise TemplateFaultError(why, node.call.line, node.call.column)
            _check_program(node.program)
            _check_program(node.inverse)
        elif isinstance(node, PartialStatement):
            if isinstance(node.name, CallExpression):
                _check_call(node.name)
            arguments = [] if node.context is None else [node.context]
            _check_arguments(arguments, node.options, node.line, node.column)


def _check_call(call: CallExpression) -> None:
    target = call.target
    if isinstance(target, Literal) and type(target.value) in (str, float):
        raise TemplateFaultError(f"pybars3 takes no text for a name: write [{target.text}]", call.line, call.column)
    if isinstance(target, PathExpression):
        _check_path(target, call.line, call.column)
    _check_arguments(call.args, call.options, call.line, call.column)


def _check_arguments(
    arguments: Sequence[Expression], options: Sequence[tuple[str, Expression]], line: int, column: int
) -> None:
    for key, _ in options:
        if not _OPTION.fullmatch(key):
            raise TemplateFaultError(f"pybars3 takes no option of the name {key!r}", line, column)
    for argument in (*arguments, *(value for _, value in options)):
        for why in _faults_of_argument(argument, line, column):
            raise TemplateFaultError(why, line, column)


def _faults_of_argument(argument: Expression, line: int, column: int) -> Iterator[str]:
    if isinstance(argument, CallExpression):
        _check_call(argument)
    elif isinstance(argument, Literal):
        if isinstance(argument.value, float):
            yield f"pybars3 knows no number with a point: write {argument.text!r} as a text"
    else:
        _check_path(argument, line, column)
        if _BEGINS_AS_LITERAL.match(argument.text):
            yield f"pybars3 takes the beginning of {argument.text} for a value: write this.{argument.text}"


def _check_path(path: PathExpression, line: int, column: int) -> None:
    if path.depth and not path.parts:
        raise TemplateFaultError("pybars3 takes .. for this: name something after it, such as ../name", line, column)
