"""What providers' reports mean, which of them are ours, and what follows."""

import asyncio
import base64
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import suppressions_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import suppression_list
from services.senders.reports import africastalking, fields, resend, sendgrid, twilio
from services.senders.reports.accounts import Account
from services.senders.reports.ports import (
    MAX_PER_CALL,
    MAX_REPORTS,
    DeliveryReport,
    MalformedReport,
    ProviderCallback,
    ReportReader,
    UnverifiedCallback,
)
from services.senders.reports.receive import Received, Receiver
from services.senders.sent import SentMessage
from tests.fakes.senders import MemorySentLog, MemorySuppressor, MemoryTrace

NOW = 1_800_000_000_000_000
DELIVERED, BOUNCED = trace_pb2.DELIVERY_STATUS_DELIVERED, trace_pb2.DELIVERY_STATUS_BOUNCED
COMPLAINED, NONE = trace_pb2.DELIVERY_STATUS_COMPLAINED, trace_pb2.DELIVERY_STATUS_UNSPECIFIED
WHSEC = "whsec_" + base64.b64encode(b"k" * 24).decode()
FORM = {"content-type": "application/x-www-form-urlencoded"}


def _json(value: Any) -> ProviderCallback:
    return ProviderCallback([], {"svix-id": "msg_1"}, json.dumps(value).encode())


def _form(**fields: str) -> ProviderCallback:
    return ProviderCallback([], FORM, urllib.parse.urlencode(fields).encode())


def _resend(kind: str, **data: Any) -> ProviderCallback:
    return _json({"type": kind, "created_at": "2027-01-15T08:00:00Z", "data": {"email_id": "m1", **data}})


def _sendgrid(**event: Any) -> ProviderCallback:
    return _json([{"sg_message_id": "m1.recvd-x-1.0", "sg_event_id": "e1", "timestamp": 1_800_000_000, **event}])


def _twilio(status: str, **more: str) -> ProviderCallback:
    return _form(MessageSid="m1", MessageStatus=status, **more)


def _africa(status: str, **more: str) -> ProviderCallback:
    return _form(id="m1", status=status, phoneNumber="+254712345678", **more)


R, S, T, A = resend.REPORT_READER, sendgrid.REPORT_READER, twilio.REPORT_READER, africastalking.REPORT_READER


@pytest.mark.parametrize(
    ("report_reader", "callback", "status", "reason", "suppression"),
    [
        pytest.param(R, _resend("email.delivered"), DELIVERED, "", 0, id="resend-delivered"),
        pytest.param(
            R, _resend("email.bounced", bounce={"type": "Permanent"}), BOUNCED, "hard_bounce", 1, id="resend-hard"
        ),
        pytest.param(
            R, _resend("email.bounced", bounce={"type": "Transient"}), BOUNCED, "soft_bounce", 0, id="resend-soft"
        ),
        pytest.param(R, _resend("email.bounced"), BOUNCED, "hard_bounce", 1, id="resend-bounced-without-a-type"),
        pytest.param(R, _resend("email.suppressed"), BOUNCED, "suppressed_by_provider", 1, id="resend-suppressed"),
        pytest.param(
            R, _resend("email.failed", failed={"reason": "quota"}), BOUNCED, "provider_failed", 0, id="resend-failed"
        ),
        pytest.param(R, _resend("email.complained"), COMPLAINED, "spam_complaint", 2, id="resend-complained"),
        pytest.param(S, _sendgrid(event="delivered"), DELIVERED, "", 0, id="sendgrid-delivered"),
        pytest.param(S, _sendgrid(event="bounce", type="bounce"), BOUNCED, "hard_bounce", 1, id="sendgrid-bounce"),
        pytest.param(S, _sendgrid(event="bounce", type="blocked"), BOUNCED, "blocked", 0, id="sendgrid-blocked"),
        pytest.param(
            S, _sendgrid(event="dropped", reason="Bounced Address"), BOUNCED, "dropped", 1, id="sendgrid-dropped"
        ),
        pytest.param(
            S, _sendgrid(event="dropped", reason="Invalid SMTPAPI header"), BOUNCED, "dropped", 0, id="sendgrid-invalid"
        ),
        pytest.param(S, _sendgrid(event="spamreport"), COMPLAINED, "spam_complaint", 2, id="sendgrid-spam"),
        pytest.param(S, _sendgrid(event="group_unsubscribe"), NONE, "unsubscribed", 3, id="sendgrid-unsubscribed"),
        pytest.param(T, _twilio("delivered"), DELIVERED, "", 0, id="twilio-delivered"),
        pytest.param(T, _twilio("read"), DELIVERED, "", 0, id="twilio-read"),
        pytest.param(T, _twilio("undelivered", ErrorCode="30005"), BOUNCED, "hard_bounce", 1, id="twilio-unknown"),
        pytest.param(T, _twilio("undelivered", ErrorCode="30003"), BOUNCED, "undelivered", 0, id="twilio-off"),
        pytest.param(T, _twilio("failed", ErrorCode="21610"), BOUNCED, "opted_out", 2, id="twilio-stop"),
        pytest.param(A, _africa("Success"), DELIVERED, "", 0, id="africastalking-delivered"),
        pytest.param(
            A,
            _africa("Failed", failureReason="UserDoesNotExist"),
            BOUNCED,
            "hard_bounce",
            1,
            id="africastalking-nobody",
        ),
        pytest.param(
            A, _africa("Rejected", failureReason="UserInBlackList"), BOUNCED, "opted_out", 2, id="africastalking-stop"
        ),
        pytest.param(A, _africa("AbsentSubscriber"), BOUNCED, "undelivered", 0, id="africastalking-absent"),
    ],
)
def test_what_a_report_means(
    report_reader: ReportReader, callback: ProviderCallback, status: int, reason: str, suppression: int
) -> None:
    """Its status, its reason in a word, and whether the address gets nothing more."""
    (report,) = report_reader.parse(callback)
    assert (report.status, report.reason, report.suppression) == (status, reason, suppression)
    assert "m1" in report.message_ids
    assert report.occurred_us == (0 if report_reader in (T, A) else NOW)  # Twilio and Africa's Talking do not say


