"""Removes the template's tags from a subject or preheader. Values keep every character.

The "<" and ">" of a value are marked while it is written, so that they are not read as a tag. The marks are lone
surrogates, which neither a template nor data can contain.
"""

import re

_MARKS = {"<": "\udc3c", ">": "\udc3e"}
_VALUE = "\udc01"
_ANY_MARK = re.compile("[\udc01\udc3c\udc3e]")
_WRITTEN = {_VALUE: "", **{mark: sign for sign, mark in _MARKS.items()}}
_TAG_BEGINS = re.compile(r"</?[a-zA-Z!]")
_ANGLES = re.compile("[<>]")


def marked(value: str) -> str:
    """Return the output of a Handlebars tag with marks for without_tags()."""
    for sign, mark in _MARKS.items():
        value = value.replace(sign, mark)
    return _VALUE + value


def without_tags(text: str) -> str:
    """Return text without marks and without tags, including tags that appear when others are removed.

    In linear time.
    """
    return _ANY_MARK.sub(lambda found: _WRITTEN[found[0]], _stripped(text) if ">" in text else text)


def _stripped(text: str) -> str:
    parts: list[str] = []
    opened: list[int] = []  # indexes in parts of each "<" whose tag may still end
    position = 0
    for angle in _ANGLES.finditer(text):
        if angle[0] == "<":
            parts.append(text[position : angle.start()])
            opened.append(len(parts))
            position = angle.start()
            continue
        parts.append(text[position : angle.end()])
        position = angle.end()
        if opened and _TAG_BEGINS.match("".join(parts[opened[-1] :])[:3]):
            del parts[opened.pop() :]
        else:
            opened.clear()  # a tag contains no ">", so no open one can include this one
    parts.append(text[position:])
    return "".join(parts)
