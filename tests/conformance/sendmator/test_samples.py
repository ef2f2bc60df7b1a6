"""The page's programs: run as they are printed where that is possible here, else their requests byte by byte."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stack import node, npm
from tests.conformance.sendmator import contract
from tests.conformance.sendmator.conftest import Account

_DEADLINE_S = 60.0
_TEAM_ENV = "SENDMATOR_TEAM_ID"
_KEY_ENV = "SENDMATOR_API_KEY"

# (the head after the request line without host and length, and the body), by the sample whose program is not here. PHP
# is Laravel's HTTP client over Guzzle; an empty array of it is a list, and ids of a database are numbers.
_REQUESTS: dict[str, tuple[tuple[str, ...], str]] = {
    "php": (
        (
            "X-API-Key: {key}",
            "X-Team-ID: {team}",
            "User-Agent: GuzzleHttp/7",
            "Content-Type: application/json",
        ),
        (
            '{"event_name":"user_signup","user_info":{"contact_external_id":42,"email":"jane@example.com","name":"Jane"},'
            '"event_data":[]}'
        ),
    ),
    "python": (
        (
            "User-Agent: python-requests/2.32.3",
            "Accept-Encoding: gzip, deflate",
            "Accept: */*",
            "Connection: keep-alive",
            "X-API-Key: {key}",
            "X-Team-ID: {team}",
            "Content-Type: application/json",
        ),
        (
            '{"event_name": "user_signup", "user_info": {"contact_external_id": "42", "email": "jane@example.com",'
            ' "name": "Jane"}, "event_data": {}}'
        ),
    ),
    "node": (
        (
            "connection: keep-alive",
            "X-API-Key: {key}",
            "X-Team-ID: {team}",
            "Content-Type: application/json",
            "accept: */*",
            "accept-language: *",
            "sec-fetch-mode: cors",
            "user-agent: node",
            "accept-encoding: gzip, deflate",
        ),
        (
            '{"event_name":"user_signup","user_info":{"contact_external_id":42,"email":"jane@example.com","name":"Jane"},'
            '"source":{"type":"web_signup","ip":"::ffff:192.168.1.1"}}'
        ),
    ),
    # The page's function for JavaScript, whose caller gives no event data.
    "javascript": (
        (
            "connection: keep-alive",
            "X-API-Key: {key}",
            "X-Team-ID: {team}",
            "Content-Type: application/json",
            "accept: */*",
        ),
        '{"event_name":"user_signup","user_info":{"contact_external_id":"42","email":"jane@example.com"}}',
    ),
}


async def welcomed(account: Account, trigger_id: str, external_id: str) -> None:
    """The contact of the request is found or stored, and gets the message."""
    assert (await account.over(trigger_id))["summary"]["sent"] == 1
    contact = await account.must("GET", f"/contacts/external/{external_id}")
    assert contact["email"] == "jane@example.com"


async def prepared(account: Account) -> None:
    """Make what the samples' event starts."""
    await account.template()
    await account.workflow("Welcome", "user_signup")


@pytest.mark.parametrize("name", _REQUESTS)
async def test_request(account: Account, name: str) -> None:
    """Sent byte by byte, it is accepted, and its contact gets the message."""
    await prepared(account)
    host = account.client.http.url.removeprefix("http://")
    head, body = _REQUESTS[name]
    lines = ["POST /api/v1/events/send HTTP/1.1", f"Host: {host}", *head, f"Content-Length: {len(body)}"]
    text = "\r\n".join(lines).format(key=account.key, team=account.team)
    status, answer = await _answer(host, f"{text}\r\n\r\n{body}".encode())
    assert (status, answer["message"]) == (201, "Event queued successfully"), answer
    await welcomed(account, answer["trigger_id"], "42")


