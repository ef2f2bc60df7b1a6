"""Erasure, export and retention of what the ledger stores of workflows and of contacts."""

import msgspec
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock
from runtime.ids import derived_id, new_id
from services.domain import erasures
from services.domain.erasures import Erasures
from services.domain.pseudonyms import unkeyed
from services.ingest.ledger.reader import LedgerReader
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import Item
from services.ingest.ledger.search import EventFinder, EventSearch
from services.ingest.ledger.store import LedgerStore
from services.ingest.privacy.retention import RetentionWorker
from services.ingest.privacy.servicer import PrivacyServicer
from services.ingest.privacy.store import LedgerPrivacyStore
from tests.integration.ingest import builders
from tests.integration.ingest.builders import SENT
from tests.integration.ingest.test_privacy import TABLES, Pool, Privacy
from tests.integration.outboxes import PatientOutbox
from tests.keyed import KEYED

_TABLES = (*TABLES, "workflow_steps", "workflow_counts", "contact_conflicts")
_TRACES = ("'ada'", "ada@", "x03ada", "Ada@", "2547110", "254 711")
_ADA, _BOB = ("ada@example.org", "+254711000000"), ("bob@example.org", "+254722000000")


@pytest.fixture
async def privacy(pool: Pool, connection: Client) -> Privacy:
    """The parts."""
    outbox, ledger = PatientOutbox(pool, "ingest", connection), LedgerStore(pool, pool)
    servicer = PrivacyServicer(LedgerPrivacyStore(pool, outbox, LedgerReader(pool), KEYED))
    return Privacy(pool, outbox, ledger, servicer, RetentionWorker(pool, outbox, events_days=90, payload_days=30))


def _of(event: event_pb2.Event, *people: str) -> list[Item]:
    """Return an event and what became of it: each got a message, and waits for the next one."""
    [workflow] = [one.workflow_id for one in event.workflows.workflows]
    records: list[Item] = [event]
    for user in people:
        email, phone = {"ada": _ADA, "bob": _BOB}[user]
        run = derived_id(event.id, workflow, user)
        recipient = event_pb2.Recipient(user_id=user, email=email, phone=phone)
        planned = builders.planned(
            event, user, recipient=recipient, workflow_id=workflow, workflow_run_id=run, step="welcome"
        )
        common = {"workflow_run_id": run, "workflow_id": workflow, "workflow_version": 1, "destination": user}
        steps = [
            trace_pb2.WorkflowStep(step="", outcome="started", **common),  # type: ignore[arg-type]
            trace_pb2.WorkflowStep(
                step="pause",
                outcome="failed",
                detail=f"no such time: {email}",
                **common,  # type: ignore[arg-type]
            ),
        ]
        records += [
            builders.workflow_steps(event, *steps),
            builders.plan(event, [planned], continues=True),
            builders.attempted(event, planned.delivery_id, SENT),
        ]
    return records


def _event(tenant: str, *targets: event_pb2.Target) -> event_pb2.Event:
    return builders.workflow_event(tenant, new_id(), targets=targets, variables=b'{"n":1}')


async def _holding(privacy: Privacy) -> list[str]:
    """Return the tables that hold a trace of ada."""
    found = []
    for table in _TABLES:
        text = repr([dict(row) for row in await privacy.pool.fetch(f"SELECT * FROM ingest.{table}")])
        if any(trace in text for trace in _TRACES):
            found.append(table)
    return found


async def _erase(privacy: Privacy, tenant: str) -> None:
    """Erase ada as the gateway does."""
    begun = await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada")
    common = {"tenant_id": tenant, "erasure_id": begun.erasure_id, "user_id": "ada"}
    while (page := await privacy.call("ListErasureEvents", **common, shared=True)).event_ids:
        await privacy.call("EraseEvents", **common, event_ids=page.event_ids)


