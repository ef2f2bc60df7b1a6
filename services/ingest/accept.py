"""Accepts events: each is admitted, stored, and only then answered."""

import asyncio
from dataclasses import dataclass

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.ids import new_id, time_of
from services.ingest import validate
from services.ingest.ports import (
    Admission,
    Admitted,
    Appended,
    ContentKey,
    EventLog,
    LimitKind,
    Reached,
    Tenants,
    Verdict,
)
from services.ingest.weight import weight

# Advice to a tenant past its quota of unfinished events, seconds.
QUOTA_RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Accepted:
    """The event's id (of a duplicate: the first one's)."""

    event_id: str
    duplicate: bool


class Acceptor:
    """The way in, for one process."""

    def __init__(
        self, admission: Admission, log: EventLog, tenants: Tenants, *, now: clock.Clock = clock.now_us
    ) -> None:
        self._admission = admission
        self._log = log
        self._tenants = tenants
        self._now = now
        self._under_way: dict[bytes, asyncio.Future[Accepted]] = {}

    async def accept(self, tenant_id: str, new: ingest_pb2.NewEvent) -> Accepted:
        """Store the event, or find that it is a duplicate.

        Raises INVALID, LIMITED (the tenant's limits), UNAVAILABLE or OVERLOADED (the broker).
        """
        validate.check(new)
        key = await self._key(tenant_id, new)
        first = self._under_way.get(key)
        if first is not None:
            return Accepted((await asyncio.shield(first)).event_id, duplicate=True)
        future: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._under_way[key] = future
        try:
            accepted = await self._admit_and_store(tenant_id, key, new)
        except BaseException as error:
            future.set_exception(_for_followers(error))
            future.exception()  # there may be no follower to see it
            raise
        else:
            future.set_result(accepted)
            return accepted
        finally:
            del self._under_way[key]

    async def _admit_and_store(self, tenant_id: str, key: bytes, new: ingest_pb2.NewEvent) -> Accepted:
        admitted = await self._admission.admit(tenant_id, key, new_id(), weight(new))
        if admitted.verdict is Verdict.STORED:
            return Accepted(admitted.event_id, duplicate=True)
        if admitted.verdict is Verdict.LIMITED:
            raise await self._refusal(tenant_id, admitted.reached)
        appended: Appended = await self._log.append(self._event(admitted, tenant_id, key, new))
        if appended.event_id != admitted.event_id:
            await self._admission.correct(tenant_id, key, admitted.event_id, appended.event_id)
        return Accepted(appended.event_id, duplicate=appended.duplicate or admitted.verdict is Verdict.PENDING)

    async def _key(self, tenant_id: str, new: ingest_pb2.NewEvent) -> bytes:
        if new.idempotency_key:
            return validate.caller_key(tenant_id, new.idempotency_key)
        settings = await self._tenants.settings(tenant_id)
        is_literal = settings.content_key is ContentKey.SEED
        return validate.seed_key(tenant_id, new) if is_literal else validate.content_key(tenant_id, new)

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
        per = "min" if reached.kind is LimitKind.MINUTE else "day"
        detail = f"Rate limit exceeded for tenant {name}. Limit: {reached.bound}/{per}"
        return ClarionError(Code.LIMITED, detail, retry_after=max(1, reached.retry_after))

    def _event(self, admitted: Admitted, tenant_id: str, key: bytes, new: ingest_pb2.NewEvent) -> event_pb2.Event:
        # A repeat may come when the broker has forgotten the first one: by its age the workers know to ask the ledger.
        accepted_at_us = self._now() if admitted.verdict is Verdict.NEW else time_of(admitted.event_id)
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
            weight=weight(new),
            pinned=new.pinned if new.HasField("pinned") else None,
        )


def _for_followers(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    return ClarionError(Code.UNAVAILABLE, "The first call with this key was cut off; try again.", retry_after=1)
