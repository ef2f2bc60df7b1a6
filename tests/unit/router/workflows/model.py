"""A simple model of workflow runs: each list of steps is a generator that yields until when it waits.

It shares nothing with the engine: no tokens, no stored state, no JSON-Logic. Rules are those of RULES, whose meaning is
written here again in Python; waits are those of WAITS.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

SECOND = 1_000_000
MINUTE, DAY = 60 * SECOND, 86400 * SECOND
Json: TypeAlias = dict[str, Any]


@dataclass
class ModelFacts:
    """What a run sees. statuses: what became of each step that sent something; absent: nobody knows yet."""

    now_us: int
    plan: str
    tags: list[str]
    total: int
    starts_at: Any
    statuses: dict[str, str] = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()


class Stopped(Exception):
    """The run ends. reason: empty: as it was to."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason


# A rule as it is written, and what it says of the facts and of what is known of each step that sent.
RULES: list[tuple[Any, Callable[[ModelFacts, Mapping[str, str]], bool]]] = [
    ({"==": [{"var": "contact.data.plan"}, "pro"]}, lambda facts, _: facts.plan == "pro"),
    ({"!": [{"in": ["vip", {"var": "contact.tags"}]}]}, lambda facts, _: "vip" not in facts.tags),
    ({">=": [{"var": "event.data.total"}, 50]}, lambda facts, _: facts.total >= 50),
    # What it cannot evaluate is not met.
    ({"+": [{"var": "contact.data"}, 1]}, lambda _, __: False),
    (
        {"in": [{"var": "steps.s1.status"}, ["sent", "skipped"]]},
        lambda _, known: known.get("s1") in {"sent", "skipped"},
    ),
    ({"!=": [{"var": "steps.s3.status"}, "failed"]}, lambda _, known: known.get("s3") != "failed"),
    ({"!": [{"var": "steps"}]}, lambda _, known: not known),
]


