"""Finds the endpoints that an event is for, in the published copy: those that subscribe, or the one that is named."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from runtime import logs
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.domain.endpoints import (
    WEBHOOK,
    Endpoint,
    State,
    Subscriber,
    decode_endpoint,
    decode_state,
    decode_subscribers,
    in_scope,
)
from services.domain.reasons import Reason
from services.ingest.endpoints.ports import EndpointOwner, OwnedEndpoint
from services.ingest.memo import Memo
from services.ingest.published import PublishedCopy, Revisions

# Subscribers that are looked at before other events get their turn.
_TURN = 500
# Retry-After for an endpoint that has too much waiting, seconds.
_FULL_RETRY_AFTER_S = 60

_NO_ENDPOINT = "There is no such endpoint."
_DETAILS = {
    Reason.ENDPOINT_BACKLOG_FULL: "Too many messages wait for this endpoint.",
    Reason.SECRET_UNREADABLE: "The signing secret of this endpoint cannot be read.",
    Reason.INTERNAL_ERROR: "What is stored of this endpoint cannot be read.",
}

log = logs.get(__name__)


class WrongScopeError(ClarionError):
    """NOT_FOUND: the endpoint belongs to another scope, so its caller learns nothing of it."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, _NO_ENDPOINT)


class Failure(NamedTuple):
    """An endpoint that gets nothing although it should. detail: one sentence for the caller."""

    endpoint_id: str
    reason: str
    detail: str


class Fanout(NamedTuple):
    """The endpoints that get an event, in the order of their creation, and those that should and do not."""

    endpoint_ids: list[str]
    failures: tuple[Failure, ...] = ()


class _Published(NamedTuple):
    """What is remembered of a published endpoint. owned: None: it cannot be read. fault: why it gets nothing."""

    owned: OwnedEndpoint | None
    fault: Reason | None = None


