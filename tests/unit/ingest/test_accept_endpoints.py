"""Accepting events for endpoints: what is stored, and what their callers are told."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.domain.delivery_ids import delivery_id
from services.domain.endpoints import State
from services.ingest.accept import Accepted, Acceptor
from services.ingest.fingerprint import Fingerprints
from services.ingest.ports import TenantSettings
from services.ingest.workflows.directory import WorkflowDirectory
from tests.fakes.ingest import MemoryAdmission, MemoryEventLog, MemoryTenants
from tests.unit.ingest.endpoints_published import MARKER, TYPE, Published
from tests.unit.senders.builders import encryption_key

_WEEK_S = 7 * 86_400


@dataclass
class Desk:
    """An acceptor, and the endpoints of its tenant."""

    published: Published = field(default_factory=Published)
    log: MemoryEventLog = field(default_factory=MemoryEventLog)
    tenants: MemoryTenants = field(default_factory=MemoryTenants)

    def __post_init__(self) -> None:
        self.admission = MemoryAdmission(self.tenants.cached_or_default)
        self.acceptor = Acceptor(
            self.admission,
            self.log,
            self.tenants,
            Fingerprints([b"k" * 32]),
            self.published.directory,
            WorkflowDirectory(self.published.copy, marker=MARKER),
        )

    async def trigger(self, *, key: str = "", **fields: Any) -> Accepted:
        """Accept an event for those that subscribe. key: of its duplicates; empty: it has none."""
        to = ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers())
        return await self._accept(to, dedupe(key), **fields)

    async def send(self, endpoint_id: str, key: str = "k", **fields: Any) -> Accepted:
        """Accept an event for one endpoint."""
        return await self._accept(ingest_pb2.ToEndpoints(endpoint_id=endpoint_id), dedupe(key), **fields)

    async def refused(self, endpoint_id: str, key: str = "k") -> Code:
        """Return why an event for one endpoint is not accepted."""
        with pytest.raises(ClarionError) as caught:
            await self.send(endpoint_id, key)
        return caught.value.code

    async def _accept(self, to: ingest_pb2.ToEndpoints, deduped: ingest_pb2.Dedupe, **fields: Any) -> Accepted:
        new = ingest_pb2.NewEvent(
            **{"event_type": TYPE, "variables": b'{"n":1}', **fields}, to_endpoints=to, dedupe=deduped
        )
        return await self.acceptor.accept(self.published.tenant_id, new)


def dedupe(key: str) -> ingest_pb2.Dedupe:
    """Return how duplicates of an event are found."""
    kind = ingest_pb2.DEDUPE_KIND_KEY if key else ingest_pb2.DEDUPE_KIND_NONE
    return ingest_pb2.Dedupe(kind=kind, key=key, ttl_s=_WEEK_S)


def expected(event: event_pb2.Event, *endpoint_ids: str) -> list[tuple[str, str]]:
    """Return the deliveries as the router plans them."""
    return [(one, delivery_id(event, event_pb2.CHANNEL_WEBHOOK, one, step="webhook")) for one in endpoint_ids]


async def test_the_subscribers_are_stored_with_the_event() -> None:
    """The caller is told of each delivery under the id that the router gives it."""
    desk = Desk()
    one, other = desk.published.endpoint(), desk.published.endpoint()
    desk.published.subscribe(one, other)
    accepted = await desk.trigger(metadata={"source": "checkout"}, scope=desk.published.live)
    [event] = desk.log.events
    assert (list(event.endpoints.endpoint_ids), event.endpoints.is_named) == ([one, other], False)
    assert (dict(event.metadata), event.scope) == ({"source": "checkout"}, desk.published.live)
    assert not event.HasField("recipient")
    assert not event.audience
    assert (list(accepted.deliveries), accepted.failures) == (expected(event, one, other), ())
    assert (accepted.event_id, accepted.duplicate) == (event.id, False)


async def test_without_subscribers_the_event_is_stored_for_nobody() -> None:
    """Its set of endpoints is there, and empty: nobody is added when it is planned."""
    desk = Desk()
    accepted = await desk.trigger()
    [event] = desk.log.events
    assert event.HasField("endpoints")
    assert not event.endpoints.endpoint_ids
    assert (list(accepted.deliveries), accepted.failures) == ([], ())


async def test_an_endpoint_that_fails_is_told_and_not_stored() -> None:
    """The others get the event; if all fail it is still accepted."""
    desk = Desk()
    good, full = desk.published.endpoint(), desk.published.endpoint()
    desk.published.state(full, State(full=True))
    desk.published.subscribe(good, full)
    accepted = await desk.trigger()
    [event] = desk.log.events
    assert list(event.endpoints.endpoint_ids) == [good]
    assert list(accepted.deliveries) == expected(event, good)
    assert [(failure.endpoint_id, failure.reason) for failure in accepted.failures] == [(full, "endpoint_backlog_full")]
    desk.published.endpoint(endpoint_id=good, vault=Vault(encryption_key()))
    accepted = await desk.trigger()
    assert not desk.log.events[1].endpoints.endpoint_ids
    assert {failure.reason for failure in accepted.failures} == {"endpoint_backlog_full", "secret_unreadable"}


async def test_two_triggers_are_two_events() -> None:
    """With other deliveries."""
    desk = Desk()
    desk.published.subscribe(desk.published.endpoint())
    first, second = await desk.trigger(), await desk.trigger()
    assert first.event_id != second.event_id
    assert not {id_ for _, id_ in first.deliveries} & {id_ for _, id_ in second.deliveries}


async def test_a_repeat_for_one_endpoint_has_the_same_delivery() -> None:
    """Under way, on its way to the ledger, and stored; another body does not change it."""
    desk = Desk()
    endpoint_id = desk.published.endpoint()
    desk.log.gate.clear()
    at_once = [asyncio.create_task(desk.send(endpoint_id)) for _ in range(3)]
    await asyncio.sleep(0)
    desk.log.gate.set()
    answers = await asyncio.gather(*at_once)
    [event] = desk.log.events
    assert (event.endpoints.is_named, event.dedupe_ttl_s) == (True, _WEEK_S)
    answers.append(await desk.send(endpoint_id))
    desk.log.forget()
    desk.admission.store(event)
    answers.append(await desk.send(endpoint_id))
    answers.append(await desk.send(endpoint_id, variables=b'{"n":2}'))
    assert [list(answer.deliveries) for answer in answers] == [expected(event, endpoint_id)] * 6
    assert [answer.duplicate for answer in answers] == [False] + [True] * 5
    assert [answer.differs for answer in answers] == [False] * 5 + [True]


async def test_equal_keys_of_two_endpoints_are_different() -> None:
    """Each has its own delivery, and neither is the key of an event for recipients."""
    desk = Desk()
    one, other = desk.published.endpoint(), desk.published.endpoint()
    answers = [await desk.send(endpoint_id) for endpoint_id in (one, other)]
    assert not any(answer.duplicate for answer in answers)
    assert [[id_ for id_, _ in answer.deliveries] for answer in answers] == [[one], [other]]
    plain = ingest_pb2.NewEvent(event_type=TYPE, idempotency_key="k", recipient=event_pb2.Recipient(user_id="u"))
    assert not (await desk.acceptor.accept(desk.published.tenant_id, plain)).duplicate


async def test_a_repeat_is_answered_whatever_became_of_its_endpoint() -> None:
    """Full, disabled, or unknown: the first event was accepted. A new key is refused."""
    desk = Desk()
    endpoint_id = desk.published.endpoint()
    first = await desk.send(endpoint_id)
    desk.admission.store(desk.log.events[0])
    desk.published.state(endpoint_id, State(full=True))
    assert await desk.refused(endpoint_id, "new") is Code.LIMITED
    assert await desk.refused(endpoint_id, "") is Code.LIMITED
    answers = [await desk.send(endpoint_id)]
    desk.published.state(endpoint_id, None)
    desk.published.endpoint(endpoint_id=endpoint_id, active=False)
    assert await desk.refused(endpoint_id, "new") is Code.CONFLICT
    answers.append(await desk.send(endpoint_id))
    desk.published.owner.away = True
    desk.published.copy.put(f"endpoints.{desk.published.tenant_id}.{endpoint_id}", None)
    assert await desk.refused(endpoint_id, "new") is Code.UNAVAILABLE
    answers.append(await desk.send(endpoint_id))
    assert [(answer.event_id, answer.deliveries) for answer in answers] == [(first.event_id, first.deliveries)] * 3
    assert all(answer.duplicate for answer in answers)
    assert len(desk.log.events) == 1


async def test_a_repeat_in_another_scope_learns_nothing() -> None:
    """A caller of another environment gets the error for an unknown endpoint, with a known key as with a new one."""
    desk = Desk()
    endpoint_id = desk.published.endpoint()

    async def send(scope: str, key: str = "k") -> Accepted:
        deduped = ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key=key, scope=endpoint_id)
        new = ingest_pb2.NewEvent(event_type=TYPE, scope=scope, dedupe=deduped)
        new.to_endpoints.endpoint_id = endpoint_id
        return await desk.acceptor.accept(desk.published.tenant_id, new)

    await send(desk.published.live)
    desk.admission.store(desk.log.events[0])
    for active in (True, False):
        desk.published.endpoint(endpoint_id=endpoint_id, active=active)
        assert (await send(desk.published.live)).duplicate
        for key in ("k", "new"):
            with pytest.raises(ClarionError) as caught:
                await send(desk.published.test, key)
            assert caught.value.code is Code.NOT_FOUND
    # Of a deleted endpoint only its event tells the scope.
    desk.published.copy.put(f"endpoints.{desk.published.tenant_id}.{endpoint_id}", None)
    assert (await send(desk.published.live)).duplicate
    with pytest.raises(ClarionError) as caught:
        await send(desk.published.test)
    assert caught.value.code is Code.NOT_FOUND
    assert len(desk.log.events) == 1


async def test_a_repeat_for_subscribers_has_the_first_events_deliveries() -> None:
    """Not those of whoever subscribes now; without the first event's content they are not known."""
    desk = Desk()
    first_id, later = desk.published.endpoint(), desk.published.endpoint()
    desk.published.subscribe(first_id)
    first = await desk.trigger(key="k")
    desk.published.subscribe(first_id, later)
    pending = await desk.trigger(key="k")
    desk.admission.store(desk.log.events[0])
    stored = await desk.trigger(key="k")
    assert list(pending.deliveries) == list(stored.deliveries) == list(first.deliveries)
    assert (stored.duplicate, stored.differs) == (True, False)
    desk.admission.events.clear()
    assert list((await desk.trigger(key="k")).deliveries) == []


