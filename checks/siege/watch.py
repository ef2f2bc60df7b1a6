"""Follows the processes of a stack: puts each into its cgroup, samples its memory, counts restarts."""

import threading
import time
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import msgspec

from bench import usage
from checks.siege.limits import Groups, compose_limits
from stack.state import StackState

_LOOK_EVERY_S = 0.05
_SAMPLE_EVERY_S = 0.2
# Without cgroups each sample reads all of /proc.
_PSS_EVERY_S = 2.0


class Watch(threading.Thread):
    """A thread, so that it runs while a stack starts. data: the stack's folder. groups: None: only measure memory.

    peaks: the most bytes of each process since restart_peaks(), page cache left out; highest: since the start.
    """

    def __init__(self, data: Path, groups: Groups | None) -> None:
        super().__init__(name="watch", daemon=True)
        self._file = data / "stack.json"
        self._groups = groups
        self._limits = compose_limits()
        self._pids: dict[str, int] = {}
        self._starts: dict[str, int] = {}
        self._at_first: dict[str, int] = {}
        self._over = threading.Event()
        self.peaks: defaultdict[str, int] = defaultdict(int)
        self.highest: defaultdict[str, int] = defaultdict(int)
        self.now: dict[str, int] = {}

    def run(self) -> None:
        """Run until close()."""
        sampled = 0.0
        every = _SAMPLE_EVERY_S if self._groups else _PSS_EVERY_S
        while not self._over.wait(_LOOK_EVERY_S):
            self._look()
            if time.monotonic() - sampled >= every:
                sampled = time.monotonic()
                self._sample()

    def close(self) -> None:
        """Stop. The groups can be removed once the stack has ended."""
        self._over.set()
        self.join()

    def limit(self, name: str) -> int | None:
        """Return the memory limit of a process in bytes, None if it has none."""
        return self._limits.get(name.split("-", maxsplit=1)[0])

    def restart_peaks(self, name: str = "") -> None:
        """Reset the peaks of one process or of all. Those of the whole run stay in `highest`."""
        for one in [name] if name else list(self.peaks):
            self.peaks[one] = 0

    def ends(self, *, but: Collection[str] = ()) -> int:
        """Return the number of restarts since the stack was ready, without the named processes."""
        return sum(
            starts - self._at_first.get(name, starts) for name, starts in self._starts.items() if name not in but
        )

    def oom_kills(self) -> dict[str, int]:
        """Return the number of kills for lack of memory by process, without those that have none."""
        if self._groups is None:
            return {}
        kills = {name: self._groups.group(name, self.limit(name)).oom_kills() for name in self._pids}
        return {name: number for name, number in kills.items() if number}

    def most(self, name: str) -> int:
        """Return the largest memory of a process's cgroup in bytes, including page cache; 0: unknown."""
        return self._groups.group(name, self.limit(name)).most() if self._groups else 0

    def _look(self) -> None:
        try:
            state = msgspec.json.decode(self._file.read_bytes(), type=StackState)
        except (OSError, msgspec.DecodeError):
            return  # not there yet, or there no more
        processes = state.processes
        moved = {name: one.pid for name, one in processes.items() if one.pid and one.pid != self._pids.get(name)}
        self._starts = {name: one.starts for name, one in processes.items()}
        if not self._at_first and state.ready:
            self._at_first = dict(self._starts)
        if moved:
            self._pids |= moved
            self._move(moved)

    def _move(self, moved: dict[str, int]) -> None:
        if self._groups is None:
            return
        families = usage.families(self._pids)
        for name in moved:
            for pid in families[name]:
                self._groups.group(name, self.limit(name)).add(pid)

    def _sample(self) -> None:
        if self._groups is None:
            self.now = usage.memory(self._pids)
        else:
            self.now = {name: self._groups.group(name, self.limit(name)).memory() for name in self._pids}
        for name, taken in self.now.items():
            self.peaks[name] = max(self.peaks[name], taken)
            self.highest[name] = max(self.highest[name], taken)
