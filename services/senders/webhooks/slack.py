"""Messages for incoming webhooks of Slack, and what these answer. Pure.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from typing import Any

import msgspec

from runtime.egress.urls import WebAddress
from runtime.printable import printable
from services.delivery.ports import MAX_DETAIL

# The most characters of the default message.
MAX_TEXT = 3_000

_FENCE = "```"


def body(event_type: str, variables: bytes) -> bytes:
    """Return the body of a message: the payload's own "text" and "blocks", where it has any, else the default message.

    variables: a JSON object.
    """
    payload = _object(variables)
    own: dict[str, Any] = {}
    if isinstance(text := payload.get("text"), str) and text:
        own["text"] = text
    if isinstance(blocks := payload.get("blocks"), list) and blocks:
        own["blocks"] = blocks
    if own:
        return msgspec.json.encode(own)
    return msgspec.json.encode({"text": default_text(event_type, variables)})


def default_text(event_type: str, variables: bytes) -> str:
    """Return the event's type in bold and its payload as JSON, escaped for Slack, at most MAX_TEXT characters."""
    head, tail = f"*{_escaped(event_type)}*\n{_FENCE}\n", f"\n{_FENCE}"
    left = MAX_TEXT - len(head) - len(tail) - 1
    written = _indented(variables)
    # A fence within the payload would end the block. Only what may fit is escaped.
    pieces = [_escaped(one) for one in written[: MAX_TEXT + 1].replace(_FENCE, "'''")]
    cut: list[str] = []
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            return f"{head}{''.join(cut)}…{tail}"
        cut.append(piece)
    return f"{head}{''.join(cut)}{tail}"


def refusal(answer: bytes) -> str:
    """Return why a message was not taken although the status is a success; empty: it was ("ok")."""
    found = _object(answer)
    if found.get("ok") is False:
        return printable(str(found.get("error") or "not ok"), MAX_DETAIL)
    return ""


def shown_url(address: WebAddress) -> str:
    """Return the address without its path, which is a password."""
    return f"{address.scheme}://{address.place}/***"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _indented(variables: bytes) -> str:
    try:
        return msgspec.json.format(variables, indent=2).decode()
    except (msgspec.DecodeError, RecursionError):
        return variables.decode(errors="replace")


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
