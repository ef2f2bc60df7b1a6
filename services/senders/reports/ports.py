"""How a kind of provider sends delivery reports, and what receiving them needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from clarion.common.v1 import trace_pb2
from clarion.router.v1 import suppressions_pb2
from services.senders.sent import SentMessage

# The most reports in one body. SendGrid posts up to 768 KB at a time.
MAX_REPORTS = 5000
# The most items in one call to the database or the router.
MAX_PER_CALL = 1000

_UNREADABLE = "unreadable"


class UnverifiedCallback(Exception):
    """The callback is not proven to come from the provider. The text says why, for the log."""


class MalformedReport(Exception):
    """The body is not a report of this provider. The text says why."""


@dataclass(frozen=True, slots=True)
class ProviderCallback:
    """A received call. urls: those that the provider may have called. headers: names in lower case."""

    urls: Sequence[str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a provider reports about one message.

    message_ids: the provider's ids under which the message may be known; empty: none is given. status: UNSPECIFIED: the
    delivery's status does not change. suppression: why the recipient is suppressed; UNSPECIFIED: it is not.
    occurred_us: Unix microseconds; 0: not given. address: the recipient of a signed report without ids; else empty.
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
        """Return whether it could be read: see unreadable()."""
        return self.reason != _UNREADABLE

    @property
    def is_named(self) -> bool:
        """Return whether it names its message."""
        return bool(self.message_ids) and not self.address


def unreadable(why: str) -> DeliveryReport:
    """Return the report for one of several events that cannot be read: it is only counted."""
    return DeliveryReport((), trace_pb2.DELIVERY_STATUS_UNSPECIFIED, _UNREADABLE, why)


# A provider's settings, secrets among them as plain text.
Credentials = Mapping[str, Any]
# Raises UnverifiedCallback. now_us: Unix microseconds.
Verify = Callable[[ProviderCallback, Credentials, int], None]
# Raises MalformedReport. Events that change nothing are left out.
Parse = Callable[[ProviderCallback], list[DeliveryReport]]


@dataclass(frozen=True, slots=True)
class ReportReader:
    """Verifies and parses the reports of a kind of provider.

    setting: the one that signatures are verified with; empty: the kind does not sign. is_ready: whether the credentials
    hold a valid one.
    """

    verify: Verify
    parse: Parse
    setting: str = ""
    is_ready: Callable[[Credentials], bool] = lambda _: True


class SentMessages(Protocol):
    """The deliveries by the provider's message id."""

    async def find(self, provider_id: str, message_ids: Sequence[str]) -> Mapping[str, SentMessage]:
        """Return the known ones of at most 1,000 ids. Raises UNAVAILABLE."""


class Suppressor(Protocol):
    """Stores suppressions."""

    async def suppress(self, wanted: Sequence[suppressions_pb2.NewSuppression]) -> None:
        """Store them. Raises UNAVAILABLE."""


class Trace(Protocol):
    """Stores trace records; see services.domain.trace."""

    async def write_all(self, records: Sequence[trace_pb2.TraceRecord]) -> None:
        """Store them. Raises UNAVAILABLE."""
