"""The document of a workflow: what a version of it says. Pure.

{"filters": {"tags": [..], "segment_id": "..", "cooldown_s": n}, "category": "..", "steps": [step, ..]}; see
docs/workflows.md for the steps.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import msgspec

from runtime.errors import ClarionError, Code
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.router.workflows.reading import MAX_BYTES, Fault, Fields, read_filters, read_steps
from services.router.workflows.steps import Condition, Delay, From, Parallel, Send, Step, Webhook, inner, walk

# How many faults an error's sentence holds; its fields are complete.
_MAX_IN_SENTENCE = 5
_MAX_FAULTS = 100


class Follow(NamedTuple):
    """What comes after a step. step: an id; empty: nothing in its list.

    joins: the parallel step of whose branch the list is the end; empty: none. Without both the run is at its end.
    """

    step: str = ""
    joins: str = ""


@dataclass(frozen=True)
class Document:
    """A valid document. tags: the person has all of them. segment_id: the segment matches the person. Empty: no filter.

    cooldown_s: the workflow is not started again for a person so soon; 0: no cooldown. category: of the recipient's
    preferences; empty: none. raw: as it is stored.
    """

    steps: tuple[Step, ...]
    tags: tuple[str, ...] = ()
    segment_id: str = ""
    cooldown_s: int = 0
    category: str = ""
    raw: bytes = b""

    @cached_property
    def by_id(self) -> Mapping[str, Step]:
        """All steps, in the order of the document."""
        return {step.id: step for step in walk(self.steps)}

    @cached_property
    def follows(self) -> Mapping[str, Follow]:
        """What comes after each step, by its id. What comes first within a step is not said here."""
        found: dict[str, Follow] = {}
        _link(self.steps, Follow(), found)
        return found

    @cached_property
    def places(self) -> Mapping[str, str]:
        """Where each step is, by its id: "steps[2].then[0]"."""
        return dict(_places(self.steps, "steps"))

    @cached_property
    def sends(self) -> Sequence[Send]:
        """The steps that send a message to the person."""
        return [step for step in self.by_id.values() if isinstance(step, Send)]

    @cached_property
    def first_send(self) -> Send | None:
        """The step that a workflow which is not started has its skipped delivery of; None: it sends to nobody."""
        return self.sends[0] if self.sends else None

    @cached_property
    def is_immediate(self) -> bool:
        """Whether one look carries it out, and no look sees more than another: no wait, no rule, no cooldown."""
        has_waits = any(isinstance(step, Delay) for step in self.by_id.values())
        return not (self.cooldown_s or has_waits or self.has_rules)

    @cached_property
    def has_rules(self) -> bool:
        """Whether a step asks a rule."""
        return any(step.only_if or isinstance(step, Condition) for step in self.by_id.values())

    @cached_property
    def reads_events(self) -> bool:
        """Whether a step looks at what an event carries."""
        waits = [step.wait for step in self.by_id.values() if isinstance(step, Delay)]
        return self.has_rules or any(isinstance(wait, From) for wait in waits)

    @cached_property
    def sends_at_once(self) -> int:
        """The most deliveries that one person has when it is started; at least 1, because a run begins otherwise."""
        if not self.is_immediate:
            return 1
        return max(1, sum(isinstance(step, Send | Webhook) for step in self.by_id.values()))

    @cached_property
    def template_keys(self) -> frozenset[str]:
        """The templates that it sends."""
        return frozenset(step.template_key for step in self.sends)

    @cached_property
    def named_steps(self) -> Mapping[str, frozenset[str]]:
        """The ids of the steps that each step's rules look at, by its id, without those that look at none."""
        rules = {
            step.id: [rule for rule in (step.only_if, step.rule if isinstance(step, Condition) else None) if rule]
            for step in self.by_id.values()
        }
        named = {id_: frozenset[str]().union(*(rule.named_steps for rule in found)) for id_, found in rules.items()}
        return {id_: found for id_, found in named.items() if found}


def parse(raw: bytes) -> Document:
    """Return the document. Raises INVALID naming each wrong field, as "document.steps[2].template.key"."""
    found, faults = read(raw)
    if found is None:
        raise refused(faults)
    return found


def refused(faults: Sequence[Fault]) -> ClarionError:
    """Return the error for a document with these faults."""
    fields = [(f"document.{one.field}" if one.field else "document", one.description) for one in faults]
    sentence = "; ".join(
        f"{name}{f' (step {fault.step!r})' if fault.step else ''} {description}"
        for (name, description), fault in zip(fields[:_MAX_IN_SENTENCE], faults, strict=False)
    )
    return ClarionError(Code.INVALID, sentence, fields=fields)


def read(raw: bytes) -> tuple[Document | None, Sequence[Fault]]:
    """Return the document, or what is wrong with it: one of the two is empty."""
    faults: list[Fault] = []
    if len(raw) > MAX_BYTES:
        return None, [Fault("", "", f"must have at most {MAX_BYTES // 1024} KiB")]
    try:
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so is that for what is not UTF-8
        return None, [Fault("", "", "must be JSON")]
    if is_too_deep(raw, value):
        return None, [Fault("", "", f"must be nested at most {MAX_DEPTH} levels deep")]
    fields = Fields.of(value, "", "", faults)
    if fields is None:
        return None, faults
    filters = read_filters(fields)
    category = fields.text("category", most=64)
    steps = read_steps(fields)
    fields.refuse_others()
    if faults:
        return None, faults[:_MAX_FAULTS]
    return Document(steps, *filters, category, msgspec.json.encode(value)), ()


def _link(steps: Sequence[Step], end: Follow, found: dict[str, Follow]) -> None:
    """Note what comes after each of these steps, and after those within them. end: what comes after the last one."""
    afters = [*(Follow(one.id) for one in steps[1:]), end]
    for step, after in zip(steps, afters, strict=False):  # an empty list has none
        found[step.id] = after
        for some in inner(step):
            _link(some, Follow(joins=step.id) if isinstance(step, Parallel) else after, found)


def _places(steps: Sequence[Step], path: str) -> Iterator[tuple[str, str]]:
    for position, step in enumerate(steps):
        place = f"{path}[{position}]"
        yield step.id, place
        match step:
            case Condition():
                yield from _places(step.then, f"{place}.then")
                yield from _places(step.otherwise, f"{place}.else")
            case Parallel():
                for number, branch in enumerate(step.branches):
                    yield from _places(branch, f"{place}.branches[{number}]")
