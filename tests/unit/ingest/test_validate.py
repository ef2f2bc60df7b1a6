"""Which events are valid, and how each wrong field is named."""

from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.errors import ClarionError, Code
from services.ingest.ports import DAY_S
from services.ingest.validate import END_OF_TIME_US, check, check_sent

_EVERYBODY = event_pb2.Target(everybody=event_pb2.Everybody())
_ID = "0192d3a4-0000-7000-8000-000000000001"
_ONE = ingest_pb2.ToEndpoints(endpoint_id=_ID)
_SUBSCRIBERS = ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers())
_BY_TYPE = ingest_pb2.WorkflowChoice(by_type=ingest_pb2.ByType())
_SEGMENT = event_pb2.Target(segment_id=_ID)
_KEY, _NONE, _CONTENT = ingest_pb2.DEDUPE_KIND_KEY, ingest_pb2.DEDUPE_KIND_NONE, ingest_pb2.DEDUPE_KIND_CONTENT


def _event(**fields: object) -> ingest_pb2.NewEvent:
    defaults: dict[str, object] = {"event_type": "a.b"}
    if "audience" not in fields:
        defaults["recipient"] = event_pb2.Recipient(user_id="u")
    return ingest_pb2.NewEvent(**{**defaults, **fields})  # type: ignore[arg-type]


def _person(**fields: Any) -> event_pb2.Target:
    return event_pb2.Target(recipient=event_pb2.Recipient(**fields))


def _group(key: str = "g") -> event_pb2.Target:
    return event_pb2.Target(group=key)


def _stored(recipient_id: str = "r") -> event_pb2.Target:
    return event_pb2.Target(recipient_id=recipient_id)


def _contact(**fields: Any) -> event_pb2.Target:
    return event_pb2.Target(contact=event_pb2.Contact(recipient=event_pb2.Recipient(**fields)))


def _tags(*tags: str) -> event_pb2.Target:
    return event_pb2.Target(tags=event_pb2.TagSet(tags=tags))


def _direct(channel: "event_pb2.Channel.ValueType" = event_pb2.CHANNEL_EMAIL, **fields: Any) -> event_pb2.DirectMessage:
    return event_pb2.DirectMessage(channel=channel, **fields)


def _written(channel: "event_pb2.Channel.ValueType" = event_pb2.CHANNEL_EMAIL, **parts: str) -> event_pb2.DirectMessage:
    return _direct(channel, content_given=event_pb2.DirectContent(**parts))


def _wrong_fields(event: ingest_pb2.NewEvent, *, sent: bool = False) -> list[str]:
    """Return the fields that are named; sent: by a caller with an API key."""
    with pytest.raises(ClarionError) as refused:
        (check_sent if sent else check)(event)
    assert refused.value.code is Code.INVALID
    assert all(f"{field} {description}" in refused.value.detail for field, description in refused.value.fields)
    return [name for name, _ in refused.value.fields]


