"""Makes an accepted event of what a caller sent: pure."""

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from services.domain import locales
from services.domain.delivery_ids import CURRENT_SCHEME
from services.domain.earlier_events import locale_of


def event_of(tenant_id: str, new: ingest_pb2.NewEvent) -> event_pb2.Event:
    """Return the event for a valid NewEvent, without id, time, deduplication key, weight, subscribers and workflows.

    An audience of one person whom the caller describes becomes the only recipient. A caller that names this recipient
    in the field of that name may give the locale in payload_extra or variables, as earlier versions read it there.
    """
    event = event_pb2.Event(
        tenant_id=tenant_id,
        event_type=new.event_type,
        caller_event_id=new.caller_event_id,
        variables=new.variables,
        payload_extra=new.payload_extra,
        channels=new.channels,
        trace_id=new.trace_id,
        id_scheme=CURRENT_SCHEME,
    )
    if new.HasField("recipient"):
        recipient = event.recipient
        recipient.CopyFrom(new.recipient)
        _set_locale(recipient, recipient.locale or locale_of(event.payload_extra, event.variables))
    elif new.audience:
        _set_audience(event, new)
    elif new.HasField("to_endpoints"):
        _set_endpoints(event.endpoints, new.to_endpoints)
    for name, value in new.metadata.items():
        event.metadata[name] = value
    if new.scope:
        event.scope = new.scope
    if new.due_at_us:
        event.due_at_us = new.due_at_us
    if new.HasField("pinned"):
        event.pinned.CopyFrom(new.pinned)
    if new.HasField("direct"):
        event.direct.CopyFrom(new.direct)
    if new.is_secret:
        event.is_secret = True
    return event


def _set_audience(event: event_pb2.Event, new: ingest_pb2.NewEvent) -> None:
    [first, *others] = new.audience
    if first.HasField("recipient") and not others and not new.exclusions:
        event.recipient.CopyFrom(first.recipient)
        _set_locale(event.recipient, first.recipient.locale)
        return
    event.audience.extend(new.audience)
    event.exclusions.extend(new.exclusions)
    for target in event.audience:
        if target.HasField("recipient"):
            _set_locale(target.recipient, target.recipient.locale)
        elif target.HasField("contact"):
            _set_locale(target.contact.recipient, target.contact.recipient.locale)


def _set_endpoints(endpoints: event_pb2.EndpointSet, to: ingest_pb2.ToEndpoints) -> None:
    """Set the endpoint that is named; subscribers are added later, and there may be none."""
    endpoints.SetInParent()
    if to.HasField("endpoint_id"):
        endpoints.endpoint_ids.append(to.endpoint_id)
        endpoints.is_named = True


def _set_locale(recipient: event_pb2.Recipient, locale: str) -> None:
    """Set the locale in its normal form; what is empty stays so."""
    if locale:
        recipient.locale = locales.normal(locale)
