"""Twilio's status callbacks: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status.

They carry no time, so an old one cannot be told from a new one; a report changes nothing the second time.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from clarion.common.v1 import trace_pb2
from services import suppressed
from services.senders.reports.forms import read_form
from services.senders.reports.ports import Callback, Credentials, RefusedError, Report, Reporter

SETTING = "auth_token"

_DELIVERED = frozenset({"delivered", "read"})
_BOUNCED = frozenset({"undelivered", "failed"})
# https://www.twilio.com/docs/api/errors: no such number, a landline, not a mobile number.
_NO_SUCH = frozenset({"21211", "21214", "21217", "21614", "30005", "30006"})
_STOPPED = frozenset({"21610"})


def verify(callback: Callback, credentials: Credentials, _now_us: int) -> None:
    """Check X-Twilio-Signature over the URL and the form's fields. Raises RefusedError."""
    token = str(credentials.get(SETTING, "")).encode()
    if not token:
        raise RefusedError(f"the provider's {SETTING} is not set")
    fields = read_form(callback)
    signed = "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name])))
    shown = callback.headers.get("x-twilio-signature", "").encode()
    for url in callback.urls:
        expected = base64.b64encode(hmac.digest(token, (url + signed).encode(), hashlib.sha1))
        if hmac.compare_digest(shown, expected):
            return
    raise RefusedError("X-Twilio-Signature is missing or wrong, or was made for another URL")


def parse(callback: Callback) -> list[Report]:
    """Return the one report, or none: a message on its way is no news. Raises MalformedError."""
    fields = {name: values[0] for name, values in read_form(callback).items()}
    message_id = fields.get("MessageSid") or fields.get("SmsSid", "")
    status = (fields.get("MessageStatus") or fields.get("SmsStatus", "")).lower()
    if not message_id or status not in _DELIVERED | _BOUNCED:
        return []
    if status in _DELIVERED:
        return [Report([message_id], trace_pb2.DELIVERY_STATUS_DELIVERED)]
    return [_bounce(message_id, status, fields)]


def _bounce(message_id: str, status: str, fields: Mapping[str, str]) -> Report:
    code = fields.get("ErrorCode", "")
    reason, suppression = "undelivered", suppressed.NONE
    if code in _NO_SUCH:
        reason, suppression = "hard_bounce", suppressed.BOUNCED
    elif code in _STOPPED:
        reason, suppression = "opted_out", suppressed.COMPLAINED
    detail = " ".join(filter(None, (status, code, fields.get("ErrorMessage", ""))))
    return Report([message_id], trace_pb2.DELIVERY_STATUS_BOUNCED, reason, detail, suppression)


REPORTER = Reporter(verify, parse, SETTING)
