"""ports.Admission: keys are claimed once, limits are exact, and no outage reaches the caller."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from clarion.common.v1 import event_pb2
from runtime.ids import new_id
from services.ingest.admission import PostgresAdmission
from services.ingest.ledger.record import merge
from services.ingest.ledger.store import LedgerStore
from services.ingest.ports import Admission, AdmissionVerdict, Admitted, Claim, First, LimitKind, TenantSettings
from tests.contract.ports.conftest import Pool
from tests.fakes.ingest import MemoryAdmission, MemoryTenants
from tests.integration.ingest import builders

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

    async def ask(self, tenant_id: str, key: str, first: First | None = None, size: int = 1) -> Admitted:
        """Claim a key for a new event."""
        return await self.admission.admit(Claim(tenant_id, key.encode(), new_id(), size, first))


def _fake() -> Subject:
    tenants = MemoryTenants()
    admission = MemoryAdmission(tenants.at_hand)

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
        tenant_id, account_id = new_id(), new_id()
        known[tenant_id] = settings
        await pool.execute("INSERT INTO ingest.accounts (id, name) VALUES ($1, 'A')", account_id)
        await pool.execute(
            "INSERT INTO ingest.tenants (id, account_id, name, max_unfinished_events, max_unfinished_bytes,"
            " rate_limit_per_minute, daily_cap) VALUES ($1, $2, 'A', $3, $4, $5, $6)",
            *(tenant_id, account_id, settings.max_unfinished_events, settings.max_unfinished_bytes),
            *(settings.rate_limit_per_minute, settings.daily_cap),
        )
        await pool.execute("INSERT INTO ingest.backlog (tenant_id) VALUES ($1)", tenant_id)
        return tenant_id

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
