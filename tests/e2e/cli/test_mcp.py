"""`clarion mcp` with the official client: over standard input and output, and over HTTP."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx2
import pytest_asyncio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from checks.client import Client
from checks.waiting import until
from stack.client import Running
from tests.conftest import free_port

_WRONG = "wrong-wrong-wrong-wrong"


@asynccontextmanager
async def _over_stdio(stack: Running, token: str = "") -> AsyncIterator[ClientSession]:
    environment = {"CLARION_URL": stack.url, "CLARION_ADMIN_TOKEN": token or stack.variables["CLARION_ADMIN_TOKEN"]}
    server = StdioServerParameters(command=sys.executable, args=["-m", "cli", "mcp"], env={**os.environ, **environment})
    async with stdio_client(server) as (reads, writes), ClientSession(reads, writes) as session:
        await session.initialize()
        yield session


@pytest_asyncio.fixture(loop_scope="session")
async def http_server(shared_stack: Running) -> AsyncIterator[str]:
    """`clarion mcp --http`, which has no token of its own."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "CLARION_ADMIN_TOKEN"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "mcp", "--http", f"127.0.0.1:{port}"),
        env={**environment, "CLARION_URL": shared_stack.url},
    )
    url = f"http://127.0.0.1:{port}/mcp"

    async def answers() -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.post(url):
                return True
        except aiohttp.ClientConnectionError:
            return False

    try:
        await until(answers, "the server to listen", deadline=30)
        yield url
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _over_http(url: str, token: str) -> AsyncIterator[ClientSession]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers) as client,
        streamable_http_client(url, http_client=client) as (reads, writes),
        ClientSession(reads, writes) as session,
    ):
        await session.initialize()
        yield session


async def _call(session: ClientSession, tool: str, **arguments: Any) -> Any:
    result = await session.call_tool(tool, arguments)
    text = "".join(block.text for block in result.content if block.type == "text")
    assert not result.is_error, text
    content = result.structured_content
    return text if content is None else content.get("result", content)


async def test_why_did_ada_get_no_text_message(shared_stack: Running, client: Client) -> None:
    """An assistant sends, finds by the address, and is told the reason of the channel that was skipped."""
    async with _over_stdio(shared_stack) as session:
        sent = await _call(
            session,
            "send_event",
            tenant_id=client.tenant.id,
            event_type="global.success",
            idempotency_key="assistant-1",
            email="ada.why@example.com",
            user_id="ada-why",
            variables={"title": "Hi", "message": "x"},
        )

        async def explained() -> str | None:
            found = await _call(session, "find_events", tenant_id=client.tenant.id, recipient="ada-why")
            if not found or not found[0]["finished_at"]:
                return None
            assert found[0]["id"] == sent["event_id"]
            return str(await _call(session, "explain_event", event_id=sent["event_id"]))

        text = await until(explained, "the event's end", deadline=30)
    assert "SMS" in text
    assert "The request has no phone number of the recipient. (missing_phone)" in text


async def test_a_template_is_linted_by_line(shared_stack: Running) -> None:
    """Errors with their lines, as in the console."""
    async with _over_stdio(shared_stack) as session:
        found = await _call(session, "lint_template", channel="EMAIL", body="<p>one</p>\n{{#if}}")
        assert found["failure"]["errors"][0]["line"] == 2
        fine = await _call(session, "preview_template", channel="SMS", body="Hi {{name}}", variables={"name": "Ada"})
    assert "Hi Ada" in fine["content"].values()


async def test_what_the_api_refuses_is_the_tools_error(shared_stack: Running) -> None:
    """In the API's own words, so that the assistant can act on it."""
    async with _over_stdio(shared_stack) as session:
        result = await session.call_tool("explain_event", {"event_id": "01a22942-b474-7232-b96d-000000000000"})
    assert result.is_error
    assert "no such event" in "".join(block.text for block in result.content if block.type == "text").lower()


async def test_each_request_over_http_brings_its_token(http_server: str, shared_stack: Running) -> None:
    """Without one, or with a wrong one, nothing is answered; with one the tools are listed with what they may do."""
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": f"Bearer {_WRONG}"}):
            async with session.post(http_server, json={}, headers=headers) as answer:
                assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    async with _over_http(http_server, shared_stack.variables["CLARION_ADMIN_TOKEN"]) as connected:
        tools = {tool.name: tool.annotations for tool in (await connected.list_tools()).tools}
        assert [tenant["name"] for tenant in await _call(connected, "list_tenants")]
    reads = {name for name, hints in tools.items() if hints is not None and hints.read_only_hint}
    assert {"find_events", "explain_event", "preview_template", "list_dead_letters"} <= reads
    assert {"send_event", "replay_event", "replay_dead_letter", "add_suppression"} <= set(tools) - reads


async def test_a_page_of_another_site_does_not_reach_it(http_server: str, shared_stack: Running) -> None:
    """A name of its own that leads to loopback, or an Origin, is refused even with a token."""
    token = {"Authorization": f"Bearer {shared_stack.variables['CLARION_ADMIN_TOKEN']}"}
    async with aiohttp.ClientSession(headers=token) as session:
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
            async with session.post(http_server, json={}, headers=headers) as answer:
                assert answer.status in (403, 421), await answer.text()


async def test_what_an_assistant_changes_is_in_the_audit_log(
    http_server: str, shared_stack: Running, client: Client
) -> None:
    """Under the name of the token."""
    tenant = await client.operator.create_tenant("Assistants")
    async with _over_http(http_server, shared_stack.variables["CLARION_ADMIN_TOKEN"]) as session:
        made = await _call(session, "add_suppression", tenant_id=tenant.id, channel="EMAIL", address="stop@example.com")
        listed = await _call(session, "list_suppressions", tenant_id=tenant.id)
        assert [one["id"] for one in listed] == [made["id"]]
        await _call(session, "delete_suppression", suppression_id=made["id"])
        assert await _call(session, "list_suppressions", tenant_id=tenant.id) == []
    entries = (await client.operator.must("GET", "/audit"))["data"]
    assert [(entry["method"], entry["actor"]) for entry in entries if entry["resource"] == made["id"]] == [
        ("DELETE", "admin"),
        ("POST", "admin"),
    ]
