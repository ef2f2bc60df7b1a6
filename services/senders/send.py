"""One attempt at one delivery: its provider, and where that is in trouble the tenant's next one."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from prometheus_client import Counter, Histogram

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime import clock
from runtime.errors import ClarionError
from runtime.parts import PartAway
from runtime.telemetry import labelled
from services.delivery.ports import Result, Try, Verdict
from services.domain import channels
from services.domain.reasons import Reason
from services.senders import registry
from services.senders.breaker import CIRCUIT_OPEN, Policy, Rest
from services.senders.compose import Unsendable
from services.senders.opened import Opened, OpenProviders, OpenSecrets
from services.senders.ports import ADDRESS_NOT_ALLOWED, Directory, ProviderRecord, Resources
from services.senders.sent import Sent

# How many providers one attempt may ask, and for how long it asks the others after the first, seconds.
MAX_ASKED = 5
PATIENCE_S = 10.0
# The first and the last of them may take 15 s each, and wait for a connection for 5 s before that.
DEADLINE_S = 52.0

_SENDS = Counter("clarion_sends_total", "Calls to providers and their outcome.", ["channel", "provider", "outcome"])
_SECONDS = Histogram(
    "clarion_send_seconds",
    "How long a provider took.",
    ["channel", "provider"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20),
)
_FAILOVERS = Counter(
    "clarion_failovers_total", "How often the next provider was asked, by the one in trouble.", ["channel", "provider"]
)

# Of these, another provider may take the delivery.
_NEXT_MAY_DO = frozenset({Verdict.TRANSIENT, Verdict.THROTTLED, Verdict.CREDENTIALS})

# What passes by itself: the provider takes the delivery another time.
_PASSES = frozenset({Reason.PROVIDER_THROTTLED, Reason.PROVIDER_BUSY})


# Returns a subscribed e-mail with its way to unsubscribe.
Offer = Callable[[event_pb2.Delivery, Any], Any]


class Notes(Protocol):
    """Where the ids are kept by which providers will report; see services.senders.sent."""

    def note(self, sent: Sent) -> None:
        """Keep it soon."""


class ProviderSender:
    """The senders' Attempter (see services.delivery.ports)."""

    def __init__(
        self,
        directory: Directory,
        resources: Resources,
        open_secrets: OpenSecrets,
        *,
        notes: Notes | None = None,
        policy: Policy | None = None,
        offer: Offer | None = None,
    ) -> None:
        self._directory = directory
        self._notes = notes
        self._offer = offer
        self._opened = OpenProviders(resources, open_secrets, policy or Policy())

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """A provider that hangs holds up its own tenant's deliveries, and of those only its own."""
        return f"{delivery.tenant_id}/{delivery.provider_id}"

    async def attempt(self, delivery: event_pb2.Delivery, content: render_pb2.Content) -> Result:
        """Send once. See services.delivery.ports.Attempter."""
        try:
            chosen = await self._directory.provider(delivery.tenant_id, delivery.provider_id)
        except PartAway:  # who its provider is cannot be known now
            if (result := await self._ask_others(delivery, content, [], [])) is not None:
                return result
            raise
        if chosen is None or chosen.channel != channels.PUBLIC_NAMES.get(delivery.channel, ""):
            gone = Result(
                Verdict.PERMANENT, provider="", reason=Reason.PROVIDER_GONE, detail="The provider was deleted."
            )
            return await self._ask_others(delivery, content, [], []) or gone
        outcome = await self._ask(delivery, content, chosen)
        if isinstance(outcome, Rest):
            return await self._ask_others(delivery, content, [], [(chosen, outcome)]) or _all_rest([(chosen, outcome)])
        if _next_may_do(outcome.result):
            return await self._ask_others(delivery, content, [outcome], []) or outcome.result
        return outcome.result

    def forget(self, tenant_id: str) -> None:
        """A tenant's providers have changed: close those that are open; what is under way is finished."""
        self._opened.forget(tenant_id)

    async def close(self) -> None:
        """Close every provider."""
        await self._opened.close()

    def _others(self, delivery: event_pb2.Delivery) -> list[ProviderRecord]:
        """Return the tenant's other providers of this channel, best first."""
        channel = channels.PUBLIC_NAMES.get(delivery.channel, "")
        return [
            record
            for record in self._directory.providers(delivery.tenant_id)
            if record.channel == channel and record.id != delivery.provider_id
        ]

    async def _ask_others(
        self,
        delivery: event_pb2.Delivery,
        content: render_pb2.Content,
        tries: list[Try],
        rests: list[tuple[ProviderRecord, Rest]],
    ) -> Result | None:
        """Ask who else there is, after those that were asked or rest; None: there is nobody else.

        Raises PartAway where nobody was asked, and one could not be for a part of ours that is away.
        """
        others = self._others(delivery)
        if not others:
            return None
        until = time.monotonic() + PATIENCE_S
        away: PartAway | None = None
        for record in others:
            if len(tries) >= MAX_ASKED or time.monotonic() > until:
                break
            try:
                outcome = await self._ask(delivery, content, record)
            except PartAway as error:
                away = error
                continue
            if isinstance(outcome, Rest):
                rests.append((record, outcome))
                continue
            tries.append(outcome)
            if not _next_may_do(outcome.result):
                break
        tries = _refused_first(tries)
        for tried in tries[:-1]:
            labelled(_FAILOVERS, channels.NAMES[delivery.channel], tried.result.provider).inc()
        # Where one may not be asked at all, another one that rests or waits decides: its time will come.
        if tries and not (_is_refused(tries[-1].result) and (rests or away)):
            return _concluded(tries)
        if away is not None:
            raise away
        return _all_rest(rests)

    async def _ask(
        self, delivery: event_pb2.Delivery, content: render_pb2.Content, record: ProviderRecord
    ) -> Try | Rest:
        """Ask one provider, unless it is to be left alone."""
        started, started_us = time.perf_counter(), clock.now_us()
        result = await self._send(delivery, content, record)
        if isinstance(result, Rest):
            return result
        took = time.perf_counter() - started
        channel = channels.NAMES[delivery.channel]
        labelled(_SENDS, channel, record.kind, result.reason or result.verdict.value).inc()
        labelled(_SECONDS, channel, record.kind).observe(took)
        return Try(_of(result, record.id), started_us + int(took * 1_000_000), int(took * 1_000_000))

    async def _send(
        self, delivery: event_pb2.Delivery, content: render_pb2.Content, record: ProviderRecord
    ) -> Result | Rest:
        try:
            opened = self._opened.get(delivery.tenant_id, delivery.channel, record)
        except ValueError as error:
            return Result(
                Verdict.CREDENTIALS, provider=record.kind, reason=Reason.PROVIDER_CREDENTIALS, detail=str(error)
            )
        except ClarionError as error:  # settings that another version took, and this one does not
            return Result(Verdict.TRANSIENT, provider=record.kind, reason=Reason.PROVIDER_SETTINGS, detail=error.detail)
        if rest := opened.breaker.rest(time.monotonic()):
            return rest
        tenant = self._directory.tenant(delivery.tenant_id)
        try:
            message = registry.composers()[delivery.channel](delivery, content, tenant, opened.settings)
        except Unsendable as error:
            return Result(error.verdict, provider=record.kind, reason=error.reason, detail=error.detail)
        if delivery.subscribed and self._offer is not None:
            message = self._offer(delivery, message)
        result = await self._hand_over(delivery, opened, message)
        if isinstance(result, Result):
            self._keep_id(delivery, opened, message, result)
        return result

    async def _hand_over(self, delivery: event_pb2.Delivery, opened: Opened, message: Any) -> Result | Rest:
        begun = opened.breaker.begin()
        try:
            result = await opened.provider.send(message)
        except BaseException:
            opened.breaker.leave(begun)
            raise
        if result.verdict is Verdict.POSTPONED:  # it was not asked after all
            opened.breaker.leave(begun)
            return Rest(result.reason, result.detail, result.retry_after_s)
        if _is_refused(result):  # nor was this one: that says nothing about it
            opened.breaker.leave(begun)
            return result
        self._opened.heard(delivery.tenant_id, opened, begun, result, time.monotonic())
        return result

    def _keep_id(self, delivery: event_pb2.Delivery, opened: Opened, message: Any, result: Result) -> None:
        if self._notes is None or not (opened.reports and result.provider_message_id):
            return
        self._notes.note(
            Sent(
                provider_id=opened.record.id,
                message_id=result.provider_message_id,
                tenant_id=delivery.tenant_id,
                event_id=delivery.event_id,
                delivery_id=delivery.id,
                channel=delivery.channel,
                attempt=delivery.attempt,
                replay=delivery.replay,
                recipient=str(message.recipient),
            )
        )


