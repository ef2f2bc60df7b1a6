"""The sums over tenants' endpoints that a process remembers."""

from collections.abc import Sequence

import pytest

from services.senders.webhooks.parking import backlogs
from services.senders.webhooks.parking.backlogs import ENDPOINTS_BOUND, Backlogs


async def test_sums_of_more_tenants_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch has a tenant whose sum is remembered and a new one, for whom all are forgotten: both are read."""
    monkeypatch.setattr(backlogs, "_MOST", 2)
    asked: list[Sequence[str]] = []

    async def read(tenant_ids: Sequence[str]) -> dict[str, int]:
        asked.append(tenant_ids)
        return dict.fromkeys(tenant_ids, 3)

    known = Backlogs()
    for tenant_ids in (["a", "b"], ["b", "c"], ["b"]):
        room = await known.room(read, dict.fromkeys(tenant_ids, 10))
        assert room == dict.fromkeys(tenant_ids, 10 * ENDPOINTS_BOUND - 3)
    assert asked == [["a", "b"], ["b", "c"]]
