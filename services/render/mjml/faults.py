"""What is wrong with MJML, and where."""

import re
from collections.abc import Iterator

# Far beyond any mail, far below the several thousand that end the converter's stack.
MAX_NESTING = 256

_TAG = re.compile(
    r"""<!--(?P<comment>)|<(?P<end>/)?(?P<name>[a-zA-Z][^\s/>"'=<]*+)(?P<rest>(?:[^"'<>]++|"[^"]*"|'[^']*')*+)>"""
)
_TAG_OR_COMMENT = re.compile(
    r"""<!--.*?(?:-->|\Z)|<(/?)([a-zA-Z][^\s/>"'=<]*+)((?:[^"'<>]++|"[^"]*"|'[^']*')*+)>""", re.DOTALL
)
_ATTRIBUTES = re.compile(r"""(?:\s+[^\s"'=<>/]++(?:\s*=\s*(?:"[^"]*"|'[^']*'))?)*+\s*/?""")
# The converter knows them in small letters only: <BR> nests.
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


def tags(markup: str) -> Iterator[re.Match[str]]:
    """Yield the tags outside comments."""
    position = 0
    while (match := _TAG.search(markup, position)) is not None:
        position = match.end()
        if match["comment"] is None:
            yield match
        else:
            end = markup.find("-->", position)
            position = len(markup) if end < 0 else end + 3


def explained(message: str, markup: str) -> MjmlError:
    """Return what the converter says, and where, as far as it knows."""
    position = _POSITION.search(message)
    if position is None:
        return MjmlError(message.replace(" in root template", ""))
    # Counted in bytes of UTF-8.
    offset = len(markup.encode()[: int(position[1])].decode(errors="ignore"))
    return MjmlError(message[: position.start()].replace(" in root template", ""), offset)


def stray(markup: str) -> MjmlError | None:
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


def is_nested(markup: str) -> bool:
    """Tell whether every tag has its end, at most MAX_NESTING deep, and nothing is included. Fast."""
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
    """Find the first tag that may not stand there, is not well formed, not closed or closes nothing.

    What is nested deeper than MAX_NESTING may not: the converter recurses and would crash.
    """
    opened: list[tuple[str, int]] = []
    for tag in tags(markup):
        name, start = tag["name"], tag.start()
        if name.lower() == "mj-include":
            return MjmlError("mj-include is not allowed", start)
        if _ATTRIBUTES.fullmatch(tag["rest"]) is None:
            return MjmlError(f'the attributes of <{name}> are not written name="value"', start)
        if tag["end"]:
            if not opened or opened[-1][0] != name:
                return MjmlError(_mismatch(name, opened), opened[-1][1] if opened else start)
            opened.pop()
        elif not tag["rest"].endswith("/") and name not in _VOID:
            opened.append((name, start))
            if len(opened) > MAX_NESTING:
                return MjmlError(f"tags nested more than {MAX_NESTING} deep", start)
    if opened:
        name, start = opened[-1]
        return MjmlError(f"<{name}> is not closed", start)
    return None


def _mismatch(name: str, opened: list[tuple[str, int]]) -> str:
    return f"<{opened[-1][0]}> is not closed before </{name}>" if opened else f"</{name}> closes nothing"
