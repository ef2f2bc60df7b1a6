"""Tenants and their keys."""

from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import UNSET, Meta, UnsetType, field

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import tenants_pb2
from clarion.realtime.v1 import realtime_pb2
from gateway.access.sessions import ConsoleSessions
from gateway.admin import forms
from gateway.authentication import CachedAuthenticator
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import json_reply

# A number of events; null: no limit.
LimitValue = Annotated[int, Meta(ge=0, le=2**31 - 1)]
# These have a default and cannot be null.
Events = Annotated[int, Meta(ge=1, le=2**31 - 1)]
# At least enough for the largest event, at most what a stream could hold.
Bytes = Annotated[int, Meta(ge=32 * 2**20, le=2**50)]
# Of one event, at most what ingest accepts.
PayloadBytes = Annotated[int, Meta(ge=1024, le=256 * 1024)]
Parked = Annotated[int, Meta(ge=1, le=10_000_000)]
# The number of a segment has 8 bits (3GPP TS 23.040, 9.2.3.24.1).
Segments = Annotated[int, Meta(ge=1, le=255)]
ContentKey = Literal["full", "seed"]

_CONTENT_KEYS: "dict[str, tenants_pb2.ContentKey.ValueType]" = {
    "full": tenants_pb2.CONTENT_KEY_FULL,
    "seed": tenants_pb2.CONTENT_KEY_PAYLOAD,
}
_CONTENT_KEY_NAMES = {number: name for name, number in _CONTENT_KEYS.items()}


RateKind = Literal["sliding", "fixed"]
_RATE_KINDS: "dict[str, error_pb2.LimitKind.ValueType]" = {
    "sliding": error_pb2.LIMIT_KIND_SLIDING,
    "fixed": error_pb2.LIMIT_KIND_FIXED,
}
_RATE_KIND_NAMES = {number: name for name, number in _RATE_KINDS.items()}


class NewWindowRateBody(forms.Body):
    """A limit of events per window."""

    # The length of the window in seconds.
    window_s: Annotated[int, Meta(ge=1, le=31 * 86_400)]
    bound: LimitValue
    kind: RateKind


class NewRateBody(NewWindowRateBody):
    """A limit of events per window. scope: only events of this scope count; empty: all of the tenant."""

    scope: Annotated[str, Meta(max_length=255)] = ""


Rates = Annotated[list[NewRateBody], Meta(max_length=8)]


class NewTenantBody(forms.Body):
    """The body of POST /tenants."""

    name: str
    account_id: forms.OptionalId = ""
    delivery_channels: list[forms.Channel] = field(default_factory=list)
    sender_name: str = ""
    sender_email: str = ""
    reply_to: str = ""
    max_unfinished_events: Events | UnsetType = UNSET
    max_unfinished_bytes: Bytes | UnsetType = UNSET
    max_sms_segments: Segments | UnsetType = UNSET
    rate_limit_per_minute: LimitValue | None = None
    daily_cap: LimitValue | None = None
    # All rates, instead of the two.
    rates: Rates = field(default_factory=list)
    max_scheduled_events: Events | UnsetType = UNSET
    max_payload_bytes: PayloadBytes | UnsetType = UNSET
    max_parked_per_endpoint: Parked | UnsetType = UNSET
    content_key: ContentKey = "full"


class TenantChangeBody(forms.Body):
    """The body of PATCH /tenants/{id}. Absent fields stay as they are."""

    name: str | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    delivery_channels: list[forms.Channel] | UnsetType = UNSET
    sender_name: str | UnsetType = UNSET
    sender_email: str | UnsetType = UNSET
    reply_to: str | UnsetType = UNSET
    max_unfinished_events: Events | UnsetType = UNSET
    max_unfinished_bytes: Bytes | UnsetType = UNSET
    max_sms_segments: Segments | UnsetType = UNSET
    rate_limit_per_minute: LimitValue | UnsetType | None = UNSET
    daily_cap: LimitValue | UnsetType | None = UNSET
    # All rates, instead of the two.
    rates: Rates | UnsetType = UNSET
    max_scheduled_events: Events | UnsetType = UNSET
    max_payload_bytes: PayloadBytes | UnsetType = UNSET
    max_parked_per_endpoint: Parked | UnsetType = UNSET
    content_key: ContentKey | UnsetType = UNSET


class NewWebhookSecretBody(forms.Body):
    """The body of POST /tenants/{id}/webhook-secret."""

    # A secret that the tenant already uses; empty: create a random one.
    secret: Annotated[
        str, Meta(pattern="^([!-~]{16,256})?$", description="16 to 256 visible ASCII characters, or empty")
    ] = ""
    # How long earlier secrets stay valid, in seconds.
    overlap_s: Annotated[int, Meta(ge=0, le=30 * 86_400)] = 86_400


