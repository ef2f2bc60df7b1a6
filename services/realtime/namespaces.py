"""Knows which realtime namespaces the active push templates of each tenant name, from the configuration."""

import msgspec

from clarion.common.v1 import event_pb2
from services.domain.channels import PUBLIC_NAMES

_PLATFORM = "platform"


class _Template(msgspec.Struct):
    channel: str = ""
    push_namespace: str = ""


_decode = msgspec.json.Decoder(list[_Template]).decode
_PUSH = PUBLIC_NAMES[event_pb2.CHANNEL_PUSH]


class Namespaces:
    """An index over the keys ``templates.<tenant>.<event type>``; see services.domain.topology.templates_key."""

    def __init__(self) -> None:
        self._by_tenant: dict[str, dict[str, frozenset[str]]] = {}

    def apply(self, key: str, value: bytes | None) -> None:
        """Apply one change; None means that the key was deleted. Raises ValueError for an invalid value."""
        _, tenant_id, event_type = key.split(".", 2)
        names = _names(value) if value is not None else frozenset()
        if names:
            self._by_tenant.setdefault(tenant_id, {})[event_type] = names
        elif (known := self._by_tenant.get(tenant_id)) is not None:
            known.pop(event_type, None)
            if not known:
                del self._by_tenant[tenant_id]

    def of(self, tenant_id: str) -> set[str]:
        """Return the namespaces on which a user of this tenant may receive, including those of platform templates."""
        found: set[str] = set()
        for owner in (tenant_id, _PLATFORM):
            found.update(*self._by_tenant.get(owner, {}).values())
        return found


def _names(value: bytes) -> frozenset[str]:
    return frozenset(item.push_namespace for item in _decode(value) if item.channel == _PUSH and item.push_namespace)
