"""From an answer to the result of an attempt, and to what the timeline shows of the call. Pure."""

from collections.abc import Sequence
from datetime import datetime

from clarion.common.v1 import trace_pb2
from runtime.printable import printable
from services.delivery.ports import MAX_DETAIL, SendResult, Verdict
from services.domain.endpoints import SLACK
from services.domain.reasons import Reason
from services.senders.channels.http_api import retry_after_s
from services.senders.webhooks import slack
from services.senders.webhooks.ports import Answer, NoAnswer, OpenEndpoint

# The longest time for which an endpoint can ask to wait, seconds.
LONGEST_RETRY_AFTER_S = 24 * 3600.0
# Where it asks to be sent less without saying for how long, and where this process has too many calls under way.
_THROTTLED_S = 60.0
BUSY_S = 1.0

# What a record keeps of an answer.
MAX_BODY_BYTES = 4 * 1024
MAX_HEADERS = 50
MAX_HEADER_BYTES = 4 * 1024
_MAX_VALUE = 1_024

_HIDDEN = "***"


def of_answer(answer: Answer, opened: OpenEndpoint, now: datetime) -> SendResult:
    """Return the result of a call that was answered."""
    status, kind = answer.status, opened.endpoint.kind
    body = _without(answer.body, opened.hidden)
    http = _exchange(opened, status, answer.headers, body, is_cut=answer.is_cut)
    said = printable(body[: 4 * MAX_DETAIL].decode(errors="replace"), MAX_DETAIL)
    detail = f"{status} {said}".rstrip()
    if 200 <= status < 300:
        if kind == SLACK and (refused := slack.refusal(body)):
            return SendResult(Verdict.TRANSIENT, kind, Reason.ENDPOINT_ERROR, refused, http=http)
        return SendResult(Verdict.SENT, kind, http=http)
    if status == 410:
        return SendResult(Verdict.PERMANENT, kind, Reason.ENDPOINT_ANSWERED_GONE, detail, http=http)
    wait_s = 0.0
    if status in {429, 503}:
        wait_s = retry_after_s(dict(answer.headers), now=now, longest_s=LONGEST_RETRY_AFTER_S)
    if status == 429:
        wait_s = wait_s or _THROTTLED_S
        return SendResult(Verdict.THROTTLED, kind, Reason.ENDPOINT_THROTTLED, detail, retry_after_s=wait_s, http=http)
    return SendResult(Verdict.TRANSIENT, kind, Reason.ENDPOINT_ERROR, detail, retry_after_s=wait_s, http=http)


def of_no_answer(error: NoAnswer, opened: OpenEndpoint) -> SendResult:
    """Return the result of a call without a complete answer."""
    kind = opened.endpoint.kind
    if error.reason == Reason.ENDPOINT_BUSY:
        return SendResult(Verdict.PARKED, kind, Reason.ENDPOINT_BUSY, error.detail, retry_after_s=BUSY_S)
    verdict = Verdict.PERMANENT if error.reason == Reason.ADDRESS_NOT_ALLOWED else Verdict.TRANSIENT
    http = _exchange(opened, error.status, (), b"", is_cut=False)
    return SendResult(verdict, kind, error.reason, error.detail, http=http)


def _exchange(
    opened: OpenEndpoint, status: int, headers: Sequence[tuple[str, str]], body: bytes, *, is_cut: bool
) -> trace_pb2.HttpExchange:
    kept, left = [], MAX_HEADER_BYTES
    for name, value in headers[:MAX_HEADERS]:
        shown = printable(_without(value.encode(), opened.hidden).decode(errors="replace"), _MAX_VALUE)
        left -= len(name) + len(shown.encode())
        if left < 0:
            break
        kept.append(trace_pb2.HttpHeader(name=name, value=shown))
    return trace_pb2.HttpExchange(
        url=shown_url(opened),
        status=status,
        headers=kept,
        body=body[:MAX_BODY_BYTES],
        is_cut=is_cut or len(body) > MAX_BODY_BYTES,
    )


def shown_url(opened: OpenEndpoint) -> str:
    """Return the address as records show it; the path of a Slack webhook is its password."""
    if opened.address is None:
        return ""
    return slack.shown_url(opened.address) if opened.endpoint.kind == SLACK else opened.address.shown


def _without(data: bytes, hidden: Sequence[str]) -> bytes:
    """Return data without the values that the endpoint was sent as secrets, which it may repeat."""
    for one in hidden:
        data = data.replace(one.encode(), _HIDDEN.encode())
    return data