async def test_the_tenants_own_bound_of_a_payload() -> None:
    """Beyond it the event is INVALID, and names variables; up to it, it is accepted."""
    desk = Desk()
    desk.tenants.known[desk.published.tenant_id] = TenantSettings(max_payload_bytes=2_000)

    def body(size: int) -> bytes:
        return b'{"a":"%s"}' % (b"x" * (size - 8))

    await desk.trigger(variables=body(2_000))
    with pytest.raises(ClarionError) as caught:
        await desk.trigger(variables=body(2_001))
    assert (caught.value.code, [name for name, _ in caught.value.fields]) == (Code.INVALID, ["variables"])
    assert "2,000 bytes" in caught.value.detail


async def test_the_largest_bound_of_a_payload() -> None:
    """256 KiB, also for a tenant that has no bound of its own: what goes to endpoints is stored as it was sent."""
    desk = Desk()
    endpoint_id = desk.published.endpoint()

    def body(size: int) -> bytes:
        return b'{"a":"%s"}' % (b"x" * (size - 8))

    await desk.trigger(variables=body(256 * 1024))
    await desk.send(endpoint_id, variables=body(256 * 1024))
    for sending in (desk.trigger, lambda **fields: desk.send(endpoint_id, "new", **fields)):
        with pytest.raises(ClarionError) as caught:
            await sending(variables=body(256 * 1024 + 1))
        assert (caught.value.code, [name for name, _ in caught.value.fields]) == (Code.INVALID, ["variables"])
    grown = ingest_pb2.NewEvent(
        event_type=TYPE, recipient=event_pb2.Recipient(user_id="u"), variables=body(256 * 1024 + 1)
    )
    await desk.acceptor.accept(desk.published.tenant_id, grown)  # it was shorter before it was written again


async def test_an_event_counts_as_its_deliveries_take() -> None:
    """Once for each endpoint, beside the event itself."""
    desk = Desk()
    await desk.trigger()
    desk.published.subscribe(*[desk.published.endpoint() for _ in range(100)])
    await desk.trigger()
    alone, fanned_out = [claim.size for claim in desk.admission.claims]
    assert fanned_out > 50 * alone
