"""Why a step is not sent to somebody, or an event to an endpoint. Pure.

Two lists of policies, one function each, asked in this order. A new reason for not sending is a function here and its
place in ordered() or for_endpoints(). The order decides which of several reasons is recorded, so an existing policy
keeps its place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from clarion.common.v1 import event_pb2
from services.domain import addresses, audience, channels
from services.domain.reasons import Reason
from services.router.definitions import ChannelNumber, Definition, Step, Template
from services.router.ports import Person


@dataclass(slots=True)
class Candidate:
    """A message that may be sent: a step of an event's definition, to one person.

    template: the step's for this person; None: it has none for them. provider_id: the best one; empty: there is none.
    """

    event: event_pb2.Event
    definition: Definition
    step: Step
    person: Person
    template: Template | None
    provider_id: str


_WEBHOOK = event_pb2.CHANNEL_WEBHOOK

# Returns the reason for not sending; empty: nothing is against it.
Policy: TypeAlias = Callable[[Candidate], str]


class EndpointCandidate(NamedTuple):
    """An event that may be sent to an endpoint. is_unmatched: the filter of its subscription does not match."""

    event: event_pb2.Event
    definition: Definition
    is_unmatched: bool


# As Policy, for an endpoint.
EndpointPolicy: TypeAlias = Callable[[EndpointCandidate], str]


class Policies(NamedTuple):
    """All policies, in their order."""

    people: Sequence[Policy]
    endpoints: Sequence[EndpointPolicy]


class Suppression(Protocol):
    """Implemented by services.domain.suppression_list.SuppressionList.reason."""

    def __call__(
        self, tenant_id: str, channel: ChannelNumber, recipient: event_pb2.Recipient, *, subscribed: bool
    ) -> str:
        """Return the reason for not sending to a suppressed address; empty: it is not suppressed."""


class Erased(Protocol):
    """Implemented by services.domain.erasures.Erasures.refusal_of."""

    def __call__(self, tenant_id: str, user_id: str, accepted_us: int) -> str:
        """Return the reason for sending a recipient nothing of an event accepted then; empty: it may be sent."""


class Canceled(Protocol):
    """Implemented by services.domain.cancellations.Cancellations.covers."""

    def __call__(self, tenant_id: str, event_id: str) -> bool:
        """Return whether an event was canceled."""


def ordered(suppression: Suppression, erased: Erased, canceled: Canceled) -> Sequence[Policy]:
    """Return all policies of people in their order."""
    return (
        not_canceled(canceled),
        not_erased(erased),
        tenant_channels,
        requested_channels,
        known_recipient,
        template_present,
        muted_channels,
        wanted_category,
        usable_address,
        provider_present,
        not_suppressed(suppression),
    )


def for_endpoints(erased: Erased, canceled: Canceled) -> Sequence[EndpointPolicy]:
    """Return all policies of endpoints in their order."""
    return (
        event_not_canceled(canceled),
        somebody_not_erased(erased),
        tenant_sends_webhooks,
        webhooks_requested,
        filter_matches,
    )


def of_everything(suppression: Suppression, erased: Erased, canceled: Canceled) -> Policies:
    """Return all policies."""
    return Policies(ordered(suppression, erased, canceled), for_endpoints(erased, canceled))


def refusal(candidate: Candidate, policies: Sequence[Policy]) -> str:
    """Return the first policy's reason for not sending; empty: it is sent."""
    for policy in policies:
        if reason := policy(candidate):
            return reason
    return ""


def endpoint_refusal(candidate: EndpointCandidate, policies: Sequence[EndpointPolicy]) -> str:
    """Return the first policy's reason for not sending; empty: it is sent."""
    return next(filter(None, (policy(candidate) for policy in policies)), "")


def tenant_channels(candidate: Candidate) -> str:
    """The tenant must use the channel."""
    allowed = candidate.definition.allowed
    return Reason.TENANT_POLICY if allowed and candidate.step.channel not in allowed else ""


def requested_channels(candidate: Candidate) -> str:
    """A request that names channels must name this one. It can only narrow what the tenant uses."""
    requested = candidate.event.channels
    return Reason.NOT_REQUESTED if requested and candidate.step.channel not in requested else ""


def known_recipient(candidate: Candidate) -> str:
    """A recipient who is named by id, or as a contact, must be stored."""
    return reason_of_unknown(candidate.person.recipient) if candidate.person.is_unknown else ""


