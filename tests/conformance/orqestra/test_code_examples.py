"""Sending Events, "Code examples": each as it is printed, with host and key replaced."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checks.waiting import until
from tests.conformance.orqestra import contract
from tests.conformance.orqestra.conftest import EMAIL, RENDERED, Shop
from tests.packages import installed

HOST = "https://your-orqestra-host"
USER = "b5dae3e8-2d5d-6f3c-cd3c-3c4d5e6f7a8b"
PAGE = "sending-events"
_JS = contract.HERE / "js"
_DEADLINE_S = 150.0

pytestmark = pytest.mark.timeout(200)

# What the reader's own program has where the examples stand, and what it does with the result.
NODE = """
const user = {{ id: '{user}', email: '{email}', firstName: 'Alice' }};
const order = {{ number: 'ORD-2026-1234', formattedTotal: '$49.99' }};
{example}
console.log(JSON.stringify([response.status, result]));
"""
PYTHON = """
user_id, user_email, customer_name = "{user}", "{email}", "Alice"
{example}
import json
print(json.dumps([response.status_code, response.json()]))
"""
GO = """package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {{
	userID, userEmail, customerName, orqestraURL := "{user}", "{email}", "Alice", "{host}"
{example}
	if err != nil {{
		panic(err)
	}}
	answer, _ := io.ReadAll(resp.Body)
	fmt.Printf("[%d, %s]", resp.StatusCode, answer)
}}
"""


def tool(name: str, *, always: bool = True) -> str:
    """Return a program on PATH; where there is none the test is skipped, and in CI fails if it must be there."""
    found = shutil.which(name)
    if found is None:
        reason = f"the {name} example needs {name} on PATH"
        if always and os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


async def run(command: list[str], folder: Path, *, key: str = "", text: str = "") -> str:
    """Return what a program prints; it must succeed."""
    environment = {**os.environ, "ORQESTRA_API_KEY": key, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}

    def wait() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
        )

    done = await asyncio.to_thread(wait)
    assert done.returncode == 0, done.stderr
    return done.stdout


def filled(frame: str, shop: Shop, after: str, before: str) -> str:
    """Return a program: the example between these lines of the page, in its frame, with our host."""
    host = shop.tenant.http.url
    example = contract.between(PAGE, after, before).replace(HOST, host)
    return frame.format(example=example, user=USER, email=EMAIL, host=host)


async def assert_delivered(shop: Shop) -> None:
    """One event of the tenant, rendered from the example's variables."""

    async def only() -> str | None:
        found = (await shop.operator.must("GET", f"/events?tenant_id={shop.tenant.id}"))["data"]
        return str(found[0]["id"]) if found else None

    event_id = await until(only, "the event", deadline=30)
    done = await until(lambda: shop.operator.finished(event_id), "the event's end", deadline=30)
    assert done["recipient"]["user_id"] == USER
    message = (await shop.outbox_of(shop.tenant.id, event_id))["EMAIL"]
    assert message.recipient == EMAIL
    assert RENDERED in message.html


def assert_success(answer: object, shop: Shop) -> None:
    """The published answer."""
    assert answer == {"success": True, "message": f"Event order.confirmed dispatched securely for {shop.tenant.name}"}


async def test_curl(shop: Shop, tmp_path: Path) -> None:
    """The shell's."""
    tool("curl")
    await shop.template("order.confirmed", "EMAIL")
    script = filled("{example}", shop, "cURL", "Node.js / TypeScript").replace(
        "YOUR_TENANT_API_KEY", shop.tenant.api_key
    )
    assert_success(json.loads(await run(["sh", "-e"], tmp_path, text=script)), shop)
    await assert_delivered(shop)


async def test_node(shop: Shop, tmp_path: Path) -> None:
    """Node's, which is TypeScript: its types are taken away as any build does."""
    node = installed(_JS)
    await shop.template("order.confirmed", "EMAIL")
    script = await run([node, "strip.js"], _JS, text=filled(NODE, shop, "Node.js / TypeScript", "Python"))
    command = [node, "--input-type=module", "-"]
    status, answer = json.loads(await run(command, tmp_path, key=shop.tenant.api_key, text=script))
    assert status == 200
    assert_success(answer, shop)
    await assert_delivered(shop)


async def test_python(shop: Shop, tmp_path: Path) -> None:
    """Python's, with requests."""
    await shop.template("order.confirmed", "EMAIL")
    script = filled(PYTHON, shop, "Python", "Go")
    status, answer = json.loads(await run([sys.executable, "-"], tmp_path, key=shop.tenant.api_key, text=script))
    assert status == 200
    assert_success(answer, shop)
    await assert_delivered(shop)


async def test_go(shop: Shop, tmp_path: Path) -> None:
    """Go's, where there is a toolchain."""
    go = tool("go", always=False)
    await shop.template("order.confirmed", "EMAIL")
    (tmp_path / "main.go").write_text(filled(GO, shop, "Go", "Idempotency"))
    command = [go, "run", "-trimpath", "main.go"]
    status, answer = json.loads(await run(command, tmp_path, key=shop.tenant.api_key))
    assert status == 200
    assert_success(answer, shop)
    await assert_delivered(shop)


async def test_curl_idempotency_key(shop: Shop, tmp_path: Path) -> None:
    """The one of "Idempotency", sent twice: one event, whose address "..." is none."""
    tool("curl")
    start = "To override deduplication (e.g. for intentional reminder resends), provide a unique key:"
    script = filled("{example}", shop, start, "Idempotency entries expire after 24 hours.")
    script = script.replace("YOUR_KEY", shop.tenant.api_key)
    for _ in range(2):
        answer = json.loads(await run(["sh", "-e"], tmp_path, text=script))
        assert answer["message"] == f"Event global.warning dispatched securely for {shop.tenant.name}"

    async def listed() -> list[dict[str, str]] | None:
        found: list[dict[str, str]] = (await shop.operator.must("GET", f"/events?tenant_id={shop.tenant.id}"))["data"]
        return found or None

    assert len(await until(listed, "the event", deadline=30)) == 1
