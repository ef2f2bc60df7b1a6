"""ports.Admission: keys are claimed once, limits are exact, and no outage reaches the caller."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from runtime.ids import new_id
from services.ingest.admission import PostgresAdmission
from services.ingest.ledger.record import merge
from services.ingest.ledger.store import LedgerStore
from services.ingest.ports import (
    KEY_SCOPE,
    Admission,
    AdmissionVerdict,
    Admitted,
    Claim,
    First,
    LimitKind,
    LimitState,
    Rate,
    Reached,
    TenantSettings,
)
from tests.contract.ports.conftest import Pool
from tests.fakes.ingest import MemoryAdmission, MemoryTenants
from tests.integration.ingest import builders
from tests.integration.ingest.door import tenant_with

_FIRST = First("order.confirmed", b"f" * 16)
_OTHER = First("order.shipped", b"g" * 16)


@dataclass
class Subject:
    """An implementation, and the world around it."""

    admission: Admission
    # Lets a tenant have these settings; returns its id.
    tenant: Callable[[TenantSettings], Awaitable[str]]
    # Lets the ledger take in a stored event.
    store: Callable[[event_pb2.Event], Awaitable[None]]
    go_away: Callable[[], None]

    async def ask(self, tenant_id: str, key: str, first: First | None = None, size: int = 1, **fields: Any) -> Admitted:
        """Claim a key for a new event."""
        return await self.admission.admit(Claim(tenant_id, key.encode(), new_id(), size, first, **fields))


def _fake() -> Subject:
    tenants = MemoryTenants()
    admission = MemoryAdmission(tenants.cached_or_default)

    async def tenant(settings: TenantSettings) -> str:
        tenant_id = new_id()
        tenants.known[tenant_id] = settings
        return tenant_id

    async def store(event: event_pb2.Event) -> None:
        admission.store(event)

    def go_away() -> None:
        admission.away = True

    return Subject(admission, tenant, store, go_away)


def _real(pool: Pool) -> Subject:
    known: dict[str, TenantSettings] = {}

    async def tenant(settings: TenantSettings) -> str:
        made = await tenant_with(pool, settings)
        known[made.tenant_id] = settings
        return made.tenant_id

    async def store(event: event_pb2.Event) -> None:
        await LedgerStore(pool, pool).write(merge([event]))

    return Subject(PostgresAdmission(pool, lambda id_: known.get(id_, TenantSettings())), tenant, store, pool.terminate)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    return _fake() if request.param == "fake" else _real(request.getfixturevalue("pool"))


def _event(tenant_id: str, key: str, event_id: str) -> event_pb2.Event:
    event = builders.event(tenant_id)
    event.id, event.dedupe_key = event_id, key.encode()
    return event


async def test_a_key_is_claimed_once(subject: Subject) -> None:
    """The first event has it, pending; the repeat learns that event's id and what was kept of it."""
    tenant_id = await subject.tenant(TenantSettings())
    first = await subject.ask(tenant_id, "k", _FIRST)
    assert first.verdict is AdmissionVerdict.NEW
    again = await subject.ask(tenant_id, "k", _OTHER)
    assert again == Admitted(first.event_id, AdmissionVerdict.PENDING, first=_FIRST)
    without = await subject.ask(tenant_id, "another")
    assert (await subject.ask(tenant_id, "another")) == Admitted(without.event_id, AdmissionVerdict.PENDING)


async def test_a_key_belongs_to_its_tenant(subject: Subject) -> None:
    """The same key of another tenant is another one."""
    one, other = [await subject.tenant(TenantSettings()) for _ in range(2)]
    assert [(await subject.ask(tenant_id, "k")).verdict for tenant_id in (one, other)] == [AdmissionVerdict.NEW] * 2


async def test_of_a_hundred_keys_at_once_each_is_new(subject: Subject) -> None:
    """Asked together, each has its own answer, in its place."""
    tenant_id = await subject.tenant(TenantSettings())
    known = await subject.ask(tenant_id, "7")
    answers = await asyncio.gather(*[subject.ask(tenant_id, str(number)) for number in range(100)])
    assert [number for number, one in enumerate(answers) if one.verdict is not AdmissionVerdict.NEW] == [7]
    assert answers[7].event_id == known.event_id