def reason_of_unknown(recipient: event_pb2.Recipient) -> str:
    """Return why a person is not stored: a contact because of the address given for them, if it is malformed."""
    for written, parse, reason in (
        (recipient.email, addresses.parse_email, Reason.MALFORMED_EMAIL),
        (recipient.phone, addresses.parse_phone, Reason.MALFORMED_PHONE),
    ):
        if written and _fault(written, parse, reason, reason):
            return reason
    return Reason.RECIPIENT_UNKNOWN


def template_present(candidate: Candidate) -> str:
    """The step must have a template, and one that suits the recipient's language."""
    if candidate.template is not None:
        return ""
    return Reason.NO_TEMPLATE_FOR_LOCALE if candidate.step.templates else Reason.NO_ACTIVE_TEMPLATE


def muted_channels(candidate: Candidate) -> str:
    """The recipient must want to be notified on the channel."""
    return Reason.CHANNEL_MUTED if candidate.step.channel in candidate.person.muted else ""


def wanted_category(candidate: Candidate) -> str:
    """The recipient must not have refused the workflow's category on the channel. A muted channel is muted for all."""
    step = candidate.step
    is_refused = step.category and (step.channel, step.category) in candidate.person.unwanted
    return Reason.CATEGORY_MUTED if is_refused else ""


def usable_address(candidate: Candidate) -> str:
    """The recipient must have a well-formed address, where the channel needs one."""
    recipient = candidate.person.recipient
    match channels.BY_NUMBER[candidate.step.channel].address_field:
        case "email":
            return _fault(recipient.email, addresses.parse_email, Reason.MISSING_EMAIL, Reason.MALFORMED_EMAIL)
        case "phone":
            return _fault(recipient.phone, addresses.parse_phone, Reason.MISSING_PHONE, Reason.MALFORMED_PHONE)
    return "" if recipient.user_id else Reason.MISSING_RECIPIENT  # such a channel reaches a user by their id


def provider_present(candidate: Candidate) -> str:
    """The tenant must have a provider, where the channel needs one."""
    if candidate.provider_id or not channels.BY_NUMBER[candidate.step.channel].needs_provider:
        return ""
    return Reason.NO_PROVIDER


def not_canceled(canceled: Canceled) -> Policy:
    """Nobody must have canceled the event before it was planned."""

    def policy(candidate: Candidate) -> str:
        event = candidate.event
        return Reason.CANCELED if canceled(event.tenant_id, event.id) else ""

    return policy


def not_erased(erased: Erased) -> Policy:
    """The recipient must not have been erased since the event was accepted."""

    def policy(candidate: Candidate) -> str:
        event = candidate.event
        return erased(event.tenant_id, candidate.person.recipient.user_id, event.accepted_at_us)

    return policy


def not_suppressed(suppression: Suppression) -> Policy:
    """The recipient's address must not be suppressed."""

    def policy(candidate: Candidate) -> str:
        if candidate.step.channel not in channels.WITH_ADDRESS:
            return ""
        template = candidate.template
        return suppression(
            candidate.event.tenant_id,
            candidate.step.channel,
            candidate.person.recipient,
            subscribed=template is not None and template.subscribed,
        )

    return policy


def event_not_canceled(canceled: Canceled) -> EndpointPolicy:
    """Nobody must have canceled the event before it was planned."""

    def policy(candidate: EndpointCandidate) -> str:
        event = candidate.event
        return Reason.CANCELED if canceled(event.tenant_id, event.id) else ""

    return policy


def somebody_not_erased(erased: Erased) -> EndpointPolicy:
    """If the event is for people whom it names, one of them must not have been erased since: its body is about them."""

    def policy(candidate: EndpointCandidate) -> str:
        event = candidate.event
        reason = ""
        for target in audience.targets(event):
            reason = erased(event.tenant_id, audience.user_id_named(target), event.accepted_at_us)
            if not reason:
                break
        return reason

    return policy


def tenant_sends_webhooks(candidate: EndpointCandidate) -> str:
    """The tenant must use the channel."""
    allowed = candidate.definition.allowed
    return Reason.TENANT_POLICY if allowed and _WEBHOOK not in allowed else ""


def webhooks_requested(candidate: EndpointCandidate) -> str:
    """A request that names channels must name this one, unless it names the endpoints."""
    event = candidate.event
    is_left_out = event.channels and not event.HasField("endpoints") and _WEBHOOK not in event.channels
    return Reason.NOT_REQUESTED if is_left_out else ""


def filter_matches(candidate: EndpointCandidate) -> str:
    """The filter of the endpoint's subscription must match the event."""
    return Reason.NOT_MATCHED if candidate.is_unmatched else ""


def _fault(text: str, parse: Callable[[str], str], missing: Reason, malformed: Reason) -> str:
    if not text:
        return missing
    try:
        parse(text)
    except addresses.InvalidAddress:
        return malformed
    return ""
