"""Tells the breakers what this process's own attempts show. Attempts of rows report by themselves (row_work.py)."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from clarion.common.v1 import event_pb2
from runtime import logs
from runtime.errors import ClarionError
from services.delivery.attempts import Made
from services.domain.reasons import Reason
from services.senders.webhooks.parking import breaker, notices
from services.senders.webhooks.parking.breaker import Observation, Seen
from services.senders.webhooks.parking.ports import EndpointDirectory, EndpointKey, States

log = logs.get(__name__)


class EndpointWatcher:
    """Its observe is a services.delivery.attempts.Observer.

    Only failures, the first success after one, and successes of retries are reported: an endpoint that is well costs
    nothing. A process that sees only other successes does not report them, so a few failures of other processes may
    open the breaker of an endpoint that works; its first probe closes it.
    """

    def __init__(self, states: States, directory: EndpointDirectory) -> None:
        self._states = states
        self._directory = directory
        # Endpoints whose last attempt here failed.
        self._failing: set[EndpointKey] = set()
        # What is to be reported; a task reports those of one endpoint one after another.
        self._waiting: dict[EndpointKey, list[Observation]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def observe(self, delivery: event_pb2.Delivery, made: Made) -> None:
        """Take note of an attempt."""
        result = made.result
        is_retry = delivery.attempt > 1  # another process may have seen the failure before
        if breaker.is_answer(result) and not self._failing and not is_retry:
            return
        key = EndpointKey(delivery.tenant_id, delivery.webhook.endpoint_id)
        if breaker.is_trouble(result):
            self._failing.add(key)
            is_operational = notices.is_operational(delivery.event_type)
            seen = Observation(
                Seen.FAILED,
                started_us=made.started_us,
                wish_s=breaker.wish_s(result),
                is_operational=is_operational,
                revision=self._revision(key),
            )
            self._report(key, seen)
        elif breaker.is_answer(result) and (key in self._failing or is_retry):
            self._failing.discard(key)
            self._report(key, Observation(Seen.SUCCEEDED))
        elif result.reason == Reason.ENDPOINT_ANSWERED_GONE:
            self._start(self._disable(key))

    def note_failure(self, key: EndpointKey) -> None:
        """Take note of a failure that was reported already: the next success is reported, too."""
        self._failing.add(key)

    async def drain(self) -> None:
        """Wait until everything is reported."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _report(self, key: EndpointKey, observation: Observation) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(observation)
            return
        self._waiting[key] = [observation]
        self._start(self._report_all(key))

    async def _report_all(self, key: EndpointKey) -> None:
        try:
            while observations := self._waiting[key]:
                self._waiting[key] = []
                for observation in breaker.merged(observations):
                    await self._states.observe(key, observation)
        except ClarionError as error:  # the next failure is reported again
            log.warning("endpoint_not_observed", endpoint_id=key.endpoint_id, error=error.detail)
        finally:
            del self._waiting[key]

    async def _disable(self, key: EndpointKey) -> None:
        try:
            await self._states.disable(key, "gone", self._revision(key))
        except ClarionError as error:  # the next delivery shows it again
            log.warning("endpoint_not_disabled", endpoint_id=key.endpoint_id, error=error.detail)

    def _revision(self, key: EndpointKey) -> int:
        endpoint = self._directory.endpoint(key)
        return endpoint.revision if endpoint is not None else 0

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
