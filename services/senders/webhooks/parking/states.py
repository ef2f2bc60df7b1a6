"""The states of endpoints in PostgreSQL: their breakers, which all sender processes share, and leases on them.

Whoever has the lease of an endpoint sends what waits for it. A lease that is not renewed ends, so that another process
goes on when this one dies.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
from prometheus_client import Counter

from runtime import clock, logs, postgres
from runtime.batching import Batcher, BatchLimits, BatchTiming
from runtime.configuration import ConfigurationOutbox
from runtime.ids import new_id
from services.senders.webhooks.parking import breaker
from services.senders.webhooks.parking.breaker import BreakerPolicy, Health, Observation, Seen
from services.senders.webhooks.parking.ports import EndpointKey, EndpointState, Release
from services.senders.webhooks.parking.records import (
    columns,
    first_id,
    key_columns,
    published,
    read_key,
    read_state,
    state_key,
)
from services.senders.webhooks.parking.rows import SQL

# How long a lease lasts without being renewed, seconds.
LEASE_S = 30.0
_GROUP = 200
# Seconds between two groups of observations, as an endpoint that fails fast fails often, and of leases given back.
_PACE_S = 0.1
_RELEASE_PACE_S = 0.05

_CHANGES = Counter("clarion_endpoint_breaker_changes_total", "Changes of endpoints' circuit breakers.", ["state"])
_NAMES = {breaker.CLOSED: "closed", breaker.OPEN: "open", breaker.DRAINING: "draining"}

log = logs.get(__name__)


class _Observed(NamedTuple):
    key: EndpointKey
    observation: Observation


class EndpointStates:
    """Implements ports.States. now: PostgreSQL's time. Each method raises UNAVAILABLE.

    outbox: publishes the states that are not CLOSED.
    """

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        outbox: ConfigurationOutbox,
        policy: BreakerPolicy,
        *,
        lease_s: float = LEASE_S,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._policy = policy
        self._lease_us = int(lease_s * 1_000_000)
        self._now = now
        self.owner = new_id()
        self._observer: Batcher[_Observed, Health] = Batcher(
            self._observe, BatchLimits(items=_GROUP), BatchTiming(interval_s=_PACE_S)
        )
        self._renewer: Batcher[EndpointKey, EndpointState | None] = Batcher(self._renew, BatchLimits(items=_GROUP))
        self._releaser: Batcher[Release, None] = Batcher(
            self._release, BatchLimits(items=_GROUP), BatchTiming(interval_s=_RELEASE_PACE_S)
        )

    async def observe(self, key: EndpointKey, observation: Observation) -> Health:
        """See ports.States."""
        return await self._observer.enqueue(_Observed(key, observation))

    async def lease(
        self, limit: int, *, per_tenant: int, without: Sequence[str], in_turn: Collection[EndpointKey] = ()
    ) -> list[EndpointState]:
        """See ports.States."""
        now = self._now()
        with postgres.unavailable_while_down():
            mine = [key.endpoint_id for key in in_turn]
            found = await self._pool.fetch(
                SQL.lease, self.owner, now, now + self._lease_us, limit, per_tenant, list(without), mine
            )
        return [read_state(row) for row in found]

    async def renew(self, key: EndpointKey) -> EndpointState | None:
        """See ports.States."""
        return await self._renewer.enqueue(key)

    async def release(self, release: Release) -> None:
        """See ports.States."""
        await self._releaser.enqueue(release)

    async def until_next(self) -> float | None:
        """See ports.States."""
        now = self._now()
        with postgres.unavailable_while_down():
            wake_us: int | None = await self._pool.fetchval(SQL.until_next, now)
        return (wake_us - now) / 1_000_000 if wake_us is not None else None

    async def wake(self, key: EndpointKey) -> None:
        """See ports.States."""
        with postgres.unavailable_while_down():
            await self._pool.execute(SQL.wake, *key, self._now())

    async def wake_resting(self) -> None:
        """Look at all endpoints that rest and have rows: this process may have missed that some of them changed."""
        with postgres.unavailable_while_down():
            await self._pool.execute(SQL.wake_resting, self._now())

    async def wake_aged(self, before_us: int) -> int:
        """See ports.States."""
        with postgres.unavailable_while_down():
            status = await self._pool.execute(SQL.wake_aged, self._now(), first_id(before_us), before_us, _GROUP)
        return int(status.rpartition(" ")[2])

    async def read(self, key: EndpointKey) -> EndpointState:
        """Return an endpoint's state; of one that is not stored, that nothing is wrong."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(SQL.state, *key)
        return read_state(row) if row is not None else EndpointState(key, Health(), 0, is_full=False, held_until_us=0)

    async def read_all(self, keys: Sequence[EndpointKey]) -> list[EndpointState]:
        """See ports.States."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(SQL.states, *key_columns(keys))
        return list(map(read_state, rows))

    async def disable(self, key: EndpointKey, reason: str, revision: int) -> None:
        """Note that an endpoint of this revision is to be disabled; see services.senders.webhooks.parking.notices."""
        now = self._now()
        with postgres.unavailable_while_down():
            await self._pool.execute(SQL.add_notice, *key, "disable", reason, now, 0, revision)

    async def forget(self, keys: Sequence[EndpointKey], *, are_gone: bool = False) -> None:
        """Delete the states of endpoints that have no rows and are well, or that do not exist any more."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                rows = await connection.fetch(SQL.forget, *key_columns(keys), are_gone)
                told = [read_key(row) for row in rows if row["is_full"] or row["state"] != breaker.CLOSED]
                for key in told:
                    await self._outbox.add(connection, state_key(key), None)
        if told:
            await self._outbox.flush()

    async def drain(self) -> None:
        """Wait until all writes have ended."""
        await asyncio.gather(self._observer.drain(), self._renewer.drain(), self._releaser.drain())

    async def _observe(self, items: list[_Observed]) -> list[Health]:
        """Apply observations in their order, in one transaction; return the health after each."""
        now = self._now()
        keys = key_columns(one.key for one in items)
        failed = {one.key for one in items if one.observation.seen in {Seen.FAILED, Seen.PROBE_FAILED}}
        others = {one.key for one in items} - failed
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                if failed:  # of all endpoints, so that their locks are waited for in the same order as everywhere
                    await connection.execute(SQL.add_states, *keys)
                states = {state.key: state for state in map(read_state, await connection.fetch(SQL.lock_states, *keys))}
                pictures = _Pictures(states, self._policy, now)
                healths = [pictures.apply(key, observation) for key, observation in items]
                is_published = await self._store(connection, pictures, now)
                if failed and others:  # they may have got states that say nothing
                    await connection.fetch(SQL.forget, *key_columns(others), False)
        if is_published:
            await self._outbox.flush()
        return healths

    async def _store(self, connection: Any, pictures: "_Pictures", now: int) -> bool:
        """Store and publish what changed, and what follows from it; return whether something is to be published."""
        changed = pictures.changed()
        if changed:
            rows = [_columns(key, health, is_woken=key in pictures.woken) for key, health in changed.items()]
            await connection.execute(SQL.set_health, *columns(rows), now)
        told = False
        for key, health in changed.items():
            state = pictures.states[key]
            if (state.health.state, state.health.since_us) != (health.state, health.since_us):
                value = published(health.state, health.since_us, is_full=state.is_full)
                await self._outbox.add(connection, state_key(key), value)
                told = True
                name = _NAMES[breaker.State(health.state)]
                _CHANGES.labels(name).inc()
                log.info("endpoint_state", tenant_id=key.tenant_id, endpoint_id=key.endpoint_id, state=name)
        for notice in pictures.notices:
            await connection.execute(SQL.add_notice, *notice)
        return told

    async def _renew(self, keys: list[EndpointKey]) -> list[EndpointState | None]:
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(SQL.renew, self.owner, *key_columns(keys), self._now() + self._lease_us)
        found = {state.key: state for state in map(read_state, rows)}
        return [found.get(key) for key in keys]

    async def _release(self, releases: list[Release]) -> list[None]:
        once = {one.key: one for one in releases}
        keys = key_columns(once)
        rows = [
            (*one.key, one.is_resting, one.held_until_us, one.not_before_us)
            for one in sorted(once.values(), key=lambda one: one.key)
        ]
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.fetch(SQL.lock_states, *keys)
                await connection.execute(SQL.release, self.owner, *columns(rows), self._now())
                await connection.fetch(SQL.forget, *keys, False)
        return [None] * len(releases)