async def test_a_stored_event_makes_its_key_stored(subject: Subject) -> None:
    """From then on repeats are not published again; the event can be looked up, by its own tenant only."""
    tenant_id = await subject.tenant(TenantSettings())
    first = await subject.ask(tenant_id, "k", _FIRST)
    event = _event(tenant_id, "k", first.event_id)
    assert await subject.admission.stored_event(tenant_id, event.id) is None
    await subject.store(event)
    assert await subject.ask(tenant_id, "k") == Admitted(first.event_id, AdmissionVerdict.STORED, first=_FIRST)
    found = await subject.admission.stored_event(tenant_id, event.id)
    assert found is not None
    assert (found.id, found.event_type, found.recipient) == (event.id, event.event_type, event.recipient)
    assert await subject.admission.stored_event(new_id(), event.id) is None


async def test_a_corrected_key_names_the_stored_event(subject: Subject) -> None:
    """With what is kept of that one; a correction for an event that the key does not name changes nothing."""
    tenant_id = await subject.tenant(TenantSettings())
    claimed = await subject.ask(tenant_id, "k", _FIRST)
    stored = new_id()
    await subject.admission.correct(tenant_id, b"k", new_id(), new_id(), _OTHER)
    assert (await subject.ask(tenant_id, "k")).event_id == claimed.event_id
    await subject.admission.correct(tenant_id, b"k", claimed.event_id, stored, _OTHER)
    again = await subject.ask(tenant_id, "k")
    assert (again.event_id, again.first) == (stored, _OTHER)
    await subject.admission.correct(tenant_id, b"unknown", new_id(), new_id())


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (TenantSettings(max_unfinished_events=2), LimitKind.UNFINISHED),
        (TenantSettings(max_unfinished_bytes=2), LimitKind.BYTES),
        (TenantSettings(rate_limit_per_minute=2), LimitKind.SLIDING),
        (TenantSettings(daily_cap=2), LimitKind.FIXED),
        (TenantSettings(rates=(Rate(7200, 2),)), LimitKind.SLIDING),
    ],
)
async def test_limits_are_exact(subject: Subject, settings: TenantSettings, kind: LimitKind) -> None:
    """Of many at once as many are let in as may be; a repeat of one of them still is answered."""
    tenant_id = await subject.tenant(settings)
    answers = await asyncio.gather(*[subject.ask(tenant_id, str(number)) for number in range(10)])
    admitted = [str(number) for number, one in enumerate(answers) if one.verdict is AdmissionVerdict.NEW]
    assert len(admitted) == 2
    reached = {(one.reached.kind, one.reached.bound) for one in answers if one.reached is not None}
    assert reached == {(kind, 2)}
    assert all((one.verdict is AdmissionVerdict.LIMITED) is (one.reached is not None) for one in answers)
    assert (await subject.ask(tenant_id, admitted[0])).verdict is AdmissionVerdict.PENDING
    neighbour = await subject.tenant(settings)
    assert (await subject.ask(neighbour, "k")).verdict is AdmissionVerdict.NEW


async def test_an_event_larger_than_the_budget_is_limited(subject: Subject) -> None:
    """One that fits is let in after it."""
    tenant_id = await subject.tenant(TenantSettings(max_unfinished_bytes=100))
    large = await subject.ask(tenant_id, "large", size=101)
    assert large.reached is not None
    assert (large.verdict, large.reached.kind) == (AdmissionVerdict.LIMITED, LimitKind.BYTES)
    assert (await subject.ask(tenant_id, "small", size=100)).verdict is AdmissionVerdict.NEW


async def test_an_event_without_a_key_is_never_a_duplicate(subject: Subject) -> None:
    """It counts as any other, asked for alone or with others."""
    tenant_id = await subject.tenant(TenantSettings(max_unfinished_events=6))
    keys = ["", "", "k", "", "k2", ""]
    answers = await asyncio.gather(*[subject.ask(tenant_id, key) for key in keys])
    assert [one.verdict for one in answers] == [AdmissionVerdict.NEW] * 6
    assert len({one.event_id for one in answers}) == 6
    assert (await subject.ask(tenant_id, "")).reached == Reached(LimitKind.UNFINISHED, 6)


async def test_rates_tell_what_remains(subject: Subject) -> None:
    """Each rate that counts the event, as it is after it; a scope's rate does not count another scope's events."""
    day, hour = Rate(86_400, 9, LimitKind.FIXED), Rate(3600, 5, LimitKind.SLIDING, "eu")
    tenant_id = await subject.tenant(TenantSettings(daily_cap=day.bound, rates=(hour,)))

    async def left(**fields: Any) -> dict[int, tuple[str, int, int]]:
        found = (await subject.ask(tenant_id, "", **fields)).limits
        assert all(isinstance(one, LimitState) and 0 < one.reset_s <= one.window_s for one in found)
        return {one.window_s: (one.scope, one.bound, one.remaining) for one in found}

    assert await left(scope="us") == {86_400: ("", 9, 8)}
    assert await left(scope="eu", cost=4) == {86_400: ("", 9, 4), 3600: ("eu", 5, 1)}
    refused = (await subject.ask(tenant_id, "", scope="eu", cost=2)).reached
    assert refused is not None
    assert (refused.kind, refused.scope, refused.window_s) == (LimitKind.SLIDING, "eu", 3600)
    assert (refused.bound, refused.remaining) == (5, 1)
    assert 3590 <= refused.retry_after <= 3600
    assert await left(scope="eu") == {86_400: ("", 9, 3), 3600: ("eu", 5, 0)}


