"""Creates and updates the streams, the consumers and the configuration bucket that services.domain.topology names."""

from nats.aio.client import Client
from nats.js import JetStreamContext, errors
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    KeyValueConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from runtime.bucket_keys import BUCKET
from services.domain import topology

# TRACE needs no ids: a record has one of its own, and the ledger writes it once.
_NO_WINDOW_S = 1


def streams(*, replicas: int, max_bytes: int) -> list[StreamConfig]:
    """Return the streams. max_bytes: the bound of each but TIMERS, which must not discard (timers would be lost)."""

    def bounded(name: str, subjects: list[str], window_s: int = topology.DUPLICATE_WINDOW_S) -> StreamConfig:
        return StreamConfig(
            name=name,
            subjects=[*subjects, topology.probe_subject(name)],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_bytes=max_bytes,
            num_replicas=replicas,
            duplicate_window=window_s,
            allow_atomic=True,
            allow_direct=True,
            allow_rollup_hdrs=True,
        )

    timers = StreamConfig(
        name=topology.TIMERS,
        subjects=[topology.WAITING_TIMERS, "timers.due.>", topology.probe_subject(topology.TIMERS)],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=replicas,
        duplicate_window=topology.DUPLICATE_WINDOW_S,
        allow_atomic=True,
        allow_msg_schedules=True,
        allow_direct=True,
        allow_rollup_hdrs=True,
    )
    return [
        bounded(topology.EVENTS, ["events.*"]),
        bounded(topology.DELIVERIES, ["deliveries.*.*"]),
        bounded(topology.TRACE, [topology.TRACE_SUBJECT], _NO_WINDOW_S),
        timers,
    ]


async def apply(connection: Client, *, replicas: int = 1, max_bytes: int = topology.GIB) -> list[str]:
    """Create or update the streams, consumers and the configuration bucket; return the names of the new ones."""
    jetstream = connection.jetstream(timeout=10)
    created = []
    for stream in streams(replicas=replicas, max_bytes=max_bytes):
        try:
            await jetstream.update_stream(stream)
        except errors.NotFoundError:
            await jetstream.add_stream(stream)
            created.append(str(stream.name))
    if await _apply_bucket(jetstream, replicas):
        created.append(BUCKET)
    for consumer in topology.consumers():
        await jetstream.add_consumer(
            consumer.stream,
            ConsumerConfig(
                durable_name=consumer.name,
                filter_subjects=list(consumer.subjects),
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=topology.ACK_WAIT_S,
                max_deliver=-1,
                max_ack_pending=8192,
                max_waiting=512,
                num_replicas=1,
            ),
        )
    return created


async def _apply_bucket(jetstream: JetStreamContext, replicas: int) -> bool:
    """Create the configuration bucket, or allow direct reads of an older one; return whether it is new."""
    try:
        config = (await jetstream.stream_info(f"KV_{BUCKET}")).config
    except errors.NotFoundError:
        await jetstream.create_key_value(
            KeyValueConfig(
                bucket=BUCKET, history=1, storage=StorageType.FILE, replicas=replicas, max_bytes=-1, direct=True
            )
        )
        return True
    if not config.allow_direct:
        config.allow_direct = True
        await jetstream.update_stream(config)
    return False
