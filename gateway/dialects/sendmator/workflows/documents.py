"""Steps of workflows in this API's form and in that of the documents we store. Pure.

Here a workflow is a list of messages, each with the minutes it waits after the one before. A stored document may also
have conditions, parallel branches and other waits: then the list shows its messages in their order, and "document" has
all of it. "document" is ours, and may be written instead of "steps" and "filters".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.dialects.sendmator.bodies import Fields
from gateway.dialects.sendmator.errors import bad_request, unknown_channel

MAX_STEPS = 25
MAX_DELAY_MINUTES = 366 * 24 * 60 - 24 * 60
# The names of our channels, by those here.
CHANNELS = {"email": "EMAIL", "sms": "SMS", "push": "PUSH"}
_NAMES = {ours: name for name, ours in CHANNELS.items()}
# A rule that is never met: of a step that is not active.
_NEVER = {"!": [True]}


@dataclass(frozen=True, slots=True)
class Send:
    """A step that sends a message. channel: "email". delay_minutes: how long it waits after the one before it."""

    id: str
    name: str
    channel: str
    template: str
    template_version: int
    delay_minutes: int
    is_active: bool


def sends(document: bytes) -> list[Send]:
    """Return the messages of a stored document, in its order; none of one that cannot be read."""
    try:
        steps = msgspec.json.decode(document).get("steps", ())
        return list(_walk(steps))
    except (msgspec.DecodeError, AttributeError, TypeError, KeyError):
        return []


def shown(document: bytes) -> dict[str, Any]:
    """Return the steps and filters of a stored document, and the document itself."""
    value = msgspec.json.decode(document) if document else {}
    filters = value.get("filters") or {}
    return {
        "filters": {
            "tags": filters.get("tags", []),
            "segment_id": filters.get("segment_id") or None,
            "cooldown_seconds": filters.get("cooldown_s", 0),
        },
        "category": value.get("category") or None,
        "steps": [
            {
                "id": one.id,
                "step_order": position,
                "channel_type": one.channel,
                "step_name": one.name or one.id,
                "is_active": one.is_active,
                "configuration": {
                    "template_id": one.template,
                    "delay_minutes": one.delay_minutes,
                    **({"template_version": one.template_version} if one.template_version else {}),
                },
            }
            for position, one in enumerate(sends(document), 1)
        ],
        "document": value,
    }


def is_given(body: Fields) -> bool:
    """Return whether a body says anything of a workflow's document."""
    return any(name in body for name in ("document", "steps", "filters", "category"))


def document_of(body: Fields, stored: bytes = b"") -> bytes:
    """Return the document that a body describes. stored: the current one; absent parts stay. Raises ApiError."""
    if "document" in body:
        return body.object("document")
    kept = msgspec.json.decode(stored) if stored else {}
    if "steps" in body:
        kept["steps"] = _steps(body)
    elif not stored:
        raise bad_request("steps is required")
    if "filters" in body:
        kept["filters"] = _filters(body.fields("filters"))
    if "category" in body:
        kept["category"] = body.text("category", longest=64)
    return msgspec.json.encode(kept)


def _steps(body: Fields) -> list[dict[str, Any]]:
    rows = body.rows("steps", most=MAX_STEPS)
    orders = [row.number("step_order", least=0, most=1_000_000) for row in rows]
    if any(order is not None for order in orders):
        rows = [row for _, row in sorted(zip(orders, rows, strict=True), key=lambda pair: pair[0] or 0)]
    found: list[dict[str, Any]] = []
    for position, row in enumerate(rows, 1):
        found += _step(row, row.text("id", longest=57) or f"step-{position}")
    return found


def _step(row: Fields, id_: str) -> Iterator[dict[str, Any]]:
    """Yield a message, and before it its wait."""
    channel = row.text("channel_type").lower()
    if channel not in CHANNELS:
        raise unknown_channel(f"channel_type of step {id_}", channel, CHANNELS)
    settings = row.fields("configuration")
    template = settings.text("template_id", "template_key") or row.text("template_key")
    if not template:
        raise bad_request(f"configuration.template_id of step {id_} is required")
    delay = settings.number("delay_minutes", least=0, most=MAX_DELAY_MINUTES)
    version = settings.number("template_version", least=1, most=2**31 - 1)
    rule = {} if row.flag("is_active") is not False else {"only_if": _NEVER}
    if delay:
        yield {"id": f"{id_}-delay", "kind": "delay", "for_s": delay * 60, **rule}
    name = row.text("step_name", longest=100)
    yield {
        "id": id_,
        "kind": "send",
        "channel": CHANNELS[channel],
        "template": {"key": template, **({"version": version} if version else {})},
        **({"name": name} if name else {}),
        **rule,
    }


def _filters(filters: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if tags := filters.texts("tags", "tag", most=20):
        found["tags"] = tags
    if segment_id := filters.text("segment_id"):
        found["segment_id"] = segment_id
    if cooldown_s := filters.number("cooldown_seconds", least=0, most=366 * 86_400):
        found["cooldown_s"] = cooldown_s
    return found


def _walk(steps: Any) -> Iterator[Send]:
    delay_s = 0
    for step in steps:
        kind = step["kind"]
        if kind == "delay":
            delay_s += step.get("for_s", 0)
        elif kind == "send":
            template = step["template"]
            yield Send(
                step["id"],
                step.get("name", ""),
                _NAMES.get(step["channel"], step["channel"].lower()),
                template["key"],
                template.get("version", 0),
                delay_s // 60,
                step.get("only_if") != _NEVER,
            )
            delay_s = 0
        else:
            for within in (step.get("then"), step.get("else"), *(step.get("branches") or ())):
                yield from _walk(within or ())