async def test_javascript(account: Account, tmp_path: Path) -> None:
    """The page's functions for sending and for sending again, run by Node.js, with a base for their relative path."""
    await prepared(account)
    printed = contract.between("async function sendEvent(eventName", "5. Handle Scheduled Events")
    again = contract.between("async function sendEventWithRetry", "Integration Examples")
    script = f"""
const db = {{ events: {{ create: async (row) => {{ row.stored = true }} }} }}
const relative = globalThis.fetch
globalThis.fetch = (path, options) => relative(new URL(path, {account.client.http.url!r}), options)
const API_KEY = process.env.{_KEY_ENV}, TEAM_ID = process.env.{_TEAM_ENV}
{printed}
{again}
const user = {{ contact_external_id: "42", email: "jane@example.com" }}
const first = await sendEvent("user_signup", user)
const second = await sendEventWithRetry({{ event_name: "user_signup", user_info: user, event_data: {{ a: 1 }} }})
const refused = await sendEventWithRetry({{ event_name: "" }}, 1).catch((error) => error.message)
console.log(JSON.stringify({{ first, second, refused }}))
"""
    told = await _run(account, [_node(), "--input-type=module", "-"], tmp_path, script)
    found = json.loads(told.splitlines()[-1])
    for trigger_id in (found["first"], found["second"]["trigger_id"]):
        await welcomed(account, trigger_id, "42")
    assert found["refused"] == "Failed after 1 attempts: Client error: Event name is required"


async def test_node_express(account: Account, tmp_path: Path) -> None:
    """The page's handler, in a program that has what it takes of Express."""
    await prepared(account)
    printed = contract.between("app.post('/users/signup'", "Python/Django")
    script = f"""
const handlers = {{}}
const app = {{ post: (path, handler) => {{ handlers[path] = handler }} }}
const db = {{ users: {{ create: async (fields) => ({{ id: 42, ...fields }}) }} }}
const answers = []
const sent = globalThis.fetch
globalThis.fetch = async (url, options) => {{
  const answer = await sent(url.replace("https://api.sendmator.com", {account.client.http.url!r}), options)
  answers.push([answer.status, await answer.clone().json()])
  return answer
}}
{printed}
const request = {{ body: {{ email: "jane@example.com", name: "Jane" }}, ip: "192.168.1.1" }}
await handlers["/users/signup"](request, {{ json: () => undefined }})
console.log(JSON.stringify(answers))
"""
    [[status, answer]] = json.loads(await _run(account, [_node(), "--input-type=module", "-"], tmp_path, script))
    assert status == 201
    await welcomed(account, answer["trigger_id"], "42")


async def test_python_django(account: Account, tmp_path: Path) -> None:
    """The page's function, with our host, and with what it takes of Django and of requests."""
    await prepared(account)
    printed = contract.between("def send_event(event_name", "# Usage in view")
    script = f"""
import json, os, types, urllib.request


class requests:
    @staticmethod
    def post(url, headers, json):
        return Answer(url, headers, json)


class Answer:
    def __init__(self, url, headers, body):
        # As requests encodes JSON.
        sent = urllib.request.Request(url, json.dumps(body, allow_nan=False).encode(), headers)
        with urllib.request.urlopen(sent) as answer:
            self.status, self.body = answer.status, answer.read()

    def raise_for_status(self):
        assert self.status < 400

    def json(self):
        return json.loads(self.body)


settings = types.SimpleNamespace(**{{name: os.environ[name] for name in ("{_KEY_ENV}", "{_TEAM_ENV}")}})
{_indented(contract.ours(printed, account.client.http.url, "", ""))}
user = {{"contact_external_id": "42", "email": "jane@example.com", "name": "Jane"}}
print(json.dumps(send_event(event_name="user_signup", user_info=user)))
"""
    answer = json.loads(await _run(account, [sys.executable, "-"], tmp_path, script))
    await welcomed(account, answer["trigger_id"], "42")


def _indented(program: str) -> str:
    """Return a Python function of the page, which lost its indentation there."""
    head, *lines = program.strip().splitlines()
    return "\n".join([head, *(f"    {line}" for line in lines)])


def _node() -> str:
    """Return Node.js as the console is built with it."""
    return node.find(npm.CACHE, print).program


async def _run(account: Account, command: list[str], folder: Path, script: str) -> str:
    """Return what a program prints; it must succeed."""

    def wait() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, _KEY_ENV: account.key, _TEAM_ENV: account.team},
            input=script,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
        )

    done = await asyncio.to_thread(wait)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def _answer(host: str, request: bytes) -> tuple[int, dict[str, Any]]:
    """Send bytes and return the status and the JSON of the answer."""
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    try:
        async with asyncio.timeout(_DEADLINE_S):
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await reader.readexactly(int(fields["content-length"]))
    finally:
        writer.close()
    return int(head.split(" ", 2)[1]), json.loads(body)
