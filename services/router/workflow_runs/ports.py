"""The interfaces that workflow runs need."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from clarion.common.v1 import event_pb2, trace_pb2
from services.router.definitions import Definition, Step
from services.router.workflows.document import Document
from services.router.workflows.versions import StoredVersion, VersionKey


class Versions(Protocol):
    """The versions of workflows. Implemented by services.router.workflows.documents.Documents."""

    async def get(self, wanted: Collection[VersionKey]) -> Mapping[VersionKey, StoredVersion]:
        """Return the versions that there are, without those of deleted workflows. Raises UNAVAILABLE."""


class Statuses(Protocol):
    """What became of deliveries. Implemented by LedgerStatuses."""

    async def of(self, delivery_ids: Sequence[str]) -> Sequence["trace_pb2.DeliveryStatus.ValueType"]:
        """Return their statuses in the same order; of one that is not known UNSPECIFIED. Raises UNAVAILABLE."""


class Bodies(Protocol):
    """The bodies of large events. Implemented by services.delivery.bodies.Bodies."""

    async def complete(self, delivery: event_pb2.Delivery) -> event_pb2.Delivery:
        """Return the delivery with the body that it refers to. Raises NOT_FOUND if it was deleted, and PartAway."""


class SendStep(NamedTuple):
    """What a step sends. definition: what the tenant may use. step: with the templates that it has."""

    definition: Definition
    step: Step


class Sent(NamedTuple):
    """What the steps of a document send: those that send to the person, by their ids; and what endpoints may get."""

    steps: Mapping[str, SendStep]
    to_endpoints: Definition


class Sends(Protocol):
    """What the steps of documents send. Implemented by services.router.workflow_runs.sends.CatalogSends."""

    async def of(self, tenant_id: str, document: Document) -> Sent:
        """Return what the steps of a document send. Raises UNAVAILABLE."""


class Cooldown(NamedTuple):
    """That a workflow is not started again for a person until then, but by this run. until_us: Unix microseconds."""

    tenant_id: str
    workflow_id: str
    recipient_id: str
    workflow_run_id: str
    until_us: int


class Cooldowns(Protocol):
    """Implemented by services.router.workflow_runs.cooldowns.PostgresCooldowns."""

    async def take(self, wanted: Sequence[Cooldown], now_us: int) -> Collection[str]:
        """Return the runs that may start: no other run has taken the cooldown. Asked again it is the same.

        Raises UNAVAILABLE.
        """
