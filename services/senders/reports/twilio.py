"""Twilio's status callbacks: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status.

They carry no time, so a replayed one is not noticed; a repeated report changes nothing.
How they are signed: https://www.twilio.com/docs/usage/webhooks/webhooks-security and …/webhook-shared-keys.
"""

import base64
import hashlib
import hmac
import urllib.parse
from collections.abc import Iterator, Mapping

from clarion.common.v1 import trace_pb2
from services.domain import suppression_list
from services.domain.reasons import Reason
from services.senders.reports.fields import decode, joined, mapping, text
from services.senders.reports.forms import is_form, read_form
from services.senders.reports.ports import (
    Credentials,
    DeliveryReport,
    MalformedReport,
    ProviderCallback,
    ReportReader,
    UnverifiedCallback,
)

SETTING = "auth_token"
SHARED_KEY = "shared_key"

_SIGNATURE = "x-twilio-signature"
# "key=…,algorithm=HMAC_SHA256": sent if Twilio signs with a shared key.
_SIGNED_BY = "x-twilio-webhooks-signature-settings"
_ALGORITHMS = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
# In the URL's query, if the body is not a form.
_BODY_HASH = "bodySHA256"
_PORTS = {"https": ":443", "http": ":80"}

_DELIVERED = frozenset({"delivered", "read"})
_BOUNCED = frozenset({"undelivered", "failed"})
# https://www.twilio.com/docs/api/errors: no such number, a landline, not a mobile number.
_NO_SUCH = frozenset({"21211", "21214", "21217", "21614", "30005", "30006"})
_STOPPED = frozenset({"21610"})


def verify(callback: ProviderCallback, credentials: Credentials, _now_us: int) -> None:
    """Check X-Twilio-Signature over the URL and the form's fields, or the body's hash. Raises UnverifiedCallback."""
    key, algorithm = _key(callback, credentials)
    signed = _signed_fields(callback)
    shown = callback.headers.get(_SIGNATURE, "").encode()
    for url in _signed_urls([*_configured(callback, credentials), *callback.urls]):
        expected = base64.b64encode(hmac.digest(key, (url + signed).encode(), algorithm))
        if hmac.compare_digest(shown, expected):
            return
    raise UnverifiedCallback("X-Twilio-Signature is missing or wrong, or was made for another URL")


def is_ready(credentials: Credentials) -> bool:
    """Return whether a signature can be verified."""
    return bool(_token(credentials, SETTING) or _token(credentials, SHARED_KEY))


def _key(callback: ProviderCallback, credentials: Credentials) -> tuple[bytes, str]:
    """Return the key and the algorithm of the signature."""
    settings = callback.headers.get(_SIGNED_BY, "")
    named = dict(part.strip().partition("=")[::2] for part in settings.split(","))
    algorithm = _ALGORITHMS.get((named.get("algorithm") or "HMAC_SHA1").upper())
    if algorithm is None:
        raise UnverifiedCallback("the signature's algorithm is unknown")
    setting = SHARED_KEY if settings else SETTING
    token = _token(credentials, setting)
    if not token:
        raise UnverifiedCallback(f"the provider's {setting} is not set")
    return token.encode(), algorithm


def _token(credentials: Credentials, setting: str) -> str:
    return str(credentials.get(setting) or "").strip()


def _signed_fields(callback: ProviderCallback) -> str:
    """Return the text that is signed after the URL."""
    if is_form(callback):
        fields = read_form(callback)
        return "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name])))
    queries = [urllib.parse.parse_qs(url.partition("?")[2].partition("#")[0]) for url in callback.urls]
    said = {query.get(_BODY_HASH, [""])[0] for query in queries}
    if not said - {""}:
        raise MalformedReport("the body is not a form, and its hash is not in the URL")
    if said != {hashlib.sha256(callback.body).hexdigest()}:
        raise UnverifiedCallback(f"{_BODY_HASH} does not match the body")
    return ""


def _configured(callback: ProviderCallback, credentials: Credentials) -> list[str]:
    """Return the configured callback URL if it has the called path: a proxy may hide the URL that Twilio called.

    The part after "#" is only for Twilio.
    """
    given = str(credentials.get("status_callback") or "").strip().partition("#")[0]
    paths = {_path(url) for url in callback.urls}
    return [given] if given and _path(given) in paths else []


def _path(url: str) -> str:
    return url.partition("://")[2].partition("/")[2]


def _signed_urls(urls: list[str]) -> Iterator[str]:
    """Yield the URLs that Twilio may have signed: it is inconsistent about ports, and proxies hide scheme and port."""
    seen = set()
    for url in urls:
        _, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        name, colon, port = host.rpartition(":")
        ports = [""]
        if colon and port.isdigit():  # not the end of an IPv6 address in brackets
            host, ports = name, [":" + port, ""]
        for scheme, usual in _PORTS.items():
            for one in (*ports, usual):
                candidate = f"{scheme}://{host}{one}{slash}{path}"
                if candidate not in seen:
                    seen.add(candidate)
                    yield candidate


def parse(callback: ProviderCallback) -> list[DeliveryReport]:
    """Return the report; none for a message on its way. Raises MalformedReport."""
    fields = _fields(callback)
    message_id = fields.get("MessageSid") or fields.get("SmsSid", "")
    status = (fields.get("MessageStatus") or fields.get("SmsStatus", "")).lower()
    if status not in _DELIVERED | _BOUNCED:
        return []
    ids, address = ([message_id], "") if message_id else ([], fields.get("To", ""))
    if status in _DELIVERED:
        return [DeliveryReport(ids, trace_pb2.DELIVERY_STATUS_DELIVERED, address=address)]
    code = fields.get("ErrorCode", "")
    reason, suppression = Reason.UNDELIVERED, suppression_list.NONE
    if code in _NO_SUCH:
        reason, suppression = Reason.HARD_BOUNCE, suppression_list.BOUNCED
    elif code in _STOPPED:
        reason, suppression = Reason.OPTED_OUT, suppression_list.COMPLAINED
    detail = joined(status, code, fields.get("ErrorMessage"))
    return [DeliveryReport(ids, trace_pb2.DELIVERY_STATUS_BOUNCED, reason, detail, suppression, address=address)]


def _fields(callback: ProviderCallback) -> Mapping[str, str]:
    if is_form(callback):
        return {name: text(values[0]) for name, values in read_form(callback).items()}
    return {name: text(value) for name, value in mapping(decode(callback.body)).items()}


REPORT_READER = ReportReader(verify, parse, SETTING, is_ready)
