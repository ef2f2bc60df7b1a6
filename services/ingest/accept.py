"""Accepts events: each is admitted, stored, and only then answered."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import msgspec

from clarion.common.v1 import error_pb2, event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.ids import new_id, time_of
from services.domain.delivery_ids import scheme_of
from services.ingest import deduplication, validate
from services.ingest.endpoints.directory import EndpointDirectory, Failure, WrongScopeError
from services.ingest.endpoints.receipt import Deliveries, deliveries_of
from services.ingest.event_size import size_in_streams
from services.ingest.fingerprint import Fingerprints
from services.ingest.intake import event_of
from services.ingest.ports import (
    DAY_S,
    LEAST_PAYLOAD_BYTES,
    Admission,
    AdmissionVerdict,
    Admitted,
    Appended,
    Claim,
    ContentKey,
    EventLog,
    First,
    TenantSettingsSource,
)
from services.ingest.refusals import refusal, state_of
from services.ingest.workflows.directory import WorkflowDirectory

_UNSPECIFIED, _KEY = ingest_pb2.DEDUPE_KIND_UNSPECIFIED, ingest_pb2.DEDUPE_KIND_KEY
_CONTENT, _PAYLOAD = ingest_pb2.DEDUPE_KIND_CONTENT, ingest_pb2.DEDUPE_KIND_PAYLOAD
_SECOND_US = 1_000_000
# 68 years, the most that the column holds.
_LONGEST_TTL_S = 2**31 - 1
# Refusals of an endpoint whose scope is that of the event. Of the others the scope is not known.
_OF_KNOWN_ENDPOINTS = frozenset({Code.CONFLICT, Code.LIMITED})
_KINDS_OF_CONTENT = {ContentKey.FULL: _CONTENT, ContentKey.PAYLOAD: _PAYLOAD}

T = TypeVar("T")


class Accepted(msgspec.Struct, frozen=True):
    """The event's id and type; of a duplicate, those of the first event.

    differs: a duplicate that asked for something else than the first event; False where that is not known.
    limits: the tenant's rates after this event; empty for a duplicate, and where they are not known.
    deliveries: of an event for endpoints. failures: the endpoints that should get it and do not; empty for a duplicate.
    workflows: (id, version) of those that it starts; empty for a duplicate.
    """

    event_id: str
    event_type: str
    duplicate: bool
    differs: bool = False
    limits: tuple[error_pb2.LimitState, ...] = ()
    deliveries: Deliveries = ()
    failures: tuple[Failure, ...] = ()
    workflows: tuple[tuple[str, int], ...] = ()


class _Outcome(msgspec.Struct, frozen=True):
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
        endpoints: EndpointDirectory,
        workflows: WorkflowDirectory,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._admission = admission
        self._log = log
        self._tenants = tenants
        self._fingerprints = fingerprints
        self._endpoints = endpoints
        self._workflows = workflows
        self._now = now
        self._under_way: dict[bytes, asyncio.Future[_Outcome]] = {}

    async def accept(self, tenant_id: str, new: ingest_pb2.NewEvent, *, revision: int = 0) -> Accepted:
        """Return when the event is stored, or known to be a duplicate.

        revision: of the tenant's endpoints and workflows, see AcceptItem. Raises INVALID, LIMITED (the tenant's
        limits), UNAVAILABLE or OVERLOADED (the broker), TIMEOUT (answer_by_us has come, and nothing was stored); for
        one endpoint also what EndpointDirectory.check_named() raises, for people what WorkflowDirectory.stamp() does.
        """
        validate.check(new)
        if len(new.variables) + len(new.payload_extra) > LEAST_PAYLOAD_BYTES:
            validate.check_payload(new, self._tenants.cached_or_default(tenant_id))
        event, by = event_of(tenant_id, new), new.answer_by_us
        if by:
            self._left_s(by)
        if not new.HasField("to_endpoints"):
            return await self._accept_for_people(event, new, revision)
        if event.endpoints.is_named:
            return await self._accept_named(event, new, revision)
        fanout = await self._endpoints.subscribers(tenant_id, event.event_type, event.scope, revision)
        event.endpoints.endpoint_ids.extend(fanout.endpoint_ids)
        accepted = await self._accept(event, await self._claim(event, new), by)
        if fanout.failures and not accepted.duplicate:
            accepted = msgspec.structs.replace(accepted, failures=fanout.failures)
        return accepted

    async def _accept_named(self, event: event_pb2.Event, new: ingest_pb2.NewEvent, revision: int) -> Accepted:
        """Accept an event for one endpoint."""
        [endpoint_id], by = event.endpoints.endpoint_ids, new.answer_by_us
        try:
            await self._in_time(self._endpoints.check_named(event.tenant_id, endpoint_id, event.scope, revision), by)
        except WrongScopeError:
            raise  # to whom the endpoint is unknown, its deliveries are, too
        except ClarionError as error:
            return await self._repeat_or_raise(error, event, new)
        return await self._accept(event, await self._claim(event, new), by)

    async def _accept_for_people(self, event: event_pb2.Event, new: ingest_pb2.NewEvent, revision: int) -> Accepted:
        """Accept an event with the stored workflows that it starts."""
        by = new.answer_by_us
        try:
            if revision:
                await self._in_time(self._workflows.reach(revision), by)
            self._workflows.stamp(event, new)
            event.id_scheme = scheme_of(event)
        except ClarionError as error:
            return await self._repeat_or_raise(error, event, new)
        return await self._accept(event, await self._claim(event, new), by)

    async def _repeat_or_raise(self, fault: ClarionError, event: event_pb2.Event, new: ingest_pb2.NewEvent) -> Accepted:
        """Answer a repeat, whatever became of the endpoint or the workflows meanwhile. A new event raises the fault."""
        claim, by = await self._claim(event, new), new.answer_by_us
        if not claim.key or fault.code is Code.TIMEOUT:
            raise fault
        known = await self._in_time(self._admission.known(claim.tenant_id, claim.key), by)
        if known is None:
            raise fault
        if event.scope and fault.code not in _OF_KNOWN_ENDPOINTS:
            stored = await self._in_time(self._admission.stored_event(claim.tenant_id, known.event_id), by)
            if stored is None or stored.scope != event.scope:
                raise fault
        return (await self._repeat(known.event_id, event, known.first)).accepted

    async def _accept(self, event: event_pb2.Event, claim: Claim, by: int) -> Accepted:
        """Admit and store an event; of several calls with one key at once only one does. by: answer_by_us."""
        if not claim.key:
            return (await self._admit_and_store(claim, event, by)).accepted
        while (leader := self._under_way.get(claim.key)) is not None:
            try:
                outcome = await asyncio.shield(leader)
            except ClarionError as error:
                if error.code is not Code.TIMEOUT:
                    raise
                continue  # the leader's time was over, and perhaps not this call's
            return (await self._repeat(outcome.accepted.event_id, event, outcome.first, outcome.accepted)).accepted
        future: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
        self._under_way[claim.key] = future
        try:
            outcome = await self._admit_and_store(claim, event, by)
        except BaseException as error:
            future.set_exception(_for_followers(error))
            future.exception()  # marks it as seen: there may be no follower
            raise
        else:
            future.set_result(outcome)
            return outcome.accepted
        finally:
            del self._under_way[claim.key]

    def _in_time(self, work: Awaitable[T], by: int) -> Awaitable[T]:
        """Return work that stores no event, and that raises TIMEOUT when by has come; 0: no such time."""
        return self._until(work, by) if by else work

    async def _until(self, work: Awaitable[T], by: int) -> T:
        timer = asyncio.timeout((by - self._now()) / _SECOND_US)
        try:
            async with timer:
                return await work
        except TimeoutError:
            if timer.expired():
                raise _too_late() from None
            raise

    def _left_s(self, by: int) -> float | None:
        """Return the seconds until by; None: there is no such time. Raises TIMEOUT if it has come."""
        if not by:
            return None
        if (left := by - self._now()) <= 0:
            raise _too_late()
        return left / _SECOND_US

    async def _claim(self, event: event_pb2.Event, new: ingest_pb2.NewEvent) -> Claim:
        """Return what admission is asked for the event."""
        scope, ttl_s = event.scope, DAY_S
        if new.HasField("dedupe"):
            kind, key = new.dedupe.kind, new.dedupe.key
            scope, ttl_s = new.dedupe.scope or scope, new.dedupe.ttl_s or ttl_s
        else:
            key = new.idempotency_key
            kind = _KEY if key else _UNSPECIFIED
        if kind == _UNSPECIFIED:
            settings = await self._in_time(self._tenants.settings(event.tenant_id), new.answer_by_us)
            kind = _KINDS_OF_CONTENT[settings.content_key]
        digest, first = b"", None
        if kind == _KEY:
            # Keys are apart for each endpoint that is named, so a repeat is for the endpoint of the first event.
            named = event.endpoints.endpoint_ids[0] if event.endpoints.is_named else ""
            digest = deduplication.caller_key(event.tenant_id, key, scope, endpoint_id=named)
            first = self._fingerprints.first(event)
        elif kind == _PAYLOAD:
            digest, first = deduplication.payload_key(event, scope), self._fingerprints.first(event)
        elif kind == _CONTENT:
            digest = deduplication.content_key(event, scope)
        is_scheduled = bool(event.due_at_us) and event.due_at_us > (now := self._now())
        if is_scheduled:  # a repeat must not become a second event while the first one waits
            ttl_s = min(max(ttl_s, (event.due_at_us - now) // _SECOND_US + DAY_S), _LONGEST_TTL_S)
        return Claim(
            event.tenant_id,
            digest,
            new_id(),
            size_in_streams(event),
            first,
            ttl_s,
            new.cost or 1,
            is_scheduled,
            event.scope,
            new.key_id,
        )

    async def _admit_and_store(self, claim: Claim, event: event_pb2.Event, by: int) -> _Outcome:
        admitted = await self._in_time(self._admission.admit(claim), by)
        if admitted.verdict is AdmissionVerdict.LIMITED:
            raise refusal(admitted.reached)
        if admitted.verdict is AdmissionVerdict.STORED:
            first = admitted.first
            if claim.first is not None and first is None:
                first = await self._look_up(claim, admitted.event_id)
            return await self._repeat(admitted.event_id, event, first)
        self._complete(event, claim, admitted)
        # What was admitted and comes too late counts as unfinished until the janitor recounts. Its key's row makes a
        # repeat the same event.
        appended = await self._log.append(event, within=self._left_s(by))
        if admitted.verdict is AdmissionVerdict.NEW and appended.first is None:
            limits = tuple(map(state_of, admitted.limits)) if admitted.limits else ()
            accepted = Accepted(event.id, event.event_type, duplicate=False, limits=limits)
            if event.HasField("endpoints"):
                accepted = msgspec.structs.replace(accepted, deliveries=await deliveries_of(event))
            elif event.HasField("workflows"):
                started = tuple((one.workflow_id, one.version) for one in event.workflows.workflows)
                accepted = msgspec.structs.replace(accepted, workflows=started)
            return _Outcome(accepted, claim.first)
        return await self._settle(claim, event, admitted, appended)

    async def _settle(self, claim: Claim, event: event_pb2.Event, admitted: Admitted, appended: Appended) -> _Outcome:
        """Answer a call whose key admission or the broker knew, according to the event that is stored.

        Two processes may race: one claims the key with its body, and the other one stores another body.
        """
        stored = appended.first if appended.first is not None else event
        first = self._fingerprints.first(stored) if claim.first is not None else None
        claimed = claim.first if admitted.verdict is AdmissionVerdict.NEW else admitted.first
        is_moved = appended.event_id != admitted.event_id
        is_other = first is not None and (claimed is None or self._fingerprints.differs(stored, claimed))
        if is_moved or is_other:
            await self._admission.correct(claim.tenant_id, claim.key, admitted.event_id, appended.event_id, first)
        deliveries = await deliveries_of(stored) if event.HasField("endpoints") else ()
        answer = Accepted(appended.event_id, event.event_type, duplicate=True, deliveries=deliveries)
        if is_moved or first != claim.first:
            return await self._repeat(appended.event_id, event, first, answer)
        # A claim of the same body: it cannot be told whether this call's event or an earlier one's was stored.
        known = admitted.verdict is AdmissionVerdict.PENDING and (claimed is None or not is_other)
        return _Outcome(msgspec.structs.replace(answer, duplicate=known), first)

    async def _repeat(
        self, event_id: str, event: event_pb2.Event, first: First | None, answer: Accepted | None = None
    ) -> _Outcome:
        """Return the answer that the first event got. event: the repeat. answer: the first event's, if at hand."""
        deliveries: Deliveries = ()
        if event.HasField("endpoints"):
            deliveries = answer.deliveries if answer is not None else await self._deliveries(event_id, event)
        event_type = event.event_type if first is None else first.event_type
        differs = first is not None and self._fingerprints.differs(event, first)
        return _Outcome(Accepted(event_id, event_type, duplicate=True, differs=differs, deliveries=deliveries), first)

    async def _deliveries(self, event_id: str, event: event_pb2.Event) -> Deliveries:
        """Return the deliveries of a stored event. event: a repeat of it.

        One for a named endpoint has the delivery that the repeat would have; others are read from the ledger.
        """
        if event.endpoints.is_named:
            # A later scheme of ids has to store with the key which scheme the first event has.
            first = event_pb2.Event(id=event_id, id_scheme=event.id_scheme, endpoints=event.endpoints)
            return await deliveries_of(first)
        stored = await self._admission.stored_event(event.tenant_id, event_id)
        return await deliveries_of(stored) if stored is not None else ()

    async def _look_up(self, claim: Claim, event_id: str) -> First | None:
        """Read an event that was accepted without admission from the ledger, and store its fingerprint for repeats."""
        event = await self._admission.stored_event(claim.tenant_id, event_id)
        if event is None:
            return None
        first = self._fingerprints.first(event)
        await self._admission.correct(claim.tenant_id, claim.key, event_id, event_id, first)
        return first

    def _complete(self, event: event_pb2.Event, claim: Claim, admitted: Admitted) -> None:
        """Give an event what it gets at admission."""
        event.id = admitted.event_id
        event.dedupe_key = claim.key
        event.weight = claim.size
        if claim.ttl_s != DAY_S:
            event.dedupe_ttl_s = claim.ttl_s
        # A repeat may come after the broker forgot the first event. Its old time makes workers ask the ledger first.
        is_new = admitted.verdict is AdmissionVerdict.NEW
        event.accepted_at_us = self._now() if is_new else time_of(admitted.event_id)
        if is_new and claim.scheduled:
            # Its time may have come since it was claimed. Router and ledger take a time that comes after the acceptance
            # for one that it waits for, so they decide as admission did.
            event.accepted_at_us = min(event.accepted_at_us, event.due_at_us - 1)


def _too_late() -> ClarionError:
    return ClarionError(Code.TIMEOUT, "The time for this event is over. Nothing was stored; it can be sent again.")


def _for_followers(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    return ClarionError(Code.UNAVAILABLE, "The first call with this key was interrupted; try again.", retry_after=1)
