"""An identity provider's answers as networks deliver them: in pieces, and without an end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.access import oidc
from gateway.access.oidc import Attempt, OidcClient
from gateway.settings import Settings
from runtime import settings as environment
from runtime.errors import ClarionError, Code

_DOCUMENT = "/.well-known/openid-configuration"
_ENVIRONMENT = {
    **{
        f"CLARION_{name}_ADDRESS": "127.0.0.1:1"
        for name in ("HTTP", "INGEST", "ROUTER", "RENDER", "SENDERS", "REALTIME")
    },
    "CLARION_ADMIN_TOKEN": "a" * 32,
    "CLARION_SERVICE_TOKEN": "t" * 32,
    "CLARION_CENTRIFUGO_URL": "http://127.0.0.1:1",
}
_PIECE = b" " * (64 * 1024)


class Provider:
    """Answers its document byte by byte, or goes on for ever before that."""

    def __init__(self, *, is_endless: bool) -> None:
        self.is_endless = is_endless
        self.written = 0
        self.ended = asyncio.Event()

    async def document(self, request: web.Request) -> web.StreamResponse:
        """Write the document, or more than one has."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        own = str(request.url.origin())
        raw = orjson.dumps(
            {
                "issuer": own,
                "authorization_endpoint": f"{own}/auth",
                "token_endpoint": f"{own}/token",
                "jwks_uri": f"{own}/jwks",
            }
        )
        try:
            while self.is_endless and self.written < 200 * oidc._MAX_BYTES:
                await response.write(_PIECE)
                self.written += len(_PIECE)
            for byte in raw:
                await response.write(bytes([byte]))
                await asyncio.sleep(0)  # the gateway reads
        finally:
            self.ended.set()
        return response


@asynccontextmanager
async def _client(provider: Provider) -> AsyncIterator[OidcClient]:
    app = web.Application()
    app.router.add_get(_DOCUMENT, provider.document)
    async with TestServer(app) as server:
        issuer = str(server.make_url("")).rstrip("/")
        values = {**_ENVIRONMENT, "CLARION_OIDC_ISSUER": issuer, "CLARION_OIDC_CLIENT_ID": "clarion"}
        client = OidcClient(environment.load(Settings, values))
        try:
            yield client
        finally:
            await client.close()


async def test_an_answer_in_pieces() -> None:
    """Is read to its end."""
    async with _client(Provider(is_endless=False)) as client:
        url = await client.authorization_url(Attempt.new(), "http://127.0.0.1/callback")
        assert "/auth?" in url


async def test_an_answer_without_an_end_is_cut_off() -> None:
    """After as much as an answer may have; nobody signs in, and the provider is told so."""
    provider = Provider(is_endless=True)
    async with _client(provider) as client:
        with pytest.raises(ClarionError) as refused:
            await client.authorization_url(Attempt.new(), "http://127.0.0.1/callback")
        assert refused.value.code is Code.UNAVAILABLE
        async with asyncio.timeout(30):
            await provider.ended.wait()
    # What is beyond it stands in the buffers between them.
    assert provider.written < 100 * oidc._MAX_BYTES