class RevocationBody(forms.Body):
    """The body of POST /tenants/{id}/revoke-tokens. Without user_id: the tokens of all users."""

    user_id: str = ""


# A tenant may have many pages open.
REVOKE_DEADLINE_S = 12.0

_LIMITS = ("rate_limit_per_minute", "daily_cap")
_PLAIN_FIELDS = (
    "name",
    "active",
    "sender_name",
    "sender_email",
    "reply_to",
    "max_unfinished_events",
    "max_unfinished_bytes",
    "max_scheduled_events",
    "max_sms_segments",
    "max_payload_bytes",
    "max_parked_per_endpoint",
)
# Ingest sets these for a new tenant if the body does not.
_DEFAULTED = (
    "max_unfinished_events",
    "max_unfinished_bytes",
    "max_scheduled_events",
    "max_sms_segments",
    "max_payload_bytes",
    "max_parked_per_endpoint",
)


class TenantRoutes:
    """Handlers that ask ingest's TenantService and, for tokens, realtime."""

    def __init__(self, clients: Clients, authenticator: CachedAuthenticator, sessions: ConsoleSessions) -> None:
        self._clients = clients
        self._authenticator = authenticator
        self._sessions = sessions

    async def create(self, request: web.Request) -> web.Response:
        """Create a tenant. Only this response contains its key."""
        body = await forms.read(request, NewTenantBody)
        wire = tenants_pb2.CreateTenantRequest(
            name=body.name,
            account_id=body.account_id,
            delivery_channels=forms.channels(body.delivery_channels, "delivery_channels"),
            sender_name=body.sender_name,
            sender_email=body.sender_email,
            reply_to=body.reply_to,
            rate_limit_per_minute=body.rate_limit_per_minute,
            daily_cap=body.daily_cap,
            rates=_rates(body.rates),
            content_key=_CONTENT_KEYS[body.content_key],
        )
        for name in _DEFAULTED:
            if (value := getattr(body, name)) is not UNSET:
                setattr(wire, name, value)
        answer = await self._clients.call(self._clients.tenants.CreateTenant, wire)
        request[TENANT_ID] = answer.tenant.id
        self._sessions.forget_all()  # memberships in the account reach it
        return json_reply({**_shown(answer.tenant), "api_key": answer.api_key}, status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List tenants, newest first."""
        wire = tenants_pb2.ListTenantsRequest(
            limit=forms.limit(request),
            cursor=forms.cursor(request),
            tenant_ids=forms.scope(request)["tenant_ids"],
        )
        answer = await self._clients.call(self._clients.tenants.ListTenants, wire)
        return json_reply(forms.page(request, [_shown(tenant) for tenant in answer.tenants], answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one tenant."""
        wire = tenants_pb2.GetTenantRequest(tenant_id=_id(request))
        answer = await self._clients.call(self._clients.tenants.GetTenant, wire)
        return json_reply(_shown(answer.tenant))

    async def change(self, request: web.Request) -> web.Response:
        """Update the fields that the body contains."""
        body = await forms.read(request, TenantChangeBody)
        wire = tenants_pb2.UpdateTenantRequest(tenant_id=_id(request))
        for name in _PLAIN_FIELDS:
            if (value := getattr(body, name)) is not UNSET:
                setattr(wire, name, value)
        if body.delivery_channels is not UNSET:
            named = forms.channels(body.delivery_channels, "delivery_channels")
            wire.delivery_channels.CopyFrom(tenants_pb2.ChannelPolicy(channels=named))
        for limit in _LIMITS:
            if (value := getattr(body, limit)) is not UNSET:
                getattr(wire, limit).CopyFrom(tenants_pb2.Limit(value=value))
        if body.rates is not UNSET:
            wire.rates.CopyFrom(tenants_pb2.RateList(rates=_rates(body.rates)))
        if body.content_key is not UNSET:
            wire.content_key = _CONTENT_KEYS[body.content_key]
        answer = await self._clients.call(self._clients.tenants.UpdateTenant, wire)
        self._authenticator.forget(answer.tenant.id)
        if body.active is False:
            await self._end_tokens(answer.tenant.id)
        return json_reply(_shown(answer.tenant))

    async def rotate_key(self, request: web.Request) -> web.Response:
        """Give the tenant a new key. The old one stops working."""
        wire = tenants_pb2.RotateKeyRequest(tenant_id=_id(request))
        answer = await self._clients.call(self._clients.tenants.RotateKey, wire)
        self._authenticator.forget(answer.tenant.id)
        return json_reply({**_shown(answer.tenant), "api_key": answer.api_key})

    async def rotate_webhook_secret(self, request: web.Request) -> web.Response:
        """Create a webhook secret, shown only in this response. From now on the tenant's events must be signed."""
        body = await forms.read(request, NewWebhookSecretBody)
        wire = tenants_pb2.RotateWebhookSecretRequest(
            tenant_id=_id(request), secret=body.secret, overlap_s=body.overlap_s
        )
        answer = await self._clients.call(self._clients.tenants.RotateWebhookSecret, wire)
        self._authenticator.forget(answer.tenant.id)
        return json_reply({**_shown(answer.tenant), "webhook_secret": answer.secret}, status=201)

    async def delete_webhook_secrets(self, request: web.Request) -> web.Response:
        """Delete the tenant's webhook secrets. Its events need no signature any more."""
        wire = tenants_pb2.DeleteWebhookSecretsRequest(tenant_id=_id(request))
        answer = await self._clients.call(self._clients.tenants.DeleteWebhookSecrets, wire)
        self._authenticator.forget(answer.tenant.id)
        return json_reply(_shown(answer.tenant))

    async def deactivate(self, request: web.Request) -> web.Response:
        """Disable the tenant's keys and tokens, and disconnect its users. Nothing is deleted."""
        wire = tenants_pb2.DeactivateTenantRequest(tenant_id=_id(request))
        answer = await self._clients.call(self._clients.tenants.DeactivateTenant, wire)
        self._authenticator.forget(answer.tenant.id)
        await self._end_tokens(answer.tenant.id)
        return json_reply(_shown(answer.tenant))

    async def revoke_tokens(self, request: web.Request) -> web.Response:
        """Revoke the realtime tokens of one user or of all users."""
        body = await forms.read(request, RevocationBody)
        await forms.check_tenant(request, self._clients, _id(request))
        wire = realtime_pb2.RevokeTokensRequest(tenant_id=_id(request), user_id=body.user_id)
        await self._clients.call(self._clients.realtime.RevokeTokens, wire, deadline=REVOKE_DEADLINE_S)
        return web.Response(status=204)

    async def _end_tokens(self, tenant_id: str) -> None:
        """Revoke all realtime tokens. If this fails the tenant is inactive already; the caller can repeat the call."""
        wire = realtime_pb2.RevokeTokensRequest(tenant_id=tenant_id)
        await self._clients.call(self._clients.realtime.RevokeTokens, wire, deadline=REVOKE_DEADLINE_S)


def _id(request: web.Request) -> str:
    tenant_id = forms.path_id(request)
    request[TENANT_ID] = tenant_id
    return tenant_id


def window_rate(body: NewWindowRateBody) -> tenants_pb2.Rate:
    """Return a rate of the body, for all scopes."""
    return tenants_pb2.Rate(window_s=body.window_s, bound=body.bound, kind=_RATE_KINDS[body.kind])


def shown_window(rate: tenants_pb2.Rate) -> dict[str, Any]:
    """Return a rate as the API shows it, without its scope."""
    return {"window_s": rate.window_s, "bound": rate.bound, "kind": _RATE_KIND_NAMES[rate.kind]}


def _rates(bodies: list[NewRateBody]) -> list[tenants_pb2.Rate]:
    rates = list(map(window_rate, bodies))
    for rate, body in zip(rates, bodies, strict=True):
        rate.scope = body.scope
    return rates


def _shown(tenant: tenants_pb2.Tenant) -> dict[str, Any]:
    return {
        "id": tenant.id,
        "account_id": tenant.account_id,
        "name": tenant.name,
        "active": tenant.active,
        "delivery_channels": [forms.channel_name(number) for number in tenant.delivery_channels],
        "sender_name": tenant.sender_name,
        "sender_email": tenant.sender_email,
        "reply_to": tenant.reply_to,
        "key_last4": tenant.key_last4,
        "max_unfinished_events": tenant.max_unfinished_events,
        "max_unfinished_bytes": tenant.max_unfinished_bytes,
        "max_sms_segments": tenant.max_sms_segments,
        "rate_limit_per_minute": tenant.rate_limit_per_minute if tenant.HasField("rate_limit_per_minute") else None,
        "daily_cap": tenant.daily_cap if tenant.HasField("daily_cap") else None,
        "rates": [{"scope": rate.scope, **shown_window(rate)} for rate in tenant.rates],
        "max_scheduled_events": tenant.max_scheduled_events,
        "max_payload_bytes": tenant.max_payload_bytes,
        "max_parked_per_endpoint": tenant.max_parked_per_endpoint,
        "content_key": _CONTENT_KEY_NAMES[tenant.content_key],
        "webhook_secrets": [
            {
                "last4": secret.last4,
                "created_at": forms.iso(secret.created_at_us),
                "valid_until": forms.iso(secret.valid_until_us),
            }
            for secret in tenant.webhook_secrets
        ],
        "created_at": forms.iso(tenant.created_at_us),
    }