class _Pictures:
    """The healths of some endpoints while observations are applied to them."""

    def __init__(self, states: Mapping[EndpointKey, EndpointState], policy: BreakerPolicy, now_us: int) -> None:
        self.states = states
        # The endpoints that somebody wants to be looked at now.
        self.woken: set[EndpointKey] = set()
        # Rows of endpoint_notices.
        self.notices: list[tuple[str, str, str, str, int, int, int]] = []
        self._healths = {key: state.health for key, state in states.items()}
        self._policy = policy
        self._now_us = now_us

    def apply(self, key: EndpointKey, observation: Observation) -> Health:
        """Apply an observation; return the endpoint's health."""
        state = self.states.get(key)
        if state is None:
            return Health()
        before = self._healths[key]
        if observation.seen is Seen.ENABLED and before.state == breaker.CLOSED and not state.parked:
            return before
        change = breaker.observe(before, observation, self._policy, self._now_us)
        self._healths[key] = change.health
        if observation.seen in {Seen.ENABLED, Seen.PROBE_WANTED}:
            self.woken.add(key)
        now_us, since_us = self._now_us, change.health.failing_since_us
        if change.went_down:
            self.notices.append((*key, "down", "", now_us, since_us, now_us))
        if change.recovered:
            self.notices.append((*key, "recovered", "", now_us, 0, now_us))
        if change.is_hopeless:
            self.notices.append((*key, "disable", "failing", now_us, since_us, observation.revision))
        return change.health

    def changed(self) -> dict[EndpointKey, Health]:
        """Return the healths that differ from what is stored, and those of endpoints that are woken."""
        return {
            key: health
            for key, health in self._healths.items()
            if health != self.states[key].health or key in self.woken
        }


def _columns(key: EndpointKey, health: Health, *, is_woken: bool) -> tuple[Any, ...]:
    return (
        *key,
        health.state,
        health.since_us,
        health.failures,
        health.first_failure_us,
        health.failing_since_us,
        health.probes,
        health.next_probe_us,
        health.is_quiet,
        is_woken,
    )