@pytest.mark.parametrize(
    ("report_reader", "callback"),
    [
        pytest.param(R, _resend("email.opened"), id="resend-opened"),
        pytest.param(R, _json({"type": "contact.created", "data": {"id": "c1"}}), id="resend-about-a-contact"),
        pytest.param(S, _sendgrid(event="processed"), id="sendgrid-processed"),
        pytest.param(S, _json([]), id="sendgrid-nothing"),
        pytest.param(T, _twilio("sent"), id="twilio-on-its-way"),
        pytest.param(A, _africa("Submitted"), id="africastalking-on-its-way"),
    ],
)
def test_what_says_nothing_of_a_messages_fate_is_left_out(
    report_reader: ReportReader, callback: ProviderCallback
) -> None:
    """Understood, and no news."""
    assert report_reader.parse(callback) == []


@pytest.mark.parametrize(
    ("report_reader", "callback"),
    [
        pytest.param(R, ProviderCallback([], {}, b"{"), id="resend-no-json"),
        pytest.param(R, _json([]), id="resend-a-list"),
        pytest.param(R, ProviderCallback([], {}, b"[" * 100_000), id="resend-nested"),
        pytest.param(S, _json({}), id="sendgrid-no-list"),
        pytest.param(S, ProviderCallback([], {}, b'[{"event": "delivered"}'), id="sendgrid-half-a-list"),
        pytest.param(S, ProviderCallback([], {}, b"[" * 100_000), id="sendgrid-nested"),
        pytest.param(S, _json([{"event": "delivered"}] * (MAX_REPORTS + 1)), id="sendgrid-too-many"),
        pytest.param(T, ProviderCallback([], {"content-type": "text/plain"}, b"MessageSid=m1"), id="twilio-no-form"),
        pytest.param(T, ProviderCallback([], FORM, b"a=%ff"), id="twilio-no-text"),
        pytest.param(A, ProviderCallback([], FORM, b"&".join([b"a=1"] * 300)), id="africastalking-too-many-fields"),
    ],
)
def test_what_is_no_report_is_refused(report_reader: ReportReader, callback: ProviderCallback) -> None:
    """Whatever else the body is."""
    with pytest.raises(MalformedReport):
        report_reader.parse(callback)


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        pytest.param("Wp3yPs.recvd-5c8-1-6-0.0", ["Wp3yPs"], id="today"),
        pytest.param("14c5.dfd.64b469.filter0001.16648.551.0", ["14c5.dfd.64b469", "14c5"], id="once"),
        pytest.param("qNwBLg.filterdrecv-canary-1-6089EA4A-56.0", ["qNwBLg"], id="filter"),
        pytest.param("plain", ["plain"], id="plain"),
        pytest.param("<14c5.dfd.64b469@ismtpd-555>", ["14c5.dfd.64b469", "14c5"], id="of-the-mail"),
        pytest.param("", [], id="none"),
        pytest.param("<>", [], id="none-of-the-mail"),
    ],
)
def test_sendgrids_ids_start_with_the_one_of_the_send(given: str, ids: list[str]) -> None:
    """Several forms of it were seen over the years."""
    assert sendgrid.message_ids(given) == ids


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b"1", id="number"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"event": ["bounce"], "sg_message_id": "m1"}', id="event-as-a-list"),
        pytest.param(b'{"sg_message_id": "m1"}', id="no-event"),
    ],
)
async def test_an_event_that_cannot_be_read_is_counted_and_the_others_apply(odd: bytes) -> None:
    """Otherwise SendGrid would post the same body again for a day."""
    good = b'{"event": "bounce", "type": "bounce", "sg_message_id": "m1"}'
    reports = sendgrid.parse(ProviderCallback([], {}, b"[" + good + b"," + odd + b"," + good + b"]"))
    assert [report.reason for report in reports] == ["hard_bounce", "unreadable", "hard_bounce"]
    world, before = World({"m1": _sent("m1")}), _count("unreadable")
    assert await _receive(world, _report_reader(*reports)) == Received(2, 1)
    assert (world.looks, len(world.records), _count("unreadable") - before) == (1, 2, 1)


