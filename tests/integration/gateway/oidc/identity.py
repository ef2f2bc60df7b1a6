"""A real identity provider (npm oidc-provider) in a process of its own, and a person who signs in with it."""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.packages import installed

CLIENT_ID, CLIENT_SECRET = "clarion", "a-secret+of/a test"
_FORM = re.compile(r'<form[^>]*action="([^"]+)"')
_PROMPT = re.compile(r'name="prompt" value="(\w+)"')


@asynccontextmanager
async def provider(
    port: int, redirect_uri: str, accounts: Mapping[str, Mapping[str, Any]], *, kid: str = "first"
) -> AsyncIterator[str]:
    """Run a provider until the block ends; yields its issuer. accounts: claims by login. kid: of its only key."""
    folder = Path(__file__).parent
    node = await asyncio.to_thread(installed, folder)
    wanted = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": redirect_uri,
        "accounts": accounts,
        "key": await asyncio.to_thread(_new_key, kid),
    }
    process = await asyncio.create_subprocess_exec(
        node, "provider.mjs", str(port), json.dumps(wanted), cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"ready\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


def _new_key(kid: str) -> dict[str, Any]:
    """Return a private key as a JWK. Made here: where the machine is busy, Node.js took a minute for one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return RSAAlgorithm.to_jwk(key, as_dict=True) | {"kid": kid, "use": "sig", "alg": "RS256"}


async def sign_in(browser: aiohttp.ClientSession, url: str, login: str, *, stop_at: str) -> str:
    """Open a URL, sign in at the provider, agree, and follow until a URL begins with stop_at; return that one."""
    form: dict[str, str] | None = None
    for _ in range(20):
        if url.startswith(stop_at):
            return url
        method = "GET" if form is None else "POST"
        async with browser.request(method, url, data=form, allow_redirects=False) as answer:
            text = await answer.text()
            if "Location" in answer.headers:
                url, form = urljoin(url, answer.headers["Location"]), None
                continue
            assert answer.status == 200, text
        action, prompt = _FORM.search(text), _PROMPT.search(text)
        assert action is not None, text
        assert prompt is not None, text
        url = urljoin(url, html.unescape(action[1]))
        form = {"prompt": prompt[1]} | ({"login": login, "password": "any"} if prompt[1] == "login" else {})
    raise AssertionError(f"no end: {url}")
