"""The senders' ports in memory: the sandbox, the providers' owner, the sent messages, the router, the timeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clarion.common.v1 import trace_pb2
from clarion.router.v1 import suppressions_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.senders.ports import Email, ProviderRecord, Sms
from services.senders.sent import SentMessage

AWAY = ClarionError(Code.UNAVAILABLE, "The database does not answer.", retry_after=1)


@dataclass
class MemoryRecorder:
    """Implements ports.SandboxRecorder. failure: raised in place of keeping a message."""

    emails: list[Email] = field(default_factory=list)
    texts: list[Sms] = field(default_factory=list)
    failure: ClarionError | None = None

    async def record_email(self, message: Email) -> None:
        """Keep it."""
        self._check(message.subject, message.text, message.html)
        self.emails.append(message)

    async def record_sms(self, message: Sms) -> None:
        """Keep it."""
        self._check(message.text)
        self.texts.append(message)

    def _check(self, *texts: str) -> None:
        if self.failure is not None:
            raise self.failure
        if any("\0" in text for text in texts):
            raise ClarionError(Code.INVALID, "The message holds what the outbox cannot store.")


@dataclass
class MemoryOwner:
    """Implements directory.ProviderOwner. providers: by tenant and id. away: it does not answer."""

    providers: dict[tuple[str, str], ProviderRecord] = field(default_factory=dict)
    away: bool = False

    async def find(self, tenant_id: str, provider_id: str) -> ProviderRecord | None:
        """Return the provider, if this tenant has it."""
        if self.away:
            raise AWAY
        return self.providers.get((tenant_id, provider_id))


@dataclass
class MemorySentLog:
    """Implements send.SentRecorder and reports.ports.SentMessages. sent: by provider and the provider's own id."""

    sent: dict[tuple[str, str], SentMessage] = field(default_factory=dict)
    away: bool = False

    def record(self, sent: SentMessage) -> None:
        """Keep the message, unless its id is known."""
        self.sent.setdefault((sent.provider_id, sent.message_id), sent)

    async def find(self, provider_id: str, message_ids: Sequence[str]) -> Mapping[str, SentMessage]:
        """Return those that are known."""
        if len(message_ids) > 1000:
            raise ValueError("at most 1000 ids at a time")
        if self.away:
            raise AWAY
        return {id_: self.sent[provider_id, id_] for id_ in message_ids if (provider_id, id_) in self.sent}


@dataclass
class MemorySuppressor:
    """Implements reports.ports.Suppressor. wanted: all that was asked for, in order."""

    wanted: list[suppressions_pb2.NewSuppression] = field(default_factory=list)
    away: bool = False

    async def suppress(self, wanted: Sequence[suppressions_pb2.NewSuppression]) -> None:
        """Keep them."""
        if not 1 <= len(wanted) <= 1000:
            raise ClarionError(Code.INVALID, "suppressions must be from 1 to 1,000")
        if self.away:
            raise AWAY
        self.wanted += wanted


@dataclass
class MemoryTrace:
    """Implements reports.ports.Trace."""

    records: list[trace_pb2.TraceRecord] = field(default_factory=list)
    away: bool = False

    async def write_all(self, records: Sequence[trace_pb2.TraceRecord]) -> None:
        """Keep them, each with an id."""
        if self.away:
            raise AWAY
        for record in records:
            record.id = record.id or new_id()
        self.records += records
