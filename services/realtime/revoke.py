"""Revokes the tokens of a user, or of all users of a tenant.

First the epoch is increased: from then on nothing is published on the channels of old tokens. Then the open connections
are closed, and the hub's history of these channels is deleted.
"""

from collections.abc import Iterable

from runtime import logs
from services.domain import topology
from services.domain.pseudonyms import Pseudonyms
from services.realtime import principal
from services.realtime.directory import EpochDirectory
from services.realtime.hub import CentrifugoHub
from services.realtime.namespaces import Namespaces
from services.realtime.principal import Epoch, Principals
from services.realtime.privacy import PrivacyStore
from services.realtime.store import EpochStore

# Pages of this many earlier epochs are searched for, so that a revocation completes an interrupted one before it.
_EPOCHS_BACK = 3

log = logs.get(__name__)


class Revoker:
    """Revokes tokens and disconnects their pages."""

    def __init__(
        self,
        *,
        epochs: EpochStore,
        directory: EpochDirectory,
        principals: Principals,
        namespaces: Namespaces,
        hub: CentrifugoHub,
        privacy: PrivacyStore,
        keyed: Pseudonyms,
    ) -> None:
        self._epochs = epochs
        self._directory = directory
        self._principals = principals
        self._namespaces = namespaces
        self._hub = hub
        self._privacy = privacy
        self._keyed = keyed

    async def user(self, tenant_id: str, user_id: str) -> int:
        """Revoke one user's tokens.

        Returns the number of disconnected principals (0 or 1), or -1 if the hub did not answer. Raises UNAVAILABLE.
        """
        recipient = self._keyed.revocation(tenant_id, user_id)
        (epoch,) = await self._epochs.find([(tenant_id, recipient)])
        raised = await self._epochs.raise_epoch(tenant_id, recipient)
        self._directory.forget(topology.revocation_key(tenant_id, recipient))
        # Pages from before the first revocation, and from the last few epochs.
        numbers = {0, *range(max(1, raised - _EPOCHS_BACK), raised)} if epoch.user else {0}
        names = [self._principals.of(tenant_id, user_id, Epoch(epoch.tenant, number)) for number in sorted(numbers)]
        return await self._close(names, self._channels(tenant_id, names), set(names))

    async def tenant(self, tenant_id: str) -> int:
        """Revoke the tokens of all users of a tenant. Returns and raises as user()."""
        users = await self._privacy.recent_users(tenant_id)
        found = (
            await self._epochs.find([(tenant_id, self._keyed.revocation(tenant_id, user)) for user in users])
            if users
            else []
        )
        raised = await self._epochs.raise_epoch(tenant_id)
        self._directory.forget(topology.revocation_key(tenant_id))
        old = [
            self._principals.of(tenant_id, user, Epoch(raised - 1, epoch.user))
            for user, epoch in zip(users, found, strict=True)
        ]
        tags = [self._principals.tag(tenant_id, epoch) for epoch in range(max(0, raised - _EPOCHS_BACK), raised)]
        return await self._close(tags, self._channels(tenant_id, old), set())

    async def _close(self, prefixes: list[str], channels: list[str], names: set[str]) -> int:
        """Disconnect names and all principals with these prefixes; delete the history of channels and of theirs."""
        listening: set[str] = set()
        for prefix in prefixes:
            open_channels = await self._hub.channels(prefix)
            if open_channels is None:
                log.warning("revocation_unfinished", reason="the hub does not answer")
                return -1
            listening |= {channel.rpartition("#")[2] for channel in open_channels}
            channels += open_channels
        done = await self._hub.end(listening | names, channels)
        return len(listening) if done else -1

    def _channels(self, tenant_id: str, names: Iterable[str]) -> list[str]:
        namespaces = self._namespaces.of(tenant_id)
        return [channel for name in names for channel in principal.channels(namespaces, name)]