@pytest.mark.parametrize(
    "event",
    [
        _event(),
        _event(recipient=event_pb2.Recipient(user_id="u", locale="pt_br", timezone="Africa/Nairobi")),
        _event(audience=[]),
        _event(audience=[_person(email="ada@example.org")]),
        _event(audience=[_person(phone="+254712345678")]),
        _event(audience=[_person(user_id="u"), _stored(), _group(), _EVERYBODY], exclusions=[_stored(), _group()]),
        _event(audience=[_stored(str(n)) for n in range(100)], exclusions=[_group(str(n)) for n in range(100)]),
        _event(scope="live", due_at_us=END_OF_TIME_US - 1, cost=10),
        _event(due_at_us=1),
        _event(direct=_written(subject="hello", text="hello")),
        _event(direct=_direct(template_key="t", sender_email="ada@b\u00fccher.example", reply_to="ada@example.org")),
        _event(dedupe=ingest_pb2.Dedupe()),
        _event(dedupe=ingest_pb2.Dedupe(kind=_KEY, key="k", scope="s", ttl_s=30 * DAY_S)),
        _event(dedupe=ingest_pb2.Dedupe(kind=_NONE)),
        _event(dedupe=ingest_pb2.Dedupe(kind=_CONTENT, ttl_s=120)),
        _event(metadata={str(number): "x" * 255 for number in range(5)}, key_id=_ID, answer_by_us=1),
        _event(audience=[], to_endpoints=_ONE),
        _event(audience=[], to_endpoints=_SUBSCRIBERS),
        _event(audience=[_contact(email="ada@example.org", name="Ada", data=b"{}"), _tags("a", "b"), _SEGMENT]),
        _event(audience=[], workflows=_BY_TYPE),
        _event(workflows=ingest_pb2.WorkflowChoice(workflow_id=_ID), is_secret=True),
        _event(direct=_direct(template_key="welcome", sender_name="Ada", sender_email="ada@example.org")),
        _event(direct=_written(subject="Hello", body="<p>{{name}}</p>", text="hello")),
        _event(direct=_written(event_pb2.CHANNEL_SMS, body="hello")),
    ],
)
def test_what_is_valid(event: ingest_pb2.NewEvent) -> None:
    """A type is enough; whom it is for, when, and what makes a duplicate may be said."""
    check(event)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (_event(event_type=""), "event_type"),
        (_event(event_type="x" * 256), "event_type"),
        (_event(recipient=event_pb2.Recipient()), "recipient.user_id"),
        (_event(recipient=event_pb2.Recipient(email="ada@example.org")), "recipient.user_id"),
        (_event(recipient=event_pb2.Recipient(user_id="a\x00b")), "recipient.user_id"),
        (_event(caller_event_id="x" * 256), "caller_event_id"),
        (_event(idempotency_key="x" * 256), "idempotency_key"),
        (_event(recipient=event_pb2.Recipient(user_id="u", email="x" * 1025)), "recipient.email"),
        (_event(recipient=event_pb2.Recipient(user_id="u", phone="\x00")), "recipient.phone"),
        (_event(recipient=event_pb2.Recipient(user_id="u", locale="Deutsch, bitte")), "recipient.locale"),
        (_event(recipient=event_pb2.Recipient(user_id="u", timezone="Mars/Olympus")), "recipient.timezone"),
        (_event(recipient=event_pb2.Recipient(user_id="u", timezone="../../etc/passwd")), "recipient.timezone"),
        (_event(trace_id="x" * 256), "trace_id"),
        (_event(channels=[0]), "channels"),
        (_event(variables=b"x" * 1_100_000), "event"),
        (_event(recipient=event_pb2.Recipient(user_id="u"), audience=[_group()]), "audience"),
        (_event(audience=[_stored(str(n)) for n in range(101)]), "audience"),
        (_event(audience=[_group(), event_pb2.Target()]), "audience[1]"),
        (_event(audience=[_group(), _person()]), "audience[1].recipient"),
        (_event(audience=[_group(), _person(locale="de")]), "audience[1].recipient"),
        (_event(audience=[_group(), _group(), _group(), _person(email="x" * 1025)]), "audience[3].recipient.email"),
        (_event(audience=[_person(user_id="u", timezone="Berlin")]), "audience[0].recipient.timezone"),
        (_event(audience=[_stored("")]), "audience[0].recipient_id"),
        (_event(audience=[_group("x" * 256)]), "audience[0].group"),
        (_event(exclusions=[_stored()]), "exclusions"),
        (_event(audience=[_EVERYBODY], exclusions=[_stored(str(n)) for n in range(101)]), "exclusions"),
        (_event(audience=[_EVERYBODY], exclusions=[_stored(), _person(user_id="u")]), "exclusions[1]"),
        (_event(audience=[_EVERYBODY], exclusions=[_EVERYBODY]), "exclusions[0]"),
        (_event(audience=[_EVERYBODY], exclusions=[_group("")]), "exclusions[0].group"),
        (_event(scope="x" * 256), "scope"),
        (_event(due_at_us=-1), "due_at_us"),
        (_event(due_at_us=END_OF_TIME_US), "due_at_us"),
        (_event(due_at_us=253_402_300_799_999_999), "due_at_us"),
        (_event(cost=10_001), "cost"),
        (_event(idempotency_key="k", dedupe=ingest_pb2.Dedupe()), "dedupe"),
        (_event(dedupe=ingest_pb2.Dedupe(kind=99)), "dedupe.kind"),  # type: ignore[arg-type]  # of a later version
        (_event(dedupe=ingest_pb2.Dedupe(kind=_KEY)), "dedupe.key"),
        (_event(dedupe=ingest_pb2.Dedupe(kind=_KEY, key="x" * 256)), "dedupe.key"),
        (_event(dedupe=ingest_pb2.Dedupe(kind=_NONE, key="k")), "dedupe.key"),
        (_event(dedupe=ingest_pb2.Dedupe(scope="\x00")), "dedupe.scope"),
        (_event(dedupe=ingest_pb2.Dedupe(ttl_s=-1)), "dedupe.ttl_s"),
        (_event(dedupe=ingest_pb2.Dedupe(ttl_s=119)), "dedupe.ttl_s"),
        (_event(dedupe=ingest_pb2.Dedupe(ttl_s=30 * DAY_S + 1)), "dedupe.ttl_s"),
        (_event(metadata={str(number): "x" for number in range(6)}), "metadata"),
        (_event(metadata={"": "x"}), "metadata"),
        (_event(metadata={"x" * 256: "x"}), "metadata"),
        (_event(key_id="k"), "key_id"),
        (_event(answer_by_us=-1), "answer_by_us"),
        (_event(to_endpoints=_ONE), "to_endpoints"),
        (_event(audience=[_group()], to_endpoints=_SUBSCRIBERS), "to_endpoints"),
        (_event(audience=[], to_endpoints=ingest_pb2.ToEndpoints()), "to_endpoints"),
        (_event(audience=[], to_endpoints=ingest_pb2.ToEndpoints(endpoint_id="e")), "to_endpoints.endpoint_id"),
        (_event(audience=[], to_endpoints=_ONE, channels=[1]), "channels"),
        (_event(recipient=event_pb2.Recipient(user_id="u", name="x" * 256)), "recipient.name"),
        (_event(recipient=event_pb2.Recipient(user_id="u", data=b"x" * 16_385)), "recipient.data"),
        (_event(audience=[_contact(name="Ada")]), "audience[0].contact.recipient"),
        (_event(audience=[_contact(user_id="u", timezone="Berlin")]), "audience[0].contact.recipient.timezone"),
        (_event(audience=[_tags()]), "audience[0].tags"),
        (_event(audience=[_tags(*map(str, range(21)))]), "audience[0].tags"),
        (_event(audience=[_tags("a", "x" * 65)]), "audience[0].tags[1]"),
        (_event(audience=[event_pb2.Target(segment_id="vip")]), "audience[0].segment_id"),
        (_event(workflows=ingest_pb2.WorkflowChoice()), "workflows"),
        (_event(workflows=ingest_pb2.WorkflowChoice(workflow_id="w")), "workflows.workflow_id"),
        (_event(audience=[], to_endpoints=_ONE, workflows=_BY_TYPE), "workflows"),
        (_event(direct=_direct(template_key="t"), workflows=_BY_TYPE), "workflows"),
        (_event(audience=[], to_endpoints=_ONE, direct=_direct(template_key="t")), "direct"),
        (_event(direct=_direct(template_key="t"), channels=[1]), "channels"),
        (_event(direct=event_pb2.DirectMessage(template_key="t")), "direct.channel"),
        (_event(direct=_direct(event_pb2.CHANNEL_WEBHOOK, template_key="t")), "direct.channel"),
        (_event(direct=_direct()), "direct"),
        (_event(direct=_direct(template_key="x" * 256)), "direct.template_key"),
        (_event(direct=_direct(template_key="t", sender_email="Ada <ada@example.org>")), "direct.sender_email"),
        (_event(direct=_direct(template_key="t", reply_to="a@example.org, b@example.org")), "direct.reply_to"),
        (_event(direct=_direct(template_key="t", sender_name="x" * 256)), "direct.sender_name"),
        (_event(direct=_written(body="hello")), "direct.content_given.subject"),
        (_event(direct=_written(subject="hello")), "direct.content_given.body"),
        (_event(direct=_written(subject="hello", body="é" * 51_200)), "direct.content_given"),
        (_event(direct=_written(event_pb2.CHANNEL_PUSH, body="hello")), "direct.content_given"),
        (_event(direct=_written(event_pb2.CHANNEL_SMS, body=" ")), "direct.content_given.body"),
        (_event(direct=_written(event_pb2.CHANNEL_SMS, body="hello", text="hello")), "direct.content_given.text"),
        (_event(direct=_written(event_pb2.CHANNEL_SMS, body="hello", subject="hi")), "direct.content_given.subject"),
    ],
)
def test_faults_name_their_field(event: ingest_pb2.NewEvent, field: str) -> None:
    """Each error is INVALID and names the message's field."""
    assert _wrong_fields(event) == [field]
    message: Any = ingest_pb2.NewEvent.DESCRIPTOR
    for part in field.split(".") if field != "event" else ():
        found = message.fields_by_name[part.partition("[")[0]]
        message = (
            event_pb2.Target.DESCRIPTOR if found.message_type == event_pb2.Target.DESCRIPTOR else found.message_type
        )


