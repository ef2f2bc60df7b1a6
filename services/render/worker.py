"""A worker process: reads tasks from standard input and writes results to standard output.

Templates may be hostile, so a worker has no secrets, little memory and little time, and may die at any moment. It ends
when its standard input ends.
"""

import os
import resource
import signal
import sys
import time
from collections import OrderedDict
from typing import Any

import msgspec

from runtime import validation
from services.domain import locales
from services.domain.reasons import Reason
from services.render import engines, frames, workflow_data
from services.render.content import (
    NOBODY,
    Compiled,
    FaultyTemplateError,
    check,
    compile_source,
    deadline_after,
    render,
)
from services.render.engines import Engine
from services.render.frames import (
    Contact,
    Content,
    PreviewReport,
    Task,
    TaskResult,
    TemplateSource,
    WorkerLimits,
    WorkerReply,
    WorkerRequest,
)
from services.render.handlebars import Culture, OutputTooLargeError, RenderTimeoutError, TemplateFaultError
from services.render.mjml import MjmlError

# Memory for compiled versions, roughly.
_CACHE_BYTES = 16 * 1024 * 1024
# Results are sent together if they come within so many seconds and have at most so many characters.
_FLUSH_S = 0.002
_FLUSH_CHARACTERS = 256 * 1024

_MAX_DETAIL = 500
_NO_SOURCE = TemplateSource(frames.SMS, "", "")

_decode_work = msgspec.msgpack.Decoder(WorkerRequest).decode


class _Cache:
    """Compiled versions. Drops the least recently used ones."""

    def __init__(self) -> None:
        self._versions: OrderedDict[str, Compiled] = OrderedDict()
        self._cost = 0

    def get(self, version_id: str) -> Compiled | None:
        compiled = self._versions.get(version_id)
        if compiled is not None:
            self._versions.move_to_end(version_id)
        return compiled

    def put(self, version_id: str, compiled: Compiled) -> None:
        self._versions[version_id] = compiled
        self._cost += compiled.cost
        while self._cost > _CACHE_BYTES and len(self._versions) > 1:
            self._cost -= self._versions.popitem(last=False)[1].cost


class _DataError(Exception):
    """The data is not a JSON object."""


class _Exhausted(Exception):
    """This item used up its time or memory. The service decides what happens to the tasks after it."""

    def __init__(self, answer: TaskResult) -> None:
        super().__init__(answer.outcome)
        self.answer = answer


class TaskRunner:
    """Runs tasks within limits."""

    def __init__(self, limits: WorkerLimits, engine: Engine = engines.OWN) -> None:
        self._limits = limits
        self._engine = engine
        # Compiling with pybars3 has its own limit; freeing its memory takes time too.
        self._killed_after_s = 2 * (limits.cpu_s + (0 if engine is engines.OWN else limits.compile_s))
        self._cache = _Cache()

    def answer(self, task: Task) -> TaskResult:
        """Return the answer. Raises _Exhausted."""
        started = time.perf_counter()
        # Ends the process where no exception can be raised: in the converter, in a pattern, in one long copy.
        signal.setitimer(signal.ITIMER_PROF, self._killed_after_s)
        try:
            outcome, values, report = self._attempt(task)
        except RenderTimeoutError:
            raise _Exhausted(_failed(Reason.RENDER_TIMEOUT, f"more than {self._limits.cpu_s} s", started)) from None
        except MemoryError:
            raise _Exhausted(_failed(Reason.RENDER_MEMORY, "more memory than allowed", started)) from None
        except OutputTooLargeError:
            return _failed(Reason.OUTPUT_TOO_LARGE, f"more than {self._limits.output} characters", started)
        except (MjmlError, FaultyTemplateError) as error:
            faults = error.faults if isinstance(error, FaultyTemplateError) else []
            return _failed(Reason.TEMPLATE_ERROR, str(error), started, faults=faults)
        except (TemplateFaultError, _DataError) as fault:
            return _failed(Reason.TEMPLATE_ERROR, str(fault), started)
        except RecursionError:
            return _failed(Reason.TEMPLATE_ERROR, "the data or the partials are nested too deeply", started)
        except Exception as error:
            return _failed(Reason.TEMPLATE_ERROR, f"cannot be rendered: {type(error).__name__}", started)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return TaskResult(outcome, values, duration_us=_since(started), report=report)

    def _attempt(self, task: Task) -> tuple[str, Content, PreviewReport | None]:
        if task.kind == frames.CHECK:
            check(task.source or _NO_SOURCE, self._engine)
            return frames.OK, frames.Content(), None
        if task.kind == frames.DIFF:
            return _difference(task)
        is_preview = task.kind == frames.PREVIEW
        compiled = check(task.source or _NO_SOURCE, self._engine) if is_preview else self._compiled(task)
        if compiled is None:
            return frames.NEEDS_SOURCE, frames.Content(), None
        data = _object(task.variables, "variables")
        fallback = _object(task.fallback, "fallback")
        contact = task.contact
        culture = _culture(compiled, data, fallback, contact)
        if contact is not None:
            data = workflow_data.merged(compiled.channel, data, fallback, contact, _object(contact.data, "contact"))
        elif fallback:
            data = {**fallback, **data}
        deadline, limit = deadline_after(self._limits.cpu_s), self._limits.output
        if is_preview:
            # Needed only while templates are written.
            from services.render.preview import preview

            content, report = preview(compiled, data, list(data), limit=limit, deadline=deadline, culture=culture)
            return frames.OK, content, report
        return frames.OK, render(compiled, data, limit=limit, deadline=deadline, culture=culture), None

    def _compiled(self, task: Task) -> Compiled | None:
        compiled = self._cache.get(task.version_id) if task.version_id else None
        if compiled is None and task.source is not None:
            source: TemplateSource = task.source
            compiled = compile_source(source, self._engine)
            if task.version_id:
                self._cache.put(task.version_id, compiled)
        return compiled


