"""Goes through a workflow as an event would start it, with the clock put forward from one look to the next. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from services.domain import channels
from services.domain.reasons import text_of
from services.router.definitions import ChannelNumber
from services.router.workflows.document import Document
from services.router.workflows.engine import Decision, Record, advance
from services.router.workflows.facts import QUEUED, SKIPPED, Facts
from services.router.workflows.state import State
from services.router.workflows.steps import Send, Webhook

# A look ends where the run waits, and it waits at most twice at each step; so no run has more.
_MAX_LOOKS = 200

_DETAILS = {
    "went_on": "Goes on.",
    "condition_met": "The rule is met: goes on with its steps.",
    "condition_not_met": "The rule is not met: goes on with the other steps.",
    "passed_over": "Its own rule does not want it.",
    "stopped": "Ends the run.",
}


class PlannedStep(NamedTuple):
    """What is decided about a step that sends. reason: why it is skipped; empty: it is sent."""

    reason: str = ""
    template_version_id: str = ""


class DryStep(NamedTuple):
    """What would happen at a step, and when. Fields as in clarion.router.v1.DryStep."""

    step: str
    kind: str
    at_us: int
    outcome: str
    reason: str
    detail: str
    channel: "ChannelNumber | None" = None
    template_version_id: str = ""


# Decides about a step that sends.
Planner = Callable[[Send | Webhook], PlannedStep]


def dry_run(
    document: Document, facts: Facts, plan: Planner, outcomes: Mapping[str, str], start_us: int
) -> Sequence[DryStep]:
    """Return what would happen, in order. facts: without plan and statuses.

    outcomes: the statuses of steps, by their ids, once time has passed; "sent" where none is given.
    """
    found: list[DryStep] = []
    state, now_us = State(), start_us
    # Within a look steps are carried out in the order of the document.
    order = {id_: place for place, id_ in enumerate(document.by_id)}
    for _ in range(_MAX_LOOKS):
        planned: dict[str, PlannedStep] = {}

        def decide(step: Send | Webhook, planned: dict[str, PlannedStep] = planned) -> str:
            planned[step.id] = plan(step)
            return SKIPPED if planned[step.id].reason else QUEUED

        statuses = {id_: outcomes.get(id_, "sent") for id_, word in state.statuses.items() if word != SKIPPED}
        looked = advance(document, state, replace(facts, statuses=statuses, plan=decide), now_us)
        found += sorted(_steps(document, looked, planned, now_us), key=lambda one: order[one.step])
        if looked.ended:
            break
        state, now_us = looked.state, looked.wake_at_us
    return found


def _steps(document: Document, looked: Decision, planned: Mapping[str, PlannedStep], now_us: int) -> Iterator[DryStep]:
    for step in looked.outputs:
        decided = planned[step.id]
        channel = step.channel if isinstance(step, Send) else None
        if decided.reason:
            outcome, detail = "skipped", text_of(decided.reason)
        elif isinstance(step, Send):
            outcome, detail = "sent", f"Sends {step.template_key} by {channels.PUBLIC_NAMES[step.channel]}."
        else:
            outcome, detail = "sent", "Sends the event to the endpoint."
        yield DryStep(step.id, step.kind, now_us, outcome, decided.reason, detail, channel, decided.template_version_id)
    for record in looked.records:
        if record.step:
            kind = document.by_id[record.step].kind
            yield DryStep(record.step, kind, now_us, record.outcome, record.reason, _detail(record))


def _detail(record: Record) -> str:
    if record.detail:
        return record.detail
    if record.until_us:
        until = datetime.fromtimestamp(record.until_us // 1_000_000, UTC)
        return f"Waits until {until:%Y-%m-%dT%H:%M:%SZ}."
    return _DETAILS[record.outcome]
