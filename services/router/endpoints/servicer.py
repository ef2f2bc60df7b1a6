"""EndpointService: wire to stores."""

from typing import Any

import asyncpg
from prometheus_client import Counter

from clarion.router.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime import logs
from runtime.clock import micros_of
from runtime.egress import EgressGuard
from services.domain.checks import check_id, invalid
from services.domain.paging import page_limit
from services.domain.searching import check_search
from services.router import filters
from services.router.endpoints import check
from services.router.endpoints.secrets import DEFAULT_OVERLAP_S, MAX_OVERLAP_S, wrong_secret
from services.router.endpoints.store import EndpointSearch, EndpointStore, StoredEndpoint
from services.router.endpoints.subscriptions.store import SubscriptionStore
from services.router.filters import check_filter

ENDPOINT_SERVICE = "clarion.router.v1.EndpointService"

_DEFAULT_LIMIT, _MAX_LIMIT = 100, 1_000
# A page ends before it has more bytes: the limit of an answer is twice as large.
_PAGE_BYTES = 8 * 1024 * 1024
# Reasons why senders disable an endpoint.
_REASONS = ("failing", "gone")
# Stands for the endpoint whose filter is checked.
_SAMPLE = "sample"

_CHANGES = Counter("clarion_endpoint_changes_total", "Changes of endpoints and subscriptions, by kind.", ["change"])

log = logs.get(__name__)


