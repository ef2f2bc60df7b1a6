"""The wire form of an overview: pure."""

from collections.abc import Mapping

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import activity_pb2
from services.ingest.activity.counts import SLOT_S, Durations, Overview, Span
from services.ingest.ledger.timeline import Row, to_us

MAX_AHEAD_US = 86_400_000_000

_SLOT_US = SLOT_S * 1_000_000
_ALL = event_pb2.CHANNEL_UNSPECIFIED


def overview_response(
    overview: Overview, span: Span, oldest: Row | None, waiting: Row | None
) -> activity_pb2.GetOverviewResponse:
    """Return an overview. oldest: the row of the event that waits the longest. waiting: that of its delivery."""
    by_slot: dict[int, list[activity_pb2.OverviewCount]] = {}
    for (slot, channel, status), n in sorted(overview.statuses.items()):
        by_slot.setdefault(slot, []).append(
            activity_pb2.OverviewCount(channel=_channel(channel), status=_status(status), count=n)
        )
    return activity_pb2.GetOverviewResponse(
        since_us=span.first * _SLOT_US,
        until_us=span.end * _SLOT_US,
        step_s=span.step * SLOT_S,
        steps=[_step(overview, by_slot, slot) for slot in range(span.first, span.end, span.step)],
        durations=[
            _duration(_ALL, overview.total()),
            *(_duration(channel, one) for channel, one in sorted(overview.by_channel.items())),
        ],
        reasons=[
            activity_pb2.OverviewReason(status=_status(status), channel=_channel(channel), reason=reason, count=n)
            for status, channel, reason, n in overview.top_reasons()
        ],
        oldest_waiting=None if oldest is None else _oldest(oldest, waiting),
    )


def _step(
    overview: Overview, counts: Mapping[int, list[activity_pb2.OverviewCount]], slot: int
) -> activity_pb2.OverviewStep:
    return activity_pb2.OverviewStep(
        at_us=slot * _SLOT_US,
        events=overview.events.get(slot, 0),
        counts=counts.get(slot, []),
        duration=_duration(_ALL, overview.durations.get(slot, Durations())),
    )


def _duration(channel: int, durations: Durations) -> activity_pb2.OverviewDuration:
    return activity_pb2.OverviewDuration(
        channel=_channel(channel),
        count=durations.count,
        p50_ms=durations.quantile_ms(0.5),
        p95_ms=durations.quantile_ms(0.95),
    )


def _oldest(event: Row, delivery: Row | None) -> activity_pb2.OldestWaiting:
    shown = activity_pb2.OldestWaiting(
        event_id=str(event["id"]),
        tenant_id=str(event["tenant_id"]),
        tenant_name=event["tenant_name"],
        event_type=event["event_type"] or "",
        since_us=to_us(event["since"]),
    )
    if delivery is not None:
        shown.delivery_id = str(delivery["id"])
        shown.channel, shown.status = delivery["channel"], delivery["status"]
        shown.reason, shown.provider = delivery["reason"] or "", delivery["provider"]
        shown.attempts = delivery["attempts"]
    return shown


def _channel(number: int) -> event_pb2.Channel.ValueType:
    return event_pb2.Channel.ValueType(number)


def _status(number: int) -> trace_pb2.DeliveryStatus.ValueType:
    return trace_pb2.DeliveryStatus.ValueType(number)
