"""Repairs MJML that data have broken, so that the converter accepts it.

The template was correct when it was saved, so the mail is sent: misplaced elements are removed, and text and HTML
between elements become <mj-raw>.
"""

import re

from services.render.fragment import FragmentContext, contained
from services.render.html_syntax import MARKUP, attributes, is_self_closed
from services.render.mjml.elements import BARE, ENDING, RANKS, may_stand
from services.render.mjml.endings import Document

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]*+(?::[a-zA-Z_][a-zA-Z0-9_.-]*+)?")
_VALUE = str.maketrans({'"': "&quot;", "<": "&lt;", ">": "&gt;"})
# They end with the document, even if data close them earlier.
_WHOLE = frozenset(("mj-body", "mjml"))


def repaired(document: Document) -> str:
    """Return the repaired structure. Text and HTML that were taken out of it are in the document's contents."""
    return _Repair(document).result()


class _Repair:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._markup = document.structure
        self._out: list[str] = []
        self._open: list[str] = []
        self._read = 0  # everything before this index is written or dropped

    def result(self) -> str:
        root = MARKUP.match(self._markup)
        if root is None or root["cut"] is not None:
            self._start("mjml", "")
            self._read = len("<mjml")
        else:
            self._start("mjml", root["attributes"])
            self._read = root.end()
        position = self._read
        while (found := MARKUP.search(self._markup, position)) is not None:
            position = found.end()
            name = found["name"]
            if name is None or found["cut"] is not None or not name.startswith("mj"):
                continue
            self._between(found.start())
            self._read = position
            if found["end"]:
                self._close(name)
            elif may_stand(name, self._open[-1]):
                self._start(name, found["attributes"])
        self._between(len(self._markup))
        self._out.extend(f"</{name}>" for name in reversed(self._open))
        return "".join(self._out)

    def _start(self, name: str, written: str) -> None:
        found = {} if name in BARE else dict(attributes(written))
        pairs = (f" {key}={_quoted(value)}" for key, value in found.items() if _NAME.fullmatch(key))
        self._out.append(f"<{name}{''.join(pairs)}>")
        if self._open[-1:] == ["mj-attributes"] or (name not in _WHOLE and is_self_closed(written)):
            self._out.append(f"</{name}>")
        else:
            self._open.append(name)

    def _close(self, name: str) -> None:
        if name not in self._open or name in _WHOLE:
            return
        while True:
            last = self._open.pop()
            self._out.append(f"</{last}>")
            if last == name:
                return

    def _between(self, end: int) -> None:
        """Keep the text between two elements if it is allowed there."""
        parent = self._open[-1]
        text = self._markup[self._read : end]
        if not text or text.isspace():
            return
        if parent in ENDING:
            self._out.append(text if self._document.is_place(text) else self._kept(text, FragmentContext.TEXT))
        elif parent in RANKS:
            self._out.append(f"<mj-raw>{self._kept(text, FragmentContext.ANY)}</mj-raw>")

    def _kept(self, text: str, place: FragmentContext) -> str:
        """Return the placeholder of a text. Placeholders in the text are replaced by their contents first."""
        return self._document.place(contained(self._document.restored(text), place))


def _quoted(value: str) -> str:
    return f'"{value.translate(_VALUE)}"'
