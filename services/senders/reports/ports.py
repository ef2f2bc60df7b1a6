"""What a kind of provider tells about its delivery reports, and what receiving them needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from clarion.common.v1 import trace_pb2
from clarion.router.v1 import suppressions_pb2
from services.senders.sent import SentMessage

# Of one body. SendGrid posts up to 768 KB at a time.
MAX_REPORTS = 5000
# Of what is asked of others at a time.
MAX_ASKED = 1000

_UNREADABLE = "unreadable"


class UnverifiedCallback(Exception):
    """The call is not proven to be the provider's; the text says why, for our log."""


class MalformedReport(Exception):
    """The body is no report of this provider; the text says why."""


@dataclass(frozen=True, slots=True)
class ProviderCallback:
    """A call as it came. urls: the addresses it may have been made to. headers: names in lower case."""

    urls: Sequence[str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a provider says about one message.

    message_ids: under which of its ids the message may be known; empty: it does not say. status: UNSPECIFIED where the
    delivery stays as it is. suppression: why its recipient gets nothing more; UNSPECIFIED: no such thing. occurred_us:
    Unix microseconds; 0: it does not say. address: whom the message was for, where a signed report lacks the provider's
    id of it; else empty.
    """

    message_ids: Sequence[str]
    status: trace_pb2.DeliveryStatus.ValueType
    reason: str = ""
    detail: str = ""
    suppression: suppressions_pb2.SuppressionReason.ValueType = suppressions_pb2.SUPPRESSION_REASON_UNSPECIFIED
    occurred_us: int = 0
    address: str = ""

    @property
    def is_readable(self) -> bool:
        """Tell whether it says anything: see unreadable."""
        return self.reason != _UNREADABLE

    @property
    def is_named(self) -> bool:
        """Tell whether it says which message it is about."""
        return bool(self.message_ids) and not self.address


def unreadable(why: str) -> DeliveryReport:
    """Return what stands for one of several events in a body that cannot be read: about no message, to be counted."""
    return DeliveryReport((), trace_pb2.DELIVERY_STATUS_UNSPECIFIED, _UNREADABLE, why)


# A provider's settings, secrets among them as plain text.
Credentials = Mapping[str, Any]
# Raises RefusedError. now_us: Unix microseconds.
Verify = Callable[[ProviderCallback, Credentials, int], None]
# Raises MalformedError. What says nothing about a message's fate is left out.
Parse = Callable[[ProviderCallback], list[DeliveryReport]]


@dataclass(frozen=True, slots=True)
class ReportReader:
    """A kind of provider's way to report.

    setting: what its signature is checked with; empty: it signs nothing. is_ready: whether the credentials hold what
    a signature can be checked with.
    """

    verify: Verify
    parse: Parse
    setting: str = ""
    is_ready: Callable[[Credentials], bool] = lambda _: True


class SentMessages(Protocol):
    """Which delivery a provider's message id names."""

    async def find(self, provider_id: str, message_ids: Sequence[str]) -> Mapping[str, SentMessage]:
        """Return those that are known, of at most 1,000. Raises UNAVAILABLE."""


class Suppressor(Protocol):
    """Who keeps the suppressions."""

    async def suppress(self, wanted: Sequence[suppressions_pb2.NewSuppression]) -> None:
        """Return when they hold. Raises UNAVAILABLE."""


class Trace(Protocol):
    """Where steps are recorded; see services.domain.trace."""

    async def write_all(self, records: Sequence[trace_pb2.TraceRecord]) -> None:
        """Return when they are stored. Raises UNAVAILABLE."""
