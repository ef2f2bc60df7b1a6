"""Builds what parks deliveries and sends them later."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import grpc.aio
from nats.aio.client import Client

from runtime import clock, nats, parts
from runtime.configuration import ConfigurationOutbox
from runtime.encryption import Vault
from runtime.grpc import Caller
from services.delivery.attempts import Attempts
from services.delivery.ports import Refusal
from services.domain.trace import TraceWriter
from services.senders.webhooks.parking.book import EndpointBook, ParkedDeliveries
from services.senders.webhooks.parking.breaker import BreakerPolicy
from services.senders.webhooks.parking.cancel import CanceledEvents, CanceledRows
from services.senders.webhooks.parking.drain import Drain
from services.senders.webhooks.parking.erase import ParkedEraser
from services.senders.webhooks.parking.neighbours import IngestAcceptor, RouterEndpointOwner
from services.senders.webhooks.parking.notices import EndpointOutages, Notices
from services.senders.webhooks.parking.places import Places
from services.senders.webhooks.parking.polling import Poller
from services.senders.webhooks.parking.ports import Letters
from services.senders.webhooks.parking.row_work import Desk, TurnLimits
from services.senders.webhooks.parking.rows import ParkedRows
from services.senders.webhooks.parking.servicer import ParkingServicer
from services.senders.webhooks.parking.states import EndpointStates
from services.senders.webhooks.parking.store import PostgresNotices
from services.senders.webhooks.parking.watcher import EndpointWatcher

# Attempts of rows that are under way in this process, in all and of one tenant.
_MOST, _MOST_OF_TENANT = 512, 128
# A lease is longer than an attempt by so much, seconds: time for renewing it a few times.
_LEASE_OVER_S = 15.0


@dataclass(frozen=True, slots=True)
class Parking:
    """What the worker needs: parked implements services.delivery.ports.Parking. now: PostgreSQL's time."""

    book: EndpointBook
    rows: ParkedRows
    states: EndpointStates
    watcher: EndpointWatcher
    parked: ParkedDeliveries
    eraser: ParkedEraser
    canceled: CanceledRows
    trace: TraceWriter
    limits: TurnLimits
    now: clock.Clock
    own: parts.OwnParts


def open_parking(
    pool: "asyncpg.Pool[asyncpg.Record]",
    outbox: ConfigurationOutbox,
    connection: Client,
    book: EndpointBook,
    canceled: CanceledEvents,
    own: parts.OwnParts,
    policy: BreakerPolicy,
    *,
    at_once: int,
    per_s: float,
    attempt_s: float,
    keep_s: float,
    now: clock.Clock,
) -> Parking:
    """Return the parts. attempt_s: the most that an attempt takes; see TurnLimits for the rest.

    pool: without bitmap scans, because rows are a queue.
    """
    limits = TurnLimits(
        at_once=at_once, per_s=per_s, lease_s=attempt_s + _LEASE_OVER_S, attempt_s=attempt_s, keep_s=keep_s
    )
    rows = ParkedRows(pool, outbox, own, bound=book.backlog_bound, now=now)
    trace = TraceWriter(nats.StreamPublisher(connection))
    states = EndpointStates(pool, outbox, policy, lease_s=limits.lease_s, now=now)
    return Parking(
        book=book,
        rows=rows,
        states=states,
        watcher=EndpointWatcher(states, book),
        parked=ParkedDeliveries(book, rows),
        eraser=ParkedEraser(rows, trace, now=now),
        canceled=CanceledRows(canceled, rows, trace, now=now),
        trace=trace,
        limits=limits,
        now=now,
        own=own,
    )


def make_drain(parking: Parking, attempts: Attempts) -> Drain:
    """Return what sends the rows. attempts: send to ORDERED endpoints, too."""
    drain = Drain(
        Desk(
            attempts=attempts,
            rows=parking.rows,
            states=parking.states,
            trace=parking.trace,
            directory=parking.book,
            places=Places(_MOST, _MOST_OF_TENANT),
            limits=parking.limits,
            own=parking.own,
            now=parking.now,
            note_failure=parking.watcher.note_failure,
        )
    )
    parking.rows.on_parked = drain.on_parked
    parking.rows.on_resting = drain.on_resting
    parking.book.on_enabled = drain.on_enabled
    parking.book.on_changed = drain.on_changed
    return drain


def make_notices(
    parking: Parking,
    pool: "asyncpg.Pool[asyncpg.Record]",
    connection: Client,
    ingest: grpc.aio.Channel,
    router: grpc.aio.Channel,
    caller: Caller,
    outages: EndpointOutages | None = None,
) -> Notices:
    """Return what disables endpoints and notifies tenants."""
    return Notices(
        PostgresNotices(pool, now=parking.now),
        RouterEndpointOwner(router, caller),
        IngestAcceptor(ingest, caller, connection),
        parking.book,
        outages=outages,
        now=parking.now,
    )


def make_servicer(
    parking: Parking, drain: Drain, letters: Letters, vault: Vault, refusals: Sequence[Refusal]
) -> ParkingServicer:
    """Return the gRPC service."""
    poller = Poller(parking.rows, parking.trace, letters, parking.book, vault, refusals, now=parking.now)
    return ParkingServicer(parking.rows, parking.states, poller, parking.trace, drain.on_parked, now=parking.now)
