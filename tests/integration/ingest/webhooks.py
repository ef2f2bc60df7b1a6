"""Events for endpoints, and records of what became of their deliveries."""

from collections.abc import Sequence
from typing import Any

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.ids import new_id
from services.domain.delivery_ids import CURRENT_SCHEME, delivery_id
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, SENT

WEBHOOK = event_pb2.CHANNEL_WEBHOOK
FAILED = trace_pb2.DELIVERY_STATUS_FAILED


def event(tenant_id: str, *endpoint_ids: str, **fields: Any) -> event_pb2.Event:
    """An accepted event for these endpoints alone."""
    one = builders.event(tenant_id, id_scheme=CURRENT_SCHEME, **{"variables": b'{"n":1}', **fields})
    one.ClearField("recipient")
    one.endpoints.endpoint_ids.extend(endpoint_ids)
    return one


def delivery(one: event_pb2.Event, endpoint_id: str) -> str:
    """The id of its delivery to an endpoint."""
    return delivery_id(one, WEBHOOK, endpoint_id, step="webhook")


def planned(
    one: event_pb2.Event, endpoint_id: str, status: trace_pb2.DeliveryStatus.ValueType = QUEUED, reason: str = ""
) -> trace_pb2.PlannedDelivery:
    """The router's decision on an endpoint."""
    return trace_pb2.PlannedDelivery(
        delivery_id=delivery(one, endpoint_id),
        channel=WEBHOOK,
        status=status,
        reason=reason,
        endpoint_id=endpoint_id,
        step="webhook",
    )


def plan(one: event_pb2.Event, endpoint_ids: Sequence[str] | None = None) -> trace_pb2.TraceRecord:
    """The router's record; endpoint_ids: instead of those that the event names."""
    wanted = one.endpoints.endpoint_ids if endpoint_ids is None else endpoint_ids
    return builders.plan(one, [planned(one, endpoint_id) for endpoint_id in wanted])


def attempted(
    one: event_pb2.Event,
    endpoint_id: str,
    status: trace_pb2.DeliveryStatus.ValueType = SENT,
    attempt: int = 1,
    *,
    replay: int = 0,
    reason: str = "",
    next_us: int = 0,
    http: trace_pb2.HttpExchange | None = None,
) -> trace_pb2.TraceRecord:
    """A sender's record of a call. A dead one has its letter."""
    record = builders.attempted(one, delivery(one, endpoint_id), status, attempt, replay=replay)
    step = record.attempted
    step.channel, step.provider, step.next_attempt_at_us = WEBHOOK, "webhook", next_us
    step.reason = reason or ("" if status == SENT else "endpoint_error")
    if status == DEAD:
        step.dead_letter.channel = WEBHOOK
        step.dead_letter.webhook.endpoint_id = endpoint_id
        step.dead_letter.variables = one.variables
    if http is not None:
        step.http.CopyFrom(http)
    return record


def parked(
    one: event_pb2.Event,
    endpoint_id: str,
    reason: str = "endpoint_down",
    attempt: int = 1,
    *,
    replay: int = 0,
    until_us: int = 0,
    after_us: int = 5_000,
) -> trace_pb2.TraceRecord:
    """A sender's record that a delivery waits in a row."""
    return trace_pb2.TraceRecord(
        id=new_id(),
        event_id=one.id,
        tenant_id=one.tenant_id,
        at_us=one.accepted_at_us + 10_000 * (attempt - 1) + after_us,
        parked=trace_pb2.Parked(
            delivery_id=delivery(one, endpoint_id),
            channel=WEBHOOK,
            reason=reason,
            until_us=until_us,
            attempt=attempt,
            replay=replay,
        ),
    )


def answer(status: int = 200, body: bytes = b"ok", **fields: Any) -> trace_pb2.HttpExchange:
    """What an endpoint answered."""
    return trace_pb2.HttpExchange(
        url="https://a.example/hook",
        status=status,
        headers=[trace_pb2.HttpHeader(name="content-type", value="text/plain")],
        body=body,
        **fields,
    )
