"""Checks of NATS: connection, version, JetStream, sync, disk space, streams and consumers."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import StreamConfig

from cli.checks.finding import MIGRATE, Finding, fail, judge, ok, warn
from runtime.bucket_keys import BUCKET
from runtime.write_probe import fault_of
from services.domain import provision, topology

_SUBJECT = "NATS"
_LEAST_VERSION = (2, 12, 0)
# Fields that must match topology.py. Operators may choose the others.
_STREAM_FIELDS = (
    "discard",
    "max_bytes",
    "num_replicas",
    "duplicate_window",
    "allow_atomic",
    "retention",
    "storage",
    "allow_rollup_hdrs",
)
_NEARLY_FULL = 0.8
_LEAST_FREE_DISK = 0.1
_START = "Start it, or correct CLARION_NATS_URL."
_MONITOR = "Correct CLARION_NATS_MONITOR_URL, or open the server's monitoring port (http_port)."
_MORE_STORE = "Increase max_file_store as in deploy/nats.conf, and restart NATS."
_MORE_DISK = "Free space, or move the store to a larger disk."
_ERRORS = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError, asyncio.TimeoutError)


@dataclass(frozen=True)
class ExpectedBroker:
    """The settings that `clarion migrate` uses, and the monitoring page."""

    url: str
    monitor_url: str
    replicas: int
    max_bytes: int


async def check(expected: ExpectedBroker) -> AsyncIterator[Finding]:
    """Check the server, its store and the streams."""
    if not expected.url:
        yield fail(_SUBJECT, "CLARION_NATS_URL is not set", "Set it as the services have it.")
        return
    try:
        async with asyncio.timeout(5):
            connection = await nats.connect(
                expected.url.split(","), connect_timeout=3, allow_reconnect=False, error_cb=_ignore
            )
    except _ERRORS as error:
        yield fail(_SUBJECT, f"cannot be reached: {error or type(error).__name__}", _START)
        return
    try:
        async for finding in _server(connection, expected):
            yield finding
    finally:
        await connection.close()


async def _server(connection: Client, expected: ExpectedBroker) -> AsyncIterator[Finding]:
    version = connection.connected_server_version
    number = (version.major, version.minor, version.patch)
    text = ".".join(map(str, number))
    yield judge(
        number >= _LEAST_VERSION, _SUBJECT, f"version {text}", f"version {text} is too old", "Install 2.12 or newer."
    )
    try:
        await connection.jetstream(timeout=3).account_info()
    except _ERRORS:
        yield fail(
            _SUBJECT,
            "JetStream is disabled on the server, or for this account",
            "Enable it as in deploy/nats.conf, and restart NATS.",
        )
        return
    yield ok(_SUBJECT, "JetStream is enabled")
    async for finding in _store(expected):
        yield finding
    async for finding in _health(expected.monitor_url):
        yield finding
    async for finding in _writes(connection):
        yield finding
    for stream in provision.streams(replicas=expected.replicas, max_bytes=expected.max_bytes):
        yield await _stream(connection, stream)
    yield await _consumers(connection)
    yield await _bucket(connection)


async def _store(expected: ExpectedBroker) -> AsyncIterator[Finding]:
    """Check the store. Only the monitoring page shows whether messages are synced."""
    if not expected.monitor_url:
        yield warn(
            _SUBJECT,
            "sync_interval cannot be checked",
            "Set CLARION_NATS_MONITOR_URL to the server's monitoring port.",
        )
        return
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            reply = await session.get(f"{expected.monitor_url.rstrip('/')}/jsz?config=true")
            page: Mapping[str, Any] = await reply.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        yield fail(_SUBJECT, f"the monitoring page {expected.monitor_url} does not answer: {error}", _MONITOR)
        return
    config = page.get("config") or {}
    if config.get("sync_always"):
        yield ok(_SUBJECT, "sync_interval is `always`: acknowledged events are on disk")
    elif page.get("meta_cluster") and expected.replicas >= 3:
        yield ok(_SUBJECT, f"a cluster with {expected.replicas} copies of each message")
    else:
        yield fail(
            _SUBJECT,
            "sync_interval is not `always`: a power failure loses acknowledged events",
            "Set it as in deploy/nats.conf, and restart NATS.",
        )
    for finding in _room(page, config):
        yield finding


async def _health(monitor_url: str) -> AsyncIterator[Finding]:
    """Check the server's health page. With js-server-only or js-enabled-only it would not report a broken store."""
    if not monitor_url:
        return
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            reply = await session.get(f"{monitor_url.rstrip('/')}/healthz?details=true")
            page: Mapping[str, Any] = await reply.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        yield fail(_SUBJECT, f"the health page does not answer: {error or type(error).__name__}", _MONITOR)
        return
    faults = [str(fault.get("error", "")) for fault in page.get("errors") or ()] or [str(page.get("error", ""))]
    yield judge(
        reply.status == 200,
        _SUBJECT,
        "the server reports that it is healthy",
        f"the server reports {page.get('status')}: {'; '.join(faults)[:500]}",
        "Look at its log; after a full disk, free space and restart NATS.",
    )


