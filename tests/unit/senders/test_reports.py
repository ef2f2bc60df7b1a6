"""What is done with providers' reports: which of them are ours, and what follows."""

import asyncio
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
from services.senders.reports import sendgrid
from services.senders.reports.accounts import Account
from services.senders.reports.ports import (
    MAX_PER_CALL,
    DeliveryReport,
    MalformedReport,
    ProviderCallback,
    ReportReader,
    UnverifiedCallback,
)
from services.senders.reports.receive import Received, Receiver
from services.senders.sent import SentMessage
from tests.fakes.senders import MemorySentLog, MemorySuppressor, MemoryTrace
from tests.unit.senders.callbacks import (
    BOUNCED,
    COMPLAINED,
    DELIVERED,
    NOW,
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


def _count(outcome: str) -> float:
    return REGISTRY.get_sample_value("clarion_reports_total", {"provider": "resend", "outcome": outcome}) or 0.0


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
        pytest.param(T, twilio_callback("undelivered", ErrorCode="30005"), id="twilio"),
        pytest.param(A, africa_callback("Failed", failureReason="UserDoesNotExist"), id="africastalking"),
        pytest.param(S, sendgrid_callback(event="bounce", timestamp=0), id="sendgrid-without-a-time"),
        pytest.param(
            R, json_callback({"type": "email.bounced", "data": {"email_id": "m1"}}), id="resend-without-a-time"
        ),
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
    assert await _receive(world, _report_reader(*T.parse(twilio_callback("delivered")))) == Received(1, 0)
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
        pytest.param(
            [sendgrid_callback(event="delivered", sg_event_id=one) for one in ("e1", "e2", "e3")], id="sendgrid"
        ),
        pytest.param(
            [replace(resend_callback("email.delivered"), headers={"svix-id": one}) for one in ("msg_1", "msg_2")],
            id="resend",
        ),
        pytest.param(
            [twilio_callback("delivered"), twilio_callback("read"), twilio_callback("delivered")], id="twilio"
        ),
        pytest.param([africa_callback("Success"), africa_callback("Success", retryCount="2")], id="africastalking"),
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
    for callback in (sendgrid_callback(event="bounce"), sendgrid_callback(event="delivered")):
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
        pytest.param(S, json_callback([_DELAYED]), event_pb2.CHANNEL_EMAIL, id="sendgrid-empty"),
        pytest.param(
            S, json_callback([{**_DELAYED, "sg_message_id": None}]), event_pb2.CHANNEL_EMAIL, id="sendgrid-null"
        ),
        pytest.param(
            S, json_callback([{**_DELAYED, "smtp-id": "<m9@ismtpd>"}]), event_pb2.CHANNEL_EMAIL, id="sendgrid-mail-id"
        ),
        pytest.param(
            R,
            resend_callback("email.bounced", email_id=None, to=["ada@example.com"]),
            event_pb2.CHANNEL_EMAIL,
            id="resend",
        ),
        pytest.param(
            T,
            form_callback(MessageStatus="undelivered", ErrorCode="30005", To="+254712345678"),
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
    reports = sendgrid.parse(json_callback([{**_DELAYED, "smtp-id": "<m9@ismtpd0046p1mdw1.sendgrid.net>"}]))
    assert await _receive(world, _report_reader(*reports)) == Received(1, 0)
    assert [record.reported.provider_message_id for record in world.records] == ["m9"]
    assert [wanted.address for wanted in world.suppressions] == ["ada@example.com"]


@pytest.mark.parametrize(
    ("report_reader", "callback"),
    [
        pytest.param(S, json_callback([{**_DELAYED, "email": None}]), id="no-address"),
        pytest.param(S, json_callback([{**_DELAYED, "email": "nobody"}]), id="no-address-but-words"),
        pytest.param(S, json_callback([{**_DELAYED, "event": "delivered"}]), id="delivered"),
        pytest.param(S, json_callback([{**_DELAYED, "type": "blocked"}]), id="blocked"),
        pytest.param(R, resend_callback("email.bounced", email_id="", to=["a@b.c", "d@e.f"]), id="two-addresses"),
        pytest.param(
            A,
            form_callback(status="Failed", failureReason="UserDoesNotExist", phoneNumber="+254712345678"),
            id="unsigned",
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
    reports = sendgrid.parse(json_callback([{**_DELAYED, "sg_message_id": "theirs.recvd-1"}]))
    assert await _receive(world, _report_reader(*reports)) == Received(0, 1)
    assert world.suppressions == []


async def test_an_unnamed_bounce_without_a_time_does_not_undo_what_was_lifted() -> None:
    """It counts as the oldest."""
    world = World()
    reports = sendgrid.parse(json_callback([{**_DELAYED, "timestamp": None}]))
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