class EndpointServicer(endpoints_pb2_grpc.EndpointServiceServicer):
    """See proto/clarion/router/v1/endpoints.proto."""

    def __init__(self, endpoints: EndpointStore, subscriptions: SubscriptionStore, guard: EgressGuard) -> None:
        self._endpoints = endpoints
        self._subscriptions = subscriptions
        self._guard = guard

    async def CreateEndpoint(
        self, request: endpoints_pb2.CreateEndpointRequest, context: Any
    ) -> endpoints_pb2.CreateEndpointResponse:
        """Store an endpoint."""
        new = check.new_endpoint(request, self._guard)
        stored, secret, revision = await self._endpoints.create(request.tenant_id, new, request.secret)
        _note("created", request.tenant_id, stored.id)
        return endpoints_pb2.CreateEndpointResponse(
            endpoint=_endpoint(request.tenant_id, stored), secret=secret, revision=revision
        )

    async def GetEndpoint(
        self, request: endpoints_pb2.GetEndpointRequest, context: Any
    ) -> endpoints_pb2.GetEndpointResponse:
        """Return an endpoint."""
        _check_ids(request, "tenant_id", "endpoint_id")
        stored = await self._endpoints.get(request.tenant_id, request.endpoint_id)
        return endpoints_pb2.GetEndpointResponse(endpoint=_endpoint(request.tenant_id, stored))

    async def ListEndpoints(
        self, request: endpoints_pb2.ListEndpointsRequest, context: Any
    ) -> endpoints_pb2.ListEndpointsResponse:
        """List endpoints."""
        limit = page_limit(request.limit, default=_DEFAULT_LIMIT, largest=_MAX_LIMIT)
        _check_ids(request, "tenant_id")
        for field in ("environment_id", "application_id", "event_type_id", "cursor"):
            check_id(field, getattr(request, field), required=False)
        search = EndpointSearch(request.environment_id, request.application_id, request.event_type_id, request.cursor)
        rows = await self._endpoints.page(request.tenant_id, search, limit)
        found: list[endpoints_pb2.Endpoint] = []
        size = 0
        for row in rows:
            endpoint = _endpoint(request.tenant_id, row)
            size += endpoint.ByteSize()
            if found and size > _PAGE_BYTES:
                break
            found.append(endpoint)
        is_last = len(rows) < limit and len(found) == len(rows)
        return endpoints_pb2.ListEndpointsResponse(endpoints=found, next_cursor="" if is_last else found[-1].id)

    async def SearchEndpoints(
        self, request: endpoints_pb2.SearchEndpointsRequest, context: Any
    ) -> endpoints_pb2.SearchEndpointsResponse:
        """Look for an endpoint."""
        return endpoints_pb2.SearchEndpointsResponse(hits=await self._endpoints.search(*check_search(request)))

    async def UpdateEndpoint(
        self, request: endpoints_pb2.UpdateEndpointRequest, context: Any
    ) -> endpoints_pb2.UpdateEndpointResponse:
        """Change an endpoint."""
        _check_ids(request, "tenant_id", "endpoint_id")

        def change(old: check.EndpointFields, hidden: check.Hidden) -> check.CheckedEndpoint:
            return check.changed(old, hidden, request, self._guard)

        stored, revision = await self._endpoints.update(request.tenant_id, request.endpoint_id, change)
        _note("updated", request.tenant_id, stored.id)
        return endpoints_pb2.UpdateEndpointResponse(endpoint=_endpoint(request.tenant_id, stored), revision=revision)

    async def DeleteEndpoint(
        self, request: endpoints_pb2.DeleteEndpointRequest, context: Any
    ) -> endpoints_pb2.DeleteEndpointResponse:
        """Delete an endpoint."""
        _check_ids(request, "tenant_id", "endpoint_id")
        revision = await self._endpoints.delete(request.tenant_id, request.endpoint_id)
        _note("deleted", request.tenant_id, request.endpoint_id)
        return endpoints_pb2.DeleteEndpointResponse(revision=revision)

    async def DisableEndpoint(
        self, request: endpoints_pb2.DisableEndpointRequest, context: Any
    ) -> endpoints_pb2.DisableEndpointResponse:
        """Disable an endpoint that only fails."""
        _check_ids(request, "tenant_id", "endpoint_id")
        if request.reason not in _REASONS:
            raise invalid("reason", f"must be one of {', '.join(_REASONS)}")
        disabled = await self._endpoints.disable(
            request.tenant_id, request.endpoint_id, request.revision, request.reason
        )
        if disabled:
            _note("disabled", request.tenant_id, request.endpoint_id, reason=request.reason)
        return endpoints_pb2.DisableEndpointResponse(disabled=disabled)

    async def RotateSecret(
        self, request: endpoints_pb2.RotateSecretRequest, context: Any
    ) -> endpoints_pb2.RotateSecretResponse:
        """Add a secret."""
        _check_ids(request, "tenant_id", "endpoint_id")
        for field, description in wrong_secret(request.secret):
            raise invalid(field, description)
        overlap_s = request.overlap_s if request.HasField("overlap_s") else DEFAULT_OVERLAP_S
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise invalid("overlap_s", f"must be from 0 to {MAX_OVERLAP_S:,}")
        stored, secret, revision = await self._endpoints.rotate_secret(
            request.tenant_id, request.endpoint_id, request.secret, overlap_s
        )
        _note("secret_rotated", request.tenant_id, stored.id)
        return endpoints_pb2.RotateSecretResponse(
            endpoint=_endpoint(request.tenant_id, stored), secret=secret, revision=revision
        )

    async def RevealSecret(
        self, request: endpoints_pb2.RevealSecretRequest, context: Any
    ) -> endpoints_pb2.RevealSecretResponse:
        """Return the newest secret."""
        _check_ids(request, "tenant_id", "endpoint_id")
        secret = await self._endpoints.reveal_secret(request.tenant_id, request.endpoint_id)
        _note("secret_revealed", request.tenant_id, request.endpoint_id)
        return endpoints_pb2.RevealSecretResponse(secret=secret)

    async def RenewEndpointSecrets(
        self, request: endpoints_pb2.RenewEndpointSecretsRequest, context: Any
    ) -> endpoints_pb2.RenewEndpointSecretsResponse:
        """Encrypt everything with the first key."""
        renewed, unreadable = await self._endpoints.renew_secrets()
        return endpoints_pb2.RenewEndpointSecretsResponse(renewed=renewed, unreadable_endpoint_ids=unreadable)

    async def Subscribe(self, request: endpoints_pb2.SubscribeRequest, context: Any) -> endpoints_pb2.SubscribeResponse:
        """Subscribe an endpoint to types."""
        _check_ids(request, "tenant_id", "endpoint_id")
        ids = check.check_types(request.event_type_ids)
        if request.filter:
            check_filter(request.filter)
        rule = request.filter.decode() if request.HasField("filter") else None
        subscribed, revision = await self._subscriptions.subscribe(request.tenant_id, request.endpoint_id, ids, rule)
        _note("subscribed", request.tenant_id, request.endpoint_id, count=subscribed)
        return endpoints_pb2.SubscribeResponse(subscribed=subscribed, revision=revision)

    async def Unsubscribe(
        self, request: endpoints_pb2.UnsubscribeRequest, context: Any
    ) -> endpoints_pb2.UnsubscribeResponse:
        """Delete a subscription."""
        _check_ids(request, "tenant_id", "endpoint_id", "event_type_id")
        revision = await self._subscriptions.unsubscribe(request.tenant_id, request.endpoint_id, request.event_type_id)
        _note("unsubscribed", request.tenant_id, request.endpoint_id)
        return endpoints_pb2.UnsubscribeResponse(revision=revision)

    async def ListSubscriptions(
        self, request: endpoints_pb2.ListSubscriptionsRequest, context: Any
    ) -> endpoints_pb2.ListSubscriptionsResponse:
        """List an endpoint's subscriptions."""
        _check_ids(request, "tenant_id", "endpoint_id")
        rows = await self._subscriptions.list(request.tenant_id, request.endpoint_id)
        return endpoints_pb2.ListSubscriptionsResponse(subscriptions=map(_subscription, rows))

    async def CheckFilter(
        self, request: endpoints_pb2.CheckFilterRequest, context: Any
    ) -> endpoints_pb2.CheckFilterResponse:
        """Return whether a filter matches an event."""
        found = filters.outcome(
            {_SAMPLE: check_filter(request.filter)},
            filters.document(request.event_type, request.payload, request.metadata),
        )
        return endpoints_pb2.CheckFilterResponse(
            matches=_SAMPLE not in found.unmatched, error=found.errors.get(_SAMPLE, "")
        )


