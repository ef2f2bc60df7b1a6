"""What sending needs: messages, providers, and their configuration."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from runtime.egress import EgressGuard
from services.delivery.ports import SendResult
from services.domain.reasons import Reason
from services.domain.sms_limit import DEFAULT_MAX_SEGMENTS

# runtime.egress refused the address: nothing was sent, and a retry would not change that.
ADDRESS_NOT_ALLOWED = Reason.ADDRESS_NOT_ALLOWED
# How Clarion names itself in calls over HTTP.
USER_AGENT = "Clarion/0.1"

M_contra = TypeVar("M_contra", contravariant=True)
S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Reference:
    """The ids of a message's delivery, and the caller's trace."""

    tenant_id: str
    event_id: str
    delivery_id: str
    trace_id: str = ""
    # See Delivery.replay: a replay is a new message, a retry is not.
    replay: int = 0

    @property
    def idempotency_key(self) -> str:
        """Return the key, which is the same for every attempt at one message."""
        return f"{self.delivery_id}.{self.replay}"


@dataclass(frozen=True, slots=True)
class Address:
    """An e-mail address: local part as given, domain in its ASCII (IDNA) form."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Return whether it needs a server with SMTPUTF8."""
        return not self.local.isascii()


@dataclass(frozen=True, slots=True)
class Email:
    r"""An e-mail ready for any provider. All strings but text and html are one line without control characters.

    text and html: lines end with "\n"; at least one of them should be there.
    message_id: with its angle brackets, the same for every attempt at one delivery.
    unsubscribe_url: one POST to it unsubscribes (RFC 8058); empty: recipients cannot unsubscribe from this mail.
    """

    reference: Reference
    sender_name: str
    sender: Address
    reply_to: Address | None
    recipient: Address
    subject: str
    text: str
    html: str
    message_id: str
    date: datetime
    unsubscribe_url: str = ""


@dataclass(frozen=True, slots=True)
class Sms:
    """A text message ready for any provider. recipient: E.164. sender: a number or name; empty: the provider's own."""

    reference: Reference
    recipient: str
    sender: str
    text: str


class Provider(Protocol[M_contra]):
    """One tenant's account with one provider."""

    async def send(self, message: M_contra) -> SendResult:
        """Send the message once, within a bounded time. A refusal is a SendResult, not an exception.

        POSTPONED ("provider_busy"): nothing was sent, because all connections to it are in use. Raises PartAway
        (runtime.parts) if it needs a part of Clarion that is away.
        """

    async def close(self) -> None:
        """Close its connections. Messages under way are finished."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A POST to a provider's HTTP API. headers: all that the API needs, including Content-Type."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response. headers: names in lower case. body: its first 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoResponse(Exception):
    """No complete response arrived.

    reason: "provider_timeout", "provider_unreachable", "provider_tls", "provider_error"; "provider_busy": nothing was
    sent, because all connections are in use; ADDRESS_NOT_ALLOWED: nothing was sent.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class HttpTransport(Protocol):
    """The process's HTTP client. All providers use it, so that connections are shared and bounded."""

    async def post(self, request: HttpRequest, *, deadline_s: float) -> HttpResponse:
        """Send once. deadline_s does not include the bounded wait for a free connection. Raises NoResponse."""


class SandboxRecorder(Protocol):
    """Stores the sandbox's messages. Raises PartAway, OVERLOADED or INVALID (ClarionError)."""

    async def record_email(self, message: Email) -> None:
        """Store the message."""

    async def record_sms(self, message: Sms) -> None:
        """Store the message."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a provider may use of its process.

    mail_guard: guards connections to mail servers. urls: the URL of a kind's API, where the operator has set one in
    place of the public one.
    """

    recorder: SandboxRecorder
    http: HttpTransport
    mail_guard: EgressGuard
    urls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server that a provider's settings "host" and "port" name."""

    host: str
    port: int


@dataclass(frozen=True)
class Kind(Generic[S]):
    """A kind of provider. Every folder ``channels/<channel>/<kind>/`` declares one as ``KIND``.

    title: its name for people. purpose: what it is for, one sentence. setup: where its settings are found, about two
    sentences. report_setup: where the callback URL is entered, about two sentences; empty if it sends no reports.

    settings: the operator's settings; fields of type Secret are encrypted at rest and never shown.
    open: makes a provider of them. check: returns faults that a type cannot express, as (field, description).
    reports: the provider sends delivery reports later, which name the message by the provider's own id.
    keys: the settings that verify its reports; each function returns the form that is stored, and raises ValueError for
    an invalid key. Sending needs none of them, so a stored provider with an invalid one still sends.
    verbatim: settings that may begin or end with a blank, so that only line ends around them are removed.
    mail_server: returns the mail server that the settings name; None: the kind's settings name none.
    """

    settings: type[S]
    open: Callable[[S, Resources], Provider[Any]]
    title: str
    purpose: str
    setup: str
    report_setup: str = ""
    check: Callable[[S], Sequence[tuple[str, str]]] = lambda _: ()
    reports: bool = False
    keys: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    verbatim: frozenset[str] = frozenset()
    mail_server: Callable[[S], MailServer] | None = None


class TenantProfile(msgspec.Struct, frozen=True):
    """What sending needs of a tenant; empty: the provider's own value is used. max_sms_segments: 1 to 255."""

    id: str
    sender_name: str = ""
    sender_email: str = ""
    reply_to: str = ""
    max_sms_segments: int = DEFAULT_MAX_SEGMENTS
    # What operators call it.
    name: str = ""


class ProviderRecord(msgspec.Struct, frozen=True):
    """A configured provider as published. channel: "EMAIL" or "SMS". secrets: base64 of the ciphertext."""

    id: str
    channel: str
    kind: str
    settings: dict[str, Any]
    secrets: str


class ProviderDirectory(Protocol):
    """The configuration of tenants and their providers."""

    def tenant(self, tenant_id: str) -> TenantProfile | None:
        """Return the tenant as last published."""

    async def provider(self, tenant_id: str, provider_id: str) -> ProviderRecord | None:
        """Return a tenant's provider; one that is not published yet comes from the database. Raises PartAway."""

    def providers(self, tenant_id: str) -> Iterable[ProviderRecord]:
        """Return a tenant's providers as last published, best first."""
