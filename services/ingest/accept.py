"""Accepts events: each is admitted, stored, and only then answered."""

import asyncio
from dataclasses import dataclass

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.ids import new_id, time_of
from services.ingest import validate
from services.ingest.event_size import size_in_streams
from services.ingest.fingerprint import Fingerprints
from services.ingest.ports import (
    Admission,
    AdmissionVerdict,
    Admitted,
    Appended,
    Claim,
    ContentKey,
    EventLog,
    First,
    LimitKind,
    Reached,
    TenantSettingsSource,
)

# Retry-After for a tenant whose quota of unfinished events is used up, seconds.
QUOTA_RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Accepted:
    """The event's id and type; of a duplicate, those of the first event.

    differs: a duplicate that asked for something else than the first event; False where that is not known.
    """

    event_id: str
    event_type: str
    duplicate: bool
    differs: bool = False


@dataclass(frozen=True, slots=True)
class _Outcome:
    """first: what repeats of the key are compared with; None: they cannot differ, or the first event is not known."""

    accepted: Accepted
    first: First | None


class Acceptor:
    """Accepts the events of one process: validates, admits, stores."""

    def __init__(
        self,
        admission: Admission,
        log: EventLog,
        tenants: TenantSettingsSource,
        fingerprints: Fingerprints,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._admission = admission
        self._log = log
        self._tenants = tenants
        self._fingerprints = fingerprints
        self._now = now
        self._under_way: dict[bytes, asyncio.Future[_Outcome]] = {}

    async def accept(self, tenant_id: str, new: ingest_pb2.NewEvent) -> Accepted:
        """Return when the event is stored, or known to be a duplicate.

        Raises INVALID, LIMITED (the tenant's limits), UNAVAILABLE or OVERLOADED (the broker).
        """
        validate.check(new)
        key, own = await self._key(tenant_id, new)
        leader = self._under_way.get(key)
        if leader is not None:
            outcome = await asyncio.shield(leader)
            return self._repeat(outcome.accepted.event_id, new, outcome.first).accepted
        future: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
        self._under_way[key] = future
        try:
            outcome = await self._admit_and_store(tenant_id, key, own, new)
        except BaseException as error:
            future.set_exception(_for_followers(error))
            future.exception()  # marks it as seen: there may be no follower
            raise
        else:
            future.set_result(outcome)
            return outcome.accepted
        finally:
            del self._under_way[key]

    async def _admit_and_store(
        self, tenant_id: str, key: bytes, own: First | None, new: ingest_pb2.NewEvent
    ) -> _Outcome:
        admitted = await self._admission.admit(Claim(tenant_id, key, new_id(), size_in_streams(new), own))
        if admitted.verdict is AdmissionVerdict.LIMITED:
            raise await self._refusal(tenant_id, admitted.reached)
        if admitted.verdict is AdmissionVerdict.STORED:
            first = admitted.first
            if own is not None and first is None:
                first = await self._look_up(tenant_id, key, admitted.event_id)
            return self._repeat(admitted.event_id, new, first)
        appended = await self._log.append(self._event(admitted, tenant_id, key, new))
        if admitted.verdict is AdmissionVerdict.NEW and appended.first is None:
            return _Outcome(Accepted(admitted.event_id, new.event_type, duplicate=False), own)
        return await self._settle(tenant_id, key, own, new, admitted, appended)

    async def _settle(
        self,
        tenant_id: str,
        key: bytes,
        own: First | None,
        new: ingest_pb2.NewEvent,
        admitted: Admitted,
        appended: Appended,
    ) -> _Outcome:
        """Answer a call whose key admission or the broker knew, according to the event that is stored.

        Two processes may race: one claims the key with its body, and the other one stores another body.
        """
        stored = appended.first if appended.first is not None else new
        first = self._fingerprints.first(stored) if own is not None else None
        claimed = own if admitted.verdict is AdmissionVerdict.NEW else admitted.first
        is_moved = appended.event_id != admitted.event_id
        is_other = first is not None and (claimed is None or self._fingerprints.differs(stored, claimed))
        if is_moved or is_other:
            await self._admission.correct(tenant_id, key, admitted.event_id, appended.event_id, first)
        if is_moved or first != own:
            return self._repeat(appended.event_id, new, first)
        # A claim of the same body: it cannot be told whether this call's event or an earlier one's was stored.
        known = admitted.verdict is AdmissionVerdict.PENDING and (claimed is None or not is_other)
        return _Outcome(Accepted(appended.event_id, new.event_type, duplicate=known), first)

    def _repeat(self, event_id: str, new: ingest_pb2.NewEvent, first: First | None) -> _Outcome:
        """Return the answer that the first event got."""
        if first is None:
            return _Outcome(Accepted(event_id, new.event_type, duplicate=True), None)
        differs = self._fingerprints.differs(new, first)
        return _Outcome(Accepted(event_id, first.event_type, duplicate=True, differs=differs), first)

    async def _look_up(self, tenant_id: str, key: bytes, event_id: str) -> First | None:
        """Read an event that was accepted without admission from the ledger, and store its fingerprint for repeats."""
        event = await self._admission.stored_event(tenant_id, event_id)
        if event is None:
            return None
        first = self._fingerprints.first(event)
        await self._admission.correct(tenant_id, key, event_id, event_id, first)
        return first

    async def _key(self, tenant_id: str, new: ingest_pb2.NewEvent) -> tuple[bytes, First | None]:
        """Return the event's key and what is stored beside it; None: the key is made of the whole body."""
        if new.idempotency_key:
            return validate.caller_key(tenant_id, new.idempotency_key), self._fingerprints.first(new)
        settings = await self._tenants.settings(tenant_id)
        if settings.content_key is ContentKey.SEED:
            return validate.seed_key(tenant_id, new), self._fingerprints.first(new)
        return validate.content_key(tenant_id, new), None

    async def _refusal(self, tenant_id: str, reached: Reached | None) -> ClarionError:
        if reached is None or reached.kind is LimitKind.UNFINISHED:
            detail = "Too many events of this tenant are still being delivered."
            return ClarionError(Code.LIMITED, detail, retry_after=QUOTA_RETRY_AFTER_S)
        if reached.kind is LimitKind.BYTES:
            detail = (
                "This tenant's events that are still being delivered take too much space:"
                f" more than {reached.bound // 2**20} MiB. Try again when some of them are delivered."
            )
            return ClarionError(Code.LIMITED, detail, retry_after=QUOTA_RETRY_AFTER_S)
        name = (await self._tenants.settings(tenant_id)).name or tenant_id
        per = "min" if reached.kind is LimitKind.SLIDING else "day"
        detail = f"Rate limit exceeded for tenant {name}. Limit: {reached.bound}/{per}"
        return ClarionError(Code.LIMITED, detail, retry_after=max(1, reached.retry_after))

    def _event(self, admitted: Admitted, tenant_id: str, key: bytes, new: ingest_pb2.NewEvent) -> event_pb2.Event:
        # A repeat may come after the broker forgot the first event. Its old time makes workers ask the ledger first.
        accepted_at_us = self._now() if admitted.verdict is AdmissionVerdict.NEW else time_of(admitted.event_id)
        return event_pb2.Event(
            id=admitted.event_id,
            tenant_id=tenant_id,
            event_type=new.event_type,
            caller_event_id=new.caller_event_id,
            recipient=new.recipient,
            variables=new.variables,
            payload_extra=new.payload_extra,
            channels=new.channels,
            trace_id=new.trace_id,
            accepted_at_us=accepted_at_us,
            dedupe_key=key,
            weight=size_in_streams(new),
            pinned=new.pinned if new.HasField("pinned") else None,
        )


def _for_followers(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    return ClarionError(Code.UNAVAILABLE, "The first call with this key was interrupted; try again.", retry_after=1)
