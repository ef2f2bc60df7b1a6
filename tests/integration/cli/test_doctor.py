"""The doctor beside real servers: what it writes, asks and compares."""

from nats.aio.client import Client

from cli import configuration
from cli.checks import broker, bucket
from cli.checks.finding import Finding, Level
from runtime.bucket import ConfigurationBucket
from services.domain import topology
from tests.conftest import NatsServer
from tests.streams import Streams


async def _of_broker(server: NatsServer) -> list[Finding]:
    expected = broker.ExpectedBroker(server.url, server.local.monitor_url, replicas=1, max_bytes=64 * 1024**2)
    return [finding async for finding in broker.check(expected)]


async def _of_bucket(postgres_url: str, nats_url: str) -> list[Finding]:
    return [finding async for finding in bucket.check(postgres_url, nats_url)]


async def test_a_stream_that_takes_no_write_is_named(nats_server: NatsServer, streams: Streams) -> None:
    """With what the broker answered; the others are written to as well."""
    texts = [finding.text for finding in await _of_broker(nats_server)]
    assert "all 5 streams store messages" in texts
    assert "the server reports that it is healthy" in texts
    await streams.refuse(topology.TRACE)
    [fault] = [one.text for one in await _of_broker(nats_server) if one.text.startswith("does not store")]
    assert fault.startswith("does not store messages. TRACE: it refuses writes (10077: maximum bytes exceeded)")


async def test_a_bucket_that_differs_is_named(postgres_url: str, nats_url: str, connection: Client) -> None:
    """By the owner, with how many keys and which; probes of its health are no difference."""
    [fine] = await _of_bucket(postgres_url, nats_url)
    assert (fine.level, fine.text) == (Level.OK, "is equal to PostgreSQL")
    await ConfigurationBucket(connection).put(topology.api_key_key("ab"), b"somebody's tenant")
    [fault] = await _of_bucket(postgres_url, nats_url)
    assert fault.level is Level.FAIL
    assert "differs from ingest's tables: 0 missing, 0 changed, 1 left over, such as keys.ab" in fault.text
    await configuration.rebuild(postgres_url, connection)
    [fine] = await _of_bucket(postgres_url, nats_url)
    assert fine.level is Level.OK
