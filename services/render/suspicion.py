"""Which template versions are suspect: they lately used up a worker's time or memory, or killed it."""

# Seconds for which a version stays suspect.
DURATION_S = 60.0
_MAX_VERSIONS = 1000


class Suspicion:
    """The suspect versions. now: seconds of any steady clock."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def add(self, version_id: str, now: float) -> None:
        """Suspect a version from now on. A template without a version id cannot be suspected."""
        if not version_id:
            return
        self._until.pop(version_id, None)
        while len(self._until) >= _MAX_VERSIONS:
            del self._until[next(iter(self._until))]
        self._until[version_id] = now + DURATION_S

    def includes(self, version_id: str, now: float) -> bool:
        """Return whether a version is suspect."""
        until = self._until.get(version_id)
        if until is None:
            return False
        if until < now:
            del self._until[version_id]
            return False
        return True
