"""ProviderHealthService: between protobuf and the domain, no logic."""

from typing import Any

import grpc.aio

from clarion.senders.v1 import health_pb2, health_pb2_grpc
from runtime import clock
from services.delivery.ports import Verdict
from services.domain.advice import ADVICE
from services.domain.checks import invalid
from services.domain.reasons import Reason, text_of
from services.senders.health.ports import Counts, Failure, Health, HealthStore
from services.senders.health.states import State, combine
from services.senders.health.testing import ProviderTester
from services.senders.providers import NewProvider, ProviderRepository

_ADVICE = {reason.value: ADVICE[reason] for reason in Reason}

PROVIDER_HEALTH_SERVICE = "clarion.senders.v1.ProviderHealthService"

_STATES = {
    State.CLOSED: health_pb2.PROVIDER_BREAKER_STATE_CLOSED,
    State.OPEN: health_pb2.PROVIDER_BREAKER_STATE_OPEN,
    State.TESTING: health_pb2.PROVIDER_BREAKER_STATE_TESTING,
}

Context = grpc.aio.ServicerContext[Any, Any]


class ProviderHealthServicer(health_pb2_grpc.ProviderHealthServiceServicer):
    """See proto/clarion/senders/v1/health.proto."""

    def __init__(
        self,
        providers: ProviderRepository,
        store: HealthStore,
        tester: ProviderTester,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._providers = providers
        self._store = store
        self._tester = tester
        self._now = now

    async def GetProviderStates(
        self, request: health_pb2.GetProviderStatesRequest, _: Context
    ) -> health_pb2.GetProviderStatesResponse:
        """Return how a tenant's providers are doing, or one of them."""
        if bool(request.tenant_id) == bool(request.provider_id):
            raise invalid("provider_id", "or tenant_id must be set, and only one of them")
        if request.provider_id:
            stored = [await self._providers.get(request.provider_id)]
        else:
            stored = await self._providers.of_tenant(request.tenant_id)
        healths = await self._store.read([one.provider.id for one in stored])
        now_us = self._now()
        return health_pb2.GetProviderStatesResponse(
            states=[_state(one.provider, healths.get(one.provider.id, Health()), now_us) for one in stored]
        )

    async def TestProvider(
        self, request: health_pb2.TestProviderRequest, _: Context
    ) -> health_pb2.TestProviderResponse:
        """Send a test message."""
        tested = await self._tester.test(request.provider_id, request.recipient)
        result = tested.result
        is_sent = result.verdict is Verdict.SENT
        failed = Failure(self._now(), result.reason, result.detail)
        return health_pb2.TestProviderResponse(
            sent=is_sent,
            provider_message_id=result.provider_message_id,
            failure=None if is_sent else _failure(failed),
            duration_us=tested.took_us,
            delivery_id=tested.delivery_id,
        )


def _state(provider: NewProvider, health: Health, now_us: int) -> health_pb2.ProviderState:
    found = combine(health, now_us)
    return health_pb2.ProviderState(
        provider_id=provider.id,
        tenant_id=provider.tenant_id,
        channel=provider.channel,
        state=_STATES[found.state],
        since_us=found.since_us,
        next_try_us=found.next_try_us,
        reason=found.reason,
        paused_processes=found.paused_processes,
        last_failure=_failure(health.last_failure) if health.last_failure else None,
        last_hour=_counts(health.last_hour),
        last_call_us=health.last_call_us,
    )


def _failure(failure: Failure) -> health_pb2.ProviderFailure:
    return health_pb2.ProviderFailure(
        at_us=failure.at_us,
        reason=failure.reason,
        text=text_of(failure.reason),
        advice=_ADVICE.get(failure.reason, ""),
        detail=failure.detail,
    )


def _counts(counts: Counts) -> health_pb2.ProviderCounts:
    return health_pb2.ProviderCounts(calls=counts.calls, failures=counts.failures, refusals=counts.refusals)
