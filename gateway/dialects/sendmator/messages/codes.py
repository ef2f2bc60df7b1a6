"""POST /otp/…: one-time codes.

A session of this API has a code for each channel. Each is a session of the router's codes, and the session token of
this API is a list of theirs: nothing is kept here.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from clarion.common.v1 import event_pb2
from clarion.router.v1 import codes_pb2, recipients_pb2
from gateway.dialects.sendmator import times
from gateway.dialects.sendmator.bodies import Fields
from gateway.dialects.sendmator.calls import Call
from gateway.dialects.sendmator.errors import ApiError, bad_request, message_of, unknown_channel
from gateway.dialects.sendmator.messages.messages import code_message
from gateway.dialects.sendmator.triggers.views import CHANNELS
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code
from services.domain import code_subjects

# What may be asked for, with the router's defaults.
DIGITS = (4, 10)
EXPIRY_S = (60, 3_600)
MAX_ATTEMPTS = (1, 10)

_CHANNELS = (code_subjects.EMAIL, code_subjects.SMS)
_PREFIX = "otp_"
_SUBJECT = "Your verification code"
_HTML = "<p>Your verification code is <strong>{{code}}</strong>. It is valid for {{expires_in_minutes}} minutes.</p>"
_TEXT = "Your verification code is {{code}}. It is valid for {{expires_in_minutes}} minutes."
_OUTCOMES = {
    codes_pb2.CODE_OUTCOME_WRONG: "Invalid OTP",
    codes_pb2.CODE_OUTCOME_EXPIRED: "OTP has expired",
    codes_pb2.CODE_OUTCOME_LOCKED: "Too many failed attempts",
    codes_pb2.CODE_OUTCOME_USED: "OTP was used already",
}


class Memo(msgspec.Struct, omit_defaults=True):
    """What the router keeps for us with a session: how to send another code."""

    channel: str
    address: str
    template_key: str = ""
    sandbox: bool = False
    expiry_s: int = 0
    add_contact: bool = False


class _Sent(NamedTuple):
    token: str
    code: str
    expires_at_us: int


async def send(call: Call) -> web.Response:
    """Send a code on each channel."""
    body = await call.body()
    recipients = _recipients(body)
    settings = body.fields("config")
    sandbox = body.flag("sandbox_mode") or False
    digits = settings.number("otp_length", least=DIGITS[0], most=DIGITS[1])
    expiry_s = _expiry(settings)
    attempts = settings.number("max_attempts", least=MAX_ATTEMPTS[0], most=MAX_ATTEMPTS[1])
    template_key = body.text("template_key")
    add_contact = body.flag("add_contact") or False
    sent: dict[str, _Sent] = {}
    for channel, address in recipients.items():
        memo = Memo(channel, address, template_key, sandbox, expiry_s, add_contact)
        wire = codes_pb2.CreateCodeRequest(
            tenant_id=call.caller.tenant_id,
            scope=call.caller.team,
            subject=code_subjects.subject(channel, address),
            digits=digits or 0,
            ttl_s=expiry_s,
            max_attempts=attempts or 0,
            memo=msgspec.json.encode(memo),
        )
        made = await call.ask(call.clients.codes.CreateCode, wire)
        await _deliver(call, memo, made.code)
        sent[channel] = _Sent(made.session_token, made.code, made.expires_at_us)
    return _sent(sent, recipients, sandbox=sandbox, message="OTP sent successfully")


async def resend(call: Call) -> web.Response:
    """Send a new code on each channel of a session; the old ones are good for nothing."""
    tokens = _tokens(await call.body())
    sent: dict[str, _Sent] = {}
    recipients: dict[str, str] = {}
    sandbox = False
    for channel, token in tokens.items():
        wire = codes_pb2.RenewCodeRequest(tenant_id=call.caller.tenant_id, session_token=token)
        try:
            made = await call.ask(call.clients.codes.RenewCode, wire)
        except ClarionError as error:
            raise _renewal_fault(error) from None
        memo = msgspec.json.decode(made.memo, type=Memo)
        await _deliver(call, memo, made.code)
        recipients[channel], sandbox = memo.address, memo.sandbox
        sent[channel] = _Sent(token, made.code, made.expires_at_us)
    return _sent(sent, recipients, sandbox=sandbox, message="OTP resent successfully")


async def verify(call: Call) -> web.Response:
    """Check codes of a session: each that is given counts as an attempt. Who proved an address may become a contact."""
    body = await call.body()
    tokens = _tokens(body)
    codes = _codes(body, tokens)
    results: dict[str, dict[str, Any]] = {}
    proven: list[Memo] = []
    for channel, code in codes.items():
        wire = codes_pb2.CheckCodeRequest(tenant_id=call.caller.tenant_id, session_token=tokens[channel], code=code)
        try:
            found = await call.ask(call.clients.codes.CheckCode, wire)
        except ClarionError as error:
            if error.code is Code.NOT_FOUND:
                raise ApiError(404, "OTP session not found") from None
            raise
        succeeded = found.outcome == codes_pb2.CODE_OUTCOME_VERIFIED
        results[channel] = {
            "success": succeeded,
            "message": "OTP verified successfully" if succeeded else _OUTCOMES.get(found.outcome, "Invalid OTP"),
            "attempts_left": found.attempts_left,
        }
        # Also of a code that was used: if the contact was not stored then, the call that is repeated stores them.
        if found.memo:
            proven.append(msgspec.json.decode(found.memo, type=Memo))
    contact = await _contact(call, proven)
    verified = all(one["success"] for one in results.values())
    data = {"verified": verified, "valid": verified, "verification_results": results, **contact}
    return json_reply({"success": True, **data, "data": data})


async def _contact(call: Call, proven: Sequence[Memo]) -> dict[str, str | None]:
    """Find or store the contact with the addresses that were proven, if a session wants it; return their field."""
    addresses = {memo.channel: memo.address for memo in proven if memo.add_contact and not memo.sandbox}
    if not addresses:
        return {}
    recipient = event_pb2.Recipient(
        email=addresses.get(code_subjects.EMAIL, ""), phone=addresses.get(code_subjects.SMS, "")
    )
    wire = recipients_pb2.StoreContactRequest(
        tenant_id=call.caller.tenant_id, contact=event_pb2.Contact(recipient=recipient)
    )
    try:
        stored = await call.ask(call.clients.recipients.StoreContact, wire)
    except ClarionError as error:
        if error.code is not Code.INVALID:
            raise
        return {"contact_external_id": None}  # the codes are right all the same
    return {"contact_external_id": stored.recipient_id}


async def _deliver(call: Call, memo: Memo, code: str) -> None:
    """Send a code, unless the caller only wants to try."""
    if memo.sandbox:
        return
    channel = CHANNELS[memo.channel]
    content = event_pb2.DirectMessage(channel=channel)
    if memo.template_key:
        content.template_key = memo.template_key
    elif channel == event_pb2.CHANNEL_EMAIL:
        content.content_given.CopyFrom(event_pb2.DirectContent(subject=_SUBJECT, body=_HTML, text=_TEXT))
    else:
        content.content_given.CopyFrom(event_pb2.DirectContent(body=_TEXT))
    minutes = max(memo.expiry_s // 60, 1)
    variables = {"code": code, "otp": code, "expires_in_minutes": minutes, "expiry_minutes": minutes}
    await call.accept(code_message(call.caller, channel, memo.address, content, variables))


def _sent(sent: Mapping[str, _Sent], recipients: Mapping[str, str], *, sandbox: bool, message: str) -> web.Response:
    token = _joined({channel: one.token for channel, one in sent.items()})
    data: dict[str, Any] = {
        # One of the vendor's documents has the first name, another the second, a third the last.
        "session_id": token,
        "session_token": token,
        "token": token,
        "expires_at": times.iso(min(one.expires_at_us for one in sent.values())),
        "channels": list(sent),
        "recipients": dict(recipients),
    }
    if sandbox:
        data["otps"] = {channel: one.code for channel, one in sent.items()}
    return json_reply({"success": True, "message": message, "data": data}, status=201)


def _recipients(body: Fields) -> dict[str, str]:
    """Return the addresses by channel. Raises ApiError."""
    channels = body.texts("channels", "channel", most=3)
    if not channels:
        raise bad_request("channels is required")
    given = body.fields("recipients")
    addresses = {channel: given.text(channel, longest=320).strip() for channel in _CHANNELS}
    single = body.text("identifier", longest=320).strip()
    found: dict[str, str] = {}
    for channel in channels:
        if channel not in _CHANNELS:
            raise unknown_channel("channels", channel, _CHANNELS)
        found[channel] = addresses[channel] or single
        if not found[channel]:
            raise bad_request(f"recipients.{channel} is required")
    return found


def _expiry(settings: Fields) -> int:
    """Return how long a code is valid, seconds; the router's default if the body does not say it."""
    least, most = EXPIRY_S
    minutes = settings.number("expiry_minutes", least=1, most=most // 60)
    seconds = settings.number("expiry_seconds", least=least, most=most)
    return seconds or (minutes or 10) * 60


def _codes(body: Fields, tokens: Mapping[str, str]) -> dict[str, str]:
    """Return the codes by channel. Raises ApiError."""
    given = body.fields("otps")
    found = {channel: given.text(channel, longest=16) for channel in given.names() if channel in given}
    if not found and (code := body.text("code", "otp", longest=16)) and len(tokens) == 1:
        found = dict.fromkeys(tokens, code)
    if not found:
        raise bad_request("otps is required: an object with the code of at least one channel")
    if unknown := [channel for channel in found if channel not in tokens]:
        raise bad_request(f"otps.{unknown[0][:64]} has no code in this session")
    return found


def _joined(tokens: Mapping[str, str]) -> str:
    return _PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(tokens)).decode().rstrip("=")


def _tokens(body: Fields) -> dict[str, str]:
    """Return the router's session tokens by channel. Raises ApiError."""
    text = body.text("session_token", "token", "session_id", longest=2048)
    if not text:
        raise bad_request("session_token is required")
    packed = text.removeprefix(_PREFIX)
    try:
        raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        found = msgspec.json.decode(raw, type=dict[str, str])
    except (binascii.Error, ValueError):
        found = {}
    if not found or not found.keys() <= set(_CHANNELS):
        raise ApiError(404, "OTP session not found")
    return found


def _renewal_fault(error: ClarionError) -> Exception:
    if error.code is Code.NOT_FOUND:
        return ApiError(404, "OTP session not found")
    if error.code is Code.CONFLICT:
        return ApiError(429, message_of(error), retry_after=max(error.retry_after, 1))
    return error
