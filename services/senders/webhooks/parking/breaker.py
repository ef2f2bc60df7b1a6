"""The circuit breaker of an endpoint: what becomes of its state when something is observed. Pure.

All sender processes share the state (a row of senders.endpoint_states) and report to it what they observe. While it is
OPEN nothing is sent but probes; DRAINING is the slow start after a successful one.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from clarion.senders.v1 import endpoints_pb2
from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason

State = endpoints_pb2.BreakerState.ValueType
CLOSED = endpoints_pb2.BREAKER_STATE_CLOSED
OPEN = endpoints_pb2.BREAKER_STATE_OPEN
DRAINING = endpoints_pb2.BREAKER_STATE_DRAINING

# Where the endpoint is in trouble. Any other result says nothing about it, or that it answers.
_TROUBLE = frozenset(
    {
        Reason.ENDPOINT_UNREACHABLE,
        Reason.ENDPOINT_TIMEOUT,
        Reason.ENDPOINT_TLS,
        Reason.ENDPOINT_ERROR,
        Reason.ENDPOINT_THROTTLED,
        # The attempt as a whole took too long.
        Reason.PROVIDER_TIMEOUT,
    }
)
# Where the endpoint, or its address, will not take any delivery.
_REFUSED = frozenset({Reason.ENDPOINT_ANSWERED_GONE, Reason.ADDRESS_NOT_ALLOWED})
# The longest Retry-After after which an endpoint that asks for it is probed again, seconds.
_LONGEST_WISH_S = 3_600.0
_JITTER = 0.2
# Two to the power of this exceeds any pause.
_MAX_DOUBLINGS = 16

Uniform = Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When an endpoint is down: after this many failures in a row, or a few of them over few_s seconds.

    A few, because an endpoint that times out fails seldom. All of them within window_s seconds, in which the first
    three attempts at a single delivery time out. probe_s: the first pause between probes; it doubles up to
    longest_probe_s. disable_after_s: after so much time with nothing but failures the endpoint is disabled. gap_s:
    longer than the longest pause between two attempts at a delivery; after so much time without a failure,
    disable_after_s is counted from the next failure, because a success in between may not have been seen.
    """

    failures: int = 5
    few: int = 3
    few_s: float = 10.0
    window_s: float = 90.0
    probe_s: float = 5.0
    longest_probe_s: float = 300.0
    disable_after_s: float = 5 * 86_400.0
    gap_s: float = 30 * 3_600.0

    def scaled(self, factor: float) -> "BreakerPolicy":
        """Return the policy with the times multiplied that are measured in minutes and days; the others stay."""
        return replace(
            self,
            probe_s=self.probe_s * factor,
            longest_probe_s=self.longest_probe_s * factor,
            disable_after_s=self.disable_after_s * factor,
            gap_s=self.gap_s * factor,
        )


class Seen(Enum):
    """What was observed of an endpoint."""

    # Attempts, or a probe, failed because of the endpoint; one succeeded.
    FAILED = auto()
    SUCCEEDED = auto()
    PROBE_FAILED = auto()
    PROBE_SUCCEEDED = auto()
    # The slow start is over: its limit is reached, or nothing waits any more.
    DRAINED = auto()
    # It is disabled; it is enabled again; somebody wants it to be probed now.
    DISABLED = auto()
    ENABLED = auto()
    PROBE_WANTED = auto()
    # It is ORDERED or POLLED now: nothing is spared by a breaker.
    NOT_PUSHED = auto()


