"""Bodies of /events and /workflows/trigger as events for ingest."""

import json

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from gateway.dialects.sendmator import bodies
from gateway.dialects.sendmator.errors import ApiError
from gateway.dialects.sendmator.events import events
from tests.unit.gateway.sendmator.callers import TEAM, caller

NOW_US = 1_733_000_000_000_000  # 2024-11-30


def event_of(raw: bytes | str) -> ingest_pb2.NewEvent:
    """Return the event of a body."""
    body = bodies.parse(raw if isinstance(raw, bytes) else raw.encode())
    return events.event_of(body, caller(), events.when_of(body, NOW_US))


def refusal(raw: str) -> str:
    """Return the sentence with which a body is refused as a bad request."""
    with pytest.raises(ApiError) as caught:
        event_of(raw)
    assert caught.value.status == 400
    return caught.value.message


def test_an_event_keeps_what_its_caller_wrote() -> None:
    """Objects byte for byte: parsing would change numbers."""
    number = "12345678901234567890.10"
    event = event_of(
        f'{{"event_name": "purchase", "event_data": {{"amount": {number}}}, "variables": {{ "v":{number} }},'
        '"source": {"type": "api", "ip": "192.168.1.1"}, "channel_variables": {"sms": {"code": 1.0}, "fax": 1},'
        '"user_info": {"custom_fields": {"plan":1.0}, "email": "a@b.c"}}'
    )
    assert event.variables == f'{{ "v":{number} }}'.encode()
    assert f'"event_data":{{"amount": {number}}}'.encode() in event.payload_extra
    assert b'"channel_variables":{"sms": {"code": 1.0}, "fax": 1}' in event.payload_extra
    assert json.loads(event.payload_extra)["source"] == {"type": "api", "ip": "192.168.1.1"}
    assert event.audience[0].contact.recipient == event_pb2.Recipient(email="a@b.c", data=b'{"plan":1.0}')
    assert dict(event.metadata) == {"source": "api", "team": TEAM}


def test_an_event_starts_the_workflows_of_its_type_and_is_never_a_duplicate() -> None:
    """Its type must exist, and two equal calls are two events."""
    event = event_of('{"event_name": "user_signup"}')
    assert event.workflows.WhichOneof("choice") == "by_type"
    assert event.dedupe.kind == ingest_pb2.DEDUPE_KIND_NONE
    assert (event.scope, event.key_id, event.due_at_us) == (TEAM, "k", 0)


@pytest.mark.parametrize(
    "user", ["", ',"user_info":null', ',"user_info":{}', ',"user_info":[]', ',"user_info":{"name":"A"}']
)
def test_without_anything_that_identifies_somebody_there_is_no_contact(user: str) -> None:
    """The event is accepted all the same."""
    assert not event_of(f'{{"event_name":"x"{user}}}').audience


@pytest.mark.parametrize(("written", "read"), [('"user_1"', "user_1"), ("17", "17"), ("null", "")])
def test_an_external_id_may_be_a_number(written: str, read: str) -> None:
    """As the database of a PHP or Node program has it."""
    event = event_of(f'{{"event_name":"x","user_info":{{"contact_external_id":{written},"email":"a@b.c"}}}}')
    assert event.audience[0].contact.recipient.user_id == read


def test_an_empty_list_stands_for_an_empty_object() -> None:
    """PHP writes an empty array so, and the published sample for Laravel sends one."""
    event = event_of('{"event_name":"x","user_info":{"contact_external_id":1},"event_data":[],"variables":[ ]}')
    assert (event.payload_extra, event.variables) == (b"", b"")


@pytest.mark.parametrize("name", ["", '"event_name":null', '"event_name":""', '"event_name":"  "', '"event_name":5'])
def test_the_name_of_an_event_is_required(name: str) -> None:
    """In the published words."""
    assert refusal(f"{{{name}}}") == "Event name is required"


@pytest.mark.parametrize(
    "time",
    [
        '"tomorrow"',
        '""',
        "1733000000",
        '"2024-13-01T00:00:00Z"',
        '"2024-12-25 25:00"',
        "{}",
        '"12/25/2024"',
        '"2024-W50"',
    ],
)
def test_what_is_no_time(time: str) -> None:
    """In the published words."""
    assert refusal(f'{{"event_name":"x","trigger_at":{time}}}') == "Invalid trigger_at format"


