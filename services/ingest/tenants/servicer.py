"""TenantService: wire to store."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from clarion.ingest.v1 import tenants_pb2, tenants_pb2_grpc
from runtime.errors import ClarionError, Code
from services.domain import channels as known_channels
from services.domain.addresses import InvalidAddress, parse_email, trimmed
from services.domain.checks import check_id, check_tenant_ids
from services.domain.paging import page_limit
from services.domain.sms_limit import LARGEST_MAX_SEGMENTS
from services.ingest.database import database_errors
from services.ingest.ports import LEAST_MAX_BYTES, LEAST_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES
from services.ingest.tenants import rates
from services.ingest.tenants.secrets import DEFAULT_OVERLAP_S
from services.ingest.tenants.store import CONTENT_KEYS, Changes, NewLimit, TenantStore

_MAX_NAME = 100
# Of the sender's display name in a mail.
_MAX_SENDER_NAME = 256
_MAX_OVERLAP_S = 30 * 86_400
_QUOTAS: "tuple[Literal['max_unfinished_events', 'max_scheduled_events'], ...]" = (
    "max_unfinished_events",
    "max_scheduled_events",
)
# What these may be.
_BOUNDS: "dict[Literal['max_payload_bytes', 'max_parked_per_endpoint'], tuple[int, int]]" = {
    "max_payload_bytes": (LEAST_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES),
    "max_parked_per_endpoint": (1, 10_000_000),
}
# The rates that have a field of their own.
_OWN_RATES: "tuple[Literal['rate_limit_per_minute', 'daily_cap'], ...]" = ("rate_limit_per_minute", "daily_cap")
_WEBHOOK_SECRET = re.compile(r"[\x21-\x7e]{16,256}")


class TenantServicer(tenants_pb2_grpc.TenantServiceServicer):
    """See proto/clarion/ingest/v1/tenants.proto."""

    def __init__(self, store: TenantStore) -> None:
        self._store = store

    @database_errors
    async def CreateTenant(
        self, request: tenants_pb2.CreateTenantRequest, context: Any
    ) -> tenants_pb2.CreateTenantResponse:
        """Create a tenant, and its account unless one is given."""
        _trim_addresses(request)
        _check(
            name=request.name,
            sender_name=request.sender_name,
            addresses={"sender_email": request.sender_email, "reply_to": request.reply_to},
            segments=request.max_sms_segments or 1,
            channels=list(request.delivery_channels),
            content_key=request.content_key,
            limits=_faults_of_limits(
                request,
                quotas={field: getattr(request, field) or 1 for field in _QUOTAS},
                bounded={field: getattr(request, field) for field in _BOUNDS if getattr(request, field)},
                budget=request.max_unfinished_bytes or LEAST_MAX_BYTES,
                own_rates={field: getattr(request, field) for field in _OWN_RATES},
                new_rates=request.rates or None,
            ),
        )
        if request.account_id:
            check_id("account_id", request.account_id)
        tenant, api_key = await self._store.create(request)
        return tenants_pb2.CreateTenantResponse(tenant=tenant, api_key=api_key)

    @database_errors
    async def GetTenant(self, request: tenants_pb2.GetTenantRequest, context: Any) -> tenants_pb2.GetTenantResponse:
        """Return one tenant."""
        check_id("tenant_id", request.tenant_id)
        return tenants_pb2.GetTenantResponse(tenant=await self._store.get(request.tenant_id))

    @database_errors
    async def ListTenants(
        self, request: tenants_pb2.ListTenantsRequest, context: Any
    ) -> tenants_pb2.ListTenantsResponse:
        """Return a page of tenants."""
        limit = page_limit(request.limit)
        if request.cursor:
            check_id("cursor", request.cursor)
        tenants = await self._store.list(limit, request.cursor, check_tenant_ids(request.tenant_ids))
        more = tenants[-1].id if len(tenants) == limit else ""
        return tenants_pb2.ListTenantsResponse(tenants=tenants, next_cursor=more)

    @database_errors
    async def UpdateTenant(
        self, request: tenants_pb2.UpdateTenantRequest, context: Any
    ) -> tenants_pb2.UpdateTenantResponse:
        """Change the fields that are present."""
        check_id("tenant_id", request.tenant_id)
        _trim_addresses(request)

        def given(field: str) -> Any:
            return getattr(request, field) if request.HasField(field) else None  # type: ignore[arg-type]

        new_rates = request.rates.rates if request.HasField("rates") else None
        policy = request.delivery_channels.channels if request.HasField("delivery_channels") else None
        changes = Changes(
            name=given("name"),
            active=given("active"),
            delivery_channels=None if policy is None else list(policy),
            sender_name=given("sender_name"),
            sender_email=given("sender_email"),
            reply_to=given("reply_to"),
            max_unfinished_events=given("max_unfinished_events"),
            rate_limit_per_minute=_limit(given("rate_limit_per_minute")),
            daily_cap=_limit(given("daily_cap")),
            content_key=CONTENT_KEYS.get(request.content_key),
            max_unfinished_bytes=given("max_unfinished_bytes"),
            max_sms_segments=given("max_sms_segments"),
            max_scheduled_events=given("max_scheduled_events"),
            max_payload_bytes=given("max_payload_bytes"),
            max_parked_per_endpoint=given("max_parked_per_endpoint"),
        )
        _check(
            name="x" if changes.name is None else changes.name,
            sender_name=changes.sender_name or "",
            addresses={"sender_email": changes.sender_email or "", "reply_to": changes.reply_to or ""},
            segments=1 if changes.max_sms_segments is None else changes.max_sms_segments,
            channels=changes.delivery_channels or [],
            content_key=request.content_key,
            limits=_faults_of_limits(
                request,
                quotas={field: getattr(request, field) for field in _QUOTAS if request.HasField(field)},
                bounded={field: getattr(request, field) for field in _BOUNDS if request.HasField(field)},
                budget=LEAST_MAX_BYTES if changes.max_unfinished_bytes is None else changes.max_unfinished_bytes,
                own_rates={field: getattr(request, field).value for field in _OWN_RATES},
                new_rates=new_rates,
            ),
        )
        if new_rates is not None:
            changes = replace(changes, rates=rates.parsed(new_rates))
        return tenants_pb2.UpdateTenantResponse(tenant=await self._store.update(request.tenant_id, changes))

    @database_errors
    async def RotateKey(self, request: tenants_pb2.RotateKeyRequest, context: Any) -> tenants_pb2.RotateKeyResponse:
        """Replace the tenant's key."""
        check_id("tenant_id", request.tenant_id)
        tenant, api_key = await self._store.rotate_key(request.tenant_id)
        return tenants_pb2.RotateKeyResponse(tenant=tenant, api_key=api_key)

    @database_errors
    async def DeactivateTenant(
        self, request: tenants_pb2.DeactivateTenantRequest, context: Any
    ) -> tenants_pb2.DeactivateTenantResponse:
        """Deactivate a tenant."""
        check_id("tenant_id", request.tenant_id)
        tenant = await self._store.update(request.tenant_id, Changes(active=False))
        return tenants_pb2.DeactivateTenantResponse(tenant=tenant)

    @database_errors
    async def RotateWebhookSecret(
        self, request: tenants_pb2.RotateWebhookSecretRequest, context: Any
    ) -> tenants_pb2.RotateWebhookSecretResponse:
        """Add a new webhook secret; earlier ones stay valid for the overlap."""
        check_id("tenant_id", request.tenant_id)
        overlap_s = request.overlap_s if request.HasField("overlap_s") else DEFAULT_OVERLAP_S
        faults = []
        if not 0 <= overlap_s <= _MAX_OVERLAP_S:
            faults.append(("overlap_s", f"must be 0 to {_MAX_OVERLAP_S} seconds"))
        if request.secret and not _WEBHOOK_SECRET.fullmatch(request.secret):
            faults.append(("secret", "must be 16 to 256 visible ASCII characters"))
        _refuse(faults)
        tenant, secret = await self._store.rotate_webhook_secret(request.tenant_id, request.secret, overlap_s)
        return tenants_pb2.RotateWebhookSecretResponse(tenant=tenant, secret=secret)

    @database_errors
    async def DeleteWebhookSecrets(
        self, request: tenants_pb2.DeleteWebhookSecretsRequest, context: Any
    ) -> tenants_pb2.DeleteWebhookSecretsResponse:
        """Delete the tenant's webhook secrets: events need not be signed any more."""
        check_id("tenant_id", request.tenant_id)
        tenant = await self._store.delete_webhook_secrets(request.tenant_id)
        return tenants_pb2.DeleteWebhookSecretsResponse(tenant=tenant)

    @database_errors
    async def RenewWebhookSecrets(
        self, request: tenants_pb2.RenewWebhookSecretsRequest, context: Any
    ) -> tenants_pb2.RenewWebhookSecretsResponse:
        """Encrypt all webhook secrets with the first key."""
        renewed, unreadable = await self._store.renew_webhook_secrets()
        return tenants_pb2.RenewWebhookSecretsResponse(renewed=renewed, unreadable_tenant_ids=unreadable)


