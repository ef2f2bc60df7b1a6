"""Small disks for tests that fill them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.small_disk import CannotMountError, SmallDisk, small_disk


def mounted(folder: Path, *, mib: int, options: str = "rw") -> Iterator[SmallDisk]:
    """Yield a small disk on that folder; where none can be mounted, skip the test and say why."""
    disk = small_disk(folder, mib=mib, options=options)
    try:
        made = disk.__enter__()
    except CannotMountError as error:
        pytest.skip(f"this disk cannot be tried: a tmpfs cannot be mounted here ({error})")
    try:
        yield made
    finally:
        disk.__exit__(None, None, None)
