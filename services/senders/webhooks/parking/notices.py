"""What follows from a breaker besides: the endpoint is disabled, the tenant is notified by an operational event.

Both are stored with the change of the breaker, and done here, at least once: the router disables an endpoint once, and
ingest accepts an event with the same key once.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from runtime import clock, logs
from runtime.errors import ClarionError
from services.senders.webhooks.parking.ports import EndpointDirectory, EndpointKey

# The types of operational events.
DOWN, RECOVERED, DISABLED = "endpoint.down", "endpoint.recovered", "endpoint.disabled"

_TYPES = frozenset({DOWN, RECOVERED, DISABLED})
_BY_KIND = {"down": DOWN, "recovered": RECOVERED, "disable": DISABLED}
# The longest pause while nothing is to be done, and the pause after a failure, seconds.
_IDLE_S = 2.0
_FAILED_S = 5.0
# A notice that is taken and neither done nor put back is taken again after this time, seconds: longer than its calls.
_TAKEN_S = 60.0
# The pause of a notice that fails is this part of its age, at most _LONGEST_S; after _END_S it is given up. Seconds.
_PART_OF_AGE = 0.5
_LONGEST_S = 3_600.0
_END_S = 6 * 86_400.0

log = logs.get(__name__)


def is_operational(event_type: str) -> bool:
    """Return whether events of this type are made here. That they fail causes no further ones."""
    return event_type in _TYPES


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be done about an endpoint. kind: "down", "recovered", "disable". See senders.endpoint_notices."""

    id: int
    key: EndpointKey
    kind: str
    reason: str
    at_us: int
    failing_since_us: int
    revision: int


@dataclass(frozen=True, slots=True)
class OperationalEvent:
    """An event for those who subscribe to its type. scope: the endpoint's environment. key: events are found by it."""

    tenant_id: str
    event_type: str
    scope: str
    key: str
    variables: bytes


class NoticeStore(Protocol):
    """The stored notices. Each method raises UNAVAILABLE."""

    async def take(self, taken_s: float) -> Sequence[Notice]:
        """Return some notices that nobody else takes for taken_s seconds."""

    async def end(self, notice: Notice) -> None:
        """Delete a notice."""

    async def put_back(self, notice: Notice, pause_s: float) -> None:
        """Let a notice be taken again after pause_s seconds."""


class EndpointOwner(Protocol):
    """The router. Raises ClarionError: UNAVAILABLE if it is away."""

    async def disable(self, key: EndpointKey, revision: int, reason: str) -> bool:
        """Disable an endpoint of this revision; return whether it is disabled now for this reason."""


class EventAcceptor(Protocol):
    """Ingest. Raises ClarionError: UNAVAILABLE if it is away."""

    async def accept(self, event: OperationalEvent) -> None:
        """Accept an event, if somebody subscribes to its type."""


class EndpointOutages(Protocol):
    """Where the outages of endpoints are stored, for the operator. Each method raises UNAVAILABLE."""

    async def note(self, notice: Notice) -> None:
        """Store what a notice says; a repeat changes nothing."""


class Notices:
    """Works off the notices of all processes. now: PostgreSQL's time.

    Those of one endpoint are done in their order; one that fails holds up no other endpoint's.
    """

    def __init__(
        self,
        store: NoticeStore,
        owner: EndpointOwner,
        acceptor: EventAcceptor,
        directory: EndpointDirectory,
        *,
        outages: EndpointOutages | None = None,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._outages = outages
        self._store = store
        self._owner = owner
        self._acceptor = acceptor
        self._directory = directory
        self._now = now

    async def run(self) -> None:
        """Work for ever."""
        while True:
            pause = _IDLE_S
            try:
                taken = await self._store.take(_TAKEN_S)
                of_endpoint = defaultdict[EndpointKey, list[Notice]](list)
                for notice in taken:
                    of_endpoint[notice.key].append(notice)
                await asyncio.gather(*map(self._do_in_order, of_endpoint.values()))
                pause = 0.0 if taken else _IDLE_S
            except ClarionError as error:
                log.warning("endpoint_notices_wait", error=error.detail)
                pause = _FAILED_S
            except Exception:  # our own fault: what was taken is taken again
                log.exception("endpoint_notices_failed")
                pause = _FAILED_S
            await asyncio.sleep(pause * _varied())

    async def _do_in_order(self, taken: Sequence[Notice]) -> None:
        """Do the notices of an endpoint. If one fails, those behind it wait, too. Raises UNAVAILABLE."""
        for place, notice in enumerate(taken):
            try:
                await self._do(notice)
            except ClarionError as error:
                log.warning("endpoint_notice_waits", endpoint_id=notice.key.endpoint_id, error=error.detail)
            except Exception:  # our own fault, or an answer that this version does not know
                log.exception("endpoint_notice_failed", endpoint_id=notice.key.endpoint_id, kind=notice.kind)
            else:
                continue
            await self._put_back(taken[place:])
            return

    async def _put_back(self, left: Sequence[Notice]) -> None:
        """Let notices wait, the older the longer; the first one has failed."""
        age_s = (self._now() - left[0].at_us) / 1_000_000
        if age_s > _END_S:  # ingest may not know any more whether it has the event
            log.error("endpoint_notice_given_up", endpoint_id=left[0].key.endpoint_id, kind=left[0].kind)
            await self._store.end(left[0])
            left = left[1:]
        pause_s = min(max(_FAILED_S, age_s * _PART_OF_AGE), _LONGEST_S) * _varied()
        for notice in left:
            await self._store.put_back(notice, pause_s)

    async def _do(self, notice: Notice) -> None:
        """Do what a notice says, and delete it. Raises UNAVAILABLE."""
        if notice.kind != "disable" or await self._owner.disable(notice.key, notice.revision, notice.reason):
            if self._outages is not None:
                await self._outages.note(notice)
            event = operational_event(notice, self._environment(notice.key))
            if event is not None:
                await self._acceptor.accept(event)
                log.info("endpoint_notice", endpoint_id=notice.key.endpoint_id, event_type=event.event_type)
        await self._store.end(notice)

    def _environment(self, key: EndpointKey) -> str:
        endpoint = self._directory.endpoint(key)
        return endpoint.environment_id if endpoint is not None else ""


def operational_event(notice: Notice, environment_id: str) -> OperationalEvent | None:
    """Return the event that tells of a notice; None: of an endpoint that does not exist any more."""
    if not environment_id:
        return None
    event_type = _BY_KIND[notice.kind]
    variables: dict[str, str] = {"type": event_type, "endpoint_id": notice.key.endpoint_id, "at": _text(notice.at_us)}
    if notice.reason:
        variables["reason"] = notice.reason
    if notice.failing_since_us:
        variables["failing_since"] = _text(notice.failing_since_us)
    return OperationalEvent(
        notice.key.tenant_id,
        event_type,
        environment_id,
        f"{notice.key.endpoint_id}.{notice.kind}.{notice.revision}",
        msgspec.json.encode(variables),
    )


def _varied() -> float:
    return random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret


def _text(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
