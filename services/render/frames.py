"""The messages between the service and its workers: length-prefixed msgpack over the worker's pipes."""

from typing import NamedTuple

import msgspec

LENGTH_BYTES = 4

# clarion.common.v1.Channel as numbers, because workers do not load protobuf.
EMAIL, SMS, PUSH = 1, 2, 3

# Kinds of tasks.
RENDER, CHECK, PREVIEW, DIFF = 0, 1, 2, 3

# Outcomes in addition to the reasons of a RenderFailure.
OK = "ok"
NEEDS_SOURCE = "needs_source"


class Content(NamedTuple):
    """See clarion.render.v1.Content."""

    subject: str = ""
    html: str = ""
    text: str = ""
    title: str = ""
    body: str = ""
    preheader: str = ""
    sms_segments: int = 0
    sms_encoding: str = ""
    is_empty: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that count for the size of an answer."""
        return self.subject, self.html, self.text, self.title, self.body, self.preheader


class Fault(NamedTuple):
    """An error in a template. line, column: from 1; 0 if not known.

    field: "subject", "preheader", "body", "layout" or "partials.<name>".
    """

    field: str
    line: int
    message: str
    column: int = 0

    def __str__(self) -> str:
        return f"{self.field}, line {self.line}: {self.message}" if self.line else f"{self.field}: {self.message}"


class TemplateSource(msgspec.Struct, frozen=True, array_like=True):
    """A template version as written, with its layout and partials. channel: clarion.common.v1.Channel.

    layout: its body; empty: none. partials: bodies by name. locale: empty: none. text: of an e-mail that is not stored:
    its text part; empty: made of the body.
    """

    channel: int
    subject: str
    body: str
    preheader: str = ""
    layout: str = ""
    partials: dict[str, str] = {}
    locale: str = ""
    text: str = ""

    @property
    def size(self) -> int:
        """Characters of all its parts."""
        own = len(self.subject) + len(self.body) + len(self.preheader) + len(self.layout) + len(self.text)
        return own + sum(map(len, self.partials.values()))


def published(source: TemplateSource) -> bytes:
    """Return a stored version as the configuration bucket holds it.

    Without text, which no stored version has: so that processes of an earlier version, which do not know it, write the
    same value.
    """
    return msgspec.json.encode(msgspec.structs.astuple(source)[:_PUBLISHED_FIELDS])


_PUBLISHED_FIELDS = TemplateSource.__struct_fields__.index("text")


class Contact(msgspec.Struct, frozen=True, array_like=True):
    """Who gets a message, as clarion.common.v1.Recipient. data: a JSON object; empty: {}."""

    user_id: str = ""
    email: str = ""
    phone: str = ""
    name: str = ""
    locale: str = ""
    timezone: str = ""
    data: bytes = b""


class Task(msgspec.Struct, frozen=True, array_like=True):
    """One task. source: None if the worker may know the version already.

    version_id: empty if the worker must not remember the template (preview, check). variables, fallback: JSON objects.
    For a DIFF these are objects of texts, before and after. contact: None: templates do not know them.
    """

    kind: int
    version_id: str
    source: TemplateSource | None
    variables: bytes = b"{}"
    fallback: bytes = b""
    contact: Contact | None = None


class WorkerLimits(msgspec.Struct, frozen=True, array_like=True):
    """What one item may use: processor seconds, characters of output, and bytes of memory of its worker.

    engine: as engines.load; compile_s: processor seconds that pybars3 may take to compile a version.
    """

    cpu_s: float
    output: int
    memory: int
    engine: str = "clarion"
    compile_s: float = 2.0


class WorkerRequest(msgspec.Struct, frozen=True, array_like=True):
    """Tasks in order. one_by_one: answer each before the next one begins, because one of them may kill the worker."""

    tasks: list[Task]
    one_by_one: bool = False


class Missing(NamedTuple):
    """A variable that the data lack. field, line: as in Fault."""

    name: str
    field: str
    line: int


class Branch(NamedTuple):
    """A branch of a block such as ``{{#if vip}}``. field, line, column: of its tag, as in Fault.

    block: the tag, "#if vip". is_else: the part after else. is_reached: the rendering comes there, or it may.
    """

    field: str
    line: int
    column: int
    block: str
    is_else: bool
    is_reached: bool


class PreviewReport(msgspec.Struct, frozen=True, array_like=True):
    """The report of a PREVIEW; see clarion.render.v1.PreviewReport.

    branches: of the blocks that are rendered.
    """

    format: str = ""
    size: int = 0
    clipped: bool = False
    missing: list[Missing] = []
    unused: list[str] = []
    branches: list[Branch] = []


class TaskResult(msgspec.Struct, frozen=True, array_like=True):
    """The result of a task. outcome: OK, NEEDS_SOURCE, or the reason of a failure with its detail.

    faults: of the template. report: of a PREVIEW. The result of a DIFF is content.text.
    """

    outcome: str
    content: Content = Content()
    detail: str = ""
    faults: list[Fault] = []
    duration_us: int = 0
    report: PreviewReport | None = None


class WorkerReply(msgspec.Struct, frozen=True, array_like=True):
    """Results of the next tasks, in order. done: no more follow, even if some tasks have no result."""

    answers: list[TaskResult]
    done: bool


def pack(value: msgspec.Struct) -> bytes:
    """Return the frame of a message."""
    body = msgspec.msgpack.encode(value)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body