# What a vendor may put in place of a text, a number or a time.
_ODD = [None, "", 7, 1.5, True, [], ["x"], {}, {"x": None}]


@pytest.mark.parametrize("odd", _ODD, ids=repr)
@pytest.mark.parametrize("field", ["created_at", "data.to", "data.bounce", "data.subject"])
def test_a_bounce_of_resend_with_an_odd_field_is_a_bounce(field: str, odd: Any) -> None:
    """Only the message and its status matter."""
    event: dict[str, Any] = {"type": "email.bounced", "created_at": None, "data": {"email_id": "m1"}}
    (event["data"] if field.startswith("data.") else event)[field.removeprefix("data.")] = odd
    (report,) = resend.parse(_json(event))
    assert (report.message_ids, report.status, report.suppression) == (["m1"], BOUNCED, suppression_list.BOUNCED)


@pytest.mark.parametrize("odd", _ODD, ids=repr)
@pytest.mark.parametrize("field", ["subType", "message", "diagnosticCode"])
def test_a_bounces_own_fields_may_be_odd(field: str, odd: Any) -> None:
    """The event's type alone decides."""
    (report,) = resend.parse(_resend("email.bounced", bounce={"type": "Permanent", field: odd}))
    assert (report.reason, report.suppression, report.occurred_us) == ("hard_bounce", suppression_list.BOUNCED, NOW)
    assert report.detail.startswith("Permanent")


def test_a_bounce_of_resend_with_nulls_is_a_bounce() -> None:
    """As they were seen, with nothing else."""
    nulls = {"type": "Permanent", "subType": None, "message": None}
    (report,) = resend.parse(
        _json({"type": "email.bounced", "created_at": None, "data": {"email_id": "m1", "bounce": nulls}})
    )
    assert (report.message_ids, report.detail, report.suppression) == (["m1"], "Permanent", suppression_list.BOUNCED)
    assert report.occurred_us == 0


@pytest.mark.parametrize(
    ("created_at", "occurred_us"),
    [
        pytest.param("2027-01-15T08:00:00.000Z", NOW, id="iso"),
        pytest.param("2027-01-15 08:00:00.000000+00", NOW, id="as-a-database-writes-it"),
        pytest.param("2027-01-15T11:00:00+03:00", NOW, id="another-zone"),
        pytest.param(1_800_000_000, NOW, id="seconds"),
        pytest.param("2027-01-15T08:00:00", 0, id="no-zone"),
        pytest.param("0001-01-01T00:00:00+14:00", 0, id="before-all-time"),
        pytest.param("soon", 0, id="words"),
    ],
)
def test_when_it_occurred(created_at: Any, occurred_us: int) -> None:
    """Or 0 if it is unknown."""
    (report,) = resend.parse(_json({"type": "email.delivered", "created_at": created_at, "data": {"email_id": "m1"}}))
    assert report.occurred_us == occurred_us


