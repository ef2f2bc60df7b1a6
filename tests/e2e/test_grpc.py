"""docs/grpc.md runs as it stands, and the gRPC ports let in nobody else."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf import descriptor_pb2, empty_pb2, json_format
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from checks.client import Client
from checks.waiting import until
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc, tenants_pb2, tenants_pb2_grpc
from runtime.ids import is_uuid
from stack import processes
from stack.client import Running
from tests import documentation
from tests.conftest import free_port

PAGE = documentation.page("docs/grpc.md")


def run(command: list[str], running: Running, tmp_path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as a stranger to the stack would, with the two variables of the page."""
    variables = {
        "CLARION_INGEST_ADDRESS": running.variables["CLARION_INGEST_ADDRESS"],
        "CLARION_API_KEY": running.api_key,
        **environment,
    }
    return subprocess.run(
        command, env={**os.environ, **variables}, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )


def saved_example(folder: Path) -> list[str]:
    """Save the page's program; return the command that runs it."""
    example = folder / "example.py"
    example.write_text(documentation.block(PAGE, "python", "TriggerEvent"), encoding="utf-8")
    return [sys.executable, str(example)]


async def delivered_sms(client: Client, event_id: str) -> str:
    """Return the text of an event's SMS."""
    assert is_uuid(event_id)
    await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    [sms] = [message for message in await client.operator.outbox(event_id) if message["channel"] == "SMS"]
    return str(sms["text"])


async def test_the_python_example(client: Client, shared_stack: Running, tmp_path: Path) -> None:
    """It triggers an event that is delivered; once more, it says that it was there; a wrong key is a typed error."""
    example = saved_example(tmp_path)
    first = run(example, shared_stack, tmp_path)
    assert first.returncode == 0, first.stderr
    event_id = first.stdout.split()[0]
    assert first.stdout == f"{event_id} is new\n"
    assert "order G-1001 is confirmed" in await delivered_sms(client, event_id)
    again = run(example, shared_stack, tmp_path)
    assert again.stdout == f"{event_id} was there before\n"
    wrong = run(example, shared_stack, tmp_path, CLARION_API_KEY="0" * 64)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("UNAUTHENTICATED, ERROR_CODE_UNAUTHENTICATED: ")


def test_the_audience_example(shared_stack: Running, tmp_path: Path) -> None:
    """It runs beside the first one, and its key is remembered."""
    saved_example(tmp_path)
    example = tmp_path / "audience.py"
    example.write_text(documentation.block(PAGE, "python", "audience="), encoding="utf-8")
    for said in ("is new", "was there before"):
        done = run([sys.executable, str(example)], shared_stack, tmp_path)
        assert done.returncode == 0, done.stderr
        event_id, _, rest = done.stdout.partition(" ")
        assert is_uuid(event_id)
        assert rest == f"{said}\n"


async def test_the_python_example_sends_again(shared_stack: Running, tmp_path: Path) -> None:
    """A connection that breaks without an answer is no reason to give up, and the event stays one."""
    cut: list[str] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not cut:
            cut.append("the first one")
            writer.transport.abort()
            return
        host, _, port = shared_stack.variables["CLARION_INGEST_ADDRESS"].rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        example = saved_example(tmp_path)
        done = await asyncio.to_thread(run, example, shared_stack, tmp_path, CLARION_INGEST_ADDRESS=address)
    assert done.returncode == 0, done.stderr
    assert cut


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until one side ends."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


