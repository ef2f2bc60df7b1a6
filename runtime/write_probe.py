"""Proves that streams store: writes a small message to each, rarely, and at once when a publish has failed.

A connection that is up and a stream that is there prove nothing: after a full disk nats-server answers all questions
and stores no message until it is restarted (docs/nats.md).
"""

import asyncio
import contextlib
import random
from collections.abc import Mapping

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from prometheus_client import Gauge

from runtime import logs
from runtime.nats import publish_failures

# Between two probes of streams that store, seconds.
INTERVAL_S = 20.0
# While one does not: soon again. However many publishes fail, no more often than the least.
_RETRY_S = 1.0
_LEAST_S = 0.25
# How long a write may take, seconds.
_PATIENCE_S = 2.0
# As large as a usual message, so that a stream with room for it has room for one.
_PAYLOAD = bytes(1024)
# Each probe replaces the one before it.
_HEADERS = {"Nats-Rollup": "sub"}

_STORES = Gauge("clarion_stream_stores", "1: the stream stored its latest probe; 0: it did not.", ["stream"])

log = logs.get(__name__)


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct):
    error: _Error | None = None


async def fault_of(connection: Client, subject: str, *, deadline: float = _PATIENCE_S) -> str:
    """Write to a stream by the subject of its probe; return why it did not store, in words; empty: it did."""
    if not connection.is_connected:
        return "NATS does not answer"
    try:
        reply = await connection.request(subject, _PAYLOAD, timeout=deadline, headers=dict(_HEADERS))
        error = msgspec.json.decode(reply.data, type=_Answer).error
    except nats.errors.NoRespondersError:
        return "it is missing, or JetStream is off"
    except (TimeoutError, nats.errors.Error, OSError):
        return f"a write is not acknowledged within {deadline:g} s"
    except msgspec.DecodeError as failure:
        return f"the acknowledgement is unreadable: {failure}"
    return f"it refuses writes ({error.err_code}: {error.description})" if error else ""


async def answers(connection: Client, *, deadline: float = 1.8) -> bool:
    """Ask whether JetStream answers at all; a stopped server keeps its connections.

    Not by flush(): nats-py breaks a connection whose PONG comes after the deadline.
    """
    if not connection.is_connected:
        return False
    try:
        await connection.jetstream(timeout=deadline).account_info()
    except (TimeoutError, nats.errors.Error, nats.js.errors.Error, OSError):
        return False
    return True


class WriteProbe:
    """Knows of each stream whether it stores. subjects: that of its probe, by the stream's name."""

    def __init__(self, connection: Client, subjects: Mapping[str, str], *, interval_s: float = INTERVAL_S) -> None:
        self._nats = connection
        self._subjects = subjects
        self._interval_s = interval_s
        self._faults = dict.fromkeys(subjects, "not probed yet")
        self._doubted = publish_failures(connection)

    def stores(self, stream: str) -> bool:
        """Tell whether the stream stored its latest probe."""
        return not self._faults[stream]

    async def run(self) -> None:
        """Probe for ever. Call probe() before: until then nothing stores."""
        while True:
            pause = _RETRY_S if any(self._faults.values()) else self._interval_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause * random.uniform(0.75, 1.25)):  # noqa: S311 - jitter, not a secret
                    await self._doubted.wait()
            self._doubted.clear()
            await self.probe()
            await asyncio.sleep(_LEAST_S)

    async def probe(self) -> None:
        """Write to each stream once."""
        await asyncio.gather(*[self._probe(stream) for stream in self._subjects])

    async def _probe(self, stream: str) -> None:
        fault = await fault_of(self._nats, self._subjects[stream])
        if fault and await self._is_unprepared(stream):
            fault = ""
        if fault != self._faults[stream]:
            if fault:
                log.error("stream_does_not_store", stream=stream, reason=fault)
            else:
                log.info("stream_stores", stream=stream)
        self._faults[stream] = fault
        _STORES.labels(stream).set(not fault)

    async def _is_unprepared(self, stream: str) -> bool:
        """Tell whether the stream is of an earlier version, without the probe's subject: nothing is known of it."""
        try:
            info = await self._nats.jetstream(timeout=1).stream_info(stream)
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error, OSError):
            return False
        is_unprepared = not any(_covers(filter_, self._subjects[stream]) for filter_ in info.config.subjects or ())
        if is_unprepared:
            log.warning("stream_not_probed", stream=stream, reason="run `clarion migrate`")
        return is_unprepared


def _covers(filter_: str, subject: str) -> bool:
    return filter_ == subject or (filter_.endswith(".>") and subject.startswith(filter_[:-1]))