class EndpointDirectory:
    """Answers from the copy; asks the owner only for an endpoint that is named and that the copy does not have.

    marker: the key that the copy has while the owner's endpoints and subscribers are all published.
    """

    def __init__(self, copy: PublishedCopy, owner: EndpointOwner, vault: Vault, *, marker: str) -> None:
        self._copy = copy
        self._revisions = Revisions(copy)
        self._owner = owner
        self._vault = vault
        self._marker = marker
        self._endpoints: Memo[_Published] = Memo(self._read_endpoint)
        self._states: Memo[State | None] = Memo(_read_state)
        self._subscribers: Memo[Sequence[Subscriber] | None] = Memo(_read_subscribers, weight=_length)

    async def subscribers(self, tenant_id: str, event_type: str, scope: str, revision: int = 0) -> Fanout:
        """Return the active endpoints that subscribe to a type in a scope (empty: in any).

        revision: what the copy should have; it is waited for a moment. Raises UNAVAILABLE if it is not known who
        subscribes, INTERNAL if that cannot be read.
        """
        await self._revisions.reach(revision)
        key = topology.subscribers_key(tenant_id, event_type)
        raw = self._copy.get(key)
        if raw is None:
            if self._copy.get(self._marker) is None:
                raise ClarionError(Code.UNAVAILABLE, "It is not known yet who subscribes. Try again.", retry_after=1)
            return Fanout([])
        listed = self._subscribers.of(key, raw)
        if listed is None:
            raise ClarionError(Code.INTERNAL, "Who subscribes to this event type cannot be read.")
        ids: list[str] = []
        failures: list[Failure] = []
        for number, subscriber in enumerate(in_scope(listed, scope), start=1):
            fault = self._fault(tenant_id, subscriber.endpoint_id)
            if fault is None:
                ids.append(subscriber.endpoint_id)
            else:
                failures.append(Failure(subscriber.endpoint_id, fault.value, _DETAILS[fault]))
            if number % _TURN == 0:
                await asyncio.sleep(0)
        return Fanout(ids, tuple(failures))

    async def check_named(self, tenant_id: str, endpoint_id: str, scope: str, revision: int = 0) -> None:
        """Return if an event of this scope can be sent to this endpoint.

        Raises NOT_FOUND (WrongScopeError: it belongs to another scope), CONFLICT (it is not active), LIMITED (too much
        waits for it), INTERNAL (it cannot be read), UNAVAILABLE (it is not known, and its owner does not answer),
        OVERLOADED.
        """
        await self._revisions.reach(revision)
        key = topology.endpoint_key(tenant_id, endpoint_id)
        raw = self._copy.get(key)
        if raw is None:
            found = await self._owner.endpoint(tenant_id, endpoint_id)
        elif (found := self._endpoints.of(key, raw).owned) is None:
            raise ClarionError(Code.INTERNAL, _DETAILS[Reason.INTERNAL_ERROR])
        if found is None:
            raise ClarionError(Code.NOT_FOUND, _NO_ENDPOINT)
        if scope not in ("", found.environment_id):
            raise WrongScopeError
        if not found.active:
            raise ClarionError(Code.CONFLICT, "The endpoint is disabled. Enable it first.")
        fault = self._fault(tenant_id, endpoint_id)
        if fault is Reason.ENDPOINT_BACKLOG_FULL:
            raise ClarionError(Code.LIMITED, _DETAILS[fault], retry_after=_FULL_RETRY_AFTER_S)
        if fault is not None:
            raise ClarionError(Code.INTERNAL, _DETAILS[fault])

    def _fault(self, tenant_id: str, endpoint_id: str) -> Reason | None:
        """Return why an endpoint gets nothing; None: it does.

        Of an endpoint that the copy does not have, or not yet, its sender decides.
        """
        key = topology.endpoint_state_key(tenant_id, endpoint_id)
        raw = self._copy.get(key)
        if raw is not None:
            state = self._states.of(key, raw)
            if state is None:
                return Reason.INTERNAL_ERROR
            if state.full:
                return Reason.ENDPOINT_BACKLOG_FULL
        key = topology.endpoint_key(tenant_id, endpoint_id)
        raw = self._copy.get(key)
        return self._endpoints.of(key, raw).fault if raw is not None else None

    def _read_endpoint(self, key: str, raw: bytes) -> _Published:
        try:
            endpoint = decode_endpoint(raw)
        except Exception as error:  # whatever it is, the other endpoints get their messages
            log.error("endpoint_unreadable", key=key, error=repr(error))
            return _Published(None, Reason.INTERNAL_ERROR)
        owned = OwnedEndpoint(endpoint.environment_id, endpoint.active)
        if endpoint.kind != WEBHOOK or self._can_sign(key.split(".")[1], endpoint):
            return _Published(owned)
        return _Published(owned, Reason.SECRET_UNREADABLE)

    def _can_sign(self, tenant_id: str, endpoint: Endpoint) -> bool:
        """Return whether the newest secret can be read; the earlier ones only sign beside it."""
        try:
            newest = next(secret for secret in endpoint.secrets if not secret.until_us)
            newest.open(self._vault, tenant_id, endpoint.id)
        except (StopIteration, ValueError) as error:
            log.error("endpoint_secret_unreadable", tenant_id=tenant_id, endpoint_id=endpoint.id, error=repr(error))
            return False
        return True


def _read_state(key: str, raw: bytes) -> State | None:
    try:
        return decode_state(raw)
    except Exception as error:
        log.error("endpoint_state_unreadable", key=key, error=repr(error))
        return None


def _read_subscribers(key: str, raw: bytes) -> Sequence[Subscriber] | None:
    try:
        return decode_subscribers(raw)
    except ValueError as error:  # msgspec's errors are ValueErrors
        log.error("subscribers_unreadable", key=key, error=str(error))
        return None


def _length(listed: Sequence[Subscriber] | None) -> int:
    return 1 + len(listed or ())
