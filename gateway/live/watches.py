"""What a page watches, and which changed events belong to it: pure."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from clarion.ingest.v1 import ledger_pb2
from runtime.ids import is_uuid
from services.domain import statuses
from services.domain.channels import BY_PUBLIC_NAME

_Text = Annotated[str, msgspec.Meta(max_length=255)]
MAX_WATCHES = 20


class Command(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a page sends: {"type": "watch", "id": "1", "tenant_id": …, filters as of GET /events} or "unwatch"."""

    type: Literal["watch", "unwatch"]
    # The page's name of the watch; a second one of this name replaces it.
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    tenant_id: _Text = ""
    event_type: _Text = ""
    recipient: _Text = ""
    status: _Text = ""
    channel: _Text = ""
    reason: _Text = ""
    provider: _Text = ""
    event_id: _Text = ""


read_command = msgspec.json.Decoder(Command).decode


def fault_of(command: Command) -> str:
    """Return what is wrong with a command; empty: nothing."""
    if command.tenant_id and not is_uuid(command.tenant_id):
        return "tenant_id must be a UUID in lower case"
    if command.status and command.status.lower() not in statuses.BY_NAME:
        return f"status must be one of {', '.join(statuses.BY_NAME)}"
    if command.channel and command.channel not in BY_PUBLIC_NAME:
        return f"channel must be one of {', '.join(BY_PUBLIC_NAME)}"
    return ""


@dataclass(frozen=True, slots=True)
class Watch:
    """A list that a page shows. tenants: whose events; None: all."""

    id: str
    tenants: frozenset[str] | None
    command: Command

    def sees(self, tenant_id: str) -> bool:
        """Return whether the watch is of this tenant's events, too."""
        return self.tenants is None or tenant_id in self.tenants

    def matches(self, event: ledger_pb2.EventSummary) -> bool:
        """Return whether an event belongs to the list. Of its deliveries those that a list shows are compared."""
        asked = self.command
        if asked.event_type and event.event_type != asked.event_type:
            return False
        if asked.event_id and asked.event_id not in (event.id, event.caller_event_id):
            return False
        if asked.recipient and not _is_for(event, asked.recipient):
            return False
        if not (asked.status or asked.channel or asked.reason or asked.provider):
            return True
        if asked.reason and event.reason == asked.reason and not (asked.status or asked.channel or asked.provider):
            return True
        return any(self._is_asked(delivery) for delivery in event.deliveries)

    def _is_asked(self, delivery: ledger_pb2.DeliverySummary) -> bool:
        asked = self.command
        return (
            (not asked.status or delivery.status == statuses.BY_NAME[asked.status.lower()])
            and (not asked.channel or delivery.channel == BY_PUBLIC_NAME[asked.channel])
            and (not asked.reason or delivery.reason == asked.reason)
            and (not asked.provider or delivery.provider == asked.provider)
        )


def _is_for(event: ledger_pb2.EventSummary, text: str) -> bool:
    people = [delivery.recipient for delivery in event.deliveries if delivery.HasField("recipient")]
    if event.HasField("recipient"):
        people.append(event.recipient)
    return any(text in (one.user_id, one.email, one.phone) for one in people)


def union(watches: Collection[Watch]) -> frozenset[str] | None:
    """Return the tenants of all watches; None: all tenants."""
    found: set[str] = set()
    for watch in watches:
        if watch.tenants is None:
            return None
        found |= watch.tenants
    return frozenset(found)
