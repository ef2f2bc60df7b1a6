"""Filters of subscriptions: JSON-Logic rules over an event. Pure."""

from typing import Any

import msgspec

from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain.checks import invalid

MAX_BYTES = 8 * 1024

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def check_filter(text: str | bytes, field: str = "filter") -> None:
    """Raise INVALID, which says what is wrong with the field, unless this JSON text is a rule."""
    raw = text.encode() if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        raise invalid(field, f"must have at most {MAX_BYTES} bytes")
    try:
        value = _decode_object(raw)
    except (ValueError, RecursionError):
        raise invalid(field, "must be a JSON object") from None
    if is_too_deep(raw, value):
        raise invalid(field, f"must be nested at most {MAX_DEPTH} levels deep")