def _check_ids(request: Any, *fields: str) -> None:
    for field in fields:
        check_id(field, getattr(request, field))


def _note(change: str, tenant_id: str, endpoint_id: str, **more: object) -> None:
    """Count and log a change. The log has no address: that of Slack is itself a secret."""
    _CHANGES.labels(change).inc()
    log.info("endpoint_changed", change=change, tenant_id=tenant_id, endpoint_id=endpoint_id, **more)


def _endpoint(tenant_id: str, stored: StoredEndpoint) -> endpoints_pb2.Endpoint:
    fields, row = stored.fields, stored.row
    return endpoints_pb2.Endpoint(
        id=stored.id,
        tenant_id=tenant_id,
        environment_id=fields.environment_id,
        application_id=fields.application_id,
        kind=endpoints_pb2.EndpointKind.ValueType(fields.kind),
        mode=endpoints_pb2.EndpointMode.ValueType(fields.mode),
        url=fields.url,
        description=fields.description,
        metadata=fields.metadata,
        config=fields.config,
        headers=dict.fromkeys(fields.header_names, check.HIDDEN),
        auth_username=fields.auth_username,
        active=fields.active,
        disabled_reason=row["disabled_reason"],
        disabled_at_us=_micros(row["disabled_at"]),
        rate_per_s=fields.rate_per_s,
        batch_size=fields.batch_size,
        retry_delays_s=fields.retry_delays_s,
        created_at_us=micros_of(row["created_at"]),
        updated_at_us=micros_of(row["updated_at"]),
        revision=row["revision"],
        secrets=[
            endpoints_pb2.EndpointSecret(
                last4=one["last4"],
                created_at_us=micros_of(one["created_at"]),
                valid_until_us=_micros(one["expires_at"]),
            )
            for one in stored.secrets
        ],
    )


def _subscription(row: asyncpg.Record) -> endpoints_pb2.Subscription:
    return endpoints_pb2.Subscription(
        id=str(row["id"]),
        endpoint_id=str(row["endpoint_id"]),
        event_type_id=str(row["event_type_id"]),
        event_type=row["name"],
        filter=row["filter"].encode(),
        created_at_us=micros_of(row["created_at"]),
    )


def _micros(moment: Any) -> int:
    return micros_of(moment) if moment else 0
