"""After a new encryption key: what the old ones closed is closed anew, so that they can be taken away."""

from aiohttp import web

from clarion.ingest.v1 import tenants_pb2
from clarion.senders.v1 import senders_pb2
from gateway.clients import Clients
from gateway.replies import json_reply

# All secrets are read, and those written that another key closed.
_DEADLINE_S = 15.0


class EncryptionRoutes:
    """Asks each service that keeps secrets."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def renew(self, _: web.Request) -> web.Response:
        """Encrypt every secret with the first key; safe to call again, for it goes on where it was."""
        call, providers, tenants = self._clients.call, self._clients.providers, self._clients.tenants
        credentials = await call(providers.RenewSecrets, senders_pb2.RenewSecretsRequest(), deadline=_DEADLINE_S)
        signing = await call(
            tenants.RenewWebhookSecrets, tenants_pb2.RenewWebhookSecretsRequest(), deadline=_DEADLINE_S
        )
        return json_reply(
            {
                "providers": {
                    "renewed": credentials.renewed,
                    "unreadable": list(credentials.unreadable_provider_ids),
                },
                "webhook_secrets": {"renewed": signing.renewed, "unreadable": list(signing.unreadable_tenant_ids)},
            }
        )
