"""The probe against real hubs: safe, open in each way, somebody else's, away, hung."""

import asyncio
from typing import Any

import pytest

from services.realtime.probe import probe
from tests.contract.hub.servers import Server
from tests.integration.realtime.conftest import TOKEN_SECRET, CreateHub


async def test_a_hub_as_generated_is_safe(hub: Server) -> None:
    """With nothing to remark."""
    report = await probe(hub.http_url, TOKEN_SECRET)
    assert report.is_safe, report


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        # The trap: without user-limited channels, "orders#42" is an ordinary channel, open to all.
        (
            {"allow_user_limited_channels": False, "allow_subscribe_for_client": True},
            "It allows another user's channel.",
        ),
        ({"allow_subscribe_for_client": True}, "It allows a channel without a user."),
        ({"allow_user_limited_channels": False}, "It refuses a user's own channel"),
    ],
)
async def test_open_and_useless_channels_are_found(create_hub: CreateHub, rules: dict[str, Any], fault: str) -> None:
    """Each is a hub that runs and answers, and must not be used."""
    hub = create_hub(channel={"without_namespace": rules})
    hub.start()
    report = await probe(hub.http_url, TOKEN_SECRET)
    assert report.reachable
    assert any(found.startswith(fault) for found in report.faults), report


async def test_a_hub_with_another_secret_is_found(create_hub: CreateHub) -> None:
    """No browser could use the tokens we issue."""
    hub = create_hub(client={"token": {"hmac_secret_key": "x" * 32}})
    hub.start()
    report = await probe(hub.http_url, TOKEN_SECRET)
    assert report.reachable
    assert "hmac_secret_key" in report.faults[0]


async def test_a_hub_that_is_away_is_not_a_fault(create_hub: CreateHub) -> None:
    """It may be about to start."""
    report = await probe(create_hub().http_url, TOKEN_SECRET)
    assert (report.reachable, report.faults) == (False, ())


async def test_a_hung_hub_costs_the_deadline_and_no_more(silent_url: str) -> None:
    """It takes connections and says nothing."""
    async with asyncio.timeout(20):
        report = await probe(silent_url, TOKEN_SECRET, deadline=0.3)
    assert (report.reachable, report.faults) == (False, ())
