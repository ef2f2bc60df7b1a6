"""Checks that streams store, by writing a small message to each: every 20 seconds, and at once after a failed publish.

An open connection and an existing stream prove nothing: after a full disk, nats-server answers every request and
stores no message until it is restarted (docs/nats.md).
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

# Between two probes while all streams store, seconds.
INTERVAL_S = 20.0
# Between two probes while one does not store, and the minimum, however many publishes fail.
_RETRY_S = 1.0
_LEAST_S = 0.25
# How long a write may take, seconds.
_PATIENCE_S = 2.0
# As large as a usual message: a stream that has room for a probe has room for a message.
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
    """Write to a stream by the subject of its probe. Return why it did not store, or "" if it did."""
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
    """Return whether JetStream answers. A stopped server keeps its connections open, so those say nothing.

    flush() is not used: nats-py closes a connection whose PONG is later than the deadline.
    """
    if not connection.is_connected:
        return False
    try:
        await connection.jetstream(timeout=deadline).account_info()
    except (TimeoutError, nats.errors.Error, nats.js.errors.Error, OSError):
        return False
    return True


class WriteProbe:
    """Knows whether each stream stores. subjects: of the probes, by the stream's name."""

    def __init__(self, connection: Client, subjects: Mapping[str, str], *, interval_s: float = INTERVAL_S) -> None:
        self._nats = connection
        self._subjects = subjects
        self._interval_s = interval_s
        self._faults = dict.fromkeys(subjects, "not probed yet")
        self._doubted = publish_failures(connection)

    def stores(self, stream: str) -> bool:
        """Return whether the stream stored its latest probe."""
        return not self._faults[stream]

    async def run(self) -> None:
        """Probe for ever. Call probe() first: until then every stream counts as not storing."""
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
        """Return whether an earlier version made the stream, without the probe's subject: then nothing is known."""
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
