"""Renders items: finds their template versions, gives them to the workers, returns a result for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from runtime.errors import ClarionError, Code
from services.domain.reasons import Reason
from services.render import frames
from services.render.frames import Contact, Content, Fault, PreviewReport, TaskResult, TemplateSource
from services.render.jobs import Job, QueueFullError
from services.render.ports import TemplateSources, Workers

# The contents of one answer together, bytes. gRPC carries 16 MiB.
MAX_ANSWER = 12 * 1024 * 1024

# The reason if an item's content only had no room in the answer: the caller asks for it again.
ANSWER_FULL = "answer_full"
# The reason if no worker began with the item in time: nothing is wrong with it.
NO_TURN = "no_turn"
# Also if other items of its template used up the time: that is not this item's failure.
_LATE = TaskResult(NO_TURN, detail="no worker was free in time; try again in a second")

# The source of a job that needs no template.
_NOTHING = TemplateSource(frames.SMS, "", "")


@dataclass(frozen=True, slots=True)
class Item:
    """A template version and its data: JSON objects, UTF-8.

    source: of a template that is not stored; version_id is a digest of it then. contact: who gets it; None: templates
    do not know them.
    """

    version_id: str
    variables: bytes
    fallback: bytes = b""
    source: TemplateSource | None = None
    contact: Contact | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """The result for an item. reason: why there is no content; empty if there is. channel: 0 if not known."""

    channel: int
    reason: str
    content: Content
    detail: str = ""
    duration_us: int = 0
    faults: Sequence[Fault] = ()
    report: PreviewReport | None = None


class TemplateRenderer:
    """The one renderer for production, preview and test send."""

    def __init__(self, workers: Workers, sources: TemplateSources) -> None:
        self._workers = workers
        self._sources = sources

    async def batch(self, items: Sequence[Item], budget: float) -> list[Rendered]:
        """Render items within budget seconds. Each has a result; a faulty template and NO_TURN are results too.

        Raises OVERLOADED if too many items wait already, UNAVAILABLE if the templates cannot be read.
        """
        given = {item.version_id: item.source for item in items if item.source is not None}
        sources = {**await self._sources.find({item.version_id for item in items} - given.keys()), **given}
        found = [(index, item) for index, item in enumerate(items) if item.version_id in sources]
        jobs = [
            Job(
                sources[item.version_id],
                version_id=item.version_id,
                variables=item.variables,
                fallback=item.fallback,
                contact=item.contact,
            )
            for _, item in found
        ]
        answers = [answer or _LATE for answer in await self._run(jobs, budget)]
        missing = Rendered(0, Reason.TEMPLATE_NOT_FOUND, Content(), "Template version not found.")
        results = [missing] * len(items)
        for (index, item), answer in zip(found, answers, strict=True):
            results[index] = _rendered(sources[item.version_id].channel, answer)
        return _bounded(results)

    async def preview(self, source: TemplateSource, data: Sequence[bytes], budget: float) -> list[Rendered]:
        """Render a template that is not saved, with a report for each of the data: JSON objects. Raises OVERLOADED.

        The first of the data has a result with content, or with the reason of its own failure.
        """
        jobs = [Job(source, kind=frames.PREVIEW, variables=variables) for variables in data]
        first, *others = await self._run(jobs, budget)
        if first is None:
            raise overloaded()
        results = [_rendered(source.channel, answer or _LATE) for answer in (first, *others)]
        return _bounded(results)

    async def check(self, source: TemplateSource, budget: float) -> list[Fault]:
        """Return the template's faults; none if it can be used. Raises OVERLOADED."""
        answer = await self._run_one(Job(source, kind=frames.CHECK), budget)
        if answer.outcome == frames.OK:
            return []
        return answer.faults or [Fault("body", 0, f"cannot be compiled: {answer.detail or answer.outcome}")]

    async def diff(self, before: Mapping[str, str], after: Mapping[str, str], budget: float) -> str:
        """Return a unified diff of named texts. Raises INVALID if it takes too long, OVERLOADED."""
        encode = msgspec.json.encode
        job = Job(_NOTHING, kind=frames.DIFF, variables=encode(before), fallback=encode(after))
        answer = await self._run_one(job, budget)
        if answer.outcome != frames.OK:
            raise ClarionError(Code.INVALID, f"The versions cannot be compared: {answer.detail or answer.outcome}.")
        return answer.content.text

    async def _run(self, jobs: list[Job], budget: float) -> list[TaskResult | None]:
        try:
            return await self._workers.run(jobs, budget)
        except QueueFullError:
            raise overloaded() from None

    async def _run_one(self, job: Job, budget: float) -> TaskResult:
        (answer,) = await self._run([job], budget)
        if answer is None:
            raise overloaded()
        return answer


def overloaded() -> ClarionError:
    """Return the error for a caller that should try again."""
    return ClarionError(Code.OVERLOADED, "Rendering is overloaded. Try again in a second.", retry_after=1)


def _rendered(channel: int, answer: TaskResult) -> Rendered:
    reason = "" if answer.outcome == frames.OK else answer.outcome
    return Rendered(channel, reason, answer.content, answer.detail, answer.duration_us, answer.faults, answer.report)


def _bounded(results: list[Rendered]) -> list[Rendered]:
    """Give up the largest contents if all of them together do not fit into an answer."""
    sizes = [sum(map(_bytes, result.content.texts)) for result in results]
    excess = sum(sizes) - MAX_ANSWER
    for index in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        if excess <= 0:
            break
        excess -= sizes[index]
        result = results[index]
        reason = Reason.OUTPUT_TOO_LARGE if sizes[index] > MAX_ANSWER else ANSWER_FULL
        detail = f"The contents of the batch have more than {MAX_ANSWER} bytes. Ask for fewer items at once."
        results[index] = Rendered(result.channel, reason, Content(), detail, result.duration_us)
    return results


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
