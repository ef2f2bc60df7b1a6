"""Lists of endpoints, which have no pages of their own."""

import asyncio
import json
from typing import Any

import pytest

from clarion.router.v1 import endpoints_pb2
from gateway.dialects.nahook.management import endpoints
from runtime.ids import new_id

_PAGES, _PAGE = 5, 100


async def test_a_long_list_is_made_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that between two pages other requests get their turn: all rows at once would take a part of a second."""
    pages = [[endpoints_pb2.Endpoint(id=new_id()) for _ in range(_PAGE)] for _ in range(_PAGES)]
    made = 0
    made_before: list[int] = []

    def shown(endpoint: endpoints_pb2.Endpoint) -> dict[str, Any]:
        nonlocal made
        made += 1
        return {"id": endpoint.id}

    class Call:
        """Stands for a call, before a router with these endpoints."""

        tenant_id = "t"

        @property
        def backend(self) -> Any:
            """Anything has its stubs."""
            return self

        clients = ListEndpoints = endpoints = backend

        async def ask(self, _: Any, wire: endpoints_pb2.ListEndpointsRequest) -> endpoints_pb2.ListEndpointsResponse:
            """Return the page after the cursor."""
            made_before.append(made)
            await asyncio.sleep(0)
            number = int(wire.cursor or "0")
            cursor = str(number + 1) if number + 1 < _PAGES else ""
            return endpoints_pb2.ListEndpointsResponse(endpoints=pages[number], next_cursor=cursor)

    monkeypatch.setattr(endpoints, "shown", shown)
    call: Any = Call()
    answer = await endpoints.list_all(call)
    assert isinstance(answer.body, bytes)
    assert [row["id"] for row in json.loads(answer.body)] == [one.id for page in pages for one in page]
    assert made_before == [number * _PAGE for number in range(_PAGES)]
