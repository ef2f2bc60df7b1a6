"""What callers of gRPC may send: authenticated first, bounded for each method, and never at a neighbour's cost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from clarion.ingest.v1 import ingest_pb2
from runtime.edge import DEFAULT_MAX_BYTES
from runtime.errors import ClarionError, Code
from runtime.grpc import KEY_METADATA, TOKEN_METADATA, from_rpc_error
from services.ingest.servicer import IngestServicer
from tests.integration.ingest.conftest import Ingest, new_event
from tests.integration.ingest.processes import TOKEN

MIB = 1024 * 1024
CALLS = 40
LARGE = b"\x0a" + bytes(16 * MIB - 64)
# What all of them together may cost: they hold 640 MiB.
MAX_GROWTH_MIB = 48

ACCEPT = "/clarion.ingest.v1.IngestService/AcceptEvents"
AUTHENTICATE = "/clarion.ingest.v1.IngestService/Authenticate"
TRIGGER = "/clarion.ingest.v1.IngestService/TriggerEvent"
CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

Metadata = Sequence[tuple[str, str]]


@pytest.fixture
async def connections(ingest: Ingest) -> AsyncIterator[list[Any]]:
    """As many connections of their own as there are calls, which send as much as they like."""
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    made = [grpc.aio.insecure_channel(ingest.service.address, options=options) for _ in range(CALLS)]
    yield made
    for connection in made:
        await connection.close()


def _peak_mib(ingest: Ingest) -> int:
    status = Path(f"/proc/{ingest.service.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024


async def _outcome(call: Any) -> tuple[str, str]:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details() or ""
    return "OK", ""


async def _send(
    connections: Sequence[Any], method: str, raw: bytes, metadata: Metadata = ()
) -> "Counter[tuple[str, str]]":
    """Call over all connections at a time, and as often over one; return how each call ended."""
    calls = [
        connection.unary_unary(method)(raw, timeout=60, metadata=tuple(metadata))
        for connection in (*connections, *[connections[0]] * len(connections))
    ]
    return Counter(await asyncio.gather(*map(_outcome, calls)))


async def _fault(call: Any) -> ClarionError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return from_rpc_error(refused.value)


@pytest.mark.parametrize(
    ("method", "metadata"),
    [
        (ACCEPT, ()),
        (ACCEPT, ((TOKEN_METADATA, "wrong"),)),
        (TRIGGER, ()),
        (TRIGGER, ((KEY_METADATA, "wrong"),)),
    ],
    ids=["no token", "wrong token", "no key", "wrong key"],
)
async def test_a_caller_who_may_not_call_costs_no_memory(
    ingest: Ingest, connections: list[Any], method: str, metadata: Metadata
) -> None:
    """80 calls of 16 MiB are refused as UNAUTHENTICATED, and what they hold is never read."""
    before = _peak_mib(ingest)
    outcomes = await _send(connections, method, LARGE, metadata)
    assert {code for code, _ in outcomes} == {"UNAUTHENTICATED"}
    assert _peak_mib(ingest) - before < MAX_GROWTH_MIB


@pytest.mark.parametrize("method", [CHECK, ACCEPT, AUTHENTICATE], ids=["health", "the largest method", "a small one"])
async def test_more_than_the_largest_message_costs_no_memory(
    ingest: Ingest, connections: list[Any], method: str
) -> None:
    """Of every caller and method: a message larger than any method takes is refused at its start, with its size."""
    before = _peak_mib(ingest)
    outcomes = await _send(connections, method, LARGE, ((TOKEN_METADATA, TOKEN),))
    largest = IngestServicer.MAX_BYTES["AcceptEvents"]
    assert outcomes.keys() == {
        ("RESOURCE_EXHAUSTED", f"SERVER: Received message larger than max ({len(LARGE)} vs. {largest})")
    }
    assert _peak_mib(ingest) - before < MAX_GROWTH_MIB


async def test_the_callers_own_error_says_so_too(ingest: Ingest) -> None:
    """A service that sends too much learns that the message is too large, not that something failed."""
    request = ingest_pb2.AuthenticateRequest(api_key="x" * (6 * MIB))
    with pytest.raises(ClarionError) as refused:
        await ingest.call("IngestService.Authenticate", request)
    assert refused.value.code is Code.INVALID
    assert str(IngestServicer.MAX_BYTES["AcceptEvents"]) in refused.value.detail


async def test_open_methods_read_few_messages_at_a_time(ingest: Ingest, connections: list[Any]) -> None:
    """Health needs no token: 80 messages of 4 MiB are refused one by one, a few in memory at a time."""
    before = _peak_mib(ingest)
    outcomes = await _send(connections, CHECK, LARGE[: 4 * MIB])
    sentence = f"The message has {4 * MIB:,} bytes; this method takes at most 4,096. Send less."
    assert {code for code, _ in outcomes} <= {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}
    assert outcomes["INVALID_ARGUMENT", sentence] > 0
    # Four at a time of one address, of 4 MiB, and what the allocator keeps of those before.
    assert _peak_mib(ingest) - before < MAX_GROWTH_MIB * 2
    assert (await _outcome(connections[0].unary_unary(CHECK)(b"", timeout=30)))[0] == "OK"


async def test_streams_of_open_methods_are_bounded_too(ingest: Ingest, connections: list[Any]) -> None:
    """Watching health and asking for reflection: a message past 4 KiB is refused."""
    for method in (WATCH, REFLECT):

        async def ask(method: str = method) -> None:
            call = connections[0].stream_stream(method)(iter([LARGE[:5000]]), timeout=30)
            async for _ in call:
                pass

        fault = await _fault(ask())
        assert fault.code is Code.INVALID
        assert "takes at most 4,096" in fault.detail


@pytest.mark.parametrize(
    ("method", "limit"),
    [(AUTHENTICATE, DEFAULT_MAX_BYTES), (TRIGGER, IngestServicer.MAX_BYTES["TriggerEvent"])],
    ids=["by default", "TriggerEvent"],
)
async def test_each_method_has_its_limit(ingest: Ingest, method: str, limit: int) -> None:
    """A byte more than the limit is refused with both numbers, in the typed error; the limit itself is not."""
    metadata = ((KEY_METADATA, (await ingest.tenant()).api_key), (TOKEN_METADATA, TOKEN))
    call: Any = ingest.service.channel.unary_unary(method)
    # Field 1 as a string or message of the wanted length.
    fault = await _fault(call(_field_of(limit + 1), timeout=30, metadata=metadata))
    assert (fault.code, fault.detail) == (
        Code.INVALID,
        f"The message has {limit + 1:,} bytes; this method takes at most {limit:,}. Send less.",
    )
    within = await _fault(call(_field_of(limit), timeout=30, metadata=metadata))
    assert "takes at most" not in within.detail


async def test_what_is_no_message_is_the_callers_error(ingest: Ingest) -> None:
    """Bytes that do not parse are INVALID, as any other input that cannot be."""
    call: Any = ingest.service.channel.unary_unary(AUTHENTICATE)
    fault = await _fault(call(b"\xff\xff", timeout=30, metadata=((TOKEN_METADATA, TOKEN),)))
    assert fault.code is Code.INVALID


async def test_a_group_of_the_gateways_size_passes(ingest: Ingest) -> None:
    """Sixteen events of 256 KB, four megabytes in one call: each is stored."""
    tenant = (await ingest.tenant()).tenant.id
    events = [new_event(f"k{number}", variables=b'{"a":"%s"}' % (b"x" * 250_000)) for number in range(16)]
    results = await ingest.accept(tenant, *events)
    assert [result.WhichOneof("result") for result in results] == ["accepted"] * 16


async def test_metadata_is_bounded(ingest: Ingest) -> None:
    """The server's first word about metadata past 16 KB is that there is too much of it."""
    metadata = ((TOKEN_METADATA, TOKEN), ("x-padding", "x" * 17_000))
    call: Any = ingest.service.channel.unary_unary(AUTHENTICATE)
    code, _ = await _outcome(call(b"", timeout=30, metadata=metadata))
    assert code == "RESOURCE_EXHAUSTED"


