"""What sending needs: messages, providers, and where the configuration of both comes from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from runtime.egress import Guard
from services.delivery.ports import Result
from services.domain.reasons import Reason
from services.domain.sms_limit import DEFAULT_MAX_SEGMENTS

# The reason of what runtime.egress refuses: nobody was asked, and no retry would change it.
ADDRESS_NOT_ALLOWED = Reason.ADDRESS_NOT_ALLOWED

M_contra = TypeVar("M_contra", contravariant=True)
S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Reference:
    """Which delivery a message is: ids, and the caller's trace."""

    tenant_id: str
    event_id: str
    delivery_id: str
    trace_id: str = ""
    # See Delivery.replay: a replay is another message, its retries are not.
    replay: int = 0

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt at one message."""
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
        """Tell whether only a server with SMTPUTF8 can carry it."""
        return not self.local.isascii()


@dataclass(frozen=True, slots=True)
class Email:
    r"""An e-mail ready for any provider. All strings but text and html are one line without control characters.

    text and html: lines end with "\n"; at least one of them is meant to be there.
    message_id: with its angle brackets, the same for every attempt at one delivery.
    unsubscribe_url: where one POST ends mail such as this (RFC 8058); empty: it is not mail that one subscribes to.
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

    async def send(self, message: M_contra) -> Result:
        """Hand the message over once, within a bounded time. A no is a Result, not an exception.

        POSTPONED ("provider_busy"): it was not asked, for all connections to it were in use. Raises PartAway
        (runtime.parts) where it needs a part of ours that is away: that says nothing about the provider.
        """

    async def close(self) -> None:
        """Give back connections; messages under way are finished."""


@dataclass(frozen=True, slots=True)
class Request:
    """A POST to a provider's HTTP API. headers: all that the API wants, Content-Type among them."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. headers: names in lower case. body: at most 64 KiB of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unanswered(Exception):
    """No whole answer came.

    reason: "provider_timeout", "provider_unreachable", "provider_tls", "provider_error"; "provider_busy": nothing was
    sent, for all connections were in use; ADDRESS_NOT_ALLOWED: nothing was sent.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Http(Protocol):
    """The process's HTTP client: one for all providers, so that connections are shared and bounded."""

    async def post(self, request: Request, *, deadline_s: float) -> Answer:
        """Send once; deadline_s covers everything but a bounded wait while all are in use. Raises Unanswered."""


class Recorder(Protocol):
    """Where the sandbox keeps what it is given. Raises PartAway, OVERLOADED or INVALID (ClarionError)."""

    async def record_email(self, message: Email) -> None:
        """Return when it is stored."""

    async def record_sms(self, message: Sms) -> None:
        """Return when it is stored."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a provider may use of the process it runs in.

    mail_guard: of connections to mail servers. urls: where a kind's API is, in place of its public address; the
    operator's word for the whole process.
    """

    recorder: Recorder
    http: Http
    mail_guard: Guard
    urls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where a provider's settings "host" and "port" say that mail goes."""

    host: str
    port: int


@dataclass(frozen=True)
class Kind(Generic[S]):
    """A kind of provider; every folder ``channels/<channel>/<kind>/`` declares one as ``KIND``.

    settings: the operator's settings; fields of type Secret are encrypted at rest and never shown.
    open: makes a provider of them. check: faults that concern several fields, as (field, description).
    reports: its provider tells later, by its own message id, what became of a message.
    keys: settings that its reports are proven with; each function returns the form that is kept, and raises ValueError
    for what is no key. Sending needs none of them, so a provider that was stored before with another still sends.
    verbatim: settings whose blanks may be meant, so that only line ends around them are cut off.
    mail_server: where the settings name one; None: what the kind connects to is no setting.
    """

    settings: type[S]
    open: Callable[[S, Resources], Provider[Any]]
    check: Callable[[S], Sequence[tuple[str, str]]] = lambda _: ()
    reports: bool = False
    keys: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    verbatim: frozenset[str] = frozenset()
    mail_server: Callable[[S], MailServer] | None = None


class Tenant(msgspec.Struct, frozen=True):
    """What sending needs to know of a tenant; empty means the provider's own. max_sms_segments: 1 to 255."""

    id: str
    sender_name: str = ""
    sender_email: str = ""
    reply_to: str = ""
    max_sms_segments: int = DEFAULT_MAX_SEGMENTS


class ProviderRecord(msgspec.Struct, frozen=True):
    """A configured provider as published. channel: "EMAIL" or "SMS". secrets: base64 of the ciphertext."""

    id: str
    channel: str
    kind: str
    settings: dict[str, Any]
    secrets: str


class Directory(Protocol):
    """The configuration: who the tenants are, and what providers they have."""

    def tenant(self, tenant_id: str) -> Tenant | None:
        """Return the tenant as last published."""

    async def provider(self, tenant_id: str, provider_id: str) -> ProviderRecord | None:
        """Return a tenant's provider, asking its owner before saying there is none. Raises PartAway."""

    def providers(self, tenant_id: str) -> Iterable[ProviderRecord]:
        """Return a tenant's providers as last published, best first."""