@pytest.mark.parametrize(
    ("report_reader", "body"),
    [
        pytest.param(
            R, b'{"type":"email.bounced","data":{"email_id":"m1","bounce":{"message":"550 %s"}}}', id="resend"
        ),
        pytest.param(S, b'[{"event":"bounce","sg_message_id":"m1","reason":"550 %s"}]', id="sendgrid"),
    ],
)
@pytest.mark.parametrize(
    ("words", "detail"),
    [
        pytest.param(b"\\ud83d", "550 ?", id="half-a-character-escaped"),
        pytest.param(b"\xf0\x9f\x98", "550 \ufffd", id="half-a-character"),
        pytest.param(b"caf\xe9", "550 caf\ufffd", id="latin-1"),
        pytest.param("é".encode(), "550 é", id="text"),
    ],
)
async def test_words_that_are_cut_within_a_character_do_not_cost_the_report(
    report_reader: ReportReader, body: bytes, words: bytes, detail: str
) -> None:
    """Servers answer in any encoding, and vendors cut their answers anywhere."""
    reports = report_reader.parse(ProviderCallback([], {}, body % words))
    world = World({"m1": _sent("m1")})
    assert await _receive(world, _report_reader(*reports)) == Received(1, 0)
    assert world.records[0].reported.detail == detail
    assert world.suppressions[0].detail == detail


def test_a_byte_order_mark_does_not_cost_the_report() -> None:
    """Some proxies prepend a byte order mark."""
    callback = _resend("email.delivered")
    (report,) = resend.parse(ProviderCallback([], {}, b"\xef\xbb\xbf" + callback.body))
    assert report.message_ids == ["m1"]


def test_a_report_of_twilio_in_json_reads_the_same() -> None:
    """Numbers may be JSON numbers, and fields may be null."""
    fields = {"MessageSid": "m1", "MessageStatus": "undelivered", "ErrorCode": 30005, "ErrorMessage": None}
    (report,) = twilio.parse(ProviderCallback([], {"content-type": "application/json"}, json.dumps(fields).encode()))
    assert (report.message_ids, report.reason, report.detail) == (["m1"], "hard_bounce", "undelivered 30005")


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        pytest.param("reason", None, "5.1.1", id="no-reason"),
        pytest.param("reason", 7, "5.1.1 7", id="reason-as-a-number"),
        pytest.param("response", None, "5.1.1", id="no-response"),
        pytest.param("reason", {"en": "no"}, "5.1.1", id="reason-as-an-object"),
        pytest.param("status", 5, "5", id="status-as-a-number"),
        pytest.param("status", None, "", id="no-status"),
        pytest.param("type", 3, "5.1.1", id="type-as-a-number"),
        pytest.param("sg_event_id", None, "5.1.1", id="no-id-of-its-own"),
        pytest.param("timestamp", "soon", "5.1.1", id="time-in-words"),
        pytest.param("timestamp", "1800000000", "5.1.1", id="time-as-text"),
        pytest.param("timestamp", 10**400, "5.1.1", id="time-out-of-range"),
        pytest.param("timestamp", None, "5.1.1", id="no-time"),
        pytest.param("email", ["ada@example.com"], "5.1.1", id="address-as-a-list"),
    ],
)
def test_a_bounce_with_an_odd_field_is_a_bounce(field: str, value: Any, detail: str) -> None:
    """Only the message and its status matter."""
    (report,) = sendgrid.parse(_sendgrid(**{"event": "bounce", "status": "5.1.1", field: value}))
    assert (report.status, report.suppression, report.detail) == (BOUNCED, suppression_list.BOUNCED, detail)
    assert report.occurred_us == (0 if field == "timestamp" and value != "1800000000" else NOW)


def _count(outcome: str) -> float:
    return REGISTRY.get_sample_value("clarion_reports_total", {"provider": "resend", "outcome": outcome}) or 0.0


# From here on: what is done with reports.

TENANT, EVENT, DELIVERY, PROVIDER = new_id(), new_id(), new_id(), new_id()


# When the messages were sent.
SENT = NOW - 7_200_000_000


def _sent(message_id: str, recipient: str = "ada@example.com") -> SentMessage:
    return SentMessage(PROVIDER, message_id, TENANT, EVENT, DELIVERY, event_pb2.CHANNEL_EMAIL, 2, 1, recipient, SENT)