async def _writes(connection: Client) -> AsyncIterator[Finding]:
    """Write to each stream. After a full disk a server answers all requests but stores nothing."""
    faults = await asyncio.gather(
        *[fault_of(connection, topology.probe_subject(store), deadline=3) for store in topology.STORES]
    )
    refused = [f"{store}: {fault}" for store, fault in zip(topology.STORES, faults, strict=True) if fault]
    if refused:
        yield fail(
            _SUBJECT,
            f"does not store messages. {'; '.join(refused)}",
            "A full stream (10077) empties while its messages are processed. After a full disk, free space and restart"
            " NATS (local stack and compose file restart it).",
        )
    else:
        yield ok(_SUBJECT, f"all {len(faults)} streams store messages")


def _room(page: Mapping[str, Any], config: Mapping[str, Any]) -> list[Finding]:
    findings = []
    bound, used, reserved = config.get("max_storage", 0), page.get("storage", 0), page.get("reserved_storage", 0)
    if bound and used > bound * _NEARLY_FULL:
        findings.append(
            warn(_SUBJECT, f"the store is {used / bound:.0%} full: at 100 % every event is refused", _MORE_STORE)
        )
    if bound and reserved >= bound:
        findings.append(fail(_SUBJECT, "max_file_store is not larger than the sum of the streams' limits", _MORE_STORE))
    folder = Path(config.get("store_dir", ""))
    if config.get("store_dir") and folder.exists():
        disk = shutil.disk_usage(folder)
        text = f"{disk.free / topology.GIB:.1f} GiB are free on the disk of {folder}"
        if disk.free < bound - used:
            findings.append(
                fail(_SUBJECT, f"{text}, less than max_file_store may still need: a full disk stops NATS", _MORE_DISK)
            )
        elif disk.free < disk.total * _LEAST_FREE_DISK:
            findings.append(warn(_SUBJECT, text, _MORE_DISK))
    if not findings:
        findings.append(ok(_SUBJECT, f"the store uses {used / topology.GIB:.2f} of {bound / topology.GIB:.2f} GiB"))
    return findings


async def _stream(connection: Client, wanted: StreamConfig) -> Finding:
    try:
        info = await connection.jetstream(timeout=3).stream_info(str(wanted.name))
    except _ERRORS:
        return fail(_SUBJECT, f"stream {wanted.name} is missing", MIGRATE)
    differing = [
        f"{name} is {getattr(info.config, name)}, not {getattr(wanted, name)}"
        for name in _STREAM_FIELDS
        if getattr(wanted, name) is not None and getattr(info.config, name) != getattr(wanted, name)
    ]
    if sorted(info.config.subjects or ()) != sorted(wanted.subjects or ()):
        differing.append("its subjects are different")
    if wanted.max_bytes in (None, -1) and (info.config.max_bytes or -1) > 0:
        differing.append("max_bytes is set, so that pending timers can be lost")
    if wanted.allow_msg_schedules and not info.config.allow_msg_schedules:
        differing.append("allow_msg_schedules is off")
    if differing:
        return fail(_SUBJECT, f"stream {wanted.name}: {'; '.join(differing)}", MIGRATE)
    if wanted.max_bytes and info.state.bytes > wanted.max_bytes * _NEARLY_FULL:
        return warn(
            _SUBJECT,
            f"stream {wanted.name} is {info.state.bytes / wanted.max_bytes:.0%} full",
            "Look which part is behind (docs/observability.md), or increase CLARION_STREAM_MAX_BYTES and migrate.",
        )
    return ok(_SUBJECT, f"stream {wanted.name}: {info.state.messages} messages, {info.state.bytes} bytes")


async def _consumers(connection: Client) -> Finding:
    jetstream = connection.jetstream(timeout=3)
    faults = []
    wanted = topology.consumers()
    for consumer in wanted:
        try:
            config = (await jetstream.consumer_info(consumer.stream, consumer.name)).config
        except _ERRORS:
            faults.append(f"{consumer.stream}/{consumer.name} is missing")
            continue
        if sorted(config.filter_subjects or [config.filter_subject or ""]) != sorted(consumer.subjects):
            faults.append(f"{consumer.stream}/{consumer.name} has different subjects")
        if (config.max_deliver or -1) > 0:
            faults.append(f"{consumer.stream}/{consumer.name} gives up after {config.max_deliver} deliveries")
    if faults:
        return fail(_SUBJECT, f"consumers: {'; '.join(faults)}", MIGRATE)
    return ok(_SUBJECT, f"all {len(wanted)} consumers exist")


async def _bucket(connection: Client) -> Finding:
    try:
        await connection.jetstream(timeout=3).key_value(BUCKET)
    except _ERRORS:
        return fail(_SUBJECT, f"the bucket {BUCKET} is missing", MIGRATE)
    return ok(_SUBJECT, f"the bucket {BUCKET} exists")


async def _ignore(_: Exception) -> None:
    """Ignore it: the finding reports the error."""
