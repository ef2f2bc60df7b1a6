"""Makes a message of a delivery and its rendered content, or says why that is impossible."""

import re
from typing import Any, Protocol

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from services.delivery.ports import Verdict
from services.senders.ports import Reference, TenantProfile

# C0, DEL, C1, and the two Unicode line ends: whatever could start a new line.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Unsendable(Exception):
    """No message can be made of this delivery. verdict: PERMANENT, POSTPONED if it may be possible later, or
    SKIPPED if it is not allowed.

    reason: a word such as "invalid_recipient".
    """

    def __init__(self, reason: str, detail: str, verdict: Verdict = Verdict.PERMANENT) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.verdict = verdict


class Compose(Protocol):
    """A channel's function that makes its message. Raises Unsendable."""

    def __call__(
        self, delivery: event_pb2.Delivery, content: render_pb2.Content, tenant: TenantProfile | None, settings: Any, /
    ) -> Any:
        """Return the channel's message. settings: the provider's own."""


def reference(delivery: event_pb2.Delivery) -> Reference:
    """Return the ids that a message carries."""
    return Reference(delivery.tenant_id, delivery.event_id, delivery.id, delivery.trace_id, delivery.replay)


def one_line(text: str) -> str:
    """Return text without control characters or line ends, each run of them one space, ends trimmed."""
    return _CONTROL.sub(" ", text).strip()


def clean_lines(text: str) -> str:
    r"""Return text with "\n" as its only line end and without NUL."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
