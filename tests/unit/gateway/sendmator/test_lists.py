"""Lists of messages."""

from types import SimpleNamespace
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ledger_pb2
from gateway.dialects.sendmator.triggers import calls
from gateway.dialects.sendmator.triggers.finding import MAX_READ, Triggers
from runtime import clock
from tests.unit.gateway.sendmator.callers import OTHER_TEAM, TEAM, TENANT, caller


@pytest.mark.parametrize(("scopes", "names_team", "team"), [((), True, TEAM), ((TEAM,), False, TEAM), ((), False, "")])
async def test_no_list_reads_all_events_of_an_account(scopes: tuple[str, ...], team: str, *, names_team: bool) -> None:
    """Of an account that has messages without end, of which the caller may read none; one team's are asked for."""
    asked: list[str] = []

    async def ask(_: Any, wire: ledger_pb2.ListEventsRequest) -> ledger_pb2.ListEventsResponse:
        asked.append(wire.metadata.get("team", ""))
        assert len(asked) <= MAX_READ
        foreign = ledger_pb2.EventSummary(tenant_id=TENANT, metadata={"team": OTHER_TEAM})
        return ledger_pb2.ListEventsResponse(events=[foreign] if team else [], next_cursor="more")

    clients: Any = SimpleNamespace(ledger=SimpleNamespace(ListEvents=None), call=ask)
    call: Any = SimpleNamespace(caller=caller(*scopes, names_team=names_team), triggers=Triggers(clients, clock.now_us))
    found = [event async for event in calls._messages(call, event_pb2.CHANNEL_EMAIL, most=1_000)]
    assert (found, len(asked)) == ([], MAX_READ)
    assert set(asked) == {team}
