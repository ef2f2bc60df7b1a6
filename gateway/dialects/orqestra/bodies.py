"""Parsing of Orqestra's request bodies into messages for ingest."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from gateway.dialects.orqestra.errors import MalformedBodyError
from gateway.queries import Bounds
from gateway.replies import not_json
from runtime.errors import ClarionError, Code
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain import locales
from services.domain.channels import PUBLIC_NAMES

MAX_BODY_BYTES = 256 * 1024
MAX_ID_LENGTH = 255
# The page of an inbox. The published API names the default of 50 and no limits.
LIMIT = Bounds(default=50, least=1, most=1_000)
OFFSET = Bounds(default=0, least=0, most=10_000)
# Invalid addresses are accepted, and later skipped with that reason. Longer texts are refused.
MAX_ADDRESS_LENGTH = 1024

# The channels that a request may name, as the published API spells them.
CHANNELS = {
    PUBLIC_NAMES[number]: number for number in (event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_PUSH)
}

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_PAYLOAD_KEYS = ("userId", "recipientEmail", "recipientPhone")
# Keeps the order of keys, because templates loop over them.
_encode = msgspec.json.Encoder().encode

Faults = list[tuple[str, str]]


def parse_trigger(raw: bytes) -> ingest_pb2.NewEvent:
    """Return the event. Raises MalformedBodyError, or INVALID with every invalid field."""
    body = _object(raw)
    faults: Faults = []
    event_type = _text(body, "eventType", faults, required=True)
    event_id = _text(body, "eventId", faults)
    channels = _channels(body.get("channels"), faults)
    payload = _mapping(body, "payload", faults, required=True)
    variables = _mapping(body, "variables", faults)
    recipient = event_pb2.Recipient()
    if payload is not None:
        recipient.user_id = _text(payload, "userId", faults, "payload.", required=True)
        recipient.email = _text(payload, "recipientEmail", faults, "payload.", shortest=0, longest=MAX_ADDRESS_LENGTH)
        recipient.phone = _text(payload, "recipientPhone", faults, "payload.", shortest=0, longest=MAX_ADDRESS_LENGTH)
        recipient.locale = _locale(payload, variables or {})
    if faults:
        raise _invalid(faults)
    extra = {name: value for name, value in (payload or {}).items() if name not in _PAYLOAD_KEYS}
    return ingest_pb2.NewEvent(
        event_type=event_type,
        caller_event_id=event_id,
        recipient=recipient,
        variables=_encode(variables) if variables else b"",
        payload_extra=_encode(extra) if extra else b"",
        channels=channels,
    )


def parse_user_id(raw: bytes) -> str:
    """Return the userId of a token request. Raises like parse_trigger()."""
    faults: Faults = []
    user_id = _text(_object(raw), "userId", faults, required=True)
    if faults:
        raise _invalid(faults)
    return user_id


def parse_idempotency_key(headers: Mapping[str, str]) -> str:
    """Return X-Idempotency-Key, empty if there is none. Raises INVALID."""
    key = headers.get("X-Idempotency-Key")
    if key is None:
        return ""
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise _invalid([("X-Idempotency-Key", "must be 1 to 255 visible ASCII characters")])
    return key


def check_user_id(user_id: str) -> None:
    """Check a user id in a path by the rules of payload.userId. Raises INVALID."""
    faults: Faults = []
    _text({"userId": user_id}, "userId", faults, required=True)
    if faults:
        raise _invalid(faults)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(raw)
    except msgspec.ValidationError as error:  # without a type, only numbers can be invalid
        raise _invalid([("body", "holds a number that is out of range")]) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MalformedBodyError(not_json(error)) from error
    if not isinstance(body, dict):
        raise _invalid([("body", "must be a JSON object")])
    if is_too_deep(raw, body):
        raise _invalid([("body", f"must be nested at most {MAX_DEPTH} levels deep")])
    return body


def _text(
    body: Mapping[str, Any],
    name: str,
    faults: Faults,
    prefix: str = "",
    *,
    required: bool = False,
    shortest: int = 1,
    longest: int = MAX_ID_LENGTH,
) -> str:
    value = body.get(name)
    fault = ""
    if value is None:
        fault = "is required" if required else ""
    elif not isinstance(value, str):
        fault = "must be a string"
    elif len(value) > longest:
        fault = f"must be at most {longest} characters long"
    elif len(value) < shortest:
        fault = "must not be empty"
    elif "\0" in value:
        fault = "must not contain a NUL character"
    if fault:
        faults.append((prefix + name, fault))
    return value if isinstance(value, str) and not fault else ""


def _mapping(body: Mapping[str, Any], name: str, faults: Faults, *, required: bool = False) -> dict[str, Any] | None:
    value = body.get(name)
    if isinstance(value, dict):
        return value
    if value is not None:
        faults.append((name, "must be an object"))
    elif required:
        faults.append((name, "is required"))
    return None


def _locale(*sources: Mapping[str, Any]) -> str:
    """Return the recipient's locale, a normal tag: the first one that is one; empty: there is none."""
    for source in sources:
        found = source.get("locale")
        if isinstance(found, str) and (locale := locales.normal(found)):
            return locale
    return ""


def _channels(value: Any, faults: Faults) -> "list[event_pb2.Channel.ValueType]":
    if value is None:
        return []
    if not isinstance(value, list):
        faults.append(("channels", "must be a list"))
        return []
    channels: dict[event_pb2.Channel.ValueType, None] = {}
    for position, name in enumerate(value):
        if isinstance(name, str) and name in CHANNELS:
            channels[CHANNELS[name]] = None
        else:
            faults.append((f"channels[{position}]", f"must be one of {', '.join(CHANNELS)}"))
            break
    return sorted(channels)


def _invalid(faults: Faults) -> ClarionError:
    detail = "; ".join(f"{field} {fault}" for field, fault in faults)
    return ClarionError(Code.INVALID, detail, fields=faults)