@dataclass
class LateLog(MemorySentLog):
    """Knows some messages only when it is asked the second time. looks: how often it was asked."""

    later: dict[str, SentMessage] = field(default_factory=dict)
    looks: int = 0

    async def find(self, provider_id: str, message_ids: Sequence[str]) -> Mapping[str, SentMessage]:
        """Return those that are known by now."""
        self.looks += 1
        if self.looks == 2:
            for one in self.later.values():
                self.record(one)
        return await super().find(provider_id, message_ids)


class World:
    """Who is asked and told. known: sent messages, by their ids; later: those that are known at the second look."""

    def __init__(
        self,
        known: Mapping[str, SentMessage] | None = None,
        later: dict[str, SentMessage] | None = None,
        *,
        away: bool = False,
    ) -> None:
        self.sent = LateLog({(PROVIDER, id_): one for id_, one in (known or {}).items()}, later=later or {})
        self.suppressor = MemorySuppressor(away=away)
        self.trace = MemoryTrace()

    @property
    def looks(self) -> int:
        """How often sent messages were looked for."""
        return self.sent.looks

    @property
    def suppressions(self) -> list[suppressions_pb2.NewSuppression]:
        """What the router was told."""
        return self.suppressor.wanted

    @property
    def records(self) -> list[trace_pb2.TraceRecord]:
        """What is on the timeline."""
        return self.trace.records


def _report_reader(*reports: DeliveryReport) -> ReportReader:
    return ReportReader(lambda *_: None, lambda *_: list(reports))


async def _receive(
    world: World, report_reader: ReportReader, channel: event_pb2.Channel.ValueType = event_pb2.CHANNEL_EMAIL
) -> Received:
    account = Account(TENANT, PROVIDER, "resend", channel, report_reader, {})
    receiver = Receiver(world.sent, world.suppressor, world.trace, waits_s=(0.0, 0.0), now=lambda: NOW)
    return await receiver.receive(account, ProviderCallback([], {}, b""))


async def test_a_report_is_recorded_of_its_attempt_and_suppresses() -> None:
    """On the message's delivery, with the provider's words in one line of 500 characters."""
    world = World({"m1": _sent("m1")})
    bounce = DeliveryReport(["m1"], BOUNCED, "hard_bounce", "550\r\nno " + "x" * 600, suppression_list.BOUNCED, NOW - 5)
    assert await _receive(world, _report_reader(bounce)) == Received(1, 0)
    (record,) = world.records
    step = record.reported
    assert (record.event_id, record.tenant_id, step.delivery_id) == (EVENT, TENANT, DELIVERY)
    assert (step.status, step.attempt, step.replay, step.provider) == (BOUNCED, 2, 1, "resend")
    assert (len(step.detail), step.detail[:7]) == (500, "550 no ")
    (wanted,) = world.suppressions
    assert (wanted.address, wanted.reason, wanted.source) == ("ada@example.com", suppression_list.BOUNCED, "resend")
    assert wanted.found_at_us == NOW - 5


@pytest.mark.parametrize(
    ("report_reader", "callback"),
    [
        pytest.param(T, _twilio("undelivered", ErrorCode="30005"), id="twilio"),
        pytest.param(A, _africa("Failed", failureReason="UserDoesNotExist"), id="africastalking"),
        pytest.param(S, _sendgrid(event="bounce", timestamp=0), id="sendgrid-without-a-time"),
        pytest.param(R, _json({"type": "email.bounced", "data": {"email_id": "m1"}}), id="resend-without-a-time"),
    ],
)
async def test_a_report_without_a_time_is_as_old_as_its_message(
    report_reader: ReportReader, callback: ProviderCallback
) -> None:
    """It may come late: what an operator lifted since the message was sent stays lifted."""
    world = World({"m1": _sent("m1")})
    assert await _receive(world, _report_reader(*report_reader.parse(callback))) == Received(1, 0)
    assert [wanted.found_at_us for wanted in world.suppressions] == [SENT]


async def test_a_report_without_a_time_waits_for_our_row() -> None:
    """It may be about a message that was sent a moment ago."""
    world = World(later={"m1": _sent("m1")})
    assert await _receive(world, _report_reader(*T.parse(_twilio("delivered")))) == Received(1, 0)
    assert world.looks == 2


