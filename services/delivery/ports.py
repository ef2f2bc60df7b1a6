"""What the worker needs of a channel, and the result of an attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2

# The most characters that are recorded of a provider's answer.
MAX_DETAIL = 500


class Verdict(Enum):
    """The kind of result that an attempt had."""

    SENT = "sent"
    # It may work next time: a timeout, a refused connection, a 5xx.
    TRANSIENT = "transient"
    # The provider asks to slow down; retry_after_s says for how long, where it said so.
    THROTTLED = "throttled"
    # The provider refuses the account: wrong credentials, no credit. An operator must fix it.
    CREDENTIALS = "credentials"
    # No provider was called, because all of them are throttled or busy for retry_after_s. This is no attempt.
    POSTPONED = "postponed"
    # It will never work: a malformed address, rejected content.
    PERMANENT = "permanent"
    # Clarion decided not to send it after all: the reason says why.
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of an attempt, or of one call to a provider. A provider's refusal is a result, not an exception.

    reason: a word such as "provider_timeout". detail: the provider's own words, without credentials; one line of at
    most MAX_DETAIL characters of it is recorded. provider: the provider's kind. provider_id: which of the tenant's
    providers it was. earlier: the calls to other providers that failed before, within this attempt.
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
    """One call to one provider. ended_us: Unix microseconds. took_us: microseconds."""

    result: SendResult
    ended_us: int
    took_us: int


class Attempter(Protocol):
    """Sends the deliveries of a channel.

    PartAway (runtime.parts) means that a part of Clarion is away and nothing was sent: this is no attempt, and the
    worker calls again once the part answers. Any other exception is a fault of ours: the attempt counts as TRANSIENT.
    """

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """Return the name of the slot: attempts that would hang together, such as those of one provider, share it."""

    async def attempt(self, delivery: event_pb2.Delivery, content: render_pb2.Content) -> SendResult:
        """Send the rendered content once. The worker cancels it after attempt_deadline_s."""