@dataclass(frozen=True, slots=True)
class Observation:
    """Something observed. started_us: of attempts, when the first of them started; Unix microseconds, as all times.

    count: attempts. wish_s: the endpoint's Retry-After, seconds. is_ordered: the endpoint is not PUSH: it gets one
    delivery at a time and its failures hold up the others anyway, or it is POLLED, so it is never OPEN.
    is_operational: the attempts were of operational events. revision: of the endpoint.
    """

    seen: Seen
    started_us: int = 0
    count: int = 1
    wish_s: float = 0.0
    is_ordered: bool = False
    is_operational: bool = False
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint is doing. Times: 0: none.

    failures: in a row while it is not OPEN, since first_failure_us. failing_since_us: since when there was nothing but
    failures. probes: failed ones in a row. is_quiet: nobody is notified when it recovers, because nobody was notified
    that it is down: only operational events had failed, or the endpoint had asked to wait.
    """

    state: int = CLOSED
    since_us: int = 0
    failures: int = 0
    first_failure_us: int = 0
    failing_since_us: int = 0
    probes: int = 0
    next_probe_us: int = 0
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """The health after an observation. went_down, recovered: notify the tenant. is_hopeless: disable the endpoint."""

    health: Health
    went_down: bool = False
    recovered: bool = False
    is_hopeless: bool = False


def is_trouble(result: SendResult) -> bool:
    """Return whether an attempt failed because of the endpoint."""
    return result.verdict in {Verdict.TRANSIENT, Verdict.THROTTLED} and result.reason in _TROUBLE


def wish_s(result: SendResult) -> float:
    """Return for how many seconds the endpoint asks to be left alone."""
    return result.retry_after_s if result.verdict is Verdict.THROTTLED else 0.0


def is_answer(result: SendResult) -> bool:
    """Return whether an attempt shows that the endpoint takes deliveries."""
    return result.verdict is Verdict.SENT


def is_refusal(result: SendResult) -> bool:
    """Return whether an attempt shows that the endpoint will take no other delivery either."""
    return result.verdict is Verdict.PERMANENT and result.reason in _REFUSED


def merged(observations: Sequence[Observation]) -> list[Observation]:
    """Return the same observations, failures in a row as one. Its start is that of the first one to start."""
    found: list[Observation] = []
    for one in observations:
        last = found[-1] if found else None
        if last is not None and last.seen is one.seen is Seen.FAILED:
            found[-1] = replace(
                one,
                started_us=min(last.started_us, one.started_us),
                count=last.count + one.count,
                wish_s=max(last.wish_s, one.wish_s),
                is_operational=last.is_operational and one.is_operational,
            )
        else:
            found.append(one)
    return found


def observe(
    health: Health, seen: Observation, policy: BreakerPolicy, now_us: int, uniform: Uniform = random.uniform
) -> Change:
    """Return what follows."""
    match seen.seen:
        case Seen.FAILED:
            return _failed(health, seen, policy, now_us, uniform)
        case Seen.PROBE_FAILED:
            return _probe_failed(health, seen, policy, now_us, uniform)
        case Seen.DRAINED if health.state == DRAINING:
            return Change(replace(health, state=CLOSED, since_us=now_us, is_quiet=False), recovered=not health.is_quiet)
    return Change(_told(health, seen, now_us))


def _told(health: Health, observation: Observation, now_us: int) -> Health:
    """Return the health after an observation that notifies nobody."""
    if observation.seen is Seen.ENABLED and observation.is_ordered:
        return replace(_without_breaker(health, now_us), failing_since_us=0)
    match observation.seen, health.state:
        case Seen.SUCCEEDED, state if state != OPEN:  # while it is OPEN, a probe will tell
            health = replace(health, failures=0, first_failure_us=0, failing_since_us=0)
        case Seen.PROBE_SUCCEEDED, state if state == OPEN:
            health = Health(state=DRAINING, since_us=now_us, is_quiet=health.is_quiet)
        case Seen.DISABLED, _:  # while nothing is tried, nothing fails
            health = replace(health, failures=0, first_failure_us=0, failing_since_us=0)
        case Seen.ENABLED, state if state == OPEN:
            health = replace(health, probes=0, next_probe_us=now_us, failing_since_us=0)
        case Seen.ENABLED, state if state == CLOSED:  # what waited meanwhile is sent at a bounded rate
            health = Health(state=DRAINING, since_us=now_us, is_quiet=True)
        case Seen.PROBE_WANTED, state if state == OPEN:
            health = replace(health, next_probe_us=now_us)
        case Seen.NOT_PUSHED, _:
            health = _without_breaker(health, now_us)
    return health


def _without_breaker(health: Health, now_us: int) -> Health:
    if health.state == CLOSED:
        return health
    return Health(since_us=now_us, failing_since_us=health.failing_since_us)


def _failed(health: Health, seen: Observation, policy: BreakerPolicy, now_us: int, uniform: Uniform) -> Change:
    if health.state == OPEN or seen.started_us < health.since_us:
        return Change(health)  # of attempts that were under way when the state changed
    first_us, failures, failing_since_us = (
        health.first_failure_us,
        health.failures + seen.count,
        health.failing_since_us,
    )
    if first_us and not seen.is_ordered and now_us - first_us > policy.gap_s * 1_000_000:
        failing_since_us = 0
    if now_us - first_us > policy.window_s * 1_000_000:
        first_us, failures = now_us, seen.count
    failing_since_us = failing_since_us or first_us
    health = replace(health, failures=failures, first_failure_us=first_us, failing_since_us=failing_since_us)
    is_hopeless = _is_hopeless(health, policy, now_us)
    if seen.is_ordered:
        return Change(health, is_hopeless=is_hopeless)
    is_long = health.failures >= policy.few and now_us - first_us >= policy.few_s * 1_000_000
    is_down = is_long or health.failures >= policy.failures
    # An endpoint that fails seldom is probed once before it is disabled: a success may not have been reported.
    if not is_down and not seen.wish_s and not is_hopeless:
        return Change(health)
    # A slow start that fails is still the same time of being down: the tenant was notified, or will not be.
    was_notified = health.state == DRAINING and not health.is_quiet
    is_quiet = not was_notified and (seen.is_operational or not is_down)
    opened = Health(
        state=OPEN,
        since_us=now_us,
        failing_since_us=failing_since_us,
        next_probe_us=now_us + _pause_us(0, seen.wish_s, policy, uniform),
        is_quiet=is_quiet,
    )
    return Change(opened, went_down=not is_quiet and not was_notified)


def _probe_failed(health: Health, seen: Observation, policy: BreakerPolicy, now_us: int, uniform: Uniform) -> Change:
    if health.state != OPEN:
        return Change(health)
    probes = min(health.probes + 1, _MAX_DOUBLINGS)
    # It does not only ask to wait any more, and not only operational events fail: the tenant is notified now.
    is_quiet = health.is_quiet and (seen.is_operational or seen.wish_s > 0)
    went_down = health.is_quiet and not is_quiet
    health = replace(
        health,
        probes=probes,
        failing_since_us=health.failing_since_us or now_us,
        next_probe_us=now_us + _pause_us(probes, seen.wish_s, policy, uniform),
        is_quiet=is_quiet,
    )
    return Change(health, went_down=went_down, is_hopeless=_is_hopeless(health, policy, now_us))


def _pause_us(probes: int, wish_s: float, policy: BreakerPolicy, uniform: Uniform) -> int:
    pause_s = min(policy.probe_s * 2.0**probes, policy.longest_probe_s)
    return int(max(pause_s, min(wish_s, _LONGEST_WISH_S)) * (1 + uniform(0, _JITTER)) * 1_000_000)


def _is_hopeless(health: Health, policy: BreakerPolicy, now_us: int) -> bool:
    return now_us - health.failing_since_us >= policy.disable_after_s * 1_000_000
