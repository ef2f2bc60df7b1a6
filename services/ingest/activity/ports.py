"""What following the ledger's changes needs of the broker."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class ChangeFeed(Protocol):
    """The messages about changed events."""

    @property
    def interruptions(self) -> int:
        """How often messages may have been missed so far."""

    def follow(self, note: Callable[[bytes], None]) -> AbstractAsyncContextManager[None]:
        """Call note with each message from the beginning of the block, until its end."""
