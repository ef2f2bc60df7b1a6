"""pybars3's compiler with walls around it.

pybars3 parses a template into a tree, writes Python source from the tree and executes the source. As it is, a name in
brackets becomes source unchanged. Here each name and text of the tree is escaped before source is written (_safe_*),
the source may hold only what pybars3 means to write (_check), and it runs without built-ins over Runtime's functions.
"""

import ast
import keyword
import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import pybars
import pymeta.runtime

from services.render.handlebars import TemplateFaultError
from services.render.handlebars.blocks import BLOCK_HELPERS

# pybars3's tree: tuples that begin with their kind.
_Node: TypeAlias = Any

# Calls this helper for {{#name}} over data.
SECTION = "blockHelperMissing"

_PYBARS = pybars.Compiler()
# What Compiler.compile() is made of; between its steps it offers no place to stand.
_read_template = _PYBARS._handlebars  # noqa: SLF001 - see above
_write_python = _PYBARS._compiler  # noqa: SLF001 - see above
_forget_last = _PYBARS._builder._reset  # noqa: SLF001 - see above
_TEXTS = frozenset(("literal", "newline", "whitespace", "comment"))
_UNESCAPED = frozenset(string.ascii_letters + string.digits + "_-@")

# What pybars3 writes; anything else came from a template.
_SYNTAX: tuple[type[ast.AST], ...] = (
    *(
        ast.Module,
        ast.FunctionDef,
        ast.Lambda,
        ast.arguments,
        ast.arg,
        ast.Return,
        ast.Raise,
        ast.If,
        ast.Assign,
        ast.Expr,
    ),
    *(ast.Call, ast.keyword, ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Dict, ast.Load, ast.Store),
    *(
        ast.BoolOp,
        ast.And,
        ast.Or,
        ast.Compare,
        ast.Is,
        ast.IsNot,
        ast.NotIn,
        ast.BinOp,
        ast.Mod,
        ast.UnaryOp,
        ast.USub,
    ),
)
_NAMES = re.compile(
    r"(block_\d+|render|context|helpers?|_helpers|partials|root|called|result|options|value|this|overrides|partialName"
    r"|inner|scope|_pybars_|strlist|Scope|PybarsError|ensure_scope|resolve|resolve_subexpr|prepare|partial|hasattr|dict|str)"
)
_METHODS = frozenset(("append", "grow", "get", "update"))


def compile_function(source: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the function that pybars3 makes of a template. names: all that it can call. Raises TemplateFaultError."""
    try:
        module = ast.parse(_python(source))
        _check(module)
        code = compile(module, "<template>", "exec", dont_inherit=True)
    except (pybars.PybarsError, pymeta.runtime.ParseError, SyntaxError, ValueError) as error:
        raise TemplateFaultError(f"pybars3 cannot compile this: {error}", 0, 0) from None
    except RecursionError:
        raise TemplateFaultError("blocks or expressions are nested too deep for pybars3", 0, 0) from None
    namespace = {**names, "__builtins__": {}}
    exec(code, namespace)  # noqa: S102 - checked above
    function: Callable[..., Any] = namespace["render"]
    return function


def _python(source: str) -> str:
    """Return the Python source that pybars3 writes for a template."""
    text = _PYBARS.whitespace_control(source)
    parser = _read_template(text)
    tree, _ = parser.apply("template")
    if (end := parser.input.position) < len(text):
        raise _unread(source, text[end : end + 40])
    safe = _safe_template(tree)
    _forget_last()
    writer = _write_python(safe)
    written, _ = writer.apply("compile")
    # What it cannot write, and all that follows, it would leave out without a word.
    if writer.input.position < len(safe):
        raise pybars.PybarsError("a tag has no meaning")
    code: str = written.code
    return code


def _unread(source: str, rest: str) -> TemplateFaultError:
    """Return the fault of a template of which pybars3's grammar reads no more than what stands before rest."""
    offset = max(source.find(rest), 0)
    line, column = source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)
    return TemplateFaultError("pybars3 cannot read this tag, or something in its block", line, column)


def _safe_template(template: Sequence[_Node]) -> list[_Node]:
    return ["template", *map(_safe_node, template[1:])] if template else []


def _safe_node(node: _Node) -> _Node:
    kind = node[0]
    if kind in _TEXTS:
        return node
    if kind in ("expand", "escapedexpand"):
        _, (_, segments), arguments = node
        # A name without arguments is always data. pybars3 would look for a helper first, but not for a longer path.
        path = segments if arguments else ["", *segments]
        return (kind, ("path", _safe_path(path)), _safe_arguments(arguments))
    if kind in ("block", "invertedblock"):
        _, name, arguments, program, inverse = node
        name, arguments = _safe_block(name, _safe_arguments(arguments))
        return (kind, name, arguments, _safe_template(program), _safe_template(inverse))
    if kind == "partial":
        _, name, arguments = node
        # A fixed name is a text in quotes, with nothing in it escaped.
        name = ("literalparam", ascii(name[1][1:-1])) if name[0] == "literalparam" else _safe_argument(name)
        return (kind, name, _safe_arguments(arguments))
    raise pybars.PybarsError(f"{kind} is not supported")


def _safe_block(name: str, arguments: list[_Node]) -> tuple[str, list[_Node]]:
    """Return a block by one of the names that Runtime knows."""
    if not arguments:
        return SECTION, [("path", _safe_path(["", name]))]
    if name in BLOCK_HELPERS or name == SECTION:
        return name, arguments
    return "if", [("subexpr", ("path", _safe_path([name])), arguments)]


def _safe_arguments(arguments: Sequence[_Node]) -> list[_Node]:
    return list(map(_safe_argument, arguments))


def _safe_argument(argument: _Node) -> _Node:
    kind = argument[0]
    if kind == "path":
        return (kind, _safe_path(argument[1]))
    if kind == "subexpr":
        return (kind, ("path", _safe_path(argument[1][1])), _safe_arguments(argument[2]))
    if kind == "kwparam":
        name = str(argument[1])
        if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name):
            raise pybars.PybarsError(f"an option cannot be called {name!r}")
        return (kind, name, _safe_argument(argument[2]))
    value = argument[1]
    return (kind, ascii(ast.literal_eval(value)) if isinstance(value, str) else value)


def _safe_path(segments: Sequence[str]) -> list[str]:
    return ["".join(map(_safe_character, segment)) for segment in map(str, segments)]


def _safe_character(character: str) -> str:
    return character if character in _UNESCAPED else f"\\U{ord(character):08x}"


def _check(module: ast.Module) -> None:
    """Raise ValueError where the source holds what pybars3 does not mean to write."""
    for node in ast.walk(module):
        name = getattr(node, "id", None) or (node.name if isinstance(node, ast.FunctionDef) else None)
        is_method = isinstance(node, ast.Attribute) and node.attr in _METHODS and isinstance(node.value, ast.Name)
        if (
            not isinstance(node, _SYNTAX)
            or (name is not None and not _NAMES.fullmatch(name))
            or (isinstance(node, ast.Attribute) and not is_method)
            or (isinstance(node, ast.FunctionDef) and node.decorator_list)
        ):
            raise ValueError("it would run code of its own")
