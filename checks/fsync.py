"""Proves that the broker syncs messages before it acknowledges them: `python -m checks.fsync` with a running stack.

kill -9 cannot show it, for the page cache survives. So strace watches nats-server's system calls while
events are accepted, and every PubAck is held against the writes and fsyncs before it.
"""

import asyncio
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from checks.client import connect, order
from checks.report import Report
from checks.waiting import CheckError, expect, until
from stack.client import Running
from stack.faults import StackError
from stack.local import Options

# Accepted one after the other, and all at once: as single messages, and as atomic batches.
ONE_BY_ONE = 5
AT_ONCE = 100

_ATTACH_S = 10.0
_CALLS = "write,writev,pwrite64,pwritev,fsync,fdatasync"
# Longer than any write of so few events: a record that is cut could not be read.
_STRING_BYTES = 4 * 1024 * 1024

_LINE = re.compile(r"^(?P<pid>\d+) +(?P<at>\d+\.\d+) (?:<\.\.\. \w+ resumed>|(?P<name>\w+)\()(?P<rest>.*)$")
_BLOCKS = re.compile(r"^\d+<(?P<path>[^>]*/streams/(?P<stream>[^/]+)/msgs/[^>]+\.blk)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ACK = re.compile(r'\{"stream":"(?P<stream>[A-Z]+)",\s?"seq":(?P<sequence>\d+)(?P<more>[^}]*)\}')
_HAS_HEADERS = 1 << 31


@dataclass(frozen=True)
class Call:
    """The start or end of a system call, or both if nothing happened in between. at: Unix seconds."""

    name: str
    arguments: str
    at: float
    begins: bool
    ends: bool
    ok: bool


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """Parse the lines of strace (-f -ttt -y) in their order."""
    open_calls: dict[str, tuple[str, str]] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        pid, at, name, rest = match["pid"], float(match["at"]), match["name"], match["rest"]
        if name and rest.endswith("<unfinished ...>"):
            open_calls[pid] = name, rest
            yield Call(name, rest, at, begins=True, ends=False, ok=False)
        elif name:
            yield Call(name, rest, at, begins=True, ends=True, ok=_succeeded(rest))
        elif pid in open_calls:
            name, arguments = open_calls.pop(pid)
            yield Call(name, arguments, at, begins=False, ends=True, ok=_succeeded(rest))


@dataclass
class Block:
    """A file of a stream. written: unsynced sequences with the number of the call that wrote each."""

    written: dict[int, int] = field(default_factory=dict)
    # The number of the call at which an fsync began; 0: none is under way.
    syncing: int = 0


@dataclass
class Evidence:
    """The results of a trace. faults: descriptions of acknowledgements that came too early."""

    acks: int = 0
    syncs: int = 0
    on_disk: set[tuple[str, int]] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    # When each sequence of a stream was written, was on disk, and was acknowledged.
    story: dict[tuple[str, int], dict[str, float]] = field(default_factory=dict)

    def first(self, stream: str) -> dict[str, float]:
        """Return the calls for the first message of a stream with an acknowledgement of its own. Raises CheckError."""
        for (of, _), story in sorted(self.story.items(), key=lambda item: item[1].get("write", 0.0)):
            if of == stream and "ack" in story and "fsync" in story:
                return story
        raise CheckError(f"the trace has no acknowledged message of {stream}")


def judge(lines: Iterable[str]) -> Evidence:
    """Compare every acknowledgement with the writes and fsyncs before it."""
    evidence = Evidence()
    blocks: dict[tuple[str, str], Block] = {}
    for number, call in enumerate(calls(lines), start=1):
        if match := _BLOCKS.match(call.arguments):
            block = blocks.setdefault((match["stream"], match["path"]), Block())
            _file(evidence, match["stream"], block, call, number)
        elif call.begins and call.name in ("write", "writev"):
            for ack in _ACK.finditer(_text(call.arguments)):
                if '"duplicate"' not in ack["more"]:
                    _acknowledge(evidence, blocks, ack["stream"], int(ack["sequence"]), call.at)
    return evidence


def _file(evidence: Evidence, stream: str, block: Block, call: Call, number: int) -> None:
    if call.name in ("fsync", "fdatasync"):
        if call.begins:
            block.syncing = number
        if call.ends and call.ok:
            evidence.syncs += 1
            for sequence in [one for one, written in block.written.items() if written < block.syncing]:
                del block.written[sequence]
                evidence.on_disk.add((stream, sequence))
                evidence.story[stream, sequence]["fsync"] = call.at
    elif call.ends:
        for sequence in _sequences(_text(call.arguments).encode("latin-1")):
            block.written[sequence] = number
            evidence.story[stream, sequence] = {"write": call.at}


def _acknowledge(
    evidence: Evidence, blocks: dict[tuple[str, str], Block], stream: str, sequence: int, at: float
) -> None:
    evidence.acks += 1
    # An atomic batch is acknowledged by its last message: all before it must be there too.
    early = [one for (of, _), block in blocks.items() if of == stream for one in block.written if one <= sequence]
    if early:
        evidence.faults.append(f"{stream} {sequence} was acknowledged before the fsync of {sorted(early)[:5]}")
    elif (stream, sequence) not in evidence.on_disk:
        evidence.faults.append(f"{stream} {sequence} was acknowledged, and no write of it was seen")
    else:
        evidence.story[stream, sequence].setdefault("ack", at)


def _sequences(data: bytes) -> Iterator[int]:
    """Yield the sequences of the records in a write: each begins with its length (4 bytes) and sequence (8)."""
    start = 0
    while start + 12 <= len(data):
        length = int.from_bytes(data[start : start + 4], "little") & ~_HAS_HEADERS
        if length < 12:
            return
        yield int.from_bytes(data[start + 4 : start + 12], "little")
        start += length


def _text(arguments: str) -> str:
    """Return the strings of a call, one character per byte."""
    return "".join(match[1].encode("ascii", "replace").decode("unicode_escape") for match in _TEXT.finditer(arguments))


def _succeeded(rest: str) -> bool:
    return not re.search(r"\) += -1 ", rest)


class Watched:
    """nats-server under strace."""

    def __init__(self, pid: int, output: Path) -> None:
        self._pid = pid
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    async def attach(self) -> str:
        """Return once strace is attached to every thread. Raises CheckError."""
        program = shutil.which("strace")
        if program is None:
            raise CheckError("strace is not installed (Debian: apt-get install strace)")
        command = [program, "-f", "-ttt", "-y", "-s", str(_STRING_BYTES), "-e", f"trace={_CALLS}"]
        self._process = subprocess.Popen(  # noqa: ASYNC220 - it runs beside us
            [*command, "-o", str(self._output), "-p", str(self._pid)], stderr=subprocess.PIPE
        )

        async def is_attached() -> bool:
            return self._process is not None and (self._process.poll() is not None or self._is_traced())

        await until(is_attached, "strace", deadline=_ATTACH_S)
        if self._process.poll() is not None:
            _, errors = self._process.communicate()
            raise CheckError(f"strace may not attach (are you root?): {errors.decode().strip()[-200:]}")
        return f"process {self._pid}"

    def detach(self) -> list[str]:
        """Detach and return the trace."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.communicate(timeout=10)
        return self._output.read_text(encoding="utf-8", errors="replace").splitlines() if self._output.exists() else []

    def _is_traced(self) -> bool:
        statuses = [path.read_text("ascii") for path in Path(f"/proc/{self._pid}/task").glob("*/status")]
        return all("TracerPid:\t0\n" not in status for status in statuses)


class Proof:
    """The checks, in order."""

    def __init__(self, running: Running, folder: Path) -> None:
        self._running = running
        self._watched = Watched(running.pid("nats"), folder / "trace")
        self._answered_at = 0.0

    async def run(self, report: Report) -> None:
        """Run every check."""
        try:
            if await report.check("strace attaches to nats-server", self._watched.attach):
                await report.check(f"{ONE_BY_ONE} events one by one, {AT_ONCE} at once: all accepted", self.accept)
        finally:
            lines = self._watched.detach()
        evidence = judge(lines)

        async def order_of_calls() -> str:
            return verdict(evidence)

        async def one_event() -> str:
            return self.story(evidence)

        await report.check("every acknowledgement came after the fsync of all it acknowledges", order_of_calls)
        await report.check("one event: write, fsync, PubAck, HTTP 200", one_event)

    async def accept(self) -> None:
        """Trigger events, and wait until the broker is idle."""
        prefix = f"F-{secrets.token_hex(4)}"
        async with connect(self._running.state) as client:
            for number in range(ONE_BY_ONE):
                await client.tenant.accept(order(f"{prefix}-{number}", prefix, ["SMS"]))
                self._answered_at = self._answered_at or time.time()
            rest = [order(f"{prefix}-at-once-{number}", prefix, ["SMS"]) for number in range(AT_ONCE)]
            ids = await asyncio.gather(*(client.tenant.accept(event) for event in rest))
            await until(lambda: client.operator.finished(ids[-1]), "the last event's end", deadline=30)

    def story(self, evidence: Evidence) -> str:
        """Return the times of the first event in milliseconds after its write."""
        story = evidence.first("EVENTS")
        times = [story["fsync"], story["ack"], self._answered_at]
        expect(sorted(times) == times and times[0] >= story["write"], f"the order is wrong: {story}")
        after = [f"{name} +{(at - story['write']) * 1000:.1f} ms" for name, at in zip(_STEPS, times, strict=True)]
        return "write, " + ", ".join(after)


_STEPS = ("fsync", "PubAck", "HTTP 200")


def verdict(evidence: Evidence) -> str:
    """Return the figures. Raises CheckError if an acknowledgement came too early."""
    events = sum(1 for stream, _ in evidence.on_disk if stream == "EVENTS")
    expect(not evidence.faults, "; ".join(evidence.faults[:5]))
    expect(events >= ONE_BY_ONE + AT_ONCE, f"the trace has only {events} events")
    return f"{evidence.acks} acknowledgements, {len(evidence.on_disk)} messages, {evidence.syncs} fsyncs"


async def run(running: Running, report: Report) -> None:
    """Run all checks against a running stack."""
    with tempfile.TemporaryDirectory(prefix="clarion-fsync-") as folder:
        await Proof(running, Path(folder)).run(report)


def main() -> None:
    """Find the running stack and check it. Exit with status 1 if a check fails."""
    report = Report()
    try:
        asyncio.run(run(Running(Options.from_environment(os.environ).data), report))
    except StackError as error:
        print(f"checks.fsync: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    raise SystemExit(report.end())


if __name__ == "__main__":
    main()
