"""One template version, compiled, and what it renders to on its channel. Runs in worker processes only."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.render import mjml, plaintext
from services.render.frames import EMAIL, PUSH, SMS, Content, Fault
from services.render.handlebars import (
    Block,
    Output,
    OutputTooLargeError,
    Program,
    Template,
    TemplateFaultError,
    Text,
    compile_template,
)

# RFC 5322's longest line, without its end.
MAX_SUBJECT = 998

# What no channel can carry and PostgreSQL cannot store; tab and line ends stay.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MARKUP = re.compile(r"</?[a-zA-Z!][^<>]*>")


class FaultyTemplateError(Exception):
    """The template has faults."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Compiled:
    """A version ready to render."""

    channel: int
    subject: Template
    body: Template

    @property
    def cost(self) -> int:
        """Bytes it roughly holds."""
        return self.subject.cost + self.body.cost


def compile_version(channel: int, subject: str, body: str) -> Compiled:
    """Compile a version's two parts. Raises FaultyTemplateError with every fault found."""
    faults: list[Fault] = []
    compiled: list[Template] = []
    for field, source, escaping in (("subject", subject, False), ("body", body, channel == EMAIL)):
        try:
            compiled.append(compile_template(source, escaping=escaping))
        except TemplateFaultError as fault:
            faults.append(Fault(field, fault.line, fault.message))
    if faults:
        raise FaultyTemplateError(faults)
    return Compiled(channel, *compiled)


def check(compiled: Compiled) -> None:
    """Raise FaultyTemplateError where an e-mail's markup cannot be right with any data."""
    if compiled.channel != EMAIL:
        return
    for inverse in (False, True):
        pieces = list(_skeleton(compiled.body.program, inverse=inverse))
        markup = "".join(text for text, _ in pieces)
        if not mjml.is_mjml(markup):
            continue
        try:
            mjml.to_html(markup)
        except mjml.MjmlError as error:
            line = _line_of(pieces, error.offset)
            raise FaultyTemplateError([Fault("body", line, f"MJML: {error.message}")]) from None


def render(compiled: Compiled, data: dict[str, Any], *, limit: int, deadline: float) -> Content:
    """Return the content. limit: characters in all. deadline: of time.process_time().

    Raises OutputTooLargeError, RenderTimeoutError, MjmlError; MemoryError, RecursionError.
    """
    subject = compiled.subject.render(data, Output(limit, deadline))
    body = _CONTROLS.sub("", compiled.body.render(data, Output(limit, deadline)))
    if compiled.channel == SMS:
        return Content(text=body)
    if compiled.channel == PUSH:
        return Content(title=one_line(subject), body=body)
    markup = mjml.to_html(body) if mjml.is_mjml(body) else body
    content = Content(subject=one_line(without_markup(subject)), html=markup, text=plaintext.from_html(markup))
    if len(content.html) + len(content.text) > limit:
        raise OutputTooLargeError
    return content


def one_line(text: str) -> str:
    """Return text on one line, without control characters, at most MAX_SUBJECT characters."""
    return _BREAKS.sub(" ", text).strip()[:MAX_SUBJECT]


def without_markup(text: str) -> str:
    """Return text without tags, also those that only appear once others are gone."""
    for _ in range(8):
        text, found = _MARKUP.subn("", text)
        if not found:
            break
    return text


def deadline_after(seconds: float) -> float:
    """Return the time.process_time() that lies so many seconds of work ahead."""
    return time.process_time() + seconds


def _skeleton(program: Program, *, inverse: bool) -> Iterator[tuple[str, int]]:
    """Yield the literal text of one branch of each block, with its first line: the markup without the data."""
    for node in program.nodes:
        if isinstance(node, Text):
            yield node.value, node.line
        elif isinstance(node, Block):
            yield from _skeleton(node.inverse if inverse else node.program, inverse=inverse)


def _line_of(pieces: list[tuple[str, int]], offset: int) -> int:
    """Return the template's line of an offset into the joined pieces; 0: unknown."""
    if offset < 0:
        return 0
    for text, line in pieces:
        if offset < len(text):
            return line + text.count("\n", 0, offset)
        offset -= len(text)
    return pieces[-1][1] + pieces[-1][0].count("\n") if pieces else 0
