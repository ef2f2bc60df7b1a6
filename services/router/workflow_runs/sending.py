"""Plans what the steps of one workflow run send to its person, or to endpoints. Pure."""

from clarion.common.v1 import event_pb2, trace_pb2
from services.domain.delivery_ids import delivery_id
from services.router import messages, plan
from services.router.messages import OfWorkflow
from services.router.policies import Candidate, EndpointCandidate, Policies, endpoint_refusal, refusal
from services.router.ports import Person
from services.router.workflow_runs.ports import Sent
from services.router.workflows.facts import QUEUED, SKIPPED
from services.router.workflows.steps import Send, Webhook

_WEBHOOK = event_pb2.CHANNEL_WEBHOOK


class Sending:
    """What is decided about the steps that a run has come to. deliveries, planned: see messages.Plan.

    of: the workflow and its run. sends: what its steps send.
    """

    def __init__(
        self,
        event: event_pb2.Event,
        person: Person,
        of: OfWorkflow,
        sends: Sent,
        policies: Policies,
        now_us: int,
    ) -> None:
        self._event = event
        self._person = person
        self._of = of
        self._sends = sends
        self._policies = policies
        self._now_us = now_us
        self._shared: event_pb2.Delivery | None = None
        self.deliveries: list[event_pb2.Delivery] = []
        self.planned: list[trace_pb2.PlannedDelivery] = []

    def plan(self, step: Send | Webhook) -> str:
        """Decide about a step; return QUEUED or SKIPPED. See facts.Facts.plan."""
        reason = self._to_endpoint(step) if isinstance(step, Webhook) else self._to_person(step)
        return SKIPPED if reason else QUEUED

    def skip(self, step: Send | Webhook, reason: str) -> None:
        """Note that the workflow is not started, as a skipped delivery of this step."""
        if isinstance(step, Webhook):
            self._note_endpoint(step, reason)
        else:
            self._note_person(self._candidate(step), reason)

    def _to_person(self, step: Send) -> str:
        candidate = self._candidate(step)
        reason = refusal(candidate, self._policies.people)
        planned = self._note_person(candidate, reason)
        if not reason and candidate.template is not None:
            self._shared = self._shared or messages.common(self._event, self._now_us, 0)
            delivery = messages.delivery(self._shared, candidate, candidate.template, planned.delivery_id)
            self.deliveries.append(messages.of_workflow(delivery, self._of, step.id))
        return reason

    def _to_endpoint(self, step: Webhook) -> str:
        candidate = EndpointCandidate(self._event, self._sends.to_endpoints, is_unmatched=False)
        reason = endpoint_refusal(candidate, self._policies.endpoints)
        planned = self._note_endpoint(step, reason)
        if not reason:
            shared = messages.common_to_endpoints(self._event, self._now_us, 0)
            if self._person.recipient.user_id:
                shared.webhook.user_id = self._person.recipient.user_id
            delivery = messages.endpoint_delivery(shared, step.endpoint_id, planned.delivery_id)
            self.deliveries.append(messages.of_workflow(delivery, self._of, step.id))
        return reason

    def _candidate(self, step: Send) -> Candidate:
        definition, sent = self._sends.steps[step.id]
        template = plan.template_of(sent, self._person, definition)
        providers = definition.providers.get(step.channel)
        return Candidate(self._event, definition, sent, self._person, template, providers[0] if providers else "")

    def _note_person(self, candidate: Candidate, reason: str) -> trace_pb2.PlannedDelivery:
        step = candidate.step
        id_ = self._delivery_id(step.channel, step.name)
        planned = messages.of_workflow(messages.decision(candidate, id_, reason), self._of, step.name)
        self.planned.append(planned)
        return planned

    def _note_endpoint(self, step: Webhook, reason: str) -> trace_pb2.PlannedDelivery:
        id_ = self._delivery_id(_WEBHOOK, step.id)
        planned = messages.of_workflow(messages.endpoint_decision(step.endpoint_id, id_, reason), self._of, step.id)
        self.planned.append(planned)
        return planned

    def _delivery_id(self, channel: "event_pb2.Channel.ValueType", step: str) -> str:
        return workflow_delivery_id(self._event, channel, self._person.destination, self._of.workflow_id, step)


def workflow_delivery_id(
    event: event_pb2.Event, channel: "event_pb2.Channel.ValueType", destination: str, workflow_id: str, step: str
) -> str:
    """Return the id of what a step of a stored workflow sends."""
    return delivery_id(event, channel, destination, step=step, workflow=workflow_id)