@pytest.mark.parametrize("time", ["2024-11-29T10:00:00Z", "2020-01-01", "2024-11-30T20:00:00+05:00"])
def test_a_time_that_has_passed(time: str) -> None:
    """In the published words."""
    assert refusal(f'{{"event_name":"x","trigger_at":"{time}"}}') == "trigger_at must be a future date"


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2024-12-15T10:00:00Z", "2024-12-15T10:00:00.000Z"),
        ("2024-12-25T10:00:00.5+03:00", "2024-12-25T07:00:00.500Z"),
        ("2024-12-25T10:00:00.123456789Z", "2024-12-25T10:00:00.123Z"),
        ("2024-12-25", "2024-12-25T00:00:00.000Z"),
        ("2150-01-01T00:00", "2150-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_in_the_future(time: str, shown: str) -> None:
    """However far: it is shown again with milliseconds, in UTC. Both spellings of the field are taken."""
    for name in ("trigger_at", "triggerAt"):
        when = events.when_of(bodies.parse(f'{{"{name}":"{time}"}}'.encode()), NOW_US)
        assert when.shown == shown


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('{"event_name":"x","user_info":"u"}', "user_info must be an object"),
        ('{"event_name":"x","user_info":["u"]}', "user_info must be an object"),
        ('{"event_name":"x","user_info":{"email":5}}', "user_info.email must be a string"),
        (
            '{"event_name":"x","user_info":{"contact_external_id":true}}',
            "user_info.contact_external_id must be a string",
        ),
        ('{"event_name":"x","user_info":{"custom_fields":1}}', "user_info.custom_fields must be an object"),
        ('{"event_name":"x","source":{"type":[]}}', "source.type must be a string"),
        ('{"event_name":"x","variables":"v"}', "variables must be an object"),
        ('{"event_name":"x","channel_variables":{"sms":"v"}}', "channel_variables.sms must be an object"),
        ('{"event_name":"x","user_info":{"name":"\\u0000"}}', "user_info.name must not contain a NUL character"),
        ('{"event_name":"' + "x" * 256 + '"}', "event_name must be at most 255 characters long"),
        ("[]", "The body must be a JSON object."),
        ("{", "The body is not valid JSON: it ends too early."),
        (
            '{"event_name":"x","variables":' + '{"a":' * 70 + "1" + "}" * 70 + "}",
            "The body must be nested at most 64 levels deep.",
        ),
    ],
)
def test_what_is_wrong_is_named(body: str, sentence: str) -> None:
    """With the place of the field."""
    assert refusal(body) == sentence


def audience(raw: str) -> list[event_pb2.Target]:
    """Return whom a body of /workflows/trigger is for."""
    return list(events.workflow_event(bodies.parse(raw.encode()), caller(), "w", "user_signup").audience)


def test_whom_a_workflow_is_started_for() -> None:
    """A contact, those with all tags, or everybody."""
    contact = audience('{"recipient_type":"contact","contact_external_id":"u1"}')
    assert contact[0].contact.recipient.user_id == "u1"
    for written in ('"tag":["a","b","a"]', '"tags":["a","b"]'):
        assert list(audience(f'{{"recipient_type":"tag",{written}}}')[0].tags.tags) == ["a", "b"]
    assert list(audience('{"recipient_type":"tag","tag":"a"}')[0].tags.tags) == ["a"]
    assert audience('{"recipient_type":"all"}')[0].HasField("everybody")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{}", "recipient_type is required"),
        ('{"recipient_type":"people"}', "recipient_type must be one of contact, tag, segment, all"),
        ('{"recipient_type":"contact"}', "contact_external_id is required for recipient_type contact"),
        ('{"recipient_type":"tag","tag":[]}', "tag is required for recipient_type tag"),
        ('{"recipient_type":"tag","tag":[""]}', "tag must be a list of strings that are not empty"),
        ('{"recipient_type":"segment"}', "segment_id is required for recipient_type segment"),
    ],
)
def test_an_audience_must_be_said(body: str, sentence: str) -> None:
    """And what it lacks is named."""
    with pytest.raises(ApiError) as caught:
        audience(body)
    assert caught.value.message == sentence