async def test_an_event_that_waits_for_its_time_has_another_quota(subject: Subject) -> None:
    """Both quotas are used up apart."""
    tenant_id = await subject.tenant(TenantSettings(max_scheduled_events=2, max_unfinished_events=1))
    waiting = [await subject.ask(tenant_id, str(number), scheduled=True) for number in range(3)]
    assert [one.reached for one in waiting] == [None, None, Reached(LimitKind.SCHEDULED, 2)]
    assert [(await subject.ask(tenant_id, "")).reached for _ in range(2)] == [None, Reached(LimitKind.UNFINISHED, 1)]
    assert (await subject.ask(tenant_id, "1", scheduled=True)).verdict is AdmissionVerdict.PENDING


async def test_an_outage_reaches_no_caller(subject: Subject) -> None:
    """Every key is new then, within the limits, which each process counts for itself; nothing else raises."""
    tenant_id = await subject.tenant(TenantSettings(max_unfinished_events=3))
    first = await subject.ask(tenant_id, "k", _FIRST)
    subject.go_away()
    assert (await subject.ask(tenant_id, "k")).verdict is AdmissionVerdict.NEW
    answers = [await subject.ask(tenant_id, str(number)) for number in range(5)]
    assert answers[-1].verdict is AdmissionVerdict.LIMITED
    assert answers[-1].reached is not None
    assert answers[-1].reached.kind is LimitKind.UNFINISHED
    await subject.admission.correct(tenant_id, b"k", first.event_id, new_id())
    assert await subject.admission.stored_event(tenant_id, first.event_id) is None


async def test_rates_of_a_key_count_only_its_events(subject: Subject) -> None:
    """Besides the tenant's; what exceeds one of a key is told as that key's, and leaves the others their room."""
    one, other = new_id(), new_id()
    key_rates = (Rate(3600, 2, LimitKind.SLIDING, KEY_SCOPE + one), Rate(86_400, 9, LimitKind.FIXED, KEY_SCOPE + other))
    tenant_id = await subject.tenant(TenantSettings(rate_limit_per_minute=4, key_rates=key_rates))
    answers = await asyncio.gather(*[subject.ask(tenant_id, "", key_id=one) for _ in range(5)])
    reached = [answer.reached for answer in answers if answer.reached is not None]
    assert [(limit.kind, limit.scope, limit.bound) for limit in reached] == [
        (LimitKind.SLIDING, KEY_SCOPE + one, 2)
    ] * 3
    left = {
        (state.scope, state.window_s): state.remaining
        for state in (await subject.ask(tenant_id, "", key_id=other)).limits
    }
    assert left == {("", 60): 1, (KEY_SCOPE + other, 86_400): 8}
    # No scope that a caller names counts as a key.
    assert (await subject.ask(tenant_id, "", scope=KEY_SCOPE + one)).verdict is AdmissionVerdict.NEW
    assert (await subject.ask(tenant_id, "")).reached is not None


async def test_a_stored_key_is_known_without_a_claim(subject: Subject) -> None:
    """Not one that is only claimed, nor another tenant's; several can be asked for at once."""
    tenant_id = await subject.tenant(TenantSettings())
    claimed, stored = await subject.ask(tenant_id, "claimed"), await subject.ask(tenant_id, "stored", _FIRST)
    await subject.store(_event(tenant_id, "stored", stored.event_id))
    known = Admitted(stored.event_id, AdmissionVerdict.STORED, first=_FIRST)
    keys = [(tenant_id, b"stored"), (tenant_id, b"claimed"), (tenant_id, b"stored"), (new_id(), b"stored")]
    found = await asyncio.gather(*[subject.admission.known(*key) for key in keys])
    assert found == [known, None, known, None]
    assert (await subject.ask(tenant_id, "claimed")).event_id == claimed.event_id
    subject.go_away()
    assert await subject.admission.known(tenant_id, b"stored") is None
