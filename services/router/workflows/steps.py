"""The steps of a workflow, as they are carried out. Pure.

A new kind of step is a class here, a reader in reading.py and what the engine does when it comes to it (engine.py).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import msgspec

from clarion.common.v1 import event_pb2
from services.router import filters
from services.router.definitions import ChannelNumber
from services.router.filters import Filter

# The longest that a step may wait, seconds.
MAX_DELAY_S = 365 * 24 * 3600
# Stands for a person's own time zone.
RECIPIENT_TIMEZONE = "recipient"
# In the order of datetime.date.weekday().
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
# What Rule.named_steps holds for a rule that may look at every step.
EVERY_STEP = "*"

# A path to the steps, also of what a list of facts holds ("current.steps.hello.status").
_NAMED_STEP = re.compile(r"(?:.*?\.)?steps(?:\.([^.]*).*)?", re.DOTALL)
# The operators that take paths; of the first one a default may stand beside the path.
_READING = frozenset({"var", "val", "exists", "missing", "missing_some"})


@dataclass(frozen=True)
class Rule:
    """A JSON-Logic rule. text: JSON. See services.router.workflows.facts for what it sees."""

    text: str

    @property
    def filter(self) -> Filter:
        """The rule, compiled."""
        return filters.compiled(self.text)

    @cached_property
    def named_steps(self) -> frozenset[str]:
        """The ids of the steps that it looks at; EVERY_STEP among them: perhaps at each."""
        return frozenset(_named(msgspec.json.decode(self.text)))


@dataclass(frozen=True)
class Step:
    """id: unique within the workflow, and never used for another step. only_if: None: always."""

    kind: ClassVar[str] = ""

    id: str
    name: str = ""
    only_if: Rule | None = None


@dataclass(frozen=True)
class Send(Step):
    """Sends one message. template_key: see clarion.common.v1.Event.event_type. template_version: its number; 0: the
    active one then.
    """

    kind = "send"

    channel: ChannelNumber = event_pb2.CHANNEL_UNSPECIFIED
    template_key: str = ""
    template_version: int = 0


@dataclass(frozen=True, slots=True)
class For:
    """So many seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Until:
    """Until the next time a clock of the time zone shows this. minute: of the day. days: as WEEKDAYS counts them."""

    minute: int
    timezone: str
    days: frozenset[int] = EVERY_DAY


@dataclass(frozen=True, slots=True)
class From:
    """Until a time that the facts hold, and offset_s later; negative: before it. path: as ("event", "data", "at")."""

    path: tuple[str, ...]
    offset_s: int = 0


@dataclass(frozen=True, slots=True)
class Within:
    """Until the hours of these days, from the minute of the day first until before end; in them it does not wait."""

    first: int
    end: int
    timezone: str
    days: frozenset[int] = EVERY_DAY


Wait: TypeAlias = For | Until | From | Within


@dataclass(frozen=True)
class Delay(Step):
    """Goes on later."""

    kind = "delay"

    wait: Wait = For(0)


@dataclass(frozen=True)
class Condition(Step):
    """Goes on with one of two lists of steps, and then with what follows."""

    kind = "condition"

    rule: Rule = Rule("true")
    then: "tuple[Step, ...]" = ()
    otherwise: "tuple[Step, ...]" = ()


@dataclass(frozen=True)
class Parallel(Step):
    """Goes on with all branches at the same time, and with what follows when all have come to their end."""

    kind = "parallel"

    branches: "tuple[tuple[Step, ...], ...]" = ()


@dataclass(frozen=True)
class Webhook(Step):
    """Sends the event to an endpoint."""

    kind = "webhook"

    endpoint_id: str = ""


@dataclass(frozen=True)
class Stop(Step):
    """Ends the whole run, its other branches too."""

    kind = "stop"


def inner(step: Step) -> tuple[tuple[Step, ...], ...]:
    """Return the lists of steps within a step."""
    match step:
        case Condition():
            return step.then, step.otherwise
        case Parallel():
            return step.branches
    return ()


def walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield all steps, those within others too, in the order of the document."""
    for step in steps:
        yield step
        for some in inner(step):
            yield from walk(some)


def _named(value: Any) -> Iterator[str]:
    match value:
        case str():
            if found := _NAMED_STEP.fullmatch(value):
                yield found[1] or EVERY_STEP
        case list():
            for one in value:
                yield from _named(one)
        case dict():
            for operator, one in value.items():
                if operator in _READING and _is_computed(
                    one[:1] if operator == "var" and isinstance(one, list) else one
                ):
                    yield EVERY_STEP
                yield from _named(one)


def _is_computed(path: Any) -> bool:
    """Return whether a path, or one of several, is known only when the rule is evaluated."""
    return isinstance(path, dict) or (isinstance(path, list) and any(map(_is_computed, path)))