async def test_a_large_batch_is_asked_about_in_parts() -> None:
    """SendGrid posts more reports than one call to the router may have."""
    names = [f"m{number}" for number in range(2 * MAX_PER_CALL + 1)]
    world = World({name: _sent(name, f"{name}@example.com") for name in names})
    bounces = [DeliveryReport([name], BOUNCED, "hard_bounce", "", suppression_list.BOUNCED) for name in names]
    assert await _receive(world, _report_reader(*bounces)) == Received(len(names), 0)
    assert (len(world.records), len(world.suppressions)) == (len(names), len(names))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([_sendgrid(event="delivered", sg_event_id=one) for one in ("e1", "e2", "e3")], id="sendgrid"),
        pytest.param(
            [replace(_resend("email.delivered"), headers={"svix-id": one}) for one in ("msg_1", "msg_2")], id="resend"
        ),
        pytest.param([_twilio("delivered"), _twilio("read"), _twilio("delivered")], id="twilio"),
        pytest.param([_africa("Success"), _africa("Success", retryCount="2")], id="africastalking"),
    ],
)
async def test_what_is_said_again_is_one_step(said: Sequence[ProviderCallback], request: pytest.FixtureRequest) -> None:
    """Even if the reports have ids of their own."""
    report_reader = {"sendgrid": S, "resend": R, "twilio": T, "africastalking": A}[request.node.callspec.id]
    world = World({"m1": _sent("m1")})
    for callback in said:
        assert await _receive(world, _report_reader(*report_reader.parse(callback))) == Received(1, 0)
    assert len({record.id for record in world.records}) == 1


async def test_what_differs_is_a_step_of_its_own() -> None:
    """Another status, another reason, another message."""
    world = World({"m1": _sent("m1"), "m2": _sent("m2")})
    reports = [
        DeliveryReport(["m1"], DELIVERED),
        DeliveryReport(["m1"], BOUNCED, "soft_bounce"),
        DeliveryReport(["m1"], BOUNCED, "hard_bounce"),
        DeliveryReport(["m2"], DELIVERED),
    ]
    await _receive(world, _report_reader(*reports))
    assert len({record.id for record in world.records}) == len(reports)


async def test_a_delivery_that_is_reported_after_its_bounce_takes_nothing_back() -> None:
    """The address stays suppressed, and the timeline has both."""
    world = World({"m1": _sent("m1")})
    for callback in (_sendgrid(event="bounce"), _sendgrid(event="delivered")):
        await _receive(world, _report_reader(*sendgrid.parse(callback)))
    assert [record.reported.status for record in world.records] == [BOUNCED, DELIVERED]
    assert [wanted.reason for wanted in world.suppressions] == [suppression_list.BOUNCED]


# As SendGrid posts a bounce that came after the server had taken the mail: https://github.com/sendgrid/docs/issues/5177
_DELAYED = {
    "email": "Ada@example.com",
    "timestamp": 1_556_628_023,
    "status": "5.1.10",
    "reason": "550 5.1.10 Recipient ada@example.com not found",
    "sg_message_id": "",
    "sg_event_id": "e1",
    "type": "bounce",
    "event": "bounce",
}


@pytest.mark.parametrize(
    ("report_reader", "callback", "channel"),
    [
        pytest.param(S, _json([_DELAYED]), event_pb2.CHANNEL_EMAIL, id="sendgrid-empty"),
        pytest.param(S, _json([{**_DELAYED, "sg_message_id": None}]), event_pb2.CHANNEL_EMAIL, id="sendgrid-null"),
        pytest.param(
            S, _json([{**_DELAYED, "smtp-id": "<m9@ismtpd>"}]), event_pb2.CHANNEL_EMAIL, id="sendgrid-mail-id"
        ),
        pytest.param(
            R, _resend("email.bounced", email_id=None, to=["ada@example.com"]), event_pb2.CHANNEL_EMAIL, id="resend"
        ),
        pytest.param(
            T,
            _form(MessageStatus="undelivered", ErrorCode="30005", To="+254712345678"),
            event_pb2.CHANNEL_SMS,
            id="twilio",
        ),
    ],
)
async def test_a_bounce_that_names_no_message_suppresses_its_address(
    report_reader: ReportReader, callback: ProviderCallback, channel: event_pb2.Channel.ValueType
) -> None:
    """The tenant's own provider signed it; it is counted, and the log has no address: the router masks the note."""
    world, before = World(), _count("unnamed")
    with capture_logs() as logged:
        assert await _receive(world, _report_reader(*report_reader.parse(callback)), channel) == Received(0, 1)
    (wanted,) = world.suppressions
    assert (wanted.tenant_id, wanted.channel, wanted.reason) == (TENANT, channel, suppression_list.BOUNCED)
    form = "ada@example.com" if channel == event_pb2.CHANNEL_EMAIL else "+254712345678"
    assert suppression_list.normalised(channel, wanted.address) == form
    (told,) = [line for line in logged if line["event"] == "report_names_no_message"]
    assert (told["tenant_id"], told["reports"], told["suppressed"]) == (TENANT, 1, 1)
    assert form not in repr(logged).lower()
    assert (world.records, _count("unnamed") - before) == ([], 1)


