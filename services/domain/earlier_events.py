"""Reads events in the form of earlier versions: pure. They stay in streams and in the ledger for months."""

from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from services.domain import locales


class _Body(msgspec.Struct):
    locale: Any = None


_decode = msgspec.json.Decoder(_Body).decode


def locale_of(payload_extra: bytes, variables: bytes) -> str:
    """Return the recipient's locale, a normal tag, where Recipient.locale did not hold it yet; empty: there is none.

    payload_extra, variables: of the event; the first of them that has a usable "locale" counts.
    """
    # Most events have none, and this test is cheaper than decoding.
    if b'"locale"' not in payload_extra and b'"locale"' not in variables:
        return ""
    for part in (payload_extra, variables):
        try:
            found = _decode(part).locale
        except msgspec.DecodeError:
            continue
        if isinstance(found, str) and (locale := locales.normal(found)):
            return locale
    return ""


def modernise(event: event_pb2.Event) -> None:
    """Give an event that an earlier version accepted the form of today's: its recipient's locale was in its body."""
    if event.id_scheme == 0 and not event.recipient.locale:
        locale = locale_of(event.payload_extra, event.variables)
        if locale:
            event.recipient.locale = locale