def _is_refused(result: Result) -> bool:
    return result.reason == ADDRESS_NOT_ALLOWED


def _next_may_do(result: Result) -> bool:
    """Tell whether the delivery may fare better at another provider."""
    return _is_refused(result) or (result.verdict in _NEXT_MAY_DO and result.reason != Reason.TENANT_UNKNOWN)


def _refused_first(tries: Sequence[Try]) -> list[Try]:
    """Put those that may not be asked before those that were: the last word counts, and theirs may not be final."""
    if not tries or not _is_refused(tries[-1].result):
        return list(tries)
    return sorted(tries, key=lambda tried: not _is_refused(tried.result))


def _of(result: Result, provider_id: str) -> Result:
    """Return the result as of this provider: written out, for dataclasses.replace takes three times as long."""
    return Result(
        result.verdict,
        result.provider,
        result.reason,
        result.detail,
        result.provider_message_id,
        provider_id,
        result.retry_after_s,
    )


def _concluded(tries: Sequence[Try]) -> Result:
    """Return the last answer, and with it those before. All who were asked want time: the shortest of it counts."""
    last = tries[-1].result
    if len(tries) == 1:
        return last
    wait_s = min((tried.result.retry_after_s for tried in tries if not _is_refused(tried.result)), default=0.0)
    return dataclasses.replace(last, earlier=tries[:-1], retry_after_s=wait_s)


def _all_rest(rests: Sequence[tuple[ProviderRecord, Rest]]) -> Result:
    """Return what it means that nobody may be asked.

    One that only asked for time, or is busy, will take the delivery when the time has come: that is waiting, not
    failing. Else it is an attempt like any other in vain, so that there is an end to it; the next one comes when
    somebody may be asked again.
    """
    passing = [(rest.wait_s, record.kind, rest.reason) for record, rest in rests if rest.reason in _PASSES]
    if passing:
        wait_s, kind, reason = min(passing)
        return Result(Verdict.POSTPONED, kind, reason, retry_after_s=wait_s)
    record, rest = rests[0]
    detail = f"Not asked, as it failed before and rests for another {rest.wait_s:.0f} s. {rest.detail}"
    if rest.reason != CIRCUIT_OPEN:
        return Result(Verdict.CREDENTIALS, record.kind, rest.reason, detail)
    wait_s = min(rest.wait_s for _, rest in rests if rest.reason == CIRCUIT_OPEN)
    return Result(Verdict.TRANSIENT, record.kind, rest.reason, detail, retry_after_s=wait_s)