async def test_a_bounce_that_names_the_mail_alone_finds_its_message() -> None:
    """SendGrid's id of the send is the first part of the mail's own."""
    world = World({"m9": _sent("m9")})
    reports = sendgrid.parse(_json([{**_DELAYED, "smtp-id": "<m9@ismtpd0046p1mdw1.sendgrid.net>"}]))
    assert await _receive(world, _report_reader(*reports)) == Received(1, 0)
    assert [record.reported.provider_message_id for record in world.records] == ["m9"]
    assert [wanted.address for wanted in world.suppressions] == ["ada@example.com"]


@pytest.mark.parametrize(
    ("report_reader", "callback"),
    [
        pytest.param(S, _json([{**_DELAYED, "email": None}]), id="no-address"),
        pytest.param(S, _json([{**_DELAYED, "email": "nobody"}]), id="no-address-but-words"),
        pytest.param(S, _json([{**_DELAYED, "event": "delivered"}]), id="delivered"),
        pytest.param(S, _json([{**_DELAYED, "type": "blocked"}]), id="blocked"),
        pytest.param(R, _resend("email.bounced", email_id="", to=["a@b.c", "d@e.f"]), id="two-addresses"),
        pytest.param(
            A, _form(status="Failed", failureReason="UserDoesNotExist", phoneNumber="+254712345678"), id="unsigned"
        ),
    ],
)
async def test_what_names_no_message_and_proves_nothing_is_counted(
    report_reader: ReportReader, callback: ProviderCallback
) -> None:
    """Nothing follows, but the operator sees it."""
    world, before = World(), _count("unnamed")
    assert await _receive(world, _report_reader(*report_reader.parse(callback))) == Received(0, 1)
    assert (world.suppressions, world.records, _count("unnamed") - before) == ([], [], 1)


async def test_a_message_that_nobody_here_sent_suppresses_nobody() -> None:
    """An account may be shared: only the id shows whose message it is."""
    world = World()
    reports = sendgrid.parse(_json([{**_DELAYED, "sg_message_id": "theirs.recvd-1"}]))
    assert await _receive(world, _report_reader(*reports)) == Received(0, 1)
    assert world.suppressions == []


async def test_an_unnamed_bounce_without_a_time_does_not_undo_what_was_lifted() -> None:
    """It counts as the oldest."""
    world = World()
    reports = sendgrid.parse(_json([{**_DELAYED, "timestamp": None}]))
    await _receive(world, _report_reader(*reports))
    assert [wanted.found_at_us for wanted in world.suppressions] == [1]


async def test_a_provider_whose_clock_is_ahead_does_not_report_from_the_future() -> None:
    """Otherwise an operator could not lift its suppression."""
    world = World({"m1": _sent("m1")})
    bounce = DeliveryReport(["m1"], BOUNCED, "hard_bounce", "", suppression_list.BOUNCED, NOW + 86_400_000_000)
    await _receive(world, _report_reader(bounce))
    assert [wanted.found_at_us for wanted in world.suppressions] == [NOW]


async def test_past_what_may_wait_the_provider_says_it_again() -> None:
    """Nothing is applied in part; reports about old messages are answered as usual."""
    world = World()
    account = Account(
        TENANT,
        PROVIDER,
        "resend",
        event_pb2.CHANNEL_EMAIL,
        _report_reader(DeliveryReport(["m1"], DELIVERED, occurred_us=NOW)),
        {},
    )
    receiver = Receiver(world.sent, world.suppressor, world.trace, waits_s=(0.0,), now=lambda: NOW)
    answers = await asyncio.gather(
        *[receiver.receive(account, ProviderCallback([], {}, b"")) for _ in range(40)], return_exceptions=True
    )
    refused = [one for one in answers if isinstance(one, ClarionError)]
    assert {one.code for one in refused} == {Code.OVERLOADED}
    assert len(refused) == 40 - 32
    old = Account(
        TENANT,
        PROVIDER,
        "resend",
        event_pb2.CHANNEL_EMAIL,
        _report_reader(DeliveryReport(["m0"], DELIVERED, occurred_us=1)),
        {},
    )
    assert await receiver.receive(old, ProviderCallback([], {}, b"")) == Received(0, 1)


