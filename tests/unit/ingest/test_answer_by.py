"""Events that must be answered by a time: TIMEOUT only if nothing is stored, now or later."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.clock import now_us
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.accept import Acceptor
from services.ingest.endpoints.directory import EndpointDirectory
from services.ingest.fingerprint import Fingerprints
from services.ingest.ports import Admitted, Claim
from services.ingest.workflows.directory import WorkflowDirectory
from tests.fakes.configuration import MemoryWatch
from tests.fakes.ingest import MemoryAdmission, MemoryEndpointOwner, MemoryEventLog, MemoryTenants
from tests.unit.senders.builders import encryption_key
from tests.waiting import eventually

_TENANT = new_id()
_SOON_US = 20_000


class HangingAdmission(MemoryAdmission):
    """Waits for its gate before it decides."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.gate = asyncio.Event()
        self.gate.set()

    async def admit(self, claim: Claim) -> Admitted:
        """Decide when the gate is open."""
        await self.gate.wait()
        return await super().admit(claim)


@dataclass
class Desk:
    """An acceptor whose steps hang as a test wants."""

    log: MemoryEventLog = field(default_factory=MemoryEventLog)

    def __post_init__(self) -> None:
        tenants = MemoryTenants()
        self.admission = HangingAdmission(tenants.cached_or_default)
        endpoints = EndpointDirectory(MemoryWatch(), MemoryEndpointOwner(), Vault(encryption_key()), marker="")
        workflows = WorkflowDirectory(MemoryWatch(), marker="")
        self.acceptor = Acceptor(self.admission, self.log, tenants, Fingerprints([b"k" * 32]), endpoints, workflows)

    async def code(self, new: ingest_pb2.NewEvent) -> Code | None:
        """Return why an event is not accepted; None: it is."""
        try:
            await self.acceptor.accept(_TENANT, new)
        except ClarionError as error:
            return error.code
        return None


def event(by: int = 0, key: str = "") -> ingest_pb2.NewEvent:
    """Return an event that is to be answered by a time."""
    kind = ingest_pb2.DEDUPE_KIND_KEY if key else ingest_pb2.DEDUPE_KIND_NONE
    return ingest_pb2.NewEvent(
        event_type="a.b",
        recipient=event_pb2.Recipient(user_id="u"),
        dedupe=ingest_pb2.Dedupe(kind=kind, key=key),
        answer_by_us=by,
    )


async def test_a_time_that_is_over_stops_everything() -> None:
    """Not even admission is asked."""
    desk = Desk()
    assert await desk.code(event(now_us())) is Code.TIMEOUT
    assert (desk.admission.claims, desk.log.events) == ([], [])


async def test_an_admission_that_hangs_is_given_up() -> None:
    """When it decides at last, nothing is stored."""
    desk = Desk()
    desk.admission.gate.clear()
    assert await desk.code(event(now_us() + _SOON_US)) is Code.TIMEOUT
    desk.admission.gate.set()
    assert await desk.code(event()) is None
    assert len(desk.log.events) == 1


async def test_an_append_that_does_not_begin_is_given_up() -> None:
    """When the broker takes events again, this one is not among them."""
    desk = Desk()
    desk.log.has_begun.clear()
    assert await desk.code(event(now_us() + _SOON_US)) is Code.TIMEOUT
    desk.log.has_begun.set()
    assert desk.log.events == []


@pytest.mark.parametrize("failure", [None, ClarionError(Code.UNAVAILABLE, "The broker does not answer.")])
async def test_an_append_that_began_is_waited_for(failure: ClarionError | None) -> None:
    """However late, whatever becomes of it: TIMEOUT would say that nothing is stored."""
    desk = Desk()
    desk.log.gate.clear()
    by = now_us() + _SOON_US
    answer = asyncio.create_task(desk.code(event(by)))
    await eventually(lambda: now_us() > by + _SOON_US)
    assert not answer.done()
    desk.log.failure = failure
    desk.log.gate.set()
    assert await answer is (None if failure is None else Code.UNAVAILABLE)


async def test_a_repeat_with_more_time_takes_over() -> None:
    """The first call with a key is given up, and stores nothing; the one that waited for it is stored."""
    desk = Desk()
    desk.log.has_begun.clear()
    first = asyncio.create_task(desk.code(event(now_us() + _SOON_US, "k")))
    await asyncio.sleep(0)
    followers = [asyncio.create_task(desk.acceptor.accept(_TENANT, event(0, "k"))) for _ in range(2)]
    assert await first is Code.TIMEOUT
    desk.log.has_begun.set()
    one, other = await asyncio.gather(*followers)
    [stored] = desk.log.events
    assert one.event_id == other.event_id == stored.id


async def test_a_repeat_after_a_timeout_is_one_event() -> None:
    """The key that was claimed leads to one event, whether or not the first call stored it."""
    desk = Desk()
    desk.log.has_begun.clear()
    assert await desk.code(event(now_us() + _SOON_US, "k")) is Code.TIMEOUT
    desk.log.has_begun.set()
    answers = [await desk.acceptor.accept(_TENANT, event(now_us() + 60_000_000, "k")) for _ in range(2)]
    assert answers[0].event_id == answers[1].event_id
    assert len(desk.log.events) == 1


async def test_an_answer_that_is_at_hand_comes_late_too() -> None:
    """A repeat of a stored event stores nothing, so it is answered as soon as admission knows it."""
    desk = Desk()
    first = await desk.acceptor.accept(_TENANT, event(0, "k"))
    desk.admission.store(desk.log.events[0])
    assert (await desk.acceptor.accept(_TENANT, event(now_us() + 60_000_000, "k"))).event_id == first.event_id
