"""What workflow runs need of the rest of Clarion, in memory: templates, segments, the ledger's statuses."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.errors import ClarionError, Code
from services.domain.reasons import Reason
from services.router.definitions import ChannelNumber, Definition, Step, Template, Workflow

_EMAIL, _SMS, _PUSH = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_PUSH


@dataclass
class MailCatalog:
    """Implements workflow_runs.sends.Definitions: each key has a template on each channel, but the key "none".

    away: it cannot be asked.
    """

    away: bool = False

    async def definition(self, tenant_id: str, event_type: str) -> Definition:
        """Return templates "<key>@<channel>"."""
        self._check()
        if event_type == "none":
            return Definition()
        steps = [
            Step(name, channel, [Template(f"{event_type}@{name}")])
            for name, channel in (("email", _EMAIL), ("sms", _SMS), ("push", _PUSH))
        ]
        return Definition([Workflow(steps)], providers={_EMAIL: ["p-mail"], _SMS: ["p-sms"]})

    async def of_event(self, event: event_pb2.Event) -> Definition:
        """Return what an event with workflows means beside them."""
        self._check()
        return Definition(reason=Reason.NO_WORKFLOW)

    async def to_endpoints(self, tenant_id: str, event_type: str) -> Definition:
        """Allow all."""
        self._check()
        return Definition()

    async def template_version(self, tenant_id: str, key: str, channel: ChannelNumber, version: int) -> Template | None:
        """Return the versions 1 to 9."""
        self._check()
        return Template(f"{key}@{channel}.{version}") if version < 10 else None

    def _check(self) -> None:
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "The owner is away.")


@dataclass
class MemorySegments:
    """Implements ports.Segments. members: of each segment, by its id."""

    members: dict[str, set[str]] = field(default_factory=dict)

    async def matching(self, tenant_id: str, segment_id: str, recipient_ids: Collection[str]) -> frozenset[str]:
        """Return the members among these."""
        return frozenset(self.members.get(segment_id, set()) & {*recipient_ids})


@dataclass
class MemoryStatuses:
    """Implements workflow_runs.ports.Statuses. known: by delivery; asked: the ids of each call. away: as above."""

    known: dict[str, "trace_pb2.DeliveryStatus.ValueType"] = field(default_factory=dict)
    asked: list[Sequence[str]] = field(default_factory=list)
    away: bool = False

    async def of(self, delivery_ids: Sequence[str]) -> Sequence["trace_pb2.DeliveryStatus.ValueType"]:
        """Return what is known."""
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "The ledger is away.")
        self.asked.append(delivery_ids)
        return [self.known.get(id_, trace_pb2.DELIVERY_STATUS_UNSPECIFIED) for id_ in delivery_ids]
