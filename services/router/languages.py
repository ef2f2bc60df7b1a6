"""Which of a channel's templates a recipient's language leads to. Pure."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from clarion.common.v1 import event_pb2
from services import locales

T = TypeVar("T")


class _Said(msgspec.Struct):
    locale: Any = None


_decode = msgspec.json.Decoder(_Said).decode


def wanted(event: event_pb2.Event) -> str:
    """Return the recipient's locale: of the payload, else of the variables; empty where neither says one."""
    for part in (event.payload_extra, event.variables):
        # Most events say none, and reading all of them costs more than this.
        if b'"locale"' not in part:
            continue
        try:
            said = _decode(part).locale
        except msgspec.DecodeError:
            continue
        if isinstance(said, str) and (locale := locales.normal(said)):
            return locale
    return ""


def best(found: Sequence[tuple[str, T]], wanted_locale: str, default: str) -> T | None:
    """Return the one of (locale, template) whose locale comes first in the chain of fallbacks; None: there is none."""
    by_locale = dict(found)
    for locale in locales.chain(wanted_locale, default):
        if locale in by_locale:
            return by_locale[locale]
    return None