@pytest.mark.parametrize(
    "named",
    [
        builders.contact("ada", *_ADA),
        builders.contact(email="Ada@Example.org"),
        builders.contact(phone="+254 711 000 000"),
    ],
)
@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "with another"])
async def test_no_table_holds_a_contact_any_more(
    privacy: Privacy,
    named: event_pb2.Target,
    is_alone: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """However its caller named them, and whoever else the event is for: their part stays."""
    tenant = await privacy.tenant()
    event = _event(tenant, named, *([] if is_alone else [builders.contact("bob", *_BOB)]))
    await privacy.ledger.write(merge(_of(event, "ada", *([] if is_alone else ["bob"]))))
    await privacy.ledger.write(merge([builders.conflict(event, "ada", "joe")]))
    assert {"recipients", "event_payloads", "workflow_steps", "contact_conflicts"} <= set(await _holding(privacy))
    await _erase(privacy, tenant)
    assert await _holding(privacy) == []
    kept = await privacy.pool.fetch("SELECT step, detail FROM ingest.workflow_steps WHERE detail <> ''")
    assert [row["step"] for row in kept] == ([] if is_alone else ["pause"])
    payload = await privacy.pool.fetchval("SELECT event FROM ingest.event_payloads")
    if is_alone:
        assert payload is None
    else:
        assert event_pb2.Event.FromString(payload).audience[1] == event.audience[1]


async def test_who_was_taken_for_somebody_else_is_erased(privacy: Privacy) -> None:
    """They have no event; that an event of another has an address of theirs goes all the same."""
    tenant = await privacy.tenant()
    event = _event(tenant, builders.contact("bob", *_BOB))
    await privacy.ledger.write(merge([*_of(event, "bob"), builders.conflict(event, "bob", "ada")]))
    assert await _holding(privacy) == ["contact_conflicts"]
    await _erase(privacy, tenant)
    assert await _holding(privacy) == []


async def test_what_is_read_after_the_erasure(privacy: Privacy) -> None:
    """Steps and conflicts come late: without the person, and what others did is stored."""
    tenant = await privacy.tenant()
    event = _event(tenant, builders.contact("ada", *_ADA), builders.contact("bob", *_BOB))
    known = Erasures(KEYED)
    marker = erasures.Erasure(new_id(), clock.now_us())
    known.on_change(erasures.key(tenant, KEYED.erasure(unkeyed(tenant, "ada"))), msgspec.json.encode(marker))
    items = [*_of(event, "ada", "bob"), builders.conflict(event, "bob", "ada"), builders.conflict(event, "ada", "bob")]
    for item in items:
        if isinstance(item, trace_pb2.TraceRecord) and item.HasField("attempted"):
            item.attempted.detail = ""
    for item in (*reversed(items), *items):
        await privacy.ledger.write(merge([item], known))
    assert await _holding(privacy) == []
    whose = await privacy.pool.fetch("SELECT DISTINCT destination FROM ingest.workflow_steps ORDER BY destination")
    assert [row["destination"] for row in whose] == ["bob", marker.pseudonym]


async def test_the_export_has_the_steps_of_the_person(privacy: Privacy) -> None:
    """Not those of others."""
    tenant = await privacy.tenant()
    event = _event(tenant, builders.contact("ada", *_ADA), builders.contact("bob", *_BOB))
    await privacy.ledger.write(merge([*_of(event, "ada", "bob"), builders.conflict(event, "ada", "joe")]))
    [one] = (await privacy.call("ExportEvents", tenant_id=tenant, user_id="ada")).events
    details = [step.detail for step in one.steps if step.step == "workflow"]
    assert details == ["", "no such time: ada@example.org"]
    assert [step.step for step in one.steps if step.step == "contact_conflict"] == ["contact_conflict"]
    assert "bob@" not in str(one)


async def test_a_contact_is_found_before_the_event_is_planned(privacy: Privacy) -> None:
    """By the id and the address that the caller gave; they may wait for their time for years."""
    tenant = await privacy.tenant()
    event = _event(tenant, builders.contact("ada", *_ADA))
    event.due_at_us = clock.now_us() + 10**15
    await privacy.ledger.write(merge([event]))
    for recipient in ("ada", _ADA[0], _ADA[1]):
        assert (await EventFinder(privacy.pool).page(EventSearch(recipient=recipient), 10)).ids == [event.id]
    await _erase(privacy, tenant)
    assert await _holding(privacy) == []


async def test_everything_is_deleted_with_the_event(privacy: Privacy) -> None:
    """When it has ended and its days are over; what goes on stays, however old."""
    tenant = await privacy.tenant()
    event = _event(tenant, builders.contact("ada", *_ADA))
    builders.age(event, 200)
    await privacy.ledger.write(
        merge([*_of(event, "ada"), builders.conflict(event, "ada", "joe"), builders.released(event)])
    )
    await privacy.keeper.expire_all()
    assert len(await _holding(privacy)) > 3
    await privacy.ledger.write(merge([builders.plan(event, [], total=1)]))
    await privacy.keeper.expire_all()
    for table in _TABLES:
        assert await privacy.pool.fetchval(f"SELECT count(*) FROM ingest.{table}") == 0
