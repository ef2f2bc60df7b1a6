"""What a direct message must look like."""

from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from services.domain import direct_messages

EMAIL, SMS, PUSH, WEBHOOK = (
    event_pb2.CHANNEL_EMAIL,
    event_pb2.CHANNEL_SMS,
    event_pb2.CHANNEL_PUSH,
    event_pb2.CHANNEL_WEBHOOK,
)


def _content(**texts: str) -> event_pb2.DirectContent:
    return event_pb2.DirectContent(**texts)


@pytest.mark.parametrize(
    "fields",
    [
        {"channel": EMAIL, "content_given": _content(subject="Hi", body="<p>Hi</p>")},
        {"channel": EMAIL, "content_given": _content(text="Hi")},
        {"channel": EMAIL, "template_key": "receipt", "sender_email": "a@acorn.example", "reply_to": "b@acorn.example"},
        {"channel": SMS, "content_given": _content(body="Hi")},
        {"channel": PUSH, "template_key": "receipt"},
        {"channel": SMS, "content_given": _content(body="x" * (direct_messages.MAX_CONTENT_BYTES - 4))},
    ],
)
def test_what_can_be_sent(fields: dict[str, Any]) -> None:
    """Nothing is wrong with it."""
    assert direct_messages.faults(event_pb2.DirectMessage(**fields)) == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"channel": EMAIL}, ["template_key"]),
        ({"channel": EMAIL, "template_key": "a\nb"}, ["template_key"]),
        ({"channel": EMAIL, "template_key": "x" * 256}, ["template_key"]),
        ({"template_key": "receipt"}, ["channel"]),
        ({"channel": WEBHOOK, "template_key": "receipt"}, ["channel"]),
        ({"channel": PUSH, "content_given": _content(body="Hi")}, ["channel"]),
        ({"channel": EMAIL, "content_given": _content(subject="Hi", body=" ")}, ["content_given.body"]),
        ({"channel": SMS, "content_given": _content(body="\n")}, ["content_given.body"]),
        (
            {"channel": SMS, "content_given": _content(subject="Hi", body="Hi", text="Hi")},
            ["content_given.subject", "content_given.text"],
        ),
        ({"channel": EMAIL, "content_given": _content(subject="x" * 2001, body="Hi")}, ["content_given.subject"]),
        (
            {"channel": EMAIL, "content_given": _content(body="x" * 60_000, text="y" * 60_000)},
            ["content_given.body"],
        ),
        (
            {"channel": SMS, "template_key": "receipt", "sender_name": "a", "sender_email": "b", "reply_to": "c"},
            ["sender_name", "sender_email", "reply_to"],
        ),
        (
            {
                "channel": EMAIL,
                "template_key": "receipt",
                "sender_name": "x" * 256,
                "sender_email": "Ada <a@b.example>",
            },
            ["sender_name", "sender_email"],
        ),
        ({"channel": EMAIL, "template_key": "receipt", "reply_to": "nobody"}, ["reply_to"]),
    ],
)
def test_each_fault_names_its_field(fields: dict[str, Any], wrong: list[str]) -> None:
    """All of them at once."""
    found = [field for field, _ in direct_messages.faults(event_pb2.DirectMessage(**fields))]
    assert found == [f"direct.{field}" for field in wrong]
