"""What the sandboxes of all channels have in common: each call is stored as one row, and nothing is sent."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from runtime.errors import ClarionError, Code
from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason

# Of the kinds "sandbox", for people.
PURPOSE = "Sends nothing and stores each message, so that you can read what would have been sent."
SETUP = "It needs no account. Its messages are in the tenant's outbox."

M = TypeVar("M")

_SENT = SendResult(Verdict.SENT, provider="sandbox")


class Sandbox(Generic[M]):
    """A provider that stores messages in place of sending them. record: see services.senders.ports.SandboxRecorder."""

    def __init__(self, record: Callable[[M], Awaitable[None]]) -> None:
        self._record = record

    async def send(self, message: M) -> SendResult:
        """See services.senders.ports.Provider."""
        try:
            await self._record(message)
        except ClarionError as error:
            match error.code:
                case Code.INVALID:
                    return SendResult(
                        Verdict.PERMANENT, provider="sandbox", reason=Reason.MESSAGE_REFUSED, detail=error.detail
                    )
                case Code.OVERLOADED:
                    return SendResult(
                        Verdict.POSTPONED, provider="sandbox", reason=Reason.PROVIDER_BUSY, detail=error.detail
                    )
            raise
        return _SENT

    async def close(self) -> None:
        """Do nothing: it holds no connection."""
