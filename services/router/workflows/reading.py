"""Reads the parts of a workflow's document, and says what is wrong with them and where. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from runtime.errors import ClarionError
from runtime.ids import is_uuid
from services.domain import channels
from services.domain.time_zones import is_time_zone
from services.router.filters import check_filter
from services.router.workflows.steps import (
    EVERY_DAY,
    MAX_DELAY_S,
    RECIPIENT_TIMEZONE,
    WEEKDAYS,
    Condition,
    Delay,
    For,
    From,
    Parallel,
    Rule,
    Send,
    Step,
    Stop,
    Until,
    Wait,
    Webhook,
    Within,
)

MAX_BYTES = 64 * 1024
MAX_STEPS = 50
# How deep lists of steps are nested; those of the document itself are the first level.
MAX_DEPTH = 4
MAX_BRANCHES = 10
MAX_ID, MAX_NAME, MAX_KEY = 64, 100, 255
MAX_TAGS, MAX_TAG = 20, 64
MAX_PATH = 255
_MINUTES = 24 * 60

_ID = re.compile(r"[A-Za-z0-9_-]+")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_PATH = re.compile(r"(contact|event|variables)(\.[^.\0]+)+")


class Fault(NamedTuple):
    """What is wrong with a document. field: "steps[2].template.key"; step: the id of the step, empty if it has none."""

    field: str
    step: str
    description: str


@dataclass
class Fields:
    """The fields of a JSON object, each read once. A reader appends to faults what is wrong, and returns a default."""

    values: dict[str, Any]
    path: str
    step: str
    faults: list[Fault]
    _read: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, value: Any, path: str, step: str, faults: list[Fault]) -> "Fields | None":
        """Return the fields of a value; None: it is no object, which is a fault."""
        if isinstance(value, dict):
            return cls(value, path, step, faults)
        faults.append(Fault(path, step, "must be an object"))
        return None

    def fault(self, name: str, description: str) -> None:
        """Note a fault of a field."""
        self.faults.append(Fault(self.place(name), self.step, description))

    def place(self, name: str) -> str:
        """Return where a field is."""
        return f"{self.path}.{name}" if self.path and name else self.path or name

    def get(self, name: str) -> Any:
        """Return a field's value; None: it is absent."""
        self._read.add(name)
        return self.values.get(name)

    def text(self, name: str, *, most: int, required: bool = False) -> str:
        """Return a text."""
        value: Any = self.get(name)
        if value is None:
            value = ""
        if not isinstance(value, str) or "\0" in value:
            self.fault(name, "must be a text")
            return ""
        if required and not value:
            self.fault(name, "is required")
        if len(value) > most:
            self.fault(name, f"must have at most {most} characters")
        return str(value)

    def whole(self, name: str, least: int, most: int, *, default: int | None = None) -> int:
        """Return a whole number. default: None: it is required."""
        value = self.get(name)
        if value is None and default is not None:
            return default
        # 2.0 is whole: JSON does not tell them apart.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.fault(name, f"must be a whole number from {least:,} to {most:,}")
            return least
        return value

    def object(self, name: str, *, required: bool = False) -> "Fields | None":
        """Return the fields of an object; None: it is absent, or no object."""
        value = self.get(name)
        if value is None:
            if required:
                self.fault(name, "is required")
            return None
        return Fields.of(value, self.place(name), self.step, self.faults)

    def refuse_others(self) -> None:
        """Note each field that nobody has read."""
        for name in sorted(self.values.keys() - self._read):
            self.fault(name[:MAX_NAME], "is no field of this object")


class _Head(NamedTuple):
    """What all steps have. within: reads a list of steps within this one: its value and its place."""

    id: str
    name: str
    only_if: Rule | None
    within: "Callable[[Any, str], tuple[Step, ...]]"


