"""The event that is made of what a caller sent."""

from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from services.domain.delivery_ids import CURRENT_SCHEME
from services.ingest.intake import event_of


def _new(**fields: object) -> ingest_pb2.NewEvent:
    return ingest_pb2.NewEvent(event_type="a.b", **fields)  # type: ignore[arg-type]


def _person(**fields: Any) -> event_pb2.Target:
    return event_pb2.Target(recipient=event_pb2.Recipient(**fields))


def test_every_field_arrives() -> None:
    """All that an event takes over; the fields for admission alone do not."""
    pinned = event_pb2.PinnedTemplate(channel=event_pb2.CHANNEL_SMS, template_version_id="v")
    recipient = event_pb2.Recipient(user_id="u", email="e", phone="p", locale="de", timezone="Europe/Berlin")
    new = _new(
        caller_event_id="mine",
        recipient=recipient,
        variables=b'{"a":1}',
        payload_extra=b'{"b":2}',
        channels=[event_pb2.CHANNEL_SMS],
        idempotency_key="k",
        trace_id="trace",
        pinned=pinned,
        scope="live",
        due_at_us=7,
        cost=3,
        metadata={"source": "checkout"},
        key_id="key",
        answer_by_us=9,
    )
    assert event_of("t", new) == event_pb2.Event(
        tenant_id="t",
        event_type="a.b",
        caller_event_id="mine",
        recipient=recipient,
        variables=b'{"a":1}',
        payload_extra=b'{"b":2}',
        channels=[event_pb2.CHANNEL_SMS],
        trace_id="trace",
        pinned=pinned,
        scope="live",
        due_at_us=7,
        metadata={"source": "checkout"},
        id_scheme=CURRENT_SCHEME,
    )


def test_the_endpoints_of_an_event() -> None:
    """One that is named is there; of those that subscribe only that there are such. Of others not even that."""
    named = event_of("t", _new(to_endpoints=ingest_pb2.ToEndpoints(endpoint_id="e")))
    assert named.endpoints == event_pb2.EndpointSet(endpoint_ids=["e"], is_named=True)
    subscribers = event_of("t", _new(to_endpoints=ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers())))
    assert subscribers.HasField("endpoints")
    assert subscribers.endpoints == event_pb2.EndpointSet()
    assert not event_of("t", _new()).HasField("endpoints")


@pytest.mark.parametrize(
    ("locale", "payload_extra", "variables", "found"),
    [
        ("", b"", b"", ""),
        ("pt_br", b"", b"", "pt-BR"),
        ("pt_br", b'{"locale":"de"}', b'{"locale":"fr"}', "pt-BR"),
        ("", b'{"locale":"de"}', b'{"locale":"fr"}', "de"),
        ("", b'{"locale":"nothing like it"}', b'{"locale":"fr"}', "fr"),
        ("", b'{"locale":7}', b'{"a":{"locale":"fr"}}', ""),
    ],
)
def test_the_recipients_locale(locale: str, payload_extra: bytes, variables: bytes, found: str) -> None:
    """In its normal form; callers of earlier versions said it in the body, the payload first."""
    recipient = event_pb2.Recipient(user_id="u", locale=locale)
    new = _new(recipient=recipient, payload_extra=payload_extra, variables=variables)
    event = event_of("t", new)
    assert event.recipient == event_pb2.Recipient(user_id="u", locale=found)
    assert (event.payload_extra, event.variables) == (payload_extra, variables)  # templates may read it there


def test_an_audience_has_no_locale_in_the_body() -> None:
    """There it is data like any other: each target has its own locale."""
    audience = [_person(user_id="u"), _person(user_id="v", locale="pt_br")]
    event = event_of("t", _new(audience=audience, payload_extra=b'{"locale":"de"}'))
    assert [target.recipient.locale for target in event.audience] == ["", "pt-BR"]
    one = event_of("t", _new(audience=audience[:1], payload_extra=b'{"locale":"de"}'))
    assert one.recipient == event_pb2.Recipient(user_id="u")


def test_an_audience_of_one_described_person_is_the_only_recipient() -> None:
    """So most events have one form; what must be looked up, or left out, stays an audience."""
    one = event_of("t", _new(audience=[_person(email="ada@example.org", locale="pt_br")]))
    assert one.recipient == event_pb2.Recipient(email="ada@example.org", locale="pt-BR")
    assert not one.audience
    stored, group = event_pb2.Target(recipient_id="u"), event_pb2.Target(group="g")
    for audience, exclusions in (
        ([stored], []),
        ([_person(user_id="u")], [group]),
        ([_person(user_id="u"), group], []),
    ):
        event = event_of("t", _new(audience=audience, exclusions=exclusions))
        assert not event.HasField("recipient")
        assert (list(event.audience), list(event.exclusions)) == (audience, exclusions)


def test_an_event_for_nobody() -> None:
    """It has neither recipient nor audience."""
    event = event_of("t", _new())
    assert not event.HasField("recipient")
    assert not event.audience