def clock(days: range, minute: int, now_us: int) -> int:
    """Return the next time at which it is this minute of one of these days of the week, in UTC."""
    found = now_us - now_us % MINUTE + MINUTE
    while (found // DAY + 3) % 7 not in days or found % DAY // MINUTE != minute:
        found += MINUTE
    return found


def starting(facts: ModelFacts) -> int:
    """Return when the event says that something starts."""
    if not isinstance(facts.starts_at, int):
        raise Stopped("delay_unreadable")
    return facts.starts_at * SECOND


def until_start(facts: ModelFacts) -> int:
    """Return when to go on an hour before that."""
    at_us = starting(facts) - 3600 * SECOND
    if at_us > facts.now_us + 365 * DAY:
        raise Stopped("delay_too_long")
    return at_us


def hours(facts: ModelFacts) -> int:
    """Return when the working hours are."""
    now_us = facts.now_us
    is_open = (now_us // DAY + 3) % 7 < 5 and 540 <= now_us % DAY // MINUTE < 1020
    return now_us if is_open else clock(range(5), 540, now_us)


# A wait as it is written, and until when it is.
WAITS: list[tuple[Json, Callable[[ModelFacts], int]]] = [
    ({"for_s": 1}, lambda facts: facts.now_us + SECOND),
    ({"for_s": 90}, lambda facts: facts.now_us + 90 * SECOND),
    ({"for_s": 86400}, lambda facts: facts.now_us + DAY),
    ({"until": {"time": "09:30", "timezone": "UTC"}}, lambda facts: clock(range(7), 570, facts.now_us)),
    (
        {"until": {"time": "00:00", "timezone": "UTC", "days": ["mon"]}},
        lambda facts: clock(range(1), 0, facts.now_us),
    ),
    ({"from": {"path": "event.data.starts_at", "offset_s": -3600}}, until_start),
    ({"within": {"from": "09:00", "to": "17:00", "days": ["mon", "tue", "wed", "thu", "fri"]}}, hours),
]


class Model:
    """One run. sent: what it has carried out, in order. did: everything else that it says of itself."""

    def __init__(self, steps: list[Json]) -> None:
        self.sent: list[str] = []
        self.did: list[tuple[str, str]] = [("", "started")]
        self.reason = ""
        self.wake_at_us: int | None = 0
        self._planned: dict[str, str] = {}
        self._facts: ModelFacts
        self._run = self._steps(steps)

    def look(self, facts: ModelFacts) -> None:
        """Go on. wake_at_us: None: it has ended."""
        self._facts = facts
        try:
            self.wake_at_us = next(self._run)
        except StopIteration:
            self._end("")
        except Stopped as stopped:
            self._end(stopped.reason)

    def _end(self, reason: str) -> None:
        self.wake_at_us, self.reason = None, reason
        self.did.append(("", "failed" if reason else "ended"))

    def _steps(self, steps: list[Json]) -> Iterator[int]:
        for step in steps:
            if "only_if" in step and not self._is_met(step["only_if"]):
                self.did.append((step["id"], "passed_over"))
            else:
                yield from self._step(step)

    def _step(self, step: Json) -> Iterator[int]:
        id_ = step["id"]
        match step["kind"]:
            case "send" | "webhook":
                self.sent.append(id_)
                self._planned[id_] = "skipped" if id_ in self._facts.skipped else "queued"
            case "delay":
                yield from self._delay(step)
            case "condition":
                is_met = self._is_met(step["rule"])
                self.did.append((id_, "condition_met" if is_met else "condition_not_met"))
                yield from self._steps(step["then"] if is_met else step["else"])
            case "parallel":
                branches = [self._steps(branch) for branch in step["branches"]]
                while True:
                    looked = [(branch, next(branch, None)) for branch in branches]
                    branches = [branch for branch, wake in looked if wake is not None]
                    if not branches:
                        return
                    yield min(wake for _, wake in looked if wake is not None)
            case "stop":
                self.did.append((id_, "stopped"))
                raise Stopped

    def _delay(self, step: Json) -> Iterator[int]:
        written = {name: value for name, value in step.items() if name not in {"id", "kind", "only_if"}}
        until = next(until for wait, until in WAITS if wait == written)
        try:
            wake_us = until(self._facts)
        except Stopped:
            self.did.append((step["id"], "failed"))
            raise
        while wake_us > self._facts.now_us:
            self.did.append((step["id"], "waiting"))
            while wake_us > self._facts.now_us:
                yield wake_us
            if "within" in step:  # the hours may be over since
                wake_us = until(self._facts)
        self.did.append((step["id"], "went_on"))

    def _is_met(self, rule: Any) -> bool:
        known = {id_: self._facts.statuses.get(id_, planned) for id_, planned in self._planned.items()}
        return next(met for written, met in RULES if written == rule)(self._facts, known)


def any_steps(chance: random.Random) -> list[Json]:
    """Return the steps of some workflow."""
    names: dict[str, int] = {}

    def new(kind: str, **more: Any) -> Json:
        letter = {"send": "s", "webhook": "w"}.get(kind, kind[0] + "_")
        names[letter] = names.get(letter, 0) + 1
        step = {"id": f"{letter}{names[letter]}", "kind": kind, **more}
        return {**step, "only_if": chance.choice(RULES)[0]} if chance.random() < 0.15 else step

    def some(depth: int, least: int) -> list[Json]:
        return [one(depth) for _ in range(chance.randint(least, 3 if depth > 1 else 4))]

    def one(depth: int) -> Json:
        kinds = ["send", "send", "send", "delay", "delay", "webhook"]
        kinds += ["condition", "parallel", "parallel"] if depth < 4 else []
        kinds += ["stop"] if chance.random() < 0.3 else []
        match chance.choice(kinds):
            case "delay":
                return new("delay", **chance.choice(WAITS)[0])
            case "condition":
                rule = chance.choice(RULES)[0]
                return new("condition", rule=rule, then=some(depth + 1, 0), **{"else": some(depth + 1, 0)})
            case "parallel":
                return new("parallel", branches=[some(depth + 1, 1) for _ in range(chance.randint(1, 3))])
            case "webhook":
                return new("webhook", endpoint_id="0190c000-0000-7000-8000-000000000001")
            case "send":
                return new("send", channel=chance.choice(["EMAIL", "SMS", "PUSH"]), template={"key": "k"})
            case kind:
                return new(kind)

    return some(1, 1)
