"""The demo tenant's outbox by its queries."""

import aiohttp
import pytest


@pytest.mark.parametrize("limit", ["0", "7", "99999", "1" * 5000, "-1", "²", "x", ""], ids=lambda limit: limit[:6])
async def test_any_limit_is_taken(http: aiohttp.ClientSession, limit: str) -> None:
    """Brought into its bounds, or as if it were not there; never a fault of ours."""
    for page in ("/demo/outbox", "/demo/outbox.json"):
        async with http.get(page, params={"limit": limit}) as answer:
            assert answer.status == 200