def _trim_addresses(request: tenants_pb2.CreateTenantRequest | tenants_pb2.UpdateTenantRequest) -> None:
    """Remove blanks, line ends and invisible marks around addresses."""
    for field in ("sender_email", "reply_to"):
        if given := getattr(request, field):  # an absent one must stay absent
            setattr(request, field, trimmed(given))


def _limit(new: tenants_pb2.Limit | None) -> NewLimit | None:
    if new is None:
        return None
    return NewLimit(new.value if new.HasField("value") else None)


def _check(
    *,
    name: str,
    sender_name: str,
    addresses: Mapping[str, str],
    segments: int,
    channels: list[int],
    content_key: int,
    limits: list[tuple[str, str]],
) -> None:
    """Raise INVALID with everything that is wrong. limits: the faults of the limits."""
    faults: list[tuple[str, str]] = []
    if not 1 <= len(name.strip()) <= _MAX_NAME or not name.isprintable():
        faults.append(("name", f"must be 1 to {_MAX_NAME} printable characters"))
    if len(sender_name) > _MAX_SENDER_NAME or not sender_name.isprintable():
        faults.append(("sender_name", f"must be at most {_MAX_SENDER_NAME} printable characters"))
    faults += [(field, why) for field, text in addresses.items() if (why := _fault_of_address(text))]
    faults += limits
    if not known_channels.BY_NUMBER.keys() >= set(channels):
        faults.append(("delivery_channels", f"must be some of {', '.join(known_channels.BY_PUBLIC_NAME)}"))
    if content_key not in tenants_pb2.ContentKey.values():
        faults.append(("content_key", "must be full or seed"))
    if not 1 <= segments <= LARGEST_MAX_SEGMENTS:
        faults.append(("max_sms_segments", f"must be from 1 to {LARGEST_MAX_SEGMENTS}"))
    _refuse(faults)


