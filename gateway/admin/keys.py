"""Further API keys of a tenant."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import UNSET, Meta, UnsetType, field

from clarion.ingest.v1 import keys_pb2, tenants_pb2
from gateway import dialects
from gateway.admin import forms
from gateway.admin.tenants import NewWindowRateBody, shown_window, window_rate
from gateway.authentication import CachedAuthenticator
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.polling.routes import POLL_KEY
from gateway.replies import json_reply
from runtime.errors import ClarionError
from runtime.ids import is_uuid
from services.domain.checks import invalid

# Names of CreateKeyRequest, and what they are called here.
_FIELDS = {"expires_at_us": "expires_at"}

KeyRates = Annotated[list[NewWindowRateBody], Meta(max_length=4)]
Scope = Annotated[str, Meta(min_length=1, max_length=255)]


class NewKeyBody(forms.Body):
    """The body of POST /tenants/{id}/keys."""

    # What the key is for.
    name: str
    # Which API takes it.
    kind: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,31}$")] = "api"
    # What the key begins with, so that people and scanners recognize it. Empty: as its API has it.
    prefix: Annotated[str, Meta(pattern="^[a-z0-9_]{0,16}$")] = ""
    # The scopes of the events that it may send. Empty: all. The kinds of some APIs take ids of environments only.
    scopes: Annotated[list[Scope], Meta(max_length=20)] = field(default_factory=list)
    # When it ends; null: never.
    expires_at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})] | None = None
    # The only endpoints that it may send to, or read. Empty: any.
    endpoint_ids: Annotated[list[forms.Id], Meta(max_length=20)] = field(default_factory=list)
    # Limits of the events that it sends, besides the tenant's. None for kinds that send nothing.
    rates: KeyRates = field(default_factory=list)


class KeyChangeBody(forms.Body):
    """The body of PATCH /tenants/{id}/keys/{key_id}. Absent fields stay as they are."""

    disabled: bool | UnsetType = UNSET
    # All rates.
    rates: KeyRates | UnsetType = UNSET


class KeyRoutes:
    """Handlers that ask ingest's KeyService."""

    def __init__(self, clients: Clients, authenticator: CachedAuthenticator) -> None:
        self._clients = clients
        self._authenticator = authenticator

    async def create(self, request: web.Request) -> web.Response:
        """Give the tenant a further key. Only this response contains it."""
        body = await forms.read(request, NewKeyBody)
        kind = _kind(body.kind)
        _check_rates(kind, body.rates)
        if kind.scopes_are_ids:
            for position, scope in enumerate(body.scopes):
                if not is_uuid(scope):
                    raise invalid(f"scopes[{position}]", "must be the id of an environment: a UUID in lower case")
        wire = keys_pb2.CreateKeyRequest(
            tenant_id=_tenant_id(request),
            name=body.name,
            kind=body.kind,
            prefix=body.prefix or kind.prefix,
            scopes=body.scopes,
            expires_at_us=forms.moment(body.expires_at, "expires_at") if body.expires_at is not None else 0,
            endpoint_ids=body.endpoint_ids,
            rates=list(map(window_rate, body.rates)),
        )
        try:
            answer = await self._clients.call(self._clients.keys.CreateKey, wire)
        except ClarionError as error:
            raise forms.named(error, _FIELDS) from None
        return json_reply({**_shown(answer.key), "api_key": answer.api_key}, status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List the tenant's further keys, newest first."""
        tenant_id = _tenant_id(request)
        await forms.check_tenant(request, self._clients, tenant_id)
        answer = await self._clients.call(self._clients.keys.ListKeys, keys_pb2.ListKeysRequest(tenant_id=tenant_id))
        return json_reply(forms.page(request, [_shown(key) for key in answer.keys], ""))

    async def change(self, request: web.Request) -> web.Response:
        """Update the fields of a further key that the body contains."""
        body = await forms.read(request, KeyChangeBody)
        tenant_id = _tenant_id(request)
        wire = keys_pb2.UpdateKeyRequest(tenant_id=tenant_id, key_id=forms.path_uuid(request, "key_id"))
        if body.disabled is not UNSET:
            wire.disabled = body.disabled
        if body.rates is not UNSET:
            if body.rates:
                _check_rates(await self._kind_of(tenant_id, wire.key_id), body.rates)
            wire.rates.CopyFrom(tenants_pb2.RateList(rates=map(window_rate, body.rates)))
        answer = await self._clients.call(self._clients.keys.UpdateKey, wire)
        self._authenticator.forget(tenant_id)
        return json_reply(_shown(answer.key))

    async def _kind_of(self, tenant_id: str, key_id: str) -> dialects.KeyKind:
        answer = await self._clients.call(self._clients.keys.ListKeys, keys_pb2.ListKeysRequest(tenant_id=tenant_id))
        # That the tenant has no such key is for ingest to say.
        return _kind(next((key.kind for key in answer.keys if key.id == key_id), ""))

    async def revoke(self, request: web.Request) -> web.Response:
        """Revoke a further key."""
        tenant_id = _tenant_id(request)
        wire = keys_pb2.RevokeKeyRequest(tenant_id=tenant_id, key_id=request.match_info["key_id"])
        await self._clients.call(self._clients.keys.RevokeKey, wire)
        self._authenticator.forget(tenant_id)
        return web.Response(status=204)


def _kind(name: str) -> dialects.KeyKind:
    return dialects.KeyKind(sends=False) if name == POLL_KEY else dialects.key_kind(name)


def _check_rates(kind: dialects.KeyKind, rates: KeyRates) -> None:
    """Raise INVALID for rates of a key that sends nothing."""
    if rates and not kind.sends:
        raise invalid("rates", "must be empty: they limit events, and keys of this kind send none")


def _tenant_id(request: web.Request) -> str:
    tenant_id = forms.path_id(request)
    request[TENANT_ID] = tenant_id
    return tenant_id


def _shown(key: keys_pb2.Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "tenant_id": key.tenant_id,
        "name": key.name,
        "kind": key.kind,
        "scopes": list(key.scopes),
        "endpoint_ids": list(key.endpoint_ids),
        "rates": list(map(shown_window, key.rates)),
        "disabled": key.disabled,
        "expires_at": forms.iso(key.expires_at_us),
        "last4": key.last4,
        "created_at": forms.iso(key.created_at_us),
    }
