"""A subject or preheader: tags that stand in the template are taken out, values keep every character.

A value is marked while it is written, so that its "<" and ">" are no part of a tag: with lone surrogates, which neither
a template nor data can hold.
"""

import re

_MARKS = {"<": "\udc3c", ">": "\udc3e"}
_VALUE = "\udc01"
_ANY_MARK = re.compile("[\udc01\udc3c\udc3e]")
_WRITTEN = {_VALUE: "", **{mark: sign for sign, mark in _MARKS.items()}}
_TAG_BEGINS = re.compile(r"</?[a-zA-Z!]")
_ANGLES = re.compile("[<>]")


def marked(value: str) -> str:
    """Return what a tag of Handlebars writes, with marks for without_tags()."""
    for sign, mark in _MARKS.items():
        value = value.replace(sign, mark)
    return _VALUE + value


def without_tags(text: str) -> str:
    """Return text without its tags, also those that only appear once others are gone, and without marks.

    In linear time.
    """
    return _ANY_MARK.sub(lambda found: _WRITTEN[found[0]], _stripped(text) if ">" in text else text)


def _stripped(text: str) -> str:
    parts: list[str] = []
    opened: list[int] = []  # where in parts a "<" stands whose tag may still end
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
            opened.clear()  # a tag holds no ">", so none can begin before this one
    parts.append(text[position:])
    return "".join(parts)
