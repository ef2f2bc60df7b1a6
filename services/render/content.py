"""Compiles a template version and renders it for its channel. Runs in worker processes only."""

import re
import time
from dataclasses import dataclass
from typing import Any

from services.render import engines, lines, mjml, plaintext, sms, visible
from services.render.engines import CompileLimitError, Engine
from services.render.frames import EMAIL, PUSH, SMS, Content, Fault, TemplateSource
from services.render.handlebars import (
    CompiledTemplate,
    Culture,
    Output,
    OutputTooLargeError,
    TemplateFaultError,
    compile_template,
)
from services.render.helpers import HELPERS
from services.render.preheader import with_preheader
from services.render.skeleton import Skeleton, slots

# The longest line that RFC 5322 allows, without its line end.
MAX_SUBJECT = 998
NOBODY = Culture()
# The layout's variable that is replaced by the body.
SLOT = "content"

# Characters that no channel carries and PostgreSQL cannot store. Tabs and line ends are not among them.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Formatted numbers and times contain these. One of them would make the whole SMS UCS-2.
_SMS_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " "})
_BYTE_ORDER_MARK = "\ufeff"
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class FaultyTemplateError(Exception):
    """The template cannot be used."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled version. layout: None if there is none. locale: of the version, may be empty.

    text: of an e-mail's text part; None: it is made of the body.
    """

    channel: int
    subject: CompiledTemplate
    preheader: CompiledTemplate | None
    body: CompiledTemplate
    layout: CompiledTemplate | None
    locale: str = ""
    text: CompiledTemplate | None = None

    @property
    def cost(self) -> int:
        """The memory that it takes, in bytes, roughly."""
        parts = (self.subject, self.preheader, self.body, self.layout, self.text)
        return sum(part.cost for part in parts if part is not None)


def compile_source(source: TemplateSource, engine: Engine = engines.OWN) -> Compiled:
    """Compile a version. Raises FaultyTemplateError with all faults."""
    try:
        return engine.limited(lambda: _compiled_parts(source, engine))
    except CompileLimitError as error:
        raise FaultyTemplateError([Fault("body", 0, str(error))]) from None


def _compiled_parts(source: TemplateSource, engine: Engine) -> Compiled:
    faults: list[Fault] = []
    is_mail = source.channel == EMAIL

    def part(field: str, text: str, *, escaping: bool = False, is_line: bool = False) -> CompiledTemplate:
        try:
            return _compiled(text, source, engine, escaping=escaping, is_line=is_line)
        except TemplateFaultError as fault:
            faults.append(_fault(field, fault))
            return _NOTHING

    compiled = Compiled(
        source.channel,
        part("subject", source.subject, is_line=is_mail),
        part("preheader", source.preheader, is_line=True) if is_mail and source.preheader else None,
        part("body", source.body, escaping=is_mail),
        part("layout", source.layout, escaping=True) if is_mail and source.layout else None,
        source.locale,
        part("text", source.text) if is_mail and source.text else None,
    )
    if faults:
        raise FaultyTemplateError(faults)
    return compiled


def check(source: TemplateSource, engine: Engine = engines.OWN) -> Compiled:
    """Compile a version. Raises FaultyTemplateError if it cannot be rendered with any data."""
    faults = _faults_of_layout(source)
    if faults:
        raise FaultyTemplateError(faults)
    compiled = compile_source(source, engine)
    if source.channel != EMAIL:
        return compiled
    for is_inverse in (False, True):
        made = Skeleton(compiled.body, compiled.layout, is_inverse=is_inverse)
        try:
            mjml.check(made.markup())
        except mjml.MjmlError as error:
            field, line = made.place(error.offset)
            raise FaultyTemplateError([Fault(field, line, f"MJML: {error.message}")]) from None
    return compiled


def render(
    compiled: Compiled, data: dict[str, Any], *, limit: int, deadline: float, culture: Culture = NOBODY
) -> Content:
    """Return the content. limit: characters in all. deadline: of time.process_time().

    Raises OutputTooLargeError, RenderTimeoutError, MjmlError; MemoryError, RecursionError.
    """
    return finish(compiled, written(compiled, data, limit=limit, deadline=deadline, culture=culture), limit=limit)


