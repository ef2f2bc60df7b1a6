"""Builds the gRPC service of reports."""

import asyncpg
import grpc.aio
from nats.aio.client import Client

from runtime import nats
from runtime.grpc import Caller
from services.domain.trace import TraceWriter
from services.senders.ports import ProviderDirectory
from services.senders.reports.accounts import Accounts
from services.senders.reports.links import Links
from services.senders.reports.ports import SentMessages
from services.senders.reports.receive import Receiver
from services.senders.reports.router import RouterSuppressor
from services.senders.reports.servicer import ReportServicer
from services.senders.reports.unsubscribe import Unsubscriber
from services.senders.store import SecretBox


def make_servicer(
    *,
    pool: "asyncpg.Pool[asyncpg.Record]",
    connection: Client,
    box: SecretBox,
    directory: ProviderDirectory,
    sent: SentMessages,
    links: Links,
    router: grpc.aio.Channel,
    caller: Caller,
) -> ReportServicer:
    """Return the gRPC service of reports."""
    trace = TraceWriter(nats.StreamPublisher(connection))
    suppressor = RouterSuppressor(router, caller)
    return ReportServicer(
        links,
        Accounts(pool, directory, box.open_record),
        Receiver(sent, suppressor, trace),
        Unsubscriber(links, suppressor, trace),
        directory,
    )
