"""The programs of docs/webhooks.md that verify messages, run as they stand, and called as senders calls endpoints.

Node and Go run where they are on PATH.
"""

import asyncio
import base64
import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from standardwebhooks import Webhook

from services.senders.webhooks import signing
from tests import documentation
from tests.conftest import free_port
from tests.waiting import eventually, listens

PAGE = "docs/webhooks.md"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
BODY = '{"orderId": "W-1", "note": "café €"}'.encode()
MESSAGE = "msg_01a1fe7a000070008000000000000000"

_NODE, _GO = shutil.which("node"), shutil.which("go")
Command = Callable[[Path], list[str]]


class Language(NamedTuple):
    """A program of the page. code: in it; holding: a word that only it has; command: what runs its file."""

    code: str
    holding: str
    file: str
    command: Command


def _built_go(file: Path) -> list[str]:
    """Build first: `go run` would stay alive without its program."""
    program = file.with_suffix("")
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "CGO_ENABLED": "0"}
    subprocess.run([_GO or "go", "build", "-o", str(program), str(file)], check=True, env=environment, timeout=200)
    return [str(program)]


_LANGUAGES = {
    "standardwebhooks": Language(
        "python", "from standardwebhooks", "receiver.py", lambda file: [sys.executable, str(file)]
    ),
    "svix": Language("python", "from svix", "receiver.py", lambda file: [sys.executable, str(file)]),
    "node": Language("js", "createHmac", "receiver.js", lambda file: [_NODE or "node", str(file)]),
    "go": Language("go", "package main", "receiver.go", _built_go),
}
_PARAMETERS = [
    pytest.param(name, marks=pytest.mark.skipif(is_missing, reason=f"no {name} on PATH"))
    for name, is_missing in {"standardwebhooks": False, "svix": False, "node": _NODE is None, "go": _GO is None}.items()
]


class Receiver(NamedTuple):
    """A running program."""

    url: str
    log: Path

    async def send(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a message; return the status."""
        async with aiohttp.ClientSession() as session, session.post(self.url, data=body, headers=headers) as answer:
            return answer.status


@pytest.fixture(params=_PARAMETERS)
async def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Receiver]:
    """Each program in turn."""
    language = _LANGUAGES[request.param]
    file = tmp_path / language.file
    file.write_text(documentation.block(documentation.page(PAGE), language.code, language.holding))
    command = await asyncio.to_thread(language.command, file)
    port, log = free_port(), tmp_path / "log"
    with _running(command, log, {"WEBHOOK_SECRET": SECRET, "PORT": str(port)}):
        made = Receiver(f"http://127.0.0.1:{port}/webhooks", log)
        await eventually(lambda: listens(port), 30)
        yield made


@contextlib.contextmanager
def _running(command: list[str], log: Path, variables: Mapping[str, str]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _headers(body: bytes = BODY, *, at: int = 0, secrets: tuple[str, ...] = (SECRET,)) -> dict[str, str]:
    """Return the headers of a message. at: seconds from now."""
    timestamp = int(time.time()) + at
    keys = [signing.key_of(secret) for secret in secrets]
    return {
        signing.ID: MESSAGE,
        signing.TIMESTAMP: str(timestamp),
        signing.SIGNATURE: signing.signatures(keys, MESSAGE, timestamp, body),
        "content-type": "application/json",
    }


async def test_genuine_messages_are_taken_and_no_others(receiver: Receiver) -> None:
    """Also while a secret is replaced; neither changed, nor old, nor signed with another secret or in another way."""
    assert await receiver.send(BODY, _headers()) == 204
    await eventually(lambda: MESSAGE in receiver.log.read_text(), 10)
    assert await receiver.send(BODY, _headers(secrets=(OTHER, SECRET))) == 204
    assert await receiver.send(BODY, _headers(at=-200)) == 204
    good = _headers()
    version, _, value = good[signing.SIGNATURE].partition(",")
    for body, headers in (
        (BODY + b" ", good),
        (BODY, _headers(secrets=(OTHER,))),
        (BODY, _headers(at=-400)),
        (BODY, _headers(at=400)),
        (BODY, {**good, signing.ID: "msg_x"}),
        (BODY, {**good, signing.TIMESTAMP: str(int(good[signing.TIMESTAMP]) + 1)}),
        (BODY, {**good, signing.TIMESTAMP: "soon"}),
        (BODY, {**good, signing.SIGNATURE: f"v1a,{value}"}),
        (BODY, {**good, signing.SIGNATURE: version}),
        (BODY, {**good, signing.SIGNATURE: f"{version},!"}),
        (BODY, {**good, signing.SIGNATURE: ""}),
        (BODY, {name: text for name, text in good.items() if name != signing.SIGNATURE}),
        (BODY, {name: text for name, text in good.items() if name != signing.ID}),
    ):
        assert await receiver.send(body, headers) == 400, headers


def test_the_example_of_the_page_is_signed_with_the_secret_that_it_names() -> None:
    """Whoever computes it by hand gets the same."""
    section = documentation.section(PAGE, "What is sent")
    [example] = re.findall(r"^```\n(POST .*?)^```$", section, re.MULTILINE | re.DOTALL)
    head, _, body = example.partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    [secret] = re.findall(r"`(whsec_[^`]+)`", section)
    signed = Webhook(secret)
    moment = datetime.fromtimestamp(int(headers[signing.TIMESTAMP]), UTC)
    assert signed.sign(headers[signing.ID], moment, body.strip()) == headers[signing.SIGNATURE]
