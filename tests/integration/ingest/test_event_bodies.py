"""The bodies that the ledger keeps: of one event, and of the newest event of a type."""

import pytest

from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from tests.integration.ingest import builders
from tests.integration.ingest.ledger import Ledger


async def test_the_body_of_an_event(ledger: Ledger) -> None:
    """This tenant's event gives its body; another tenant's, an unknown or a deleted one gives NOT_FOUND."""
    event = builders.event(ledger.tenant, variables=b'{"a":1}', payload_extra=b'{"b":2}')
    await ledger.write(event)
    answer = await ledger.call("GetEventBody", tenant_id=ledger.tenant, event_id=event.id)
    assert (answer.variables, answer.payload_extra) == (b'{"a":1}', b'{"b":2}')
    for tenant_id, event_id in ((new_id(), event.id), (ledger.tenant, new_id())):
        with pytest.raises(ClarionError) as refused:
            await ledger.call("GetEventBody", tenant_id=tenant_id, event_id=event_id)
        assert refused.value.code is Code.NOT_FOUND


async def test_the_body_of_the_last_event_of_a_type(ledger: Ledger) -> None:
    """The tenant's newest one that is stored and no test; an older one if the newest was deleted."""
    old = builders.event(ledger.tenant, event_type="a.b", variables=b'{"n":1}')
    new = builders.event(ledger.tenant, event_type="a.b", variables=b'{"n":2}', payload_extra=b'{"m":3}')
    other = builders.event(ledger.tenant, event_type="a.c", variables=b'{"n":4}')
    test = builders.event(ledger.tenant, event_type="a.b", variables=b'{"n":5}')
    test.pinned.template_version_id = "v"
    foreign = builders.event(new_id(), event_type="a.b", variables=b'{"n":6}')
    await ledger.write(old, new, other, test, foreign)
    answer = await ledger.call("GetLastEventBody", tenant_id=ledger.tenant, event_type="a.b")
    assert (answer.event_id, answer.variables, answer.payload_extra) == (new.id, b'{"n":2}', b'{"m":3}')
    assert answer.accepted_at_us == new.accepted_at_us
    await ledger.pool.execute("DELETE FROM ingest.event_payloads WHERE event_id = $1", new.id)
    assert (await ledger.call("GetLastEventBody", tenant_id=ledger.tenant, event_type="a.b")).event_id == old.id
    for tenant_id, event_type in ((ledger.tenant, "a.d"), (new_id(), "a.b")):
        with pytest.raises(ClarionError) as refused:
            await ledger.call("GetLastEventBody", tenant_id=tenant_id, event_type=event_type)
        assert refused.value.code is Code.NOT_FOUND
