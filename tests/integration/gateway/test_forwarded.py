"""A proxy that nobody named: the log, the health page and the doctor say so."""

from pathlib import Path

import aiohttp
import pytest

from cli.checks import processes
from cli.checks.finding import Level
from tests.integration.gateway.alone import PATH, Alone, alone

FORWARDED = {"X-Forwarded-For": "198.51.100.1"}


async def test_a_proxy_that_is_not_named_is_a_finding(tmp_path: Path) -> None:
    """From the first forwarded request on; before there is nothing to say."""
    async with alone(tmp_path) as gateway:
        assert not await warnings_of(gateway)
        await forward(gateway)
        [warning] = await warnings_of(gateway)
        assert "CLARION_TRUSTED_PROXIES" in warning
        assert "forwarded_for_ignored" in gateway.log.read_text()


async def test_a_named_proxy_is_none(tmp_path: Path) -> None:
    """Its header is believed."""
    async with alone(tmp_path, CLARION_TRUSTED_PROXIES="127.0.0.0/8") as gateway:
        await forward(gateway)
        assert not await warnings_of(gateway)
        assert "forwarded_for_ignored" not in gateway.log.read_text()


@pytest.mark.parametrize(("url", "times"), [("", 1), ("https://notify.example.com", 0)])
async def test_a_proxy_without_a_public_url_is_told_of(tmp_path: Path, url: str, times: int) -> None:
    """At the start: if the proxy provides TLS, the forms of the portal are taken for those of another site."""
    async with alone(tmp_path, CLARION_TRUSTED_PROXIES="127.0.0.0/8", CLARION_PUBLIC_URL=url) as gateway:
        await forward(gateway)
        assert gateway.log.read_text().count("public_url_missing") == times


async def forward(gateway: Alone) -> None:
    """Ask as a proxy does."""
    async with aiohttp.ClientSession() as session, session.get(gateway.url + PATH, headers=FORWARDED) as answer:
        assert answer.status == 200


async def warnings_of(gateway: Alone) -> list[str]:
    """Return what the doctor warns of."""
    return [finding.text async for finding in processes.gateway(gateway.url) if finding.level is Level.WARN]
