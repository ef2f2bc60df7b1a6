"""Delivery reports in the ledger: a delivery's rank never falls, in whatever order they come."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.ids import new_id
from services.ingest.ledger.record import merge
from services.ingest.ledger.timeline import timeline

_EVENT, _TENANT, _DELIVERY = new_id(), new_id(), new_id()
_SENT, _DELIVERED = trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_DELIVERED
_BOUNCED, _COMPLAINED = trace_pb2.DELIVERY_STATUS_BOUNCED, trace_pb2.DELIVERY_STATUS_COMPLAINED


def _attempted(replay: int = 0) -> trace_pb2.TraceRecord:
    step = trace_pb2.Attempted(
        delivery_id=_DELIVERY, channel=event_pb2.CHANNEL_EMAIL, attempt=1, status=_SENT, provider="resend"
    )
    step.replay = replay
    return trace_pb2.TraceRecord(id=new_id(), event_id=_EVENT, tenant_id=_TENANT, at_us=1_000, attempted=step)


def _reported(
    status: trace_pb2.DeliveryStatus.ValueType, reason: str = "", *, replay: int = 0
) -> trace_pb2.TraceRecord:
    step = trace_pb2.Reported(
        delivery_id=_DELIVERY,
        channel=event_pb2.CHANNEL_EMAIL,
        attempt=1,
        replay=replay,
        status=status,
        reason=reason,
        provider="resend",
    )
    return trace_pb2.TraceRecord(id=new_id(), event_id=_EVENT, tenant_id=_TENANT, at_us=2_000, reported=step)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=lambda order: "".join(map(str, order)))
def test_reports_in_any_order_end_the_same(order: tuple[int, ...]) -> None:
    """The status of the highest rank stays, whichever report comes last."""
    records = [_attempted(), _reported(_DELIVERED), _reported(_COMPLAINED, "spam"), _reported(_DELIVERED)]
    row = merge([records[index] for index in order]).deliveries[_DELIVERY]
    assert (row.status, row.reason, row.attempts) == (_COMPLAINED, "spam", 1)


def test_a_report_of_an_earlier_replay_changes_nothing() -> None:
    """A report about the first message does not change a replayed delivery."""
    row = merge([_attempted(replay=1), _reported(_BOUNCED, "mailbox_gone")]).deliveries[_DELIVERY]
    assert (row.status, row.replay) == (_SENT, 1)


def test_an_unsubscription_is_a_line_and_moves_nothing() -> None:
    """It is on the timeline, and the delivery's status stays."""
    rows = merge([_attempted(), _reported(trace_pb2.DELIVERY_STATUS_UNSPECIFIED, "unsubscribed")])
    assert rows.deliveries[_DELIVERY].status == _SENT
    assert len(rows.attempts) == 2


@pytest.mark.parametrize(
    ("status", "step", "outcome"),
    [
        pytest.param(_DELIVERED, "delivered", "ok", id="delivered"),
        pytest.param(_BOUNCED, "bounced", "failed", id="bounced"),
        pytest.param(_COMPLAINED, "complained", "failed", id="complained"),
        pytest.param(0, "unsubscribed", "ok", id="unsubscribed"),
    ],
)
def test_a_report_is_one_step_of_the_timeline(status: int, step: str, outcome: str) -> None:
    """The step has the provider's text, and there is no step for rendering."""
    event: dict[str, Any] = {
        "accepted_at": None,
        "routed_at": None,
        "repeat_differed_at": None,
        "due_at": None,
        "canceled_at": None,
    }
    attempt = {
        "delivery_id": _DELIVERY,
        "channel": event_pb2.CHANNEL_EMAIL,
        "attempt": 1,
        "replay": 0,
        "status": status,
        "reason": "mailbox_gone",
        "detail": "550 no such user",
        "provider": "resend",
        "provider_id": "",
        "provider_message_id": "m1",
        "ended_at": datetime.now(UTC),
        "wait_us": 0,
        "render_us": 0,
        "send_us": 0,
        "next_attempt_at": None,
        "sms_segments": 0,
        "sms_encoding": "",
        "http_url": None,
    }
    (line,) = timeline(event, [], [attempt])
    assert (line.step, line.outcome, line.reason, line.detail, line.provider, line.service) == (
        step,
        outcome,
        "mailbox_gone",
        "550 no such user",
        "resend",
        "senders",
    )
