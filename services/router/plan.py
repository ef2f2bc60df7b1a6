"""Plans an event: who gets what on which channel, and why not on others. Pure.

Planning the same event again gives the same deliveries with the same ids, so it is harmless.
"""

from collections.abc import Sequence

from clarion.common.v1 import event_pb2
from services.domain import channels, locales
from services.domain.delivery_ids import delivery_id
from services.domain.reasons import Reason
from services.router import languages, messages
from services.router.definitions import Definition, Step, Template
from services.router.messages import Plan
from services.router.policies import Candidate, Policy, refusal
from services.router.ports import Person

# For requests that name a channel which no workflow uses.
_WITHOUT_TEMPLATE = {number: Step(name, number, ()) for number, name in channels.NAMES.items()}


def plan(
    event: event_pb2.Event,
    definition: Definition,
    people: Sequence[Person],
    policies: Sequence[Policy],
    *,
    now_us: int,
    sequence: int = 0,
) -> Plan:
    """Return what is sent to these people, and what is not, and why.

    people: all whom the event is for, or some of them; each plan of an event is independent of the others.
    sequence: of the event in EVENTS, where deliveries find its body; 0: each carries it. See messages.body_sequence.
    """
    if not definition.workflows:
        return Plan(reason=definition.reason)
    if not people:
        return Plan(reason=Reason.NO_RECIPIENT)
    steps = _steps(event, definition)
    shared: event_pb2.Delivery | None = None
    deliveries, planned = [], []
    for person in people:
        for workflow_id, step in steps:
            template = _template(step, person, definition)
            providers = definition.providers.get(step.channel)
            candidate = Candidate(event, definition, step, person, template, providers[0] if providers else "")
            reason = refusal(candidate, policies)
            id_ = delivery_id(event, step.channel, person.destination, step=step.name, workflow=workflow_id)
            planned.append(messages.decision(candidate, id_, reason))
            if template is None or reason:
                continue
            shared = shared or messages.common(event, now_us, sequence)
            deliveries.append(messages.delivery(shared, candidate, template, id_))
    return Plan(deliveries, planned)


def _steps(event: event_pb2.Event, definition: Definition) -> Sequence[tuple[str, Step]]:
    """Return all steps, each with its workflow's id, and one for each requested channel that no workflow uses."""
    steps = definition.steps
    if not event.channels:
        return steps
    used = {step.channel for _, step in steps}
    # Of a later version's channel this one knows nothing to record.
    others = sorted((set(event.channels) - used) & _WITHOUT_TEMPLATE.keys())
    return [*steps, *(("", _WITHOUT_TEMPLATE[channel]) for channel in others)]


def _template(step: Step, person: Person, definition: Definition) -> Template | None:
    if not step.is_localised:
        return step.templates[0] if step.templates else None
    found = [(template.locale, template) for template in step.templates]
    return languages.best(found, locales.normal(person.recipient.locale), definition.default_locale)
