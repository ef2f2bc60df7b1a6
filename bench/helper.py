"""Runs work in another process, so that its processor time and pauses do not affect the caller.

The helper is a module run with ``python -m``: its order comes on standard input, its answer goes into the file that
its only argument names, for an answer may be megabytes, and a file arrives whole.
"""

import asyncio
import contextlib
import resource
import sys
import tempfile
from pathlib import Path
from typing import TypeVar

import msgspec

ROOT = Path(__file__).parents[1]

T = TypeVar("T")


class HelperError(Exception):
    """A helper ended without a result. The text is its last output."""


async def ask(module: str, order: msgspec.Struct, answer: type[T], *, deadline: float) -> T:
    """Run a module with an order and return its result. Raises HelperError, also after deadline seconds."""
    with tempfile.NamedTemporaryFile(prefix="clarion-answer-") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            output.name,
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            start_new_session=True,  # Ctrl-C is ours alone
        )
        try:
            async with asyncio.timeout(deadline):
                _, errors = await process.communicate(msgspec.msgpack.encode(order))
        except TimeoutError:
            raise HelperError(f"{module} did not answer within {deadline:.0f} s.") from None
        finally:
            await end(process)
        if process.returncode:
            words = errors.decode(errors="replace").strip().splitlines()
            raise HelperError(f"{module} failed: {words[-1] if words else f'status {process.returncode}'}")
        return msgspec.msgpack.decode(output.read(), type=answer)


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill a helper that is still running."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def order(kind: type[T]) -> T:
    """In a helper: return the order."""
    return msgspec.msgpack.decode(sys.stdin.buffer.read(), type=kind)


def answer(value: msgspec.Struct) -> None:
    """In a helper: print the result."""
    Path(sys.argv[1]).write_bytes(msgspec.msgpack.encode(value))


def cpu_seconds() -> float:
    """Return the processor time this process has used so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