def _faults_of_limits(
    request: tenants_pb2.CreateTenantRequest | tenants_pb2.UpdateTenantRequest,
    *,
    quotas: Mapping[str, int],
    bounded: "Mapping[Literal['max_payload_bytes', 'max_parked_per_endpoint'], int]",
    budget: int,
    own_rates: Mapping[str, int],
    new_rates: Sequence[tenants_pb2.Rate] | None,
) -> list[tuple[str, str]]:
    """Return what is wrong with the limits. own_rates: those that have a field. new_rates: None: they stay."""
    faults = [(field, "must be at least 1") for field, quota in quotas.items() if quota < 1]
    for field, value in bounded.items():
        least, most = _BOUNDS[field]
        if not least <= value <= most:
            faults.append((field, f"must be from {least:,} to {most:,}"))
    if budget < LEAST_MAX_BYTES:
        faults.append(("max_unfinished_bytes", f"must be at least {LEAST_MAX_BYTES:,}"))
    faults += [(field, "must not be negative") for field, bound in own_rates.items() if bound < 0]
    if new_rates is not None:
        if any(request.HasField(field) for field in _OWN_RATES):
            faults.append(("rates", f"must not be given together with {' or '.join(_OWN_RATES)}"))
        faults += rates.faults(new_rates)
    return faults


def _fault_of_address(text: str) -> str:
    """Return what is wrong with a tenant's address; empty: nothing, or there is none."""
    if not text:
        return ""
    try:
        parse_email(text)
    except InvalidAddress as error:
        return f"must be one bare e-mail address such as orders@example.com: {error}"
    return ""


def _refuse(faults: list[tuple[str, str]]) -> None:
    if faults:
        raise ClarionError(Code.INVALID, "; ".join(f"{f} {d}" for f, d in faults), fields=faults)