class _Steps:
    """Reads lists of steps: how many there are, and which ids are taken."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults
        self._places: dict[str, str] = {}
        self._count = 0

    def read(self, value: Any, path: str, step: str, depth: int) -> tuple[Step, ...]:
        """Return the steps of a list. step: the one that it is within."""
        if not isinstance(value, list):
            self._faults.append(Fault(path, step, "must be a list of steps"))
            return ()
        if value and depth > MAX_DEPTH:
            self._faults.append(Fault(path, step, f"must be nested at most {MAX_DEPTH} levels deep"))
            return ()
        found = []
        for position, one in enumerate(value):
            self._count += 1
            if self._count == MAX_STEPS + 1:
                self._faults.append(Fault("steps", "", f"must be at most {MAX_STEPS}, those within steps included"))
            if self._count > MAX_STEPS:
                break
            if (read := self._step(one, f"{path}[{position}]", depth)) is not None:
                found.append(read)
        return tuple(found)

    def _step(self, value: Any, path: str, depth: int) -> Step | None:
        fields = Fields.of(value, path, "", self._faults)
        if fields is None:
            return None
        id_ = self._id(fields)
        name = fields.text("name", most=MAX_NAME)
        only_if = _rule(fields, "only_if") if fields.get("only_if") is not None else None
        kind = fields.get("kind")
        read = _KINDS.get(kind) if isinstance(kind, str) else None
        if read is None:
            fields.fault("kind", f"must be one of {', '.join(_KINDS)}")
            return None
        head = _Head(id_, name, only_if, lambda value, path: self.read(value, path, id_, depth + 1))
        found = read(fields, head)
        fields.refuse_others()
        return found

    def _id(self, fields: Fields) -> str:
        id_ = fields.text("id", most=MAX_ID, required=True)
        if id_ and not _ID.fullmatch(id_):
            fields.fault("id", 'must be letters, digits, "_" and "-"')
            return ""
        fields.step = id_[:MAX_ID]
        if id_ and (other := self._places.setdefault(id_, fields.path)) != fields.path:
            fields.fault("id", f"is the same as that of {other}")
        return id_


def _send(fields: Fields, head: _Head) -> Step:
    public_name = fields.get("channel")
    channel = channels.BY_PUBLIC_NAME.get(public_name) if isinstance(public_name, str) else None
    if channel is None or channel not in channels.FOR_PEOPLE:
        fields.fault("channel", f"must be one of {', '.join(channels.PUBLIC_NAMES_FOR_PEOPLE)}")
    template = fields.object("template", required=True)
    if channel is None or template is None:
        return Send(*head[:3])
    key = template.text("key", most=MAX_KEY, required=True)
    version = template.whole("version", 1, 2**31 - 1, default=0)
    template.refuse_others()
    return Send(*head[:3], channel, key, version)


def _delay(fields: Fields, head: _Head) -> Step:
    given = [one for one in _WAITS if one in fields.values]
    if len(given) != 1:
        fields.fault("", f"must have one of {', '.join(_WAITS)}")
        for one in given:
            fields.get(one)
        return Delay(*head[:3])
    return Delay(*head[:3], _WAITS[given[0]](fields))


def _condition(fields: Fields, head: _Head) -> Step:
    rule = _rule(fields, "rule")
    then, otherwise = (
        head.within(value, fields.place(one)) if (value := fields.get(one)) is not None else ()
        for one in ("then", "else")
    )
    return Condition(*head[:3], rule, then, otherwise)


def _parallel(fields: Fields, head: _Head) -> Step:
    value = fields.get("branches")
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_BRANCHES:
        fields.fault("branches", f"must be from 1 to {MAX_BRANCHES} lists of steps")
        return Parallel(*head[:3])
    branches = [head.within(one, fields.place(f"branches[{position}]")) for position, one in enumerate(value)]
    if [] in value:
        fields.fault("branches", "must have a step each")
    return Parallel(*head[:3], tuple(branches))


def _webhook(fields: Fields, head: _Head) -> Step:
    return Webhook(*head[:3], _id_of(fields, "endpoint_id"))


def _stop(_fields: Fields, head: _Head) -> Step:
    return Stop(*head[:3])


_KINDS: dict[str, Callable[[Fields, _Head], Step]] = {
    "send": _send,
    "delay": _delay,
    "condition": _condition,
    "parallel": _parallel,
    "webhook": _webhook,
    "stop": _stop,
}


def read_steps(document: Fields) -> tuple[Step, ...]:
    """Return the steps of a document."""
    steps = document.get("steps")
    if steps == []:
        document.fault("steps", "must have at least one step")
    return _Steps(document.faults).read(steps, document.place("steps"), "", 1)


def read_filters(document: Fields) -> tuple[tuple[str, ...], str, int]:
    """Return a document's tags, segment and cooldown."""
    fields = document.object("filters")
    if fields is None:
        return (), "", 0
    tags = _texts(fields, "tags", MAX_TAGS, lambda tag: bool(tag) and len(tag) <= MAX_TAG and "\0" not in tag)
    segment_id = _id_of(fields, "segment_id", required=False)
    cooldown_s = fields.whole("cooldown_s", 0, MAX_DELAY_S, default=0)
    fields.refuse_others()
    return tags, segment_id, cooldown_s


