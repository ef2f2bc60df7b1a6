"""What sending webhooks needs: endpoints ready to be called, their owner, and calls over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.egress.urls import WebAddress
from services.domain.endpoints import Endpoint

# Bytes of an answer that Answer.body has.
KEPT_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key. key: None: no encryption key opens the secret. until_us: as in SigningSecret."""

    key: bytes | None
    until_us: int


@dataclass(frozen=True, slots=True)
class OpenEndpoint:
    """An endpoint as it is called.

    address: None: it is not called, because of what refusal says. head: the request's first lines, up to those that
    differ from message to message. shown_head: its headers, without the values that are secret. keys: newest first.
    hidden: values that no record may show. is_readable: its headers and password could be decrypted.
    """

    endpoint: Endpoint
    address: WebAddress | None = None
    refusal: str = ""
    head: bytes = b""
    shown_head: str = ""
    keys: tuple[Key, ...] = ()
    hidden: tuple[str, ...] = ()
    is_readable: bool = True


class EndpointOwner(Protocol):
    """The router, which stores endpoints. See services.senders.webhooks.router."""

    async def exists(self, tenant_id: str, endpoint_id: str) -> bool:
        """Return whether the tenant has this endpoint. Raises ClarionError: UNAVAILABLE if the router is away."""


class NotPublished(Exception):
    """The endpoint exists, but what is published of it has not arrived here yet."""


@dataclass(frozen=True, slots=True)
class Call:
    """One POST. head: all lines of the head, each with its line end, but for the empty line at its end."""

    tenant_id: str
    endpoint_id: str
    address: WebAddress
    head: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. headers: at most 100, names in lower case. body: its first KEPT_BYTES. is_cut: there was more."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    is_cut: bool


class NoAnswer(Exception):
    """There was no complete answer.

    reason: ENDPOINT_TIMEOUT, ENDPOINT_UNREACHABLE, ENDPOINT_TLS, ENDPOINT_ERROR (it is no HTTP, or ends too early),
    ENDPOINT_BUSY (nothing was sent, because as many calls are under way as may be), or ADDRESS_NOT_ALLOWED (nothing was
    sent). detail: a sentence. status: of the answer's head, if that was there; else 0.
    """

    def __init__(self, reason: str, detail: str, *, status: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.status = status


class WebhookTransport(Protocol):
    """Makes the calls. See services.senders.webhooks.client."""

    async def post(self, call: Call) -> Answer:
        """Make one call within the deadline, which covers all of it. Raises NoAnswer."""
