"""When a provider is left alone for a while: pure, one for each provider of a tenant, known to this process only."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from services.delivery.ports import Result, Verdict
from services.domain.reasons import Reason

# What says that the provider itself is in trouble; any other answer, a no included, shows that it works.
TROUBLE = frozenset({Reason.PROVIDER_UNREACHABLE, Reason.PROVIDER_TIMEOUT, Reason.PROVIDER_TLS, Reason.PROVIDER_ERROR})
CIRCUIT_OPEN = Reason.PROVIDER_CIRCUIT_OPEN

_LONGEST_REST_S = 300.0
# After a refused account: new settings end it at once, a mended account at the provider's is found out by a probe.
_CREDENTIALS_REST_S = 300.0
# Where a provider asks to slow down without saying for how long.
_THROTTLED_REST_S = 1.0
_PROBE_WAIT_S = 1.0
_JITTER = 0.2

Uniform = Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class Policy:
    """failures in a row open the circuit for rest_s seconds, doubled after each probe in vain, up to five minutes."""

    failures: int = 5
    rest_s: float = 15.0
    uniform: Uniform = random.uniform


@dataclass(frozen=True, slots=True)
class Rest:
    """The provider is not to be asked now. reason: a word. detail: what it last said. wait_s: until it may be asked."""

    reason: str
    detail: str
    wait_s: float


@dataclass(slots=True)
class Breaker:
    """Closed: everybody may ask. Resting: nobody. After the rest one may ask, and its answer decides for all."""

    policy: Policy = field(default_factory=Policy)
    reason: str = ""
    _detail: str = ""
    _until: float = 0.0
    _failures: int = 0
    _rests: int = 0
    _probing: bool = False
    # Raised by each change, so that the answer to a question from before it changes nothing more.
    _age: int = 0

    def rest(self, now: float) -> Rest | None:
        """Return why the provider is not to be asked; None: it may be. now: seconds of a clock that never goes back."""
        if not self.reason:
            return None
        if now < self._until:
            return Rest(self.reason, self._detail, self._until - now)
        return Rest(self.reason, self._detail, _PROBE_WAIT_S) if self._probing else None

    def begin(self) -> int:
        """Note that the provider is being asked; return the number to give to end or leave."""
        self._probing = bool(self.reason)
        return self._age

    def leave(self, begun: int) -> None:
        """Note that the question was given up without an answer."""
        if begun == self._age:
            self._probing = False

    def retire(self) -> None:
        """Note that the provider is no longer this one: answers still to come are of no interest."""
        self.reason = ""
        self._age += 1

    def end(self, begun: int, result: Result, now: float) -> None:
        """Take in the answer."""
        if begun != self._age:
            return
        self._probing = False
        if result.verdict is Verdict.THROTTLED:
            self._open(Reason.PROVIDER_THROTTLED, result, now, result.retry_after_s or _THROTTLED_REST_S)
        elif result.verdict is Verdict.CREDENTIALS:
            self._open(result.reason, result, now, _CREDENTIALS_REST_S)
        elif result.verdict is Verdict.TRANSIENT and result.reason in TROUBLE:
            self._fail(result, now)
        else:
            self._close()

    def _fail(self, result: Result, now: float) -> None:
        self._failures += 1
        if self.reason or self._failures >= self.policy.failures:
            rest_s = min(self.policy.rest_s * 2.0**self._rests, _LONGEST_REST_S)
            self._rests = min(self._rests + 1, 16)
            self._open(CIRCUIT_OPEN, result, now, max(rest_s, result.retry_after_s))

    def _open(self, reason: str, result: Result, now: float, rest_s: float) -> None:
        self.reason = reason
        self._detail = f"{result.reason}: {result.detail}" if result.detail else result.reason
        self._until = now + rest_s * (1 + self.policy.uniform(0, _JITTER))
        self._age += 1

    def _close(self) -> None:
        if self.reason:
            self._age += 1
        self.reason = self._detail = ""
        self._failures = self._rests = 0
