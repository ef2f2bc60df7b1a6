"""docs/grpc.md runs as it stands, and the gRPC ports let in nobody else."""

import os
import re
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

DOCS = processes.ROOT / "docs" / "grpc.md"


def block(language: str, holding: str) -> str:
    """Return the one block of code of docs/grpc.md in a language that holds a word."""
    found = re.findall(rf"^```{language}\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    [one] = [code for code in found if holding in code]
    return str(one)


def run(command: list[str], running: Running, tmp_path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as a stranger to the stack would, with the two variables of the page."""
    variables = {
        "CLARION_INGEST_ADDRESS": running.variables["CLARION_INGEST_ADDRESS"],
        "CLARION_API_KEY": running.api_key,
        **environment,
    }
    return subprocess.run(
        command, env={**os.environ, **variables}, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )


async def delivered_sms(client: Client, event_id: str) -> str:
    """Return the text of an event's SMS."""
    assert is_uuid(event_id)
    await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    [sms] = [message for message in await client.operator.outbox(event_id) if message["channel"] == "SMS"]
    return str(sms["text"])


async def test_the_python_example(client: Client, shared_stack: Running, tmp_path: Path) -> None:
    """It triggers an event that is delivered; once more, it says that it was there; a wrong key is a typed error."""
    example = tmp_path / "example.py"
    example.write_text(block("python", "TriggerEvent"), encoding="utf-8")
    first = run([sys.executable, str(example)], shared_stack, tmp_path)
    assert first.returncode == 0, first.stderr
    event_id = first.stdout.split()[0]
    assert first.stdout == f"{event_id} is new\n"
    assert "order G-1001 is confirmed" in await delivered_sms(client, event_id)
    again = run([sys.executable, str(example)], shared_stack, tmp_path)
    assert again.stdout == f"{event_id} was there before\n"
    wrong = run([sys.executable, str(example)], shared_stack, tmp_path, CLARION_API_KEY="0" * 64)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("ERROR_CODE_UNAUTHENTICATED: ")


async def test_the_grpcurl_line(client: Client, shared_stack: Running, tmp_path: Path) -> None:
    """By the real grpcurl where there is one, else by a stand-in that has only reflection too."""
    if not shutil.which("grpcurl"):
        stand_in = tmp_path / "grpcurl"
        module = Path(__file__).with_name("grpcurl.py")
        stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{module}" "$@"\n', encoding="utf-8")
        stand_in.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run(["sh", "-c", block("sh", "grpcurl")], shared_stack, tmp_path, PATH=path)
    assert done.returncode == 0, done.stderr
    answer = json_format.Parse(done.stdout, ingest_pb2.TriggerEventResponse())
    assert "order G-1002 is confirmed" in await delivered_sms(client, answer.event_id)


def test_the_shell_lines_give_the_address(shared_stack: Running) -> None:
    """`python -m stack.client` prints what a shell can read."""
    done = subprocess.run(
        ["sh", "-c", f'eval "$({sys.executable} -m stack.client)"; printf %s "$CLARION_INGEST_ADDRESS"'],
        env={**os.environ, "CLARION_DATA": str(shared_stack.data)},
        cwd=processes.ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == shared_stack.variables["CLARION_INGEST_ADDRESS"], done.stderr


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
