"""samples.SampleStore: named sample data per tenant and event type."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.render.samples import samples
from services.render.samples.samples import MAX_SAMPLES, NewSample, StoredSample
from tests.contract.ports.render.conftest import Subject


async def _create(
    subject: Subject, name: str = "Ada", tenant_id: str = "t1", event_type: str = "order.confirmed"
) -> StoredSample:
    return await subject.samples.create(new_id(), NewSample(tenant_id, event_type, name, b'{"name":"Ada","n":1.0}'))


async def _names(subject: Subject, tenant_id: str = "t1", event_type: str = "", **page: Any) -> list[str]:
    found = await subject.samples.page(tenant_id, event_type, **{"limit": 100, "cursor": "", **page})
    return [one.sample.name for one in found]


async def _refusal(call: Awaitable[Any]) -> ClarionError:
    with pytest.raises(ClarionError) as refused:
        await call
    return refused.value


async def test_a_sample_is_kept_as_it_was_written(subject: Subject) -> None:
    """Byte by byte; a change keeps its id and when it was created."""
    first = await _create(subject)
    assert first.sample == NewSample("t1", "order.confirmed", "Ada", b'{"name":"Ada","n":1.0}')
    assert first.updated_at_us == first.created_at_us > 0
    assert await subject.samples.get(first.id, "t1") == first
    changed = await subject.samples.update(first.id, "t1", "Ada L.", '{"name":"Ä"}'.encode())
    assert (changed.id, changed.created_at_us) == (first.id, first.created_at_us)
    assert (changed.sample.name, changed.sample.variables) == ("Ada L.", '{"name":"Ä"}'.encode())
    assert changed.updated_at_us > first.updated_at_us
    await subject.samples.delete(first.id, "t1")
    assert (await _refusal(subject.samples.get(first.id, "t1"))).code is Code.NOT_FOUND


async def test_pages_are_by_event_type_and_name(subject: Subject) -> None:
    """Of one tenant; the platform's are its own."""
    for name, event_type in (("b", "a.a"), ("a", "b.b"), ("a", "a.a")):
        await _create(subject, name, event_type=event_type)
    await _create(subject, "other", tenant_id="t2")
    await _create(subject, "platform", tenant_id="")
    assert await _names(subject) == ["a", "b", "a"]
    assert await _names(subject, event_type="a.a") == ["a", "b"]
    assert await _names(subject, tenant_id="") == ["platform"]
    first, second = await subject.samples.page("t1", "", limit=2, cursor="")
    assert (first.sample.event_type, second.sample.event_type) == ("a.a", "a.a")
    assert await _names(subject, cursor=second.id) == ["a"]


async def test_a_name_is_taken_once(subject: Subject) -> None:
    """Within its tenant and event type, also by a change; a sample may keep its own name."""
    await _create(subject, "one")
    second = await _create(subject, "two")
    for elsewhere in ({"tenant_id": "t2"}, {"event_type": "order.shipped"}):
        await _create(subject, "one", **elsewhere)
    for call in (_create(subject, "one"), subject.samples.update(second.id, "t1", "one", b"{}")):
        refused = await _refusal(call)
        assert (refused.code, [name for name, _ in refused.fields]) == (Code.CONFLICT, ["name"])
    assert (await subject.samples.update(second.id, "t1", "two", b"{}")).sample.variables == b"{}"


async def test_an_event_type_has_a_limit(subject: Subject) -> None:
    """Also when they are created at the same moment; a deleted one makes room."""
    made = await asyncio.gather(
        *[_create(subject, str(number)) for number in range(MAX_SAMPLES + 2)], return_exceptions=True
    )
    refused = [one for one in made if isinstance(one, ClarionError)]
    assert [one.code for one in refused] == [Code.CONFLICT] * 2
    assert len(await _names(subject)) == MAX_SAMPLES
    kept = next(one for one in made if isinstance(one, StoredSample))
    await subject.samples.delete(kept.id, "t1")
    await _create(subject, "new")


async def test_a_tenant_has_a_limit(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all of its event types, also when they are created at the same moment; other tenants have their own."""
    monkeypatch.setattr(samples, "MAX_SAMPLES_OF_TENANT", 3)
    made = await asyncio.gather(
        *[_create(subject, "n", event_type=f"order.{number}") for number in range(5)], return_exceptions=True
    )
    refused = [one for one in made if isinstance(one, ClarionError)]
    assert [one.code for one in refused] == [Code.CONFLICT] * 2
    assert "A tenant has at most 3 samples" in refused[0].detail
    await _create(subject, "n", tenant_id="t2")


async def test_another_tenants_sample_is_not_found(subject: Subject) -> None:
    """Whatever is asked of it, and it stays as it is."""
    theirs = await _create(subject, tenant_id="t2")
    for call in (
        subject.samples.get(theirs.id, "t1"),
        subject.samples.get(theirs.id, ""),
        subject.samples.update(theirs.id, "t1", "x", b"{}"),
        subject.samples.delete(theirs.id, "t1"),
        subject.samples.get("none", "t1"),
    ):
        assert (await _refusal(call)).code is Code.NOT_FOUND
    assert await subject.samples.get(theirs.id, "t2") == theirs


_CALLS: list[Callable[[Subject], Awaitable[Any]]] = [
    _create,
    lambda subject: subject.samples.update("s", "t1", "n", b"{}"),
    lambda subject: subject.samples.get("s", "t1"),
    lambda subject: subject.samples.delete("s", "t1"),
    _names,
]


async def test_a_database_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE, whatever is asked."""
    subject.go_away()
    for call in _CALLS:
        assert (await _refusal(call(subject))).code is Code.UNAVAILABLE
