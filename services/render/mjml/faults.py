"""Finds errors in MJML, and their positions."""

import re
from collections.abc import Iterator

# No mail comes near it. Several thousand would overflow the converter's stack.
MAX_NESTING = 256

_TAG = re.compile(
    r"""<!--(?P<comment>)|<(?P<end>/)?(?P<name>[a-zA-Z][^\s/>"'=<]*+)(?P<rest>(?:[^"'<>]++|"[^"]*"|'[^']*')*+)>"""
)
_TAG_OR_COMMENT = re.compile(
    r"""<!--.*?(?:-->|\Z)|<(/?)([a-zA-Z][^\s/>"'=<]*+)((?:[^"'<>]++|"[^"]*"|'[^']*')*+)>""", re.DOTALL
)
_ATTRIBUTES = re.compile(r"""(?:\s+[^\s"'=<>/]++(?:\s*=\s*(?:"[^"]*"|'[^']*'))?)*+\s*/?""")
# The converter knows them in lower case only: it expects an end tag for <BR>.
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_POSITION = re.compile(r" at position (\d+):(\d+)$")


class MjmlError(Exception):
    """Markup that is not MJML. offset: of the error, in characters; -1 if not known."""

    def __init__(self, message: str, offset: int = -1) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def tags(markup: str) -> Iterator[re.Match[str]]:
    """Yield the tags that are not in comments."""
    position = 0
    while (match := _TAG.search(markup, position)) is not None:
        position = match.end()
        if match["comment"] is None:
            yield match
        else:
            end = markup.find("-->", position)
            position = len(markup) if end < 0 else end + 3


def explained(message: str, markup: str) -> MjmlError:
    """Return the converter's error with its position, if it has one."""
    position = _POSITION.search(message)
    if position is None:
        return MjmlError(message.replace(" in root template", ""))
    # The converter counts bytes of UTF-8.
    offset = len(markup.encode()[: int(position[1])].decode(errors="ignore"))
    return MjmlError(message[: position.start()].replace(" in root template", ""), offset)


def stray(markup: str) -> MjmlError | None:
    """Find the first "<" that does not begin a tag, or text after the document."""
    position = 0
    while (start := markup.find("<", position)) >= 0:
        if markup.startswith("<!--", start):
            end = markup.find("-->", start)
            position = len(markup) if end < 0 else end + 3
            continue
        tag = _TAG.match(markup, start)
        if tag is None:
            return MjmlError('"<" does not begin a tag here: write &lt;', start)
        position = tag.end()
        if tag["end"] and tag["name"] == "mjml" and markup[position:].strip():
            return MjmlError("nothing may follow </mjml>: remove it or move it into <mj-body>", position)
    return None


def is_nested(markup: str) -> bool:
    """Tell quickly whether every tag has its end tag, at most MAX_NESTING deep, and there is no mj-include."""
    opened: list[str] = []
    for end, name, rest in _TAG_OR_COMMENT.findall(markup):
        if end:
            if not opened or opened.pop() != name:
                return False
        elif name and not rest.endswith("/") and name not in _VOID:
            opened.append(name)
            if len(opened) > MAX_NESTING:
                return False
        if name == "mj-include":
            return False
    return not opened


def first_fault(markup: str) -> MjmlError | None:
    """Find the first tag that is not allowed, not well formed, not closed, or closes nothing.

    Tags nested deeper than MAX_NESTING are not allowed: the converter is recursive and would crash.
    """
    opened: list[tuple[str, int]] = []
    for tag in tags(markup):
        name, start = tag["name"], tag.start()
        if name.lower() == "mj-include":
            return MjmlError("mj-include is not allowed: use a partial, {{> name}}", start)
        if _ATTRIBUTES.fullmatch(tag["rest"]) is None:
            return MjmlError(f'the attributes of <{name}> must be written name="value"', start)
        if tag["end"]:
            if not opened or opened[-1][0] != name:
                return MjmlError(_mismatch(name, opened), opened[-1][1] if opened else start)
            opened.pop()
        elif not tag["rest"].endswith("/") and name not in _VOID:
            opened.append((name, start))
            if len(opened) > MAX_NESTING:
                return MjmlError(f"tags are nested more than {MAX_NESTING} deep", start)
    if opened:
        name, start = opened[-1]
        return MjmlError(f"<{name}> is not closed", start)
    return None


def _mismatch(name: str, opened: list[tuple[str, int]]) -> str:
    return f"<{opened[-1][0]}> is not closed before </{name}>" if opened else f"</{name}> has no start tag"
