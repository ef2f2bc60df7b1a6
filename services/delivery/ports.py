"""What the worker needs of a channel, and the result of an attempt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from clarion.common.v1 import event_pb2, trace_pb2

# Returns why a delivery must not be sent; empty: it may be. It answers from memory.
Refusal: TypeAlias = Callable[[event_pb2.Delivery], str]
# Returns a delivery's own delays in place of its retry policy's; empty: it has none. It answers from memory.
Delays: TypeAlias = Callable[[event_pb2.Delivery], Sequence[float]]

T = TypeVar("T")

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
    # Nothing was called, because what is needed is throttled or busy for retry_after_s. This is no attempt.
    POSTPONED = "postponed"
    # It will never work: a malformed address, rejected content.
    PERMANENT = "permanent"
    # Clarion decided not to send it after all: the reason says why.
    SKIPPED = "skipped"
    # Nothing was called, and it waits in a row (Parking) for retry_after_s; 0: until something else changes. This is no
    # attempt.
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Handed:
    """What a provider was handed, without credentials. url: of a call over HTTP; empty: body is an e-mail (RFC 5322).

    headers: those of the call; of a credential only the name is there.
    """

    body: bytes
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of an attempt, or of one call to a provider. A provider's refusal is a result, not an exception.

    reason: a word such as "provider_timeout". detail: the provider's own words, without credentials; one line of at
    most MAX_DETAIL characters of it is recorded. provider: the provider's kind. provider_id: which of the tenant's
    providers it was. earlier: the calls to other providers that failed before, within this attempt. http: the call and
    its answer, of a webhook and of a provider's HTTP API. handed: what the provider was handed; it is not recorded.
    """

    verdict: Verdict
    provider: str
    reason: str = ""
    detail: str = ""
    provider_message_id: str = ""
    provider_id: str = ""
    retry_after_s: float = 0.0
    earlier: "Sequence[ProviderCall]" = ()
    http: trace_pb2.HttpExchange | None = None
    handed: Handed | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One call to one provider. ended_us: Unix microseconds. took_us: microseconds."""

    result: SendResult
    ended_us: int
    took_us: int


class UnknownDelivery(Exception):
    """A later version made this delivery, and this one cannot send it. The text says what is unknown.

    It must not be acknowledged: a process of that version sends it.
    """


class Details(NamedTuple):
    """What an attempt's record tells of the message. sms_segments and sms_encoding: of a text message."""

    sms_segments: int = 0
    sms_encoding: str = ""


NO_DETAILS = Details()


@dataclass(frozen=True, slots=True)
class ParkedDelivery:
    """A delivery that waits in a row. reason: see clarion.common.v1.Parked. due_us: Unix microseconds; 0: not known."""

    delivery: event_pb2.Delivery
    reason: str
    due_us: int = 0


class Parking(Protocol):
    """The rows of deliveries that no stream should keep: see services.senders.webhooks.parking."""

    def must_wait(self, delivery: event_pb2.Delivery) -> ParkedDelivery | None:
        """Return how a delivery that arrives now must wait instead of being attempted; None: it need not.

        It answers from memory.
        """

    async def park(self, parked: ParkedDelivery, *, is_claimed: bool = False) -> bool:
        """Return when the row is stored; False: there are too many of its endpoint, and it is not stored.

        One that is stored already (the same delivery and replay) is stored once: the later attempt stays, and the
        claim of the copy that has it (is_claimed). Raises UNAVAILABLE and OVERLOADED (ClarionError).
        """

    async def find(self, delivery: event_pb2.Delivery) -> ParkedDelivery | None:
        """Return the row that took over this attempt of a delivery; None: there is none. Raises PartAway."""


class Claim(NamedTuple):
    """A copy of a delivery that asks. token: see Delivery.claim; empty: only the status is asked for."""

    delivery_id: str
    replay: int
    token: str


class ClaimAnswer(NamedTuple):
    """status: of the delivery in this replay; UNSPECIFIED: the ledger has none."""

    status: trace_pb2.DeliveryStatus.ValueType
    is_held_by_another: bool = False


class Claims(Protocol):
    """Claims deliveries at the ledger; see services.delivery.claims."""

    async def claim(self, claim: Claim) -> ClaimAnswer:
        """Claim a delivery for a copy of it. Raises ClarionError if the ledger does not answer."""


class Prepared(NamedTuple, Generic[T]):
    """A delivery that is ready to be sent. message: what Attempter.send takes."""

    message: T
    details: Details = NO_DETAILS


class Attempter(Protocol[T]):
    """Sends the deliveries of a channel: prepares each one, such as by rendering it, and sends it.

    PartAway (runtime.parts) means that a part of Clarion is away and nothing was sent: this is no attempt, and the
    worker starts again once the part answers.
    """

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """Return the name of the slot: attempts that would hang together, such as those of one provider, share it."""

    async def prepare(self, delivery: event_pb2.Delivery) -> Prepared[T] | SendResult:
        """Return what is to be sent, or the result if nothing can be.

        Raises PartAway, and UnknownDelivery. After any other exception the delivery is delivered again.
        """

    async def send(self, delivery: event_pb2.Delivery, message: T) -> SendResult:
        """Send the prepared message once. The worker cancels it after attempt_deadline_s.

        Raises PartAway. Any other exception is a fault of ours: the attempt counts as TRANSIENT.
        """
