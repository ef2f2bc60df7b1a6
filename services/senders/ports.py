"""What sending needs: messages, providers, and where the configuration of both comes from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from services.delivery.ports import Result

M_contra = TypeVar("M_contra", contravariant=True)
S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Reference:
    """Which delivery a message is: ids, and the caller's trace."""

    tenant_id: str
    event_id: str
    delivery_id: str
    trace_id: str = ""


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
        """Hand the message over once, within a bounded time. A no is a Result, not an exception."""

    async def close(self) -> None:
        """Give back connections; messages under way are finished."""


class Recorder(Protocol):
    """Where the sandbox keeps what it is given. Raises UNAVAILABLE, OVERLOADED or INVALID (ClarionError)."""

    async def record_email(self, message: Email) -> None:
        """Return when it is stored."""

    async def record_sms(self, message: Sms) -> None:
        """Return when it is stored."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a provider may use of the process it runs in."""

    recorder: Recorder


@dataclass(frozen=True)
class Kind(Generic[S]):
    """A kind of provider; every folder ``channels/<channel>/<kind>/`` declares one as ``KIND``.

    settings: the operator's settings; fields of type Secret are encrypted at rest and never shown.
    open: makes a provider of them. check: faults that concern several fields, as (field, description).
    """

    settings: type[S]
    open: Callable[[S, Resources], Provider[Any]]
    check: Callable[[S], Sequence[tuple[str, str]]] = lambda _: ()


class Tenant(msgspec.Struct, frozen=True):
    """What sending needs to know of a tenant; empty means the provider's own."""

    id: str
    sender_name: str = ""
    sender_email: str = ""
    reply_to: str = ""


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
        """Return a tenant's provider, asking its owner before saying there is none. Raises UNAVAILABLE."""
