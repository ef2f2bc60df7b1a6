"""What providers' reports mean: from the body of a callback to its reports."""

import json
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from services.domain import suppression_list
from services.senders.reports import africastalking, fields, resend, sendgrid, twilio
from services.senders.reports.ports import (
    MAX_REPORTS,
    MalformedReport,
    ProviderCallback,
    ReportReader,
)
from tests.unit.senders.callbacks import (
    BOUNCED,
    COMPLAINED,
    DELIVERED,
    FORM,
    NONE,
    NOW,
    WHSEC,
    A,
    R,
    S,
    T,
    africa_callback,
    form_callback,
    json_callback,
    resend_callback,
    sendgrid_callback,
    twilio_callback,
)


@pytest.mark.parametrize(
    ("report_reader", "callback", "status", "reason", "suppression"),
    [
        pytest.param(R, resend_callback("email.delivered"), DELIVERED, "", 0, id="resend-delivered"),
        pytest.param(
            R,
            resend_callback("email.bounced", bounce={"type": "Permanent"}),
            BOUNCED,
            "hard_bounce",
            1,
            id="resend-hard",
        ),
        pytest.param(
            R,
            resend_callback("email.bounced", bounce={"type": "Transient"}),
            BOUNCED,
            "soft_bounce",
            0,
            id="resend-soft",
        ),
        pytest.param(
            R, resend_callback("email.bounced"), BOUNCED, "hard_bounce", 1, id="resend-bounced-without-a-type"
        ),
        pytest.param(
            R, resend_callback("email.suppressed"), BOUNCED, "suppressed_by_provider", 1, id="resend-suppressed"
        ),
        pytest.param(
            R,
            resend_callback("email.failed", failed={"reason": "quota"}),
            BOUNCED,
            "provider_failed",
            0,
            id="resend-failed",
        ),
        pytest.param(R, resend_callback("email.complained"), COMPLAINED, "spam_complaint", 2, id="resend-complained"),
        pytest.param(S, sendgrid_callback(event="delivered"), DELIVERED, "", 0, id="sendgrid-delivered"),
        pytest.param(
            S, sendgrid_callback(event="bounce", type="bounce"), BOUNCED, "hard_bounce", 1, id="sendgrid-bounce"
        ),
        pytest.param(
            S, sendgrid_callback(event="bounce", type="blocked"), BOUNCED, "blocked", 0, id="sendgrid-blocked"
        ),
        pytest.param(
            S,
            sendgrid_callback(event="dropped", reason="Bounced Address"),
            BOUNCED,
            "dropped",
            1,
            id="sendgrid-dropped",
        ),
        pytest.param(
            S,
            sendgrid_callback(event="dropped", reason="Invalid SMTPAPI header"),
            BOUNCED,
            "dropped",
            0,
            id="sendgrid-invalid",
        ),
        pytest.param(S, sendgrid_callback(event="spamreport"), COMPLAINED, "spam_complaint", 2, id="sendgrid-spam"),
        pytest.param(
            S, sendgrid_callback(event="group_unsubscribe"), NONE, "unsubscribed", 3, id="sendgrid-unsubscribed"
        ),
        pytest.param(T, twilio_callback("delivered"), DELIVERED, "", 0, id="twilio-delivered"),
        pytest.param(T, twilio_callback("read"), DELIVERED, "", 0, id="twilio-read"),
        pytest.param(
            T, twilio_callback("undelivered", ErrorCode="30005"), BOUNCED, "hard_bounce", 1, id="twilio-unknown"
        ),
        pytest.param(T, twilio_callback("undelivered", ErrorCode="30003"), BOUNCED, "undelivered", 0, id="twilio-off"),
        pytest.param(T, twilio_callback("failed", ErrorCode="21610"), BOUNCED, "opted_out", 2, id="twilio-stop"),
        pytest.param(A, africa_callback("Success"), DELIVERED, "", 0, id="africastalking-delivered"),
        pytest.param(
            A,
            africa_callback("Failed", failureReason="UserDoesNotExist"),
            BOUNCED,
            "hard_bounce",
            1,
            id="africastalking-nobody",
        ),
        pytest.param(
            A,
            africa_callback("Rejected", failureReason="UserInBlackList"),
            BOUNCED,
            "opted_out",
            2,
            id="africastalking-stop",
        ),
        pytest.param(A, africa_callback("AbsentSubscriber"), BOUNCED, "undelivered", 0, id="africastalking-absent"),
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
        pytest.param(R, resend_callback("email.opened"), id="resend-opened"),
        pytest.param(R, json_callback({"type": "contact.created", "data": {"id": "c1"}}), id="resend-about-a-contact"),
        pytest.param(S, sendgrid_callback(event="processed"), id="sendgrid-processed"),
        pytest.param(S, json_callback([]), id="sendgrid-nothing"),
        pytest.param(T, twilio_callback("sent"), id="twilio-on-its-way"),
        pytest.param(A, africa_callback("Submitted"), id="africastalking-on-its-way"),
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
        pytest.param(R, json_callback([]), id="resend-a-list"),
        pytest.param(R, ProviderCallback([], {}, b"[" * 100_000), id="resend-nested"),
        pytest.param(S, json_callback({}), id="sendgrid-no-list"),
        pytest.param(S, ProviderCallback([], {}, b'[{"event": "delivered"}'), id="sendgrid-half-a-list"),
        pytest.param(S, ProviderCallback([], {}, b"[" * 100_000), id="sendgrid-nested"),
        pytest.param(S, json_callback([{"event": "delivered"}] * (MAX_REPORTS + 1)), id="sendgrid-too-many"),
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


# What a vendor may put in place of a text, a number or a time.
_ODD = [None, "", 7, 1.5, True, [], ["x"], {}, {"x": None}]


@pytest.mark.parametrize("odd", _ODD, ids=repr)
@pytest.mark.parametrize("field", ["created_at", "data.to", "data.bounce", "data.subject"])
def test_a_bounce_of_resend_with_an_odd_field_is_a_bounce(field: str, odd: Any) -> None:
    """Only the message and its status matter."""
    event: dict[str, Any] = {"type": "email.bounced", "created_at": None, "data": {"email_id": "m1"}}
    (event["data"] if field.startswith("data.") else event)[field.removeprefix("data.")] = odd
    (report,) = resend.parse(json_callback(event))
    assert (report.message_ids, report.status, report.suppression) == (["m1"], BOUNCED, suppression_list.BOUNCED)


@pytest.mark.parametrize("odd", _ODD, ids=repr)
@pytest.mark.parametrize("field", ["subType", "message", "diagnosticCode"])
def test_a_bounces_own_fields_may_be_odd(field: str, odd: Any) -> None:
    """The event's type alone decides."""
    (report,) = resend.parse(resend_callback("email.bounced", bounce={"type": "Permanent", field: odd}))
    assert (report.reason, report.suppression, report.occurred_us) == ("hard_bounce", suppression_list.BOUNCED, NOW)
    assert report.detail.startswith("Permanent")


def test_a_bounce_of_resend_with_nulls_is_a_bounce() -> None:
    """As they were seen, with nothing else."""
    nulls = {"type": "Permanent", "subType": None, "message": None}
    (report,) = resend.parse(
        json_callback({"type": "email.bounced", "created_at": None, "data": {"email_id": "m1", "bounce": nulls}})
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
    (report,) = resend.parse(
        json_callback({"type": "email.delivered", "created_at": created_at, "data": {"email_id": "m1"}})
    )
    assert report.occurred_us == occurred_us


def test_a_byte_order_mark_does_not_cost_the_report() -> None:
    """Some proxies prepend a byte order mark."""
    callback = resend_callback("email.delivered")
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
    (report,) = sendgrid.parse(sendgrid_callback(**{"event": "bounce", "status": "5.1.1", field: value}))
    assert (report.status, report.suppression, report.detail) == (BOUNCED, suppression_list.BOUNCED, detail)
    assert report.occurred_us == (0 if field == "timestamp" and value != "1800000000" else NOW)


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


def test_no_report_has_what_a_database_refuses() -> None:
    """Look-ups share a statement, which a NUL of one report would make fail for all."""
    told = africastalking.REPORT_READER.parse(form_callback(id="\0x", status="Success"))
    assert told[0].message_ids == ["x"]
    assert fields.text("a\0b") == "ab"
    assert suppression_list.normalised(event_pb2.CHANNEL_EMAIL, "a@b\0c.example") == ""