async def test_messages_that_never_come_hold_up_nobody_else(ingest: Ingest, connections: list[Any]) -> None:
    """300 calls of one key that send nothing: another tenant's is answered, and past a bound the first is refused."""
    slow, quick = await ingest.tenant(), await ingest.tenant()
    never = asyncio.Event()

    async def nothing() -> AsyncIterator[bytes]:
        await never.wait()
        yield b""

    metadata = ((KEY_METADATA, slow.api_key),)
    hanging = [
        asyncio.ensure_future(
            _outcome(connections[number % CALLS].stream_unary(TRIGGER)(nothing(), timeout=60, metadata=metadata))
        )
        for number in range(300)
    ]
    done, _ = await asyncio.wait(hanging, return_when=asyncio.FIRST_COMPLETED)
    refused = {task.result()[0] for task in done}
    assert refused == {"RESOURCE_EXHAUSTED"}
    stub = ingest.service.channel.unary_unary(
        TRIGGER, ingest_pb2.TriggerEventRequest.SerializeToString, ingest_pb2.TriggerEventResponse.FromString
    )
    request = ingest_pb2.TriggerEventRequest(event=new_event("k"))
    answer = await stub(request, timeout=30, metadata=((KEY_METADATA, quick.api_key),))
    assert answer.event_id
    assert not all(task.done() for task in hanging)
    for task in hanging:
        task.cancel()


async def test_more_calls_than_a_server_takes_are_refused_as_overload(ingest: Ingest) -> None:
    """GRPC's own refusal becomes OVERLOADED with a time to come back, which the gateway passes on."""
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), grpc.aio.Metadata(), "Concurrent RPC limit exceeded!"
    )
    fault = from_rpc_error(error)
    assert (fault.code, fault.retry_after) == (Code.OVERLOADED, 1)


def _field_of(size: int) -> bytes:
    """A message with one field of bytes, so many bytes long in all."""
    for length in range(size - 6, size):
        raw = ingest_pb2.AuthenticateRequest(api_key="x" * length).SerializeToString()
        if len(raw) == size:
            return raw
    raise AssertionError(size)
