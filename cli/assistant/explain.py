"""What became of an event, in sentences: why somebody did not get a message."""

from typing import Any

from services.domain import reasons, statuses

_RESPONSIBLE = {
    reasons.Responsible.RECIPIENT: "The recipient's side decides this.",
    reasons.Responsible.TENANT: "The tenant can change this.",
    reasons.Responsible.PROVIDER: "It is at the provider.",
    reasons.Responsible.CLARION: "It is at this installation of Clarion.",
}
_REASONS = {one.value: one for one in reasons.Reason}
_STATUSES = {one.name: one for one in statuses.BY_NUMBER.values()}
_FEW = 20


def explanation(event: dict[str, Any]) -> str:
    """Return an event of the admin API (with its timeline) in sentences."""
    lines = [f"Event {event['event_type']} ({event['id']}) was accepted at {event['accepted_at']}."]
    if event["waiting"]:
        lines.append(f"Its time has not come: it is due at {event['due_at']}.")
    if event["reason"]:
        lines.append(f"Nothing more of it is sent. {_reason(event['reason'])}")
    if not event["deliveries"] and not event["reason"] and not event["waiting"]:
        lines.append("No delivery of it is planned yet.")
    lines += [_delivery(one, event["timeline"]) for one in event["deliveries"][:_FEW]]
    if event["delivery_count"] > _FEW:
        counts = ", ".join(f"{count} {status}" for status, count in event["counts"].items())
        lines.append(f"It has {event['delivery_count']} deliveries in all: {counts}.")
    lines.append("It is finished." if event["finished_at"] else "It is not finished yet.")
    return "\n".join(lines)


def _delivery(delivery: dict[str, Any], timeline: list[dict[str, Any]]) -> str:
    status = _STATUSES.get(delivery["status"] or "")
    said = [f"- {delivery['channel']} (delivery {delivery['id']}): {delivery['status']}."]
    if status is not None:
        said.append(status.text)
    if delivery["reason"]:
        said.append(_reason(delivery["reason"]))
    if delivery["parked"]:
        said.append(f"It waits for its endpoint. {_reason(delivery['parked'])}")
    steps = [step for step in timeline if step["delivery_id"] == delivery["id"]]
    details = [step["detail"] for step in steps if step["detail"] and step["outcome"] in ("failed", "retrying")]
    if details:
        said.append(f"The last answer was: {details[-1]!r}.")
    upcoming = [step["next_attempt_at"] for step in steps if step["next_attempt_at"]]
    if upcoming and (status is None or not status.is_terminal):
        said.append(f"The next attempt is due at {upcoming[-1]}.")
    return " ".join(said)


def _reason(word: str) -> str:
    known = _REASONS.get(word)
    if known is None:
        return f"Reason: {word}."
    whose = _RESPONSIBLE.get(known.responsible, "")
    again = "Clarion tries again by itself." if known.is_retried else ""
    return " ".join(part for part in (f"{known.text} ({word})", whose, again) if part)
