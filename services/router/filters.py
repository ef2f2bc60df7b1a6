"""Filters of subscriptions: JSON-Logic rules that say which events of a type an endpoint gets. Pure.

A rule sees {"type": the event's type, "payload": the body that is sent, "metadata": the caller's labels}. Rules come
from tenants, so whatever one says must cost little: it is small, it has the operators of jsonlogic.com but the one that
writes a log, and it may take MAX_OPERATIONS. The engine counts each operation, each item of a list that it goes
through and each 64 bytes of a text that it copies or searches, and refuses a step before it is taken.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import datalogic_py as datalogic
import msgspec

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code

# Bytes of a rule, the values and operators in it, and how deep it is nested.
MAX_BYTES = 8192
MAX_NODES = 500
MAX_DEPTH = 20
# What one evaluation may take.
MAX_OPERATIONS = 2000
_MAX_COMPILED = 10_000

_ENGINE = datalogic.Engine(
    families=[],
    # Equality of different types is false; only what has no result, such as adding words, fails.
    config={"ops_budget": MAX_OPERATIONS, "max_recursion_depth": 64, "loose_equality_errors": False},
)
_NOT_A_NUMBER = re.compile(r'Thrown: \{"type":"NaN"\} \(in operator: (.+)\)')
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """A compiled rule. error: why this version cannot use it; then it matches no event."""

    rule: datalogic.Rule | None
    error: str = ""


class Outcome(NamedTuple):
    """unmatched: the endpoints whose filter does not match. errors: of those that failed; these do not match either."""

    unmatched: frozenset[str]
    errors: Mapping[str, str]


class Seen:
    """What rules see, decoded once. seen: JSON. error: why it cannot be decoded; empty: it can."""

    def __init__(self, seen: bytes) -> None:
        self.error = ""
        try:
            self._facts = datalogic.DataHandle(seen.decode())
        except (datalogic.DataLogicError, UnicodeDecodeError) as error:
            self.error = f"What it sees cannot be read: {error}"

    def verdict(self, asked: Filter) -> tuple[bool, str]:
        """Return whether a rule matches, and why it could not be evaluated (empty: it could); then it does not."""
        if self.error or asked.rule is None:
            return False, self.error or asked.error
        try:
            return bool(asked.rule.evaluate_data(self._facts)), ""
        except datalogic.DataLogicError as error:
            return False, _NOT_A_NUMBER.sub(r"The operator \1 was given something that is no number.", str(error))


def check_filter(text: str | bytes, field: str = "filter") -> Filter:
    """Return the compiled rule. text: JSON. Raises INVALID, which says what is wrong with the field."""
    raw = text.encode() if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        raise _invalid(field, f"must have at most {MAX_BYTES} bytes")
    try:
        rule = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _invalid(field, "must be JSON") from None
    if not isinstance(rule, dict) or len(rule) != 1:
        raise _invalid(
            field, 'must be an object with one operator, such as {"==": [{"var": "payload.status"}, "paid"]}'
        )
    depths = [depth for _, depth in zip(range(MAX_NODES + 1), _nodes(rule), strict=False)]
    if len(depths) > MAX_NODES:
        raise _invalid(field, f"must have at most {MAX_NODES} values and operators")
    if max(depths) > MAX_DEPTH:
        raise _invalid(field, f"must be nested at most {MAX_DEPTH} levels deep")
    try:
        return Filter(_ENGINE.compile_checked({"!!": [rule]}))  # so that its result is a boolean
    except datalogic.CompileError as error:
        raise _invalid(field, "; ".join(_described(one) for one in error.diagnostics)) from None
    except datalogic.DataLogicError as error:
        raise _invalid(field, str(error)) from None


@functools.lru_cache(_MAX_COMPILED)
def compiled(text: str) -> Filter:
    """Return a stored rule, compiled; one that this version cannot compile has an error."""
    try:
        return check_filter(text)
    except ClarionError as error:
        return Filter(None, error.detail)


def document(event_type: str, variables: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return what filters see of an event, as JSON. variables: the body that is sent."""
    return b'{"type":%b,"payload":%b,"metadata":%b}' % (
        _encode(event_type),
        variables or b"{}",
        _encode(dict(metadata)),
    )


def document_of(event: event_pb2.Event) -> bytes:
    """Return what filters see of an event that has its body."""
    return document(event.event_type, event.variables, event.metadata)


def outcome(asked: Mapping[str, Filter], seen: bytes) -> Outcome:
    """Evaluate the filters of endpoints, by their ids. seen: see document(); it is decoded once."""
    facts = Seen(seen)
    unmatched, errors = [], {}
    for endpoint_id, one in asked.items():
        is_met, error = facts.verdict(one)
        if error:
            errors[endpoint_id] = error
        if not is_met:
            unmatched.append(endpoint_id)
    return Outcome(frozenset(unmatched), errors)


def _nodes(value: Any) -> Iterator[int]:
    """Yield how deep each value of a rule is nested, the rule itself first."""
    waiting = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        yield depth
        match one:
            case dict():
                waiting.extend((inner, depth + 1) for inner in one.values())
            case list():
                waiting.extend((inner, depth + 1) for inner in one)


def _described(found: "datalogic.Diagnostic") -> str:
    return f"at {found['pointer'].removeprefix('/!!/0') or '/'}: {found['message']}"


def _invalid(field: str, description: str) -> ClarionError:
    return ClarionError(Code.INVALID, f"{field} {description}", fields=[(field, description)])
