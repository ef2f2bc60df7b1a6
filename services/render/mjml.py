"""MJML to HTML, for markup that strangers write."""

import re
from collections.abc import Iterator

from mjml import mjml2html

# Far beyond any mail, far below the several thousand that end the converter's stack.
MAX_NESTING = 256

_ROOT = re.compile(r"\s*(?:<!--(?:(?!-->).)*-->\s*)*<mjml(?=[\s>])", re.DOTALL)
_TAG = re.compile(
    r"""<!--(?P<comment>)|<(?P<end>/)?(?P<name>[a-zA-Z][^\s/>"'=<]*+)(?P<rest>(?:[^"'<>]++|"[^"]*"|'[^']*')*+)>"""
)
_ATTRIBUTES = re.compile(r"""(?:\s+[^\s"'=<>/]++(?:\s*=\s*(?:"[^"]*"|'[^']*'))?)*+\s*/?""")
# The converter knows them in small letters only: <BR> nests.
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_ELEMENTS = frozenset(
    f"mj-{name}"
    for name in (
        *("accordion", "accordion-element", "accordion-text", "accordion-title", "all", "attributes", "body"),
        *("breakpoint", "button", "carousel", "carousel-image", "class", "column", "divider", "font", "group"),
        *("head", "hero", "html-attribute", "html-attributes", "image", "navbar", "navbar-link", "preview", "raw"),
        *("section", "selector", "social", "social-element", "spacer", "style", "table", "text", "title", "wrapper"),
    )
)
_PREVIEW_END = "</mj-preview>"
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


def check(markup: str) -> None:
    """Refuse what cannot be meant, also where the converter would make something of it. Raises MjmlError.

    Markup whose root is not <mjml> is HTML, whose rules are any browser's: it only must not hold MJML's elements.
    """
    is_html = not is_mjml(markup)
    for tag in _tags(markup):
        name = tag["name"]
        if not name.lower().startswith("mj-"):
            continue
        if is_html:
            raise MjmlError(f"<{name}> outside of <mjml>: the root of the document is missing", tag.start())
        if name not in _ELEMENTS and name != "mj-include":
            raise MjmlError(f"there is no element <{name}>", tag.start())
    if is_html:
        return
    _check_tags(markup)
    fault = _first_fault(markup)
    if fault is not None:
        raise fault
    to_html(markup)


def without_preview(markup: str) -> str:
    """Return the document without its <mj-preview>."""
    start, end = _preview(markup)
    return markup[:start] + markup[end:]


def preview(markup: str) -> str:
    """Return the text of <mj-preview>, as written; empty where there is none."""
    start, end = _preview(markup)
    return markup[start:end].partition(">")[2].removesuffix(_PREVIEW_END)


def _preview(markup: str) -> tuple[int, int]:
    if _PREVIEW_END not in markup:
        return 0, 0
    start = next((tag.start() for tag in _tags(markup) if tag["name"] == "mj-preview"), -1)
    end = markup.find(_PREVIEW_END, start) if start >= 0 else -1
    return (0, 0) if end < 0 else (start, end + len(_PREVIEW_END))


def to_html(markup: str) -> str:
    """Convert. Raises MjmlError."""
    _check_tags(markup)
    try:
        return mjml2html(markup, include_loader=_no_include)
    except ValueError as error:
        raise _explained(str(error), markup) from None


def _check_tags(markup: str) -> None:
    """Refuse mj-include, and tags nested deeper than MAX_NESTING: the converter recurses and would crash."""
    depth = 0
    for tag in _tags(markup):
        if tag["end"]:
            depth -= 1
            continue
        name = tag["name"]
        if name.lower() == "mj-include":
            raise MjmlError("mj-include is not allowed", tag.start())
        if not tag["rest"].endswith("/") and name not in _VOID:
            depth += 1
            if depth > MAX_NESTING:
                raise MjmlError(f"tags nested more than {MAX_NESTING} deep", tag.start())


def _tags(markup: str) -> Iterator[re.Match[str]]:
    """Yield the tags outside comments."""
    position = 0
    while (match := _TAG.search(markup, position)) is not None:
        position = match.end()
        if match["comment"] is None:
            yield match
        else:
            end = markup.find("-->", position)
            position = len(markup) if end < 0 else end + 3


def _no_include(path: str) -> str:
    raise ValueError(f"mj-include of {path} is not allowed")


def _explained(message: str, markup: str) -> MjmlError:
    """Say what is wrong and where, also where the converter does not."""
    position = _POSITION.search(message)
    if position is not None:
        # Counted in bytes of UTF-8.
        offset = len(markup.encode()[: int(position[1])].decode(errors="ignore"))
        return MjmlError(message[: position.start()].replace(" in root template", ""), offset)
    return _first_fault(markup) or _stray(markup) or MjmlError(message.replace(" in root template", ""))


def _stray(markup: str) -> MjmlError | None:
    """Find the first "<" that begins no tag, or what stands behind the document."""
    position = 0
    while (start := markup.find("<", position)) >= 0:
        if markup.startswith("<!--", start):
            end = markup.find("-->", start)
            position = len(markup) if end < 0 else end + 3
            continue
        tag = _TAG.match(markup, start)
        if tag is None:
            return MjmlError('"<" begins no tag here: write &lt;', start)
        position = tag.end()
        if tag["end"] and tag["name"] == "mjml" and markup[position:].strip():
            return MjmlError("nothing may follow </mjml>", position)
    return None


def _first_fault(markup: str) -> MjmlError | None:
    """Find the first tag that is not well formed, not closed or closes nothing."""
    opened: list[tuple[str, int]] = []
    for tag in _tags(markup):
        name, start = tag["name"], tag.start()
        if _ATTRIBUTES.fullmatch(tag["rest"]) is None:
            return MjmlError(f'the attributes of <{name}> are not written name="value"', start)
        if tag["end"]:
            if not opened or opened[-1][0] != name:
                return MjmlError(_mismatch(name, opened), opened[-1][1] if opened else start)
            opened.pop()
        elif not tag["rest"].endswith("/") and name not in _VOID:
            opened.append((name, start))
    if opened:
        name, start = opened[-1]
        return MjmlError(f"<{name}> is not closed", start)
    return None


def _mismatch(name: str, opened: list[tuple[str, int]]) -> str:
    return f"<{opened[-1][0]}> is not closed before </{name}>" if opened else f"</{name}> closes nothing"
