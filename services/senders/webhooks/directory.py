"""The published endpoints, as this process follows them: decrypted once for each published value."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import msgspec

from runtime import logs
from runtime.egress import AddressNotAllowed, urls
from runtime.encryption import Vault
from runtime.parts import ROUTER, OwnParts
from services.domain import endpoints, topology
from services.domain.endpoints import Endpoint, SigningSecret
from services.senders.webhooks import request, signing
from services.senders.webhooks.ports import EndpointOwner, Key, NotPublished, OpenEndpoint

PREFIX = topology.ENDPOINTS

# Endpoints that are kept decrypted, and ids that are remembered as deleted; past it all are forgotten, and read again.
_MAX_OPEN = 20_000
_MAX_GONE = 20_000
# How long a delivery waits for an endpoint that exists and was not published here yet, seconds.
_ARRIVAL_S = 2.0
# Shorter values are not hidden in records: they could be found in any text.
_LEAST_HIDDEN = 6

log = logs.get(__name__)


class PublishedEndpoints:
    """The endpoints of all tenants. on_change belongs to a ConfigurationWatch over PREFIX. get: the watch's own."""

    def __init__(
        self,
        get: Callable[[str], bytes | None],
        vault: Vault,
        owner: EndpointOwner,
        own: OwnParts | None = None,
        *,
        arrival_s: float = _ARRIVAL_S,
    ) -> None:
        self._get = get
        self._vault = vault
        self._owner = owner
        self._own = own or OwnParts()
        self._arrival_s = arrival_s
        self._open: dict[str, OpenEndpoint] = {}
        # Those that the router does not have: an id is never used again.
        self._gone: set[str] = set()
        # Who waits for an endpoint to be published.
        self._arrivals: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)

    def on_change(self, key: str, _value: bytes | None) -> None:
        """Apply one change of the configuration."""
        if not key.startswith(f"{PREFIX}."):
            return
        self._open.pop(key, None)
        self._gone.discard(key)
        for arrival in self._arrivals.get(key, ()):
            if not arrival.done():
                arrival.set_result(None)

    def known(self, tenant_id: str, endpoint_id: str) -> OpenEndpoint | None:
        """Return an endpoint as last published; None: it is not, or not in a form that this version reads."""
        return self._known(topology.endpoint_key(tenant_id, endpoint_id), tenant_id)

    async def endpoint(self, tenant_id: str, endpoint_id: str) -> OpenEndpoint | None:
        """Return an endpoint; None: it does not exist. Raises PartAway, NotPublished."""
        key = topology.endpoint_key(tenant_id, endpoint_id)
        found = self._known(key, tenant_id)
        if found is not None:
            return found
        if self._get(key) is not None:  # a later version published it
            raise NotPublished
        if key in self._gone:
            return None
        arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals[key].add(arrival)
        try:
            if not await self._own.ask(ROUTER, partial(self._owner.exists, tenant_id, endpoint_id)):
                self._remember_gone(key)
                return None
            await asyncio.wait([arrival], timeout=self._arrival_s)
        finally:
            self._arrivals[key].discard(arrival)
            if not self._arrivals[key]:
                del self._arrivals[key]
        if (found := self._known(key, tenant_id)) is None:
            raise NotPublished
        return found

    def _known(self, key: str, tenant_id: str) -> OpenEndpoint | None:
        found = self._open.get(key)
        if found is not None:
            return found
        value = self._get(key)
        if value is None:
            return None
        try:
            endpoint = endpoints.decode_endpoint(value)
        except msgspec.DecodeError as error:
            log.error("configuration_unreadable", key=key, error=str(error))
            return None
        if len(self._open) >= _MAX_OPEN:
            self._open.clear()
        found = self._open[key] = open_endpoint(endpoint, tenant_id, self._vault)
        return found

    def _remember_gone(self, key: str) -> None:
        if len(self._gone) >= _MAX_GONE:
            self._gone.clear()
        self._gone.add(key)


def open_endpoint(endpoint: Endpoint, tenant_id: str, vault: Vault) -> OpenEndpoint:
    """Return an endpoint as it is called. What cannot be decrypted is logged, without its contents."""
    keys = tuple(Key(_key(secret, tenant_id, endpoint.id, vault), secret.until_us) for secret in endpoint.secrets)
    try:
        headers, auth = endpoint.headers(vault, tenant_id), endpoint.auth(vault, tenant_id)
    except ValueError as error:
        log.error("endpoint_unreadable", tenant_id=tenant_id, endpoint_id=endpoint.id, error=str(error))
        return OpenEndpoint(endpoint, keys=keys, is_readable=False)
    if endpoint.mode == endpoints.POLLED:
        return OpenEndpoint(endpoint, keys=keys)
    try:
        address = urls.read(endpoint.url)
    except AddressNotAllowed as error:
        return OpenEndpoint(endpoint, refusal=str(error), keys=keys)
    password = auth.partition(":")[2]
    secrets = [*headers.values(), password, request.basic(auth).removeprefix("Basic ") if auth else ""]
    return OpenEndpoint(
        endpoint,
        address=address,
        head=request.head(address, headers, auth),
        shown_head=request.shown_head(address, headers, auth),
        keys=keys,
        hidden=tuple(sorted({one for one in secrets if len(one) >= _LEAST_HIDDEN}, key=lambda one: (-len(one), one))),
    )


def _key(secret: SigningSecret, tenant_id: str, endpoint_id: str, vault: Vault) -> bytes | None:
    try:
        return signing.key_of(secret.open(vault, tenant_id, endpoint_id))
    except ValueError as error:
        log.error("endpoint_unreadable", tenant_id=tenant_id, endpoint_id=endpoint_id, error=str(error))
        return None
