"""From an answer to the result of an attempt, and to what the timeline shows of the call. Pure."""

from datetime import datetime

from runtime.printable import printable
from services.delivery.ports import MAX_DETAIL, SendResult, Verdict
from services.domain.endpoints import SLACK
from services.domain.reasons import Reason
from services.senders import exchanges
from services.senders.channels.http_api import retry_after_s
from services.senders.webhooks import slack
from services.senders.webhooks.ports import Answer, NoAnswer, OpenEndpoint

# The longest time for which an endpoint can ask to wait, seconds.
LONGEST_RETRY_AFTER_S = 24 * 3600.0
# Where it asks to be sent less without saying for how long, and where this process has too many calls under way.
_THROTTLED_S = 60.0
BUSY_S = 1.0


def of_answer(answer: Answer, opened: OpenEndpoint, now: datetime) -> SendResult:
    """Return the result of a call that was answered."""
    status, kind = answer.status, opened.endpoint.kind
    body = exchanges.without(answer.body, opened.hidden)
    http = exchanges.exchange(
        shown_url(opened), status, answer.headers, body, hidden=opened.hidden, is_cut=answer.is_cut
    )
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
    http = exchanges.exchange(shown_url(opened), error.status)
    return SendResult(verdict, kind, error.reason, error.detail, http=http)


def shown_url(opened: OpenEndpoint) -> str:
    """Return the address as records show it; the path of a Slack webhook is its password."""
    if opened.address is None:
        return ""
    return slack.shown_url(opened.address) if opened.endpoint.kind == SLACK else opened.address.shown
