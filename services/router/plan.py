"""Plans an event: who gets what on which channel, which endpoints get it, and why not others. Pure.

Planning the same event again gives the same deliveries with the same ids, so it is harmless.
"""

from collections.abc import Collection, Sequence

from clarion.common.v1 import event_pb2
from services.domain import channels, locales
from services.domain.delivery_ids import delivery_id
from services.domain.endpoints import STEP
from services.domain.reasons import Reason
from services.router import fan_out, languages, messages
from services.router.definitions import Definition, Step, Template
from services.router.messages import Plan
from services.router.policies import Candidate, EndpointCandidate, Policies, endpoint_refusal, refusal
from services.router.ports import Person

# For requests that name a channel which no workflow uses.
_WITHOUT_TEMPLATE = {number: Step(channels.NAMES[number], number, ()) for number in channels.FOR_PEOPLE}
# Why nobody gets an event that is not for anybody.
_NOBODY = (Reason.NO_RECIPIENT, Reason.NO_ACTIVE_TEMPLATE, Reason.NO_WORKFLOW)


def plan(
    event: event_pb2.Event,
    definition: Definition,
    people: Sequence[Person],
    policies: Policies,
    *,
    now_us: int,
    sequence: int = 0,
    unmatched: Collection[str] = (),
) -> Plan:
    """Return what is sent to these people and to the event's endpoints, and what is not, and why.

    people: all whom the event is for. sequence: of the event in EVENTS, where deliveries find its body; 0: each carries
    it. See messages.body_sequence. unmatched: the endpoints whose filter does not match the event.
    """
    to_people = of_people(event, definition, people, policies, now_us=now_us, sequence=sequence)
    if not (definition.subscribers or event.HasField("endpoints")):  # most events
        return to_people
    ids = fan_out.endpoint_ids(event, definition)
    return joined(
        event,
        to_people,
        of_endpoints(event, definition, ids, policies, now_us=now_us, sequence=sequence, unmatched=unmatched),
    )


def of_people(
    event: event_pb2.Event,
    definition: Definition,
    people: Sequence[Person],
    policies: Policies,
    *,
    now_us: int,
    sequence: int = 0,
) -> Plan:
    """Return the part of the plan for these people; each part of a plan is independent of the others. See plan()."""
    if not definition.workflows:
        return Plan(reason=definition.reason)
    if not people:
        return Plan(reason=Reason.NO_RECIPIENT)
    steps = _steps(event, definition)
    shared: event_pb2.Delivery | None = None
    deliveries, planned = [], []
    for person in people:
        for workflow_id, step in steps:
            template = template_of(step, person, definition)
            providers = definition.providers.get(step.channel)
            candidate = Candidate(event, definition, step, person, template, providers[0] if providers else "")
            reason = refusal(candidate, policies.people)
            id_ = delivery_id(event, step.channel, person.destination, step=step.name, workflow=workflow_id)
            planned.append(messages.decision(candidate, id_, reason))
            if template is None or reason:
                continue
            shared = shared or messages.common(event, now_us, sequence)
            deliveries.append(messages.delivery(shared, candidate, template, id_))
    names_channels = steps is not definition.steps
    return Plan(deliveries, planned, _no_subscriber(event, definition) if names_channels else "")


def of_endpoints(
    event: event_pb2.Event,
    definition: Definition,
    endpoint_ids: Sequence[str],
    policies: Policies,
    *,
    now_us: int,
    sequence: int = 0,
    unmatched: Collection[str] = (),
) -> Plan:
    """Return the part of the plan for some of the event's endpoints. See plan()."""
    if definition.is_refused:
        return Plan()
    # They differ by their filters alone.
    reasons = [
        endpoint_refusal(EndpointCandidate(event, definition, is_unmatched), policies.endpoints)
        for is_unmatched in (False, True)
    ]
    shared = messages.common_to_endpoints(event, now_us, sequence)
    deliveries, planned = [], []
    for endpoint_id in endpoint_ids:
        reason = reasons[endpoint_id in unmatched]
        id_ = delivery_id(event, event_pb2.CHANNEL_WEBHOOK, endpoint_id, step=STEP)
        planned.append(messages.endpoint_decision(endpoint_id, id_, reason))
        if not reason:
            deliveries.append(messages.endpoint_delivery(shared, endpoint_id, id_))
    return Plan(deliveries, planned)


def joined(event: event_pb2.Event, to_people: Plan, *to_endpoints: Plan) -> Plan:
    """Return the parts of a plan as one, whose reason says why people get nothing, or that no endpoint subscribes."""
    parts = (to_people, *to_endpoints)
    has_endpoints = any(part.planned for part in to_endpoints)
    reason = to_people.reason
    if reason in _NOBODY and not event.HasField("recipient") and not event.audience:
        # It is for no people at all, which says something only if it is for no endpoint either.
        if has_endpoints:
            reason = ""
        elif event.HasField("endpoints"):
            reason = Reason.NO_SUBSCRIBER
    deliveries = [one for part in parts for one in part.deliveries]
    return Plan(deliveries, [one for part in parts for one in part.planned], reason)


def _steps(event: event_pb2.Event, definition: Definition) -> Sequence[tuple[str, Step]]:
    """Return all steps, each with its workflow's id, and one for each requested channel that no workflow uses.

    If no channels are requested, these are the definition's own.
    """
    steps = definition.steps
    if not event.channels:
        return steps
    used = {step.channel for _, step in steps}
    # Of a later version's channel this one knows nothing to record; endpoints have no steps.
    others = sorted((set(event.channels) - used) & _WITHOUT_TEMPLATE.keys())
    return [*steps, *(("", _WITHOUT_TEMPLATE[channel]) for channel in others)]


def _no_subscriber(event: event_pb2.Event, definition: Definition) -> str:
    """Return the reason if the request names WEBHOOK, and no endpoint gets the event; else nothing."""
    is_asked = event_pb2.CHANNEL_WEBHOOK in event.channels
    return Reason.NO_SUBSCRIBER if is_asked and not fan_out.endpoint_ids(event, definition) else ""


def template_of(step: Step, person: Person, definition: Definition) -> Template | None:
    """Return the template of a step for a person; None: it has none for them. definition: has the default language."""
    if not step.is_localised:
        return step.templates[0] if step.templates else None
    found = [(template.locale, template) for template in step.templates]
    return languages.best(found, locales.normal(person.recipient.locale), definition.default_locale)
