"""The demo tenant's outbox by its queries."""

import aiohttp
import pytest
from yarl import URL


@pytest.mark.parametrize("limit", ["1", "7", "1000"])
async def test_a_page_is_as_long_as_asked(http: aiohttp.ClientSession, limit: str) -> None:
    """1 to 1,000."""
    for page in ("/demo/outbox", "/demo/outbox.json"):
        async with http.get(page, params={"limit": limit}) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=%C2%B2", "limit=" + "1" * 5000),
        *("tenant_id=x", "cursor=", "event_id=a&event_id=b"),
    ],
    ids=lambda query: query[:16],
)
async def test_a_query_that_is_not_taken_is_refused(http: aiohttp.ClientSession, query: str) -> None:
    """Each page in its own shape, naming the parameter."""
    for page in ("/demo/outbox", "/demo/outbox.json"):
        async with http.get(URL(f"{page}?{query}", encoded=True)) as answer:
            assert answer.status == 422
            assert query.partition("=")[0] in await answer.text()
