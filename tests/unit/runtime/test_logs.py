"""Log lines when nobody takes them."""

import subprocess
import sys
from pathlib import Path

import pytest

_FULL = Path("/dev/full")
_PROGRAM = """
import asyncio
from runtime import logs

async def main():
    log = logs.get("test")
    for number in range(500):
        log.info("one", number=number)
        log.warning("another", number=number)
        await asyncio.sleep(0)
    log.info("last")

logs.configure("test")
asyncio.run(main())
print("worked", file=__import__("sys").stderr)
__import__("os")._exit(0)
"""


@pytest.mark.skipif(not _FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_does_not_stop_the_work() -> None:
    """Lines that cannot be written are lost, and the code that logged continues."""
    with _FULL.open("wb") as full:
        done = subprocess.run([sys.executable, "-c", _PROGRAM], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.stderr.decode().strip() == "worked"
