"""Bodies of /messages/send and /sms/send as events for ingest."""

import json
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from gateway.dialects.sendmator import bodies
from gateway.dialects.sendmator.errors import ApiError
from gateway.dialects.sendmator.events.events import When
from gateway.dialects.sendmator.messages.messages import message_of
from services.domain import code_subjects
from tests.unit.gateway.sendmator.callers import TEAM, caller

_EMAIL, _SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS


def message(channel: Any = _EMAIL, **body: Any) -> ingest_pb2.NewEvent:
    """Return the event of a body."""
    return message_of(bodies.parse(json.dumps(body).encode()), caller(), channel, When())


def test_an_email_to_an_address() -> None:
    """With content of its own: nobody is stored or looked up for it."""
    event = message(
        recipient_type="direct_email",
        direct_email="a@b.c",
        direct_first_name="Ada",
        direct_last_name="Lovelace",
        subject="Hi {{contact_first_name}}",
        content="<p>Hello</p>",
        plain_text_content="Hello",
        from_email="us@shop.example",
        from_name="Shop",
        reply_to="help@shop.example",
        variables={"a": 1},
        metadata={"campaign": "c"},
    )
    assert event.audience[0].recipient.email == "a@b.c"
    assert event.audience[0].recipient.name == "Ada Lovelace"
    assert json.loads(event.audience[0].recipient.data) == {"first_name": "Ada", "last_name": "Lovelace"}
    assert event.direct == event_pb2.DirectMessage(
        channel=_EMAIL,
        content_given=event_pb2.DirectContent(subject="Hi {{contact_first_name}}", body="<p>Hello</p>", text="Hello"),
        sender_name="Shop",
        sender_email="us@shop.example",
        reply_to="help@shop.example",
    )
    assert json.loads(event.payload_extra) == {"metadata": {"campaign": "c"}}
    assert dict(event.metadata) == {"team": TEAM, "channel": "email"}
    assert event.event_type == "direct.email"


def test_a_text_message_by_template_to_those_with_tags() -> None:
    """Under either name of the field."""
    for tags in ({"tag": ["vip", "new"]}, {"tags": ["vip", "new"]}):
        event = message(_SMS, recipient_type="tag", template_key="alert", **tags)
        assert list(event.audience[0].tags.tags) == ["vip", "new"]
        assert event.direct == event_pb2.DirectMessage(channel=_SMS, template_key="alert")
        assert event.metadata["template"] == "alert"


@pytest.mark.parametrize(
    ("channel", "body", "sentence"),
    [
        (_EMAIL, {}, "recipient_type is required"),
        (_EMAIL, {"recipient_type": "direct_email"}, "direct_email is required for recipient_type direct_email"),
        (
            _EMAIL,
            {"recipient_type": "direct_sms"},
            "recipient_type must be one of direct_email, contact, tag, segment, all",
        ),
        (
            _EMAIL,
            {"recipient_type": "all", "subject": "s"},
            "Either template_key or both subject and content are required",
        ),
        (_SMS, {"recipient_type": "all"}, "template_key is required"),
        (
            _SMS,
            {"recipient_type": "direct_sms", "template_key": "t"},
            "direct_sms is required for recipient_type direct_sms",
        ),
    ],
)
def test_what_is_missing_is_named(channel: Any, body: dict[str, Any], sentence: str) -> None:
    """Whom it is for, and what is sent."""
    with pytest.raises(ApiError) as caught:
        message(channel, **body)
    assert (caught.value.status, caught.value.message) == (400, sentence)


@pytest.mark.parametrize(
    ("channel", "ways"),
    [
        ("email", ["ada@example.com", " Ada@Example.COM", "ADA@example.com."]),
        ("sms", ["+254712345678", "+254 712 345-678", "tel:+254712345678"]),
        ("email", ["not an address", "Not An Address"]),
    ],
)
def test_codes_are_counted_by_the_address(channel: str, ways: list[str]) -> None:
    """However it is written: each way would else have its own thirty sessions an hour, with guesses in each."""
    assert len({code_subjects.subject(channel, way) for way in ways}) == 1
