"""MJML to HTML, for markup that strangers write."""

import re

from mjml import mjml2html

# Far beyond any mail, far below the several thousand that end the converter's stack.
MAX_NESTING = 256

_ROOT = re.compile(r"\s*(?:<!--(?:(?!-->).)*-->\s*)*<mjml(?=[\s>])", re.DOTALL)
_TOKEN = re.compile(
    r"""<!--(?P<comment>)|<(?P<end>/)?(?P<name>[a-zA-Z][^\s/>"'=]*)(?P<rest>(?:[^"'<>]|"[^"]*"|'[^']*')*)>"""
)
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_POSITION = re.compile(r" at position (\d+):(\d+)$")


class MjmlError(Exception):
    """Markup that is not MJML. offset: where, in characters from its start; -1: unknown."""

    def __init__(self, message: str, offset: int = -1) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def is_mjml(markup: str) -> bool:
    """Tell whether the root is <mjml>; anything else is taken as HTML."""
    return _ROOT.match(markup) is not None


def to_html(markup: str) -> str:
    """Convert. Raises MjmlError."""
    check_nesting(markup)
    try:
        return mjml2html(markup, include_loader=_no_include)
    except ValueError as error:
        raise _translated(str(error), markup) from None


def check_nesting(markup: str) -> None:
    """Raise MjmlError where tags nest deeper than MAX_NESTING: the converter recurses and would crash."""
    depth = 0
    position = 0
    while (match := _TOKEN.search(markup, position)) is not None:
        position = match.end()
        if match["comment"] is not None:
            end = markup.find("-->", position)
            position = len(markup) if end < 0 else end + 3
        elif match["end"]:
            depth -= 1
        elif not match["rest"].endswith("/") and match["name"] not in _VOID:
            depth += 1
            if depth > MAX_NESTING:
                raise MjmlError(f"tags nested more than {MAX_NESTING} deep", match.start())


def _no_include(path: str) -> str:
    raise ValueError(f"mj-include is not allowed: {path[:100]}")


def _translated(message: str, markup: str) -> MjmlError:
    position = _POSITION.search(message)
    offset = -1
    if position is not None:
        # Counted in bytes of UTF-8.
        offset = len(markup.encode()[: int(position[1])].decode(errors="ignore"))
        message = message[: position.start()]
    message = message.replace(" in root template", "")
    if "load included template" in message:
        message = "mj-include is not allowed"
    return MjmlError(message, offset)