@dataclass(frozen=True, slots=True)
class Written:
    """The output of a version's Handlebars templates. text: None: there is no such template."""

    subject: str
    preheader: str
    body: str
    text: str | None = None


def written(
    compiled: Compiled, data: dict[str, Any], *, limit: int, deadline: float, culture: Culture = NOBODY
) -> Written:
    """Run the Handlebars templates. See render."""

    def run(template: CompiledTemplate, values: dict[str, Any]) -> str:
        return template.render(values, Output(limit, deadline), culture)

    subject = run(compiled.subject, data)
    preheader = ""
    if compiled.preheader is not None:
        preheader = one_line(lines.without_tags(run(compiled.preheader, data)))
    body = run(compiled.body, data)
    if compiled.layout is not None:
        body = run(compiled.layout, {**data, SLOT: body})
    text = None if compiled.text is None else _CONTROLS.sub("", run(compiled.text, data))
    return Written(subject, preheader, _CONTROLS.sub("", body), text)


def finish(compiled: Compiled, parts: Written, *, limit: int) -> Content:
    """Return the channel's content. See render."""
    content = _finished(compiled, parts, limit=limit)
    return content._replace(is_empty=visible.is_empty(compiled.channel, content))


def _finished(compiled: Compiled, parts: Written, *, limit: int) -> Content:
    if compiled.channel == SMS:
        text = parts.body.replace("\r\n", "\n").replace("\r", "\n").translate(_SMS_SPACES)
        measured = sms.size(text)
        return Content(text=text, sms_segments=measured.segments, sms_encoding=measured.encoding)
    if compiled.channel == PUSH:
        return Content(title=one_line(parts.subject), body=parts.body)
    if compiled.channel != EMAIL:
        raise ValueError(f"channel {compiled.channel} has no content of its own")
    markup = _markup(parts.body, parts.preheader)
    content = Content(
        subject=one_line(lines.without_tags(parts.subject)),
        html=markup,
        text=plaintext.from_html(markup) if parts.text is None else parts.text,
        preheader=parts.preheader,
    )
    if len(content.html) + len(content.text) > limit:
        raise OutputTooLargeError
    return content


def one_line(text: str) -> str:
    """Return text on one line, without control characters, at most MAX_SUBJECT characters."""
    return _BREAKS.sub(" ", text).strip()[:MAX_SUBJECT]


def deadline_after(seconds: float) -> float:
    """Return the time.process_time() after so many more seconds of work."""
    return time.process_time() + seconds


def _markup(body: str, preheader: str) -> str:
    if not mjml.is_mjml(body):
        return with_preheader(body, preheader)
    if not preheader:
        return mjml.to_html(body)
    return with_preheader(mjml.to_html(mjml.without_preview(body)), preheader)


def _faults_of_layout(source: TemplateSource) -> list[Fault]:
    if not source.layout:
        return []
    if source.channel != EMAIL:
        return [Fault("layout", 0, "is for channel EMAIL only")]
    try:
        count = slots(_compiled(source.layout, source, engines.OWN, escaping=True).program)
    except TemplateFaultError as fault:
        return [_fault("layout", fault)]
    return (
        []
        if count == 1
        else [Fault("layout", 0, f"must contain {{{{{{{SLOT}}}}}}} exactly once, but contains it {count} times")]
    )


def _fault(field: str, fault: TemplateFaultError) -> Fault:
    where = f"partials.{fault.partial}" if fault.partial else field
    return Fault(where, fault.line, fault.message, fault.column)


def _compiled(
    text: str, source: TemplateSource, engine: Engine, *, escaping: bool, is_line: bool = False
) -> CompiledTemplate:
    return engine.compile_template(
        text.removeprefix(_BYTE_ORDER_MARK),
        escaping=escaping,
        marking=lines.marked if is_line else None,
        partials={name: partial.removeprefix(_BYTE_ORDER_MARK) for name, partial in source.partials.items()},
        helpers=HELPERS,
    )


_NOTHING = compile_template("", escaping=False)