def test_all_faults_are_named_at_once() -> None:
    """A caller need not find them one by one; the parts that are no JSON are among them."""
    event = _event(
        event_type="",
        audience=[_person(user_id="u", email="x" * 1025, timezone="x"), event_pb2.Target()],
        exclusions=[_EVERYBODY],
        due_at_us=-1,
        dedupe=ingest_pb2.Dedupe(kind=_KEY, ttl_s=1),
        variables=b"{",
        payload_extra=b"[]",
    )
    named = [
        "event_type",
        "audience[0].recipient.email",
        "audience[0].recipient.timezone",
        "audience[1]",
        "exclusions[0]",
        "due_at_us",
        "dedupe.key",
        "dedupe.ttl_s",
    ]
    assert _wrong_fields(event) == named
    assert _wrong_fields(event, sent=True) == [*named, "variables", "payload_extra"]


@pytest.mark.parametrize("value", ["x" * 256, "a\x00b"])
def test_faults_of_a_label_name_it(value: str) -> None:
    """Each value has at most 255 characters; it may be empty."""
    assert _wrong_fields(_event(metadata={"source": value, "good": ""})) == ["metadata.source"]


def test_a_caller_with_a_key_says_whom_it_is_for() -> None:
    """It cannot be told whether it forgot its recipient; a dialect knows what it leaves out."""
    nobody = ingest_pb2.NewEvent(event_type="a.b")
    check(nobody)
    assert _wrong_fields(nobody, sent=True) == ["recipient.user_id"]
    check_sent(_event(audience=[_group()]))