def test_the_python_example_gives_up_with_a_sentence(shared_stack: Running, tmp_path: Path) -> None:
    """Where nobody answers there are no details to read: the status is all there is, and no traceback."""
    done = run(saved_example(tmp_path), shared_stack, tmp_path, CLARION_INGEST_ADDRESS=f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert done.stderr.startswith("UNAVAILABLE, ERROR_CODE_UNSPECIFIED: ")
    assert "Traceback" not in done.stderr


def test_the_stubs_need_three_files(shared_stack: Running, tmp_path: Path) -> None:
    """The page's own line makes them, and the example runs on them with nothing else of Clarion."""
    (tmp_path / "proto").symlink_to(processes.ROOT / "proto")
    (tmp_path / "build" / "caller").mkdir(parents=True)
    made = documentation.block(PAGE, "sh", "grpc_tools.protoc")
    line = made[made.index("build/caller/bin/python -m grpc_tools.protoc") :]
    # The environment that the lines before it make from the registry.
    line = line.replace("build/caller/bin/python", '"$CALLERS_PYTHON"')
    done = documentation.shell(line, shared_stack, folder=tmp_path, CALLERS_PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    stubs = tmp_path / "build" / "caller"
    assert not list(stubs.glob("runtime*"))
    code = (
        "import clarion.common.v1.error_pb2 as e, clarion.ingest.v1.ingest_pb2_grpc as i; print(e.__file__, i.__file__)"
    )
    found = run([sys.executable, "-c", code], shared_stack, tmp_path, PYTHONPATH=str(stubs))
    assert [Path(path).is_relative_to(stubs) for path in found.stdout.split()] == [True, True], found.stderr
    done = run(saved_example(stubs), shared_stack, tmp_path, PYTHONPATH=str(stubs))
    assert done.returncode == 0, done.stderr


async def test_the_grpcurl_line(client: Client, shared_stack: Running, tmp_path: Path) -> None:
    """By the real grpcurl where there is one, else by a stand-in that has only reflection too."""
    if not shutil.which("grpcurl"):
        stand_in = tmp_path / "grpcurl"
        module = Path(__file__).with_name("grpcurl.py")
        stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{module}" "$@"\n', encoding="utf-8")
        stand_in.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run(["sh", "-c", documentation.block(PAGE, "sh", "grpcurl")], shared_stack, tmp_path, PATH=path)
    assert done.returncode == 0, done.stderr
    answer = json_format.Parse(done.stdout, ingest_pb2.TriggerEventResponse())
    assert "order G-1002 is confirmed" in await delivered_sms(client, answer.event_id)


def test_the_shell_lines_give_two_variables(shared_stack: Running) -> None:
    """The address and the key, and none of the services' own secrets."""
    line = documentation.block(PAGE, "sh", "stack.client")
    done = documentation.shell(f"{line}\nenv", shared_stack)
    assert done.returncode == 0, done.stderr
    variables = dict(one.split("=", 1) for one in done.stdout.splitlines() if one.startswith("CLARION_"))
    given = {name: value for name, value in variables.items() if name not in {*os.environ, "CLARION_DATA"}}
    assert given == {
        "CLARION_INGEST_ADDRESS": shared_stack.variables["CLARION_INGEST_ADDRESS"],
        "CLARION_API_KEY": shared_stack.api_key,
    }


@pytest.mark.parametrize("service", ["ingest", "router", "render", "senders", "realtime"])
async def test_a_key_opens_one_method_only(client: Client, shared_stack: Running, service: str) -> None:
    """Every other method of every service wants the services' token: neither nothing, nor a key, nor a wrong token."""
    async with grpc.aio.insecure_channel(shared_stack.process(service).address) as channel:
        methods = await own_methods(channel)
        assert methods
        for method in methods - {"/clarion.ingest.v1.IngestService/TriggerEvent"}:
            call: Any = channel.unary_unary(method, request_serializer=empty_pb2.Empty.SerializeToString)
            for metadata in ((), (("x-api-key", client.tenant.api_key),), (("x-clarion-token", "0" * 64),)):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call(empty_pb2.Empty(), timeout=30, metadata=metadata)
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, method


async def own_methods(channel: grpc.aio.Channel) -> set[str]:
    """Return the full names of a server's methods but health and reflection, as reflection tells them."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]  # typed for the other API

    async def ask(request: reflection_pb2.ServerReflectionRequest) -> Any:
        return await stub.ServerReflectionInfo(iter([request])).read()

    answer = await ask(reflection_pb2.ServerReflectionRequest(list_services=""))
    names = {service.name for service in answer.list_services_response.service if service.name.startswith("clarion.")}
    methods: set[str] = set()
    for name in names:
        answer = await ask(reflection_pb2.ServerReflectionRequest(file_containing_symbol=name))
        for raw in answer.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(raw)
            for service in file.service:
                if f"{file.package}.{service.name}" == name:
                    methods |= {f"/{name}/{method.name}" for method in service.method}
    return methods


async def test_a_wrong_token_opens_nothing_and_a_missing_key_neither(shared_stack: Running) -> None:
    """Typed refusals, also on the open method."""
    address = shared_stack.variables["CLARION_INGEST_ADDRESS"]
    async with grpc.aio.insecure_channel(address) as channel:
        for call in (
            ingest_pb2_grpc.IngestServiceStub(channel).TriggerEvent(ingest_pb2.TriggerEventRequest(), timeout=30),
            tenants_pb2_grpc.TenantServiceStub(channel).ListTenants(tenants_pb2.ListTenantsRequest(), timeout=30),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