@pytest.mark.parametrize(
    ("report_reader", "credentials", "ready"),
    [
        pytest.param(R, {}, False, id="resend-nothing"),
        pytest.param(R, {"webhook_secret": "junk!!"}, False, id="resend-junk"),
        pytest.param(R, {"webhook_secret": WHSEC + "\n"}, True, id="resend-stored-with-a-line-end"),
        pytest.param(S, {}, False, id="sendgrid-nothing"),
        pytest.param(S, {"webhook_public_key": "abc"}, False, id="sendgrid-junk"),
        pytest.param(T, {"auth_token": ""}, False, id="twilio-nothing"),
        pytest.param(T, {"auth_token": " \n"}, False, id="twilio-blank"),
        pytest.param(T, {"auth_token": "f" * 32}, True, id="twilio-token"),
        pytest.param(T, {"shared_key": "k"}, True, id="twilio-shared-key"),
        pytest.param(A, {}, True, id="africastalking-signs-nothing"),
    ],
)
def test_a_callback_is_ready_when_a_signature_can_be_checked(
    report_reader: ReportReader,
    credentials: dict[str, str],
    ready: bool,  # noqa: FBT001 - a case's own answer
) -> None:
    """Also for what an earlier version has stored."""
    assert report_reader.is_ready(credentials) is ready


async def test_a_report_that_is_faster_than_our_row_waits_for_it() -> None:
    """Ids are stored a moment after the send."""
    world = World(later={"m1": _sent("m1")})
    assert await _receive(world, _report_reader(DeliveryReport(["m1"], DELIVERED, occurred_us=NOW))) == Received(1, 0)
    assert world.looks == 2


async def test_old_news_of_strangers_waits_for_nothing() -> None:
    """An account may be shared: reports about messages of others are only counted."""
    world = World(later={"m1": _sent("m1")})
    report = DeliveryReport(["m1"], DELIVERED, occurred_us=NOW - 120_000_000)
    assert await _receive(world, _report_reader(report)) == Received(0, 1)
    assert (world.looks, world.records, world.suppressions) == (1, [], [])


async def test_nothing_is_recorded_before_it_is_suppressed() -> None:
    """The provider repeats the report, and then both are stored."""
    world = World({"m1": _sent("m1")}, away=True)
    complaint = DeliveryReport(["m1"], COMPLAINED, "spam_complaint", "", suppression_list.COMPLAINED)
    with pytest.raises(ClarionError) as fault:
        await _receive(world, _report_reader(complaint))
    assert (fault.value.code, world.records) == (Code.UNAVAILABLE, [])


async def test_a_person_who_was_forgotten_is_not_suppressed() -> None:
    """The address is gone; this is not an error."""
    world = World({"m1": _sent("m1", "")})
    bounce = DeliveryReport(["m1"], BOUNCED, "hard_bounce", "", suppression_list.BOUNCED)
    assert await _receive(world, _report_reader(bounce)) == Received(1, 0)
    assert world.suppressions == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(UnverifiedCallback("no such header"), Code.FORBIDDEN, id="not-proven"),
        pytest.param(MalformedReport("odd"), Code.INVALID, id="no-report"),
    ],
)
async def test_what_is_not_proven_changes_nothing(error: Exception, code: Code) -> None:
    """The response does not say why."""

    def refuse(*_: Any) -> None:
        raise error

    world = World({"m1": _sent("m1")})
    with pytest.raises(ClarionError) as fault:
        await _receive(world, ReportReader(refuse, lambda *_: []))
    assert fault.value.code is code
    assert str(error) not in fault.value.detail
    assert world.looks == 0


def test_no_report_has_what_a_database_refuses() -> None:
    """Look-ups share a statement, which a NUL of one report would make fail for all."""
    told = africastalking.REPORT_READER.parse(_form(id="\0x", status="Success"))
    assert told[0].message_ids == ["x"]
    assert fields.text("a\0b") == "ab"
    assert suppression_list.normalised(event_pb2.CHANNEL_EMAIL, "a@b\0c.example") == ""
