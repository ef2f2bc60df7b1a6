"""Events of earlier versions, read as today's."""

import msgspec
import pytest

from clarion.common.v1 import event_pb2
from services.domain.earlier_events import locale_of, modernise


def _event(payload: bytes, variables: bytes = b"{}", id_scheme: int = 0) -> event_pb2.Event:
    recipient = event_pb2.Recipient(user_id="u")
    return event_pb2.Event(recipient=recipient, payload_extra=payload, variables=variables, id_scheme=id_scheme)


@pytest.mark.parametrize(
    ("payload", "variables", "expected"),
    [
        ({"locale": "pt_BR"}, {"locale": "fr"}, "pt-BR"),
        ({}, {"locale": "fr"}, "fr"),
        ({"locale": 7}, {"locale": "fr"}, "fr"),
        ({"locale": "nonsense!"}, {}, ""),
        ({"user": {"locale": "fr"}}, {}, ""),
        ({}, {}, ""),
    ],
)
def test_the_body_says_which_language(payload: dict[str, object], variables: dict[str, object], expected: str) -> None:
    """The payload's locale comes before the variables'; other texts are ignored."""
    event = _event(msgspec.json.encode(payload), msgspec.json.encode(variables))
    modernise(event)
    assert event.recipient.locale == expected


def test_broken_data_say_nothing() -> None:
    """It does not fail the event."""
    event = _event(b'{"locale":', b"")
    modernise(event)
    assert event.recipient.locale == ""


def test_todays_events_stay_as_they_are() -> None:
    """Their recipient's locale is the recipient's; what a body says is the caller's own."""
    event = _event(b'{"locale":"fr"}', id_scheme=1)
    modernise(event)
    assert event.recipient.locale == ""


def test_a_recipient_who_is_absent_stays_absent() -> None:
    """An event that names nobody does not get an empty recipient."""
    event = event_pb2.Event(payload_extra=b"{}")
    modernise(event)
    assert not event.HasField("recipient")


@pytest.mark.parametrize(
    ("payload_extra", "variables", "found"),
    [
        (b"", b"", ""),
        (b"{}", b"{}", ""),
        (b'{"locale":"pt_br"}', b'{"locale":"fr"}', "pt-BR"),
        (b'{"a":1}', b'{"b":2,"locale":"de_DE.UTF-8"}', "de-DE"),
        (b'{"locale":"Deutsch, bitte"}', b'{"locale":"fr"}', "fr"),
        (b'{"locale":null}', b'{"locale":["fr"]}', ""),
        (b'{"a":{"locale":"fr"}}', b'{"b":"\\"locale\\""}', ""),
        (b'"locale"', b'[{"locale":"fr"}]', ""),
    ],
)
def test_the_locale_stood_in_the_body(payload_extra: bytes, variables: bytes, found: str) -> None:
    """The first of the two parts with a usable one, at its top level; a normal tag."""
    assert locale_of(payload_extra, variables) == found
