"""Remembers what was computed from a published value for as long as that value stays. Pure."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """Calls compute(key, raw) once for each value of a key. It forgets everything when it holds too much.

    weight: how much a result counts; most: how much all of them may.
    """

    def __init__(
        self, compute: Callable[[str, bytes], T], *, most: int = 100_000, weight: Callable[[T], int] = lambda _: 1
    ) -> None:
        self._compute = compute
        self._most = most
        self._weight = weight
        self._held = 0
        self._known: dict[str, tuple[bytes, T]] = {}

    def of(self, key: str, raw: bytes) -> T:
        """Return the result for a key's value; the same object is the same value."""
        known = self._known.get(key)
        if known is not None:
            if known[0] is raw:
                return known[1]
            self._held -= self._weight(known[1])
            del self._known[key]
        result = self._compute(key, raw)
        weight = self._weight(result)
        if self._held + weight > self._most:
            self._known.clear()
            self._held = 0
        if weight <= self._most:
            self._known[key] = (raw, result)
            self._held += weight
        return result