def _rule(fields: Fields, name: str) -> Rule:
    value = fields.get(name)
    text = msgspec.json.encode(value).decode()
    try:
        check_filter(text, "rule")
    except ClarionError as error:
        fields.fault(name, dict(error.fields or ())["rule"])
        return Rule("false")
    return Rule(text)


def _for(fields: Fields) -> Wait:
    return For(fields.whole("for_s", 1, MAX_DELAY_S))


def _until(fields: Fields) -> Wait:
    inner = fields.object("until", required=True)
    if inner is None:
        return For(0)
    found = Until(_clock(inner, "time", most=_MINUTES - 1), _timezone(inner), _days(inner))
    inner.refuse_others()
    return found


def _from(fields: Fields) -> Wait:
    inner = fields.object("from", required=True)
    if inner is None:
        return For(0)
    path = inner.text("path", most=MAX_PATH, required=True)
    if path and not _PATH.fullmatch(path):
        inner.fault("path", "must name a field of contact, event or variables, as event.data.starts_at")
    found = From(tuple(path.split(".")), inner.whole("offset_s", -MAX_DELAY_S, MAX_DELAY_S, default=0))
    inner.refuse_others()
    return found


def _within(fields: Fields) -> Wait:
    inner = fields.object("within", required=True)
    if inner is None:
        return For(0)
    first, end = _clock(inner, "from", most=_MINUTES - 1), _clock(inner, "to", most=_MINUTES)
    if first >= end:
        inner.fault("to", "must be later than from, at most 24:00")
    found = Within(first, end, _timezone(inner), _days(inner))
    inner.refuse_others()
    return found


_WAITS: dict[str, Callable[[Fields], Wait]] = {"for_s": _for, "until": _until, "from": _from, "within": _within}


def _clock(fields: Fields, name: str, *, most: int) -> int:
    """Return the minute of the day that a text such as "09:30" says."""
    value = fields.get(name)
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    hours, _, minutes = found[0].partition(":") if found else ("24", "", "60")
    minute = int(hours) * 60 + int(minutes)
    if minute > most:
        fields.fault(name, 'must be a time of day, such as "09:30"')
        return 0
    return minute


def _timezone(fields: Fields) -> str:
    name = fields.text("timezone", most=64)
    if name and name != RECIPIENT_TIMEZONE and not is_time_zone(name):
        fields.fault(
            "timezone", f'must be the IANA name of a time zone, such as Africa/Nairobi, or "{RECIPIENT_TIMEZONE}"'
        )
    return name or RECIPIENT_TIMEZONE


def _days(fields: Fields) -> frozenset[int]:
    if "days" not in fields.values:
        return EVERY_DAY
    found = _texts(fields, "days", len(WEEKDAYS), lambda day: day in WEEKDAYS)
    if fields.get("days") in (None, []):
        fields.fault("days", f"must be some of {', '.join(WEEKDAYS)}")
    return frozenset(WEEKDAYS.index(day) for day in found)


def _texts(fields: Fields, name: str, most: int, is_good: Callable[[str], bool]) -> tuple[str, ...]:
    """Return a list of texts, each once."""
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > most:
        fields.fault(name, f"must be a list of at most {most}")
        return ()
    for position, one in enumerate(value):
        if not isinstance(one, str) or not is_good(one):
            fields.fault(f"{name}[{position}]", "is not allowed")
    good: Sequence[str] = [one for one in value if isinstance(one, str) and is_good(one)]
    return tuple(dict.fromkeys(good))


def _id_of(fields: Fields, name: str, *, required: bool = True) -> str:
    value = fields.text(name, most=64, required=required)
    if value and not is_uuid(value):
        fields.fault(name, "must be a UUID in lower case")
    return value
