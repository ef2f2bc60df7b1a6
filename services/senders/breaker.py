"""Circuit breaker: when a provider is paused. Pure; one per provider of a tenant, known to this process only."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason

# The provider itself is in trouble. Any other answer, a refusal included, shows that it works.
TROUBLE = frozenset({Reason.PROVIDER_UNREACHABLE, Reason.PROVIDER_TIMEOUT, Reason.PROVIDER_TLS, Reason.PROVIDER_ERROR})
CIRCUIT_OPEN = Reason.PROVIDER_CIRCUIT_OPEN

_LONGEST_PAUSE_S = 300.0
# After a refused account. New settings end the pause at once; an account fixed at the provider's is found by a probe.
_CREDENTIALS_PAUSE_S = 300.0
# Where a provider asks to slow down without saying for how long.
_THROTTLED_PAUSE_S = 1.0
_PROBE_WAIT_S = 1.0
_JITTER = 0.2

Uniform = Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """After this many failures in a row the circuit opens for pause_s seconds.

    The pause doubles after each failed probe, up to five minutes.
    """

    failures: int = 5
    pause_s: float = 15.0
    uniform: Uniform = random.uniform


@dataclass(frozen=True, slots=True)
class Pause:
    """The provider must not be called now. reason: a word. detail: its last answer. wait_s: seconds until the end."""

    reason: str
    detail: str
    wait_s: float


@dataclass(slots=True)
class Breaker:
    """Closed: calls go through. Open: the provider is paused; then one call probes it and decides for all.

    reason: why it is open; empty: it is closed.
    """

    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    reason: str = ""
    _detail: str = ""
    _until: float = 0.0
    _failures: int = 0
    _pauses: int = 0
    _probing: bool = False
    # Raised by each change of state, so that calls from before it do not change the state again.
    _generation: int = 0

    @property
    def changes(self) -> int:
        """Return a number that each change of state raises, also that from one pause to the next."""
        return self._generation

    def pause(self, now: float) -> Pause | None:
        """Return why the provider must not be called; None: it may be. now: seconds of a monotonic clock."""
        if not self.reason:
            return None
        if now < self._until:
            return Pause(self.reason, self._detail, self._until - now)
        return Pause(self.reason, self._detail, _PROBE_WAIT_S) if self._probing else None

    def start_call(self) -> int:
        """Return the number of a call that starts now, for end_call or abandon_call."""
        self._probing = bool(self.reason)
        return self._generation

    def abandon_call(self, call: int) -> None:
        """End a call that says nothing about the provider."""
        if call == self._generation:
            self._probing = False

    def end_call(self, call: int, result: SendResult, now: float) -> None:
        """End a call; its result may open or close the circuit."""
        if call != self._generation:
            return
        self._probing = False
        if result.verdict is Verdict.THROTTLED:
            self._open(Reason.PROVIDER_THROTTLED, result, now, result.retry_after_s or _THROTTLED_PAUSE_S)
        elif result.verdict is Verdict.CREDENTIALS:
            self._open(result.reason, result, now, _CREDENTIALS_PAUSE_S)
        elif result.verdict is Verdict.TRANSIENT and result.reason in TROUBLE:
            self._fail(result, now)
        else:
            self._close()

    def retire(self) -> None:
        """Ignore all calls that are under way: the provider's settings have changed."""
        self.reason = ""
        self._generation += 1

    def _fail(self, result: SendResult, now: float) -> None:
        self._failures += 1
        if self.reason or self._failures >= self.policy.failures:
            pause_s = min(self.policy.pause_s * 2.0**self._pauses, _LONGEST_PAUSE_S)
            self._pauses = min(self._pauses + 1, 16)
            self._open(CIRCUIT_OPEN, result, now, max(pause_s, result.retry_after_s))

    def _open(self, reason: str, result: SendResult, now: float, pause_s: float) -> None:
        self.reason = reason
        self._detail = f"{result.reason}: {result.detail}" if result.detail else result.reason
        self._until = now + pause_s * (1 + self.policy.uniform(0, _JITTER))
        self._generation += 1

    def _close(self) -> None:
        if self.reason:
            self._generation += 1
        self.reason = self._detail = ""
        self._failures = self._pauses = 0
