"""Jobs for the workers, and where their answers go. No processes, no clock."""

from collections.abc import Callable
from dataclasses import dataclass

from services.render import frames
from services.render.frames import Contact, Task, TaskResult, TemplateSource


class QueueFullError(Exception):
    """Too many jobs wait already."""


class Batch:
    """The answers that one caller waits for. on_complete: called when the last one is there."""

    __slots__ = ("_missing", "_on_complete", "answers", "is_abandoned")

    def __init__(self, size: int, on_complete: Callable[[], None]) -> None:
        self.answers: list[TaskResult | None] = [None] * size
        self.is_abandoned = False
        self._missing = size
        self._on_complete = on_complete

    def settle(self, index: int, answer: TaskResult | None) -> None:
        """Take the answer to one job. None: the job had no turn."""
        self.answers[index] = answer
        self._missing -= 1
        if not self._missing:
            self._on_complete()


@dataclass(slots=True, eq=False)
class Job:
    """One task for a worker. version_id: empty if workers must not remember the template."""

    source: TemplateSource
    version_id: str = ""
    variables: bytes = b""
    fallback: bytes = b""
    contact: Contact | None = None
    kind: int = frames.RENDER
    # Its worker died before: the next one must answer it before it begins another.
    one_by_one: bool = False
    # Workers that died while this job was the only one they can have died of.
    deaths: int = 0
    # When it was put behind the other jobs because its version is suspect; 0: never. See JobQueue.
    set_aside_at: float = 0.0
    _batch: Batch | None = None
    _index: int = 0

    def belongs_to(self, batch: Batch, index: int) -> None:
        """Set who waits for the answer."""
        self._batch, self._index = batch, index

    @property
    def is_abandoned(self) -> bool:
        """Whether no caller waits for the answer."""
        return self._batch is None or self._batch.is_abandoned

    def settle(self, answer: TaskResult | None) -> None:
        """Give the answer to the caller, once. None: the job had no turn."""
        batch, self._batch = self._batch, None
        if batch is not None:
            batch.settle(self._index, answer)

    def task(self, known: set[str]) -> Task:
        """Return the message for a worker that knows these versions."""
        source = None if self.version_id in known else self.source
        return Task(self.kind, self.version_id, source, self.variables, self.fallback, self.contact)

    def size(self, known: set[str]) -> int:
        """Return the message's size for a worker that knows these versions, in bytes, roughly."""
        source = 0 if self.version_id in known else self.source.size
        contact = len(self.contact.data) if self.contact is not None else 0
        return len(self.variables) + len(self.fallback) + contact + source
