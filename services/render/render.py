"""Renders items: finds their template versions, lets the workers do it, says what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from runtime.errors import ClarionError, Code
from services.domain.reasons import Reason
from services.render import frames
from services.render.frames import Answer, Content, Fault, Report, Source
from services.render.pool import BusyError, Job
from services.render.ports import Sources, Workers

# Of all contents of one answer, bytes; gRPC carries 16 MiB.
MAX_ANSWER = 12 * 1024 * 1024

# Of what is within its own limit and only found no room: to be asked for again.
ANSWER_FULL = "answer_full"
# Of what had no turn in time: nothing is wrong with it.
NO_TURN = "no_turn"
# Also where its template's other items used up the time: another one's weight is no failure of this one.
_LATE = Answer(NO_TURN, detail="there was no time for it; try again shortly")

# What a job that needs no template has as one.
_NOTHING = Source(frames.SMS, "", "")


@dataclass(frozen=True, slots=True)
class Item:
    """A template version and its data: JSON objects, UTF-8."""

    version_id: str
    variables: bytes
    fallback: bytes = b""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What became of an item. reason: empty, or why there is no content. channel: 0 where it is not known."""

    channel: int
    reason: str
    content: Content
    detail: str = ""
    duration_us: int = 0
    faults: Sequence[Fault] = ()
    report: Report | None = None


class Renderer:
    """The one renderer for production, preview and test send."""

    def __init__(self, workers: Workers, sources: Sources) -> None:
        self._workers = workers
        self._sources = sources

    async def batch(self, items: Sequence[Item], budget: float) -> list[Rendered]:
        """Render items within budget seconds, with a result for each: a bad template is one, so is NO_TURN.

        Raises OVERLOADED where too much waits already, UNAVAILABLE where nobody knows the templates.
        """
        sources = await self._sources.find({item.version_id for item in items})
        found = [(index, item) for index, item in enumerate(items) if item.version_id in sources]
        jobs = [
            Job(
                sources[item.version_id],
                version_id=item.version_id,
                variables=item.variables,
                fallback=item.fallback,
            )
            for _, item in found
        ]
        answers = [answer or _LATE for answer in await self._run(jobs, budget)]
        missing = Rendered(0, Reason.TEMPLATE_NOT_FOUND, Content(), "There is no such template version.")
        results = [missing] * len(items)
        for (index, item), answer in zip(found, answers, strict=True):
            results[index] = _rendered(sources[item.version_id].channel, answer)
        return _bounded(results)

    async def preview(self, source: Source, variables: bytes, budget: float) -> Rendered:
        """Render a body that is not saved, with a report. Raises OVERLOADED."""
        answer = await self._run_one(Job(source, kind=frames.PREVIEW, variables=variables), budget)
        return _rendered(source.channel, answer)

    async def check(self, source: Source, budget: float) -> list[Fault]:
        """Return what is wrong with a template, nothing where it can be used. Raises OVERLOADED."""
        answer = await self._run_one(Job(source, kind=frames.CHECK), budget)
        if answer.outcome == frames.OK:
            return []
        return answer.faults or [Fault("body", 0, f"cannot be compiled: {answer.detail or answer.outcome}")]

    async def diff(self, before: Mapping[str, str], after: Mapping[str, str], budget: float) -> str:
        """Return a unified diff of named texts. Raises INVALID where it takes too long, OVERLOADED."""
        encode = msgspec.json.encode
        job = Job(_NOTHING, kind=frames.DIFF, variables=encode(before), fallback=encode(after))
        answer = await self._run_one(job, budget)
        if answer.outcome != frames.OK:
            raise ClarionError(Code.INVALID, f"The two cannot be compared: {answer.detail or answer.outcome}.")
        return answer.content.text

    async def _run(self, jobs: list[Job], budget: float) -> list[Answer | None]:
        try:
            return await self._workers.run(jobs, budget)
        except BusyError:
            raise overloaded() from None

    async def _run_one(self, job: Job, budget: float) -> Answer:
        (answer,) = await self._run([job], budget)
        if answer is None:
            raise overloaded()
        return answer


def overloaded() -> ClarionError:
    """What a caller hears who has to come back."""
    return ClarionError(Code.OVERLOADED, "Rendering has too much to do; try again shortly.", retry_after=1)


def _rendered(channel: int, answer: Answer) -> Rendered:
    reason = "" if answer.outcome == frames.OK else answer.outcome
    return Rendered(channel, reason, answer.content, answer.detail, answer.duration_us, answer.faults, answer.report)


def _bounded(results: list[Rendered]) -> list[Rendered]:
    """Give up the largest contents where all together would not fit into an answer."""
    sizes = [sum(map(_bytes, result.content.texts)) for result in results]
    excess = sum(sizes) - MAX_ANSWER
    for index in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        if excess <= 0:
            break
        excess -= sizes[index]
        result = results[index]
        reason = Reason.OUTPUT_TOO_LARGE if sizes[index] > MAX_ANSWER else ANSWER_FULL
        detail = f"The batch's contents exceed {MAX_ANSWER} bytes; ask for fewer items at once."
        results[index] = Rendered(result.channel, reason, Content(), detail, result.duration_us)
    return results


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