@pytest.mark.parametrize("text", [b"[1]", b"{", b"nonsense", b"1", b"\xff\xfe", b'{"a":"\xff"}', b"[" * 100_000])
def test_variables_are_an_object(text: bytes) -> None:
    """Anything else from an untrusted caller is INVALID."""
    assert _wrong_fields(_event(variables=text), sent=True) == ["variables"]


def test_what_is_stored_of_a_person_is_an_object() -> None:
    """It is written again in compact form, wherever a caller describes somebody."""
    event = _event(audience=[_person(user_id="u", data=b'{ "a": 1 }'), _contact(email="a@b.c", data=b'{ "b": 2 }')])
    check_sent(event)
    assert [event.audience[0].recipient.data, event.audience[1].contact.recipient.data] == [b'{"a":1}', b'{"b":2}']
    wrong = _event(audience=[_stored(), _contact(email="a@b.c", data=b"[]")])
    assert _wrong_fields(wrong, sent=True) == ["audience[1].contact.recipient.data"]


def test_what_may_be_sent_may_be_stored() -> None:
    """256 KiB of numbers that grow when they are rewritten, with the longest key, trace id and addresses."""
    numbers = ",".join(["1e15"] * ((256 * 1024 - 6_000) // 5))
    event = _event(
        variables=f'{{"a":[{numbers}]}}'.encode(),
        recipient=event_pb2.Recipient(user_id="u" * 255, email="€" * 1024, phone="1" * 1024),
        idempotency_key="k" * 255,
        trace_id="t" * 128,
    )
    check_sent(event)
    assert len(event.variables) > 900_000
    check(event)


def test_more_than_256_kib_may_not_be_sent() -> None:
    """The same bound over gRPC as over HTTP, where the gateway counts the body's bytes."""
    with pytest.raises(ClarionError, match="256 KiB") as refused:
        check_sent(_event(variables=b'{"a":"' + b"x" * (256 * 1024) + b'"}'))
    assert [name for name, _ in refused.value.fields] == ["event"]


def _nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_variables_are_not_too_deep() -> None:
    """64 levels, as in the gateway; brackets in texts do not count."""
    for kept in (_nested(64), b'{"a":"' + b"[{" * 100 + b'"}'):
        event = _event(variables=kept)
        check_sent(event)
        assert event.variables == kept
    for field, event in (
        ("variables", _event(variables=_nested(65))),
        ("payload_extra", _event(payload_extra=_nested(300))),
    ):
        with pytest.raises(ClarionError, match="64 levels") as refused:
            check_sent(event)
        assert refused.value.code is Code.INVALID
        assert [name for name, _ in refused.value.fields] == [field]


def test_the_order_of_keys_is_kept() -> None:
    """Templates loop over objects, so only white space is removed."""
    event = _event(variables=b'{ "b": {"d": 3, "c": 2}, "a": 1 }', payload_extra=b'{"z": 1, "y": 2}')
    check_sent(event)
    assert (event.variables, event.payload_extra) == (b'{"b":{"d":3,"c":2},"a":1}', b'{"z":1,"y":2}')