def _difference(task: Task) -> tuple[str, Content, None]:
    # Needed only while templates are written.
    from services.render import difference

    before, after = _object(task.variables, "before"), _object(task.fallback, "after")
    return frames.OK, Content(text=difference.unified(before, after)), None


def _culture(
    compiled: Compiled, data: dict[str, Any], fallback: dict[str, Any], contact: Contact | None = None
) -> Culture:
    """Return the language and time zone. The payload comes before the variables, as for the choice of the template.

    What is stored of the contact counts where neither says anything.
    """
    wanted = fallback.get("locale") or data.get("locale")
    zone = fallback.get("timezone") or data.get("timezone")
    if contact is not None:
        wanted, zone = wanted or contact.locale or None, zone or contact.timezone or None
    if wanted is None and zone is None and not compiled.locale:
        return NOBODY
    locale = locales.culture(locales.normal(wanted) if type(wanted) is str else "", compiled.locale)
    return Culture(locale, zone if type(zone) is str else "")


def _object(raw: bytes, name: str) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = validation.json_fault(error)
        raise _DataError(f"{name} is not valid JSON: {why}" if why else f"{name} is not valid JSON") from None
    if type(value) is not dict:
        raise _DataError(f"{name} is not a JSON object")
    return value


def _failed(outcome: str, detail: str, started: float, *, faults: Any = ()) -> TaskResult:
    return TaskResult(outcome, detail=detail[:_MAX_DETAIL], faults=list(faults), duration_us=_since(started))


def _since(started: float) -> int:
    return int((time.perf_counter() - started) * 1e6)


def serve(renderer: TaskRunner, source: int, sink: int) -> None:
    """Run tasks until source ends."""
    _send(sink, WorkerReply([], done=True))
    with os.fdopen(source, "rb") as stream:
        while len(head := stream.read(frames.LENGTH_BYTES)) == frames.LENGTH_BYTES:
            body = stream.read(int.from_bytes(head, "big"))
            _do(renderer, _decode_work(body), sink)


def _do(renderer: TaskRunner, work: WorkerRequest, sink: int) -> None:
    answers: list[TaskResult] = []
    size = 0
    flushed = time.perf_counter()
    for task in work.tasks:
        try:
            answer = renderer.answer(task)
        except _Exhausted as exhausted:
            answers.append(exhausted.answer)
            break
        answers.append(answer)
        size += len(answer.content.html) + len(answer.content.text)
        now = time.perf_counter()
        if work.one_by_one or size > _FLUSH_CHARACTERS or now - flushed > _FLUSH_S:
            _send(sink, WorkerReply(answers, done=False))
            answers, size, flushed = [], 0, now
    _send(sink, WorkerReply(answers, done=True))


def _send(sink: int, progress: WorkerReply) -> None:
    left = memoryview(frames.pack(progress))
    while left:
        left = left[os.write(sink, left) :]


def _confine(memory: int) -> None:
    """Drop what rendering does not need. memory: bytes in addition to what the process has now."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - pathlib is a large import
        held = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + memory, held + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides, even if the whole process group gets the signal
    signal.signal(signal.SIGPROF, signal.SIG_DFL)


def main() -> None:
    """Run the worker. The last argument is the limits as JSON."""
    limits = msgspec.json.decode(sys.argv[-1], type=WorkerLimits)
    engine = engines.load(limits.engine, compile_s=limits.compile_s)
    _confine(limits.memory)
    serve(TaskRunner(limits, engine), 0, 1)


if __name__ == "__main__":
    main()
