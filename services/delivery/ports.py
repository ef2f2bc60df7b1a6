"""What the worker needs of a channel, and what a channel answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2

# What a far side said is recorded up to here, characters.
MAX_DETAIL = 500


class Verdict(Enum):
    """What became of one attempt at the provider."""

    SENT = "sent"
    # Worth another try: a timeout, a refused connection, a 5xx.
    TRANSIENT = "transient"
    # The provider asks to slow down; retry_after_s says for how long, where it said so.
    THROTTLED = "throttled"
    # The provider refuses the account: wrong credentials, no credit. For an operator to mend; asking again is no use.
    CREDENTIALS = "credentials"
    # Nobody was asked, as all who could be have said when to come back: retry_after_s. No attempt.
    POSTPONED = "postponed"
    # No use in trying again: a malformed address, rejected content.
    PERMANENT = "permanent"
    # Decided at the last moment not to send: the reason says why.
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class SendResult:
    """An attempt's answer. A provider's no is a SendResult, not an exception.

    reason: a word such as "provider_timeout". detail: the provider's own words, never with credentials in them; what is
    recorded of them is one line of at most MAX_DETAIL characters. provider: its kind. provider_id: which of the
    tenant's it was. earlier: who was asked in vain before, within this attempt.
    """

    verdict: Verdict
    provider: str
    reason: str = ""
    detail: str = ""
    provider_message_id: str = ""
    provider_id: str = ""
    retry_after_s: float = 0.0
    earlier: "Sequence[ProviderCall]" = ()


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One provider that was asked in vain before another one. Unix times in microseconds."""

    result: SendResult
    ended_us: int
    took_us: int


class Attempter(Protocol):
    """A channel's side of the worker.

    PartAway (runtime.parts): a part of ours is away, and nothing was sent. It is no attempt, and is made once the part
    is back. Any other exception means our own fault: the attempt is retried as TRANSIENT.
    """

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """Name what a hung far side would hold up (such as tenant and provider): its attempts share one bound."""

    async def attempt(self, delivery: event_pb2.Delivery, content: render_pb2.Content) -> SendResult:
        """Send the rendered content once. Bounded in time by the worker (attempt_deadline_s)."""
