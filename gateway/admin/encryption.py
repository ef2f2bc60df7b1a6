"""Re-encrypting all secrets with a new key, so that the old keys can be removed."""

from aiohttp import web

from clarion.ingest.v1 import tenants_pb2
from clarion.router.v1 import endpoints_pb2
from clarion.senders.v1 import senders_pb2
from gateway.clients import Clients
from gateway.replies import json_reply

# The services read all secrets, and write those that another key encrypted.
_DEADLINE_S = 15.0


class EncryptionRoutes:
    """The handler that asks each service with secrets to re-encrypt them."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def renew(self, _: web.Request) -> web.Response:
        """Encrypt every secret with the first key. A repeated call continues where the last one stopped."""
        call, providers, tenants = self._clients.call, self._clients.providers, self._clients.tenants
        credentials = await call(providers.RenewSecrets, senders_pb2.RenewSecretsRequest(), deadline=_DEADLINE_S)
        signing = await call(
            tenants.RenewWebhookSecrets, tenants_pb2.RenewWebhookSecretsRequest(), deadline=_DEADLINE_S
        )
        webhooks = await call(
            self._clients.endpoints.RenewEndpointSecrets,
            endpoints_pb2.RenewEndpointSecretsRequest(),
            deadline=_DEADLINE_S,
        )
        return json_reply(
            {
                "providers": {
                    "renewed": credentials.renewed,
                    "unreadable": list(credentials.unreadable_provider_ids),
                },
                "webhook_secrets": {"renewed": signing.renewed, "unreadable": list(signing.unreadable_tenant_ids)},
                "endpoints": {"renewed": webhooks.renewed, "unreadable": list(webhooks.unreadable_endpoint_ids)},
            }
        )
