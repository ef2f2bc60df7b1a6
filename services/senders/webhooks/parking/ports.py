"""What parking works with: rows, endpoints and their states, and what it needs of others."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from clarion.common.v1 import event_pb2, trace_pb2
from services.delivery.ports import SendResult
from services.domain.endpoints import Endpoint
from services.senders.webhooks.parking.breaker import Health, Observation


class EndpointKey(NamedTuple):
    """An endpoint of a tenant."""

    tenant_id: str
    endpoint_id: str


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery that waits. Times: Unix microseconds. revision: raised by each change of the row.

    sequence: raised by each row that the endpoint gets. probes: failed probes that were made with it.
    """

    sequence: int
    delivery: event_pb2.Delivery
    due_us: int
    parked_us: int
    revision: int
    probes: int
    reason: str

    @property
    def key(self) -> EndpointKey:
        """Return its endpoint."""
        return EndpointKey(self.delivery.tenant_id, self.delivery.webhook.endpoint_id)


@dataclass(frozen=True, slots=True)
class Ended:
    """The row is not needed any more. frees: its endpoint, if it was held for this row, is looked at now."""

    row: Row
    frees: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """The row stays, with the delivery as it is attempted next."""

    row: Row
    delivery: event_pb2.Delivery
    due_us: int
    reason: str
    probes: int


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What is stored of an endpoint.

    unsure_before_us: what waits since before may have been sent already; known when it is leased.
    """

    key: EndpointKey
    health: Health
    parked: int
    is_full: bool
    held_until_us: int
    unsure_before_us: int = 0


class Release(NamedTuple):
    """How a lease is given back.

    is_resting: nothing is sent until somebody wakes the endpoint. not_before_us: it is looked at no earlier.
    held_until_us: the first delivery of an ORDERED endpoint is not attempted before.
    """

    key: EndpointKey
    is_resting: bool = False
    not_before_us: int = 0
    held_until_us: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery as it is sent: the body, and its headers with those of the signature."""

    body: bytes
    headers: dict[str, str]


class Letters(Protocol):
    """Makes what an endpoint gets, for receivers that read it themselves. See services.senders.webhooks."""

    async def letter(self, delivery: event_pb2.Delivery) -> Letter | SendResult:
        """Return the letter, or the result if there is none. Raises PartAway."""


class EndpointDirectory(Protocol):
    """The endpoints and tenants as last published. See services.senders.webhooks.parking.book."""

    def endpoint(self, key: EndpointKey) -> Endpoint | None:
        """Return an endpoint; None: it is not published."""

    def resting(self, key: EndpointKey) -> str:
        """Return why the rows of an endpoint rest, so that no process looks at them; empty: they do not."""

    def backlog_bound(self, tenant_id: str) -> int:
        """Return how many deliveries of one endpoint may wait."""

    async def is_gone(self, key: EndpointKey) -> bool:
        """Return whether an endpoint that is not published does not exist. Raises PartAway."""


class Trace(Protocol):
    """The stream of records. See services.domain.trace."""

    async def write_all(self, records: Sequence[trace_pb2.TraceRecord]) -> None:
        """Return when all are stored. Raises UNAVAILABLE."""


class Rows(Protocol):
    """The rows of deliveries. Each method raises UNAVAILABLE."""

    async def due(
        self, key: EndpointKey, until_us: int, *, after: tuple[int, int] = (-1, 0), limit: int = 100
    ) -> list[Row]:
        """Return the next rows that are due until a time. after: a row's due_us and sequence."""

    async def settle(self, outcome: Ended | Kept) -> bool:
        """Store what became of a row, unless somebody else changed it; return whether one that is kept is there."""

    async def some(self, key: EndpointKey, delivery_ids: Sequence[str]) -> list[Row]:
        """Return the rows of these deliveries; at most 100 ids."""

    async def aged(self, key: EndpointKey, before_us: int, *, limit: int = 100) -> list[Row]:
        """Return rows that have waited without an attempt since before a time."""

    async def oldest_us(self, key: EndpointKey) -> int:
        """Return when the first of an endpoint's deliveries was accepted, to the millisecond; 0: it has none."""

    async def queue_for_polling(self, key: EndpointKey) -> None:
        """Bring all rows into the order of arrival."""


class States(Protocol):
    """The states of endpoints. Each method raises UNAVAILABLE."""

    async def read(self, key: EndpointKey) -> EndpointState:
        """Return an endpoint's state; of one that is not stored, that nothing is wrong."""

    async def read_all(self, keys: Sequence[EndpointKey]) -> list[EndpointState]:
        """Return the states of the endpoints that are stored; of the others nothing is wrong."""

    async def observe(self, key: EndpointKey, observation: Observation) -> Health:
        """Store what was observed; return the endpoint's health."""

    async def lease(
        self, limit: int, *, per_tenant: int, without: Sequence[str], in_turn: Collection[EndpointKey] = ()
    ) -> list[EndpointState]:
        """Lease endpoints that are to be looked at. without: tenants that have enough.

        in_turn: endpoints whose turn in this process has not ended; it may have lost the lease while the database was
        away, and nobody has taken it since.
        """

    async def renew(self, key: EndpointKey) -> EndpointState | None:
        """Renew a lease; return the state; None: another process has it."""

    async def release(self, release: Release) -> None:
        """Give a lease back. What was parked meanwhile wakes the endpoint."""

    async def until_next(self) -> float | None:
        """Return the seconds until an endpoint is to be looked at; None: there is none."""

    async def wake(self, key: EndpointKey) -> None:
        """Look at an endpoint now."""

    async def wake_resting(self) -> None:
        """Look at all endpoints that rest and have rows."""

    async def wake_aged(self, before_us: int) -> int:
        """Look at some endpoints that rest and have rows from before a time; return how many. 0: there are no more."""

    async def disable(self, key: EndpointKey, reason: str, revision: int) -> None:
        """Note that an endpoint of this revision is to be disabled."""

    async def forget(self, keys: Sequence[EndpointKey], *, are_gone: bool = False) -> None:
        """Delete the states of endpoints that have no rows and are well, or that do not exist any more."""
