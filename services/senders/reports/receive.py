"""Receives a provider's callback: verifies it, suppresses addresses, records the deliveries' new status."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import Counter

from clarion.common.v1 import trace_pb2
from clarion.router.v1 import suppressions_pb2
from runtime import clock, logs
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id
from runtime.printable import printable
from runtime.telemetry import labelled
from services.domain import statuses, suppression_list
from services.senders.reports.accounts import Account
from services.senders.reports.ports import (
    MAX_PER_CALL,
    DeliveryReport,
    MalformedReport,
    ProviderCallback,
    SentMessages,
    Suppressor,
    Trace,
    UnverifiedCallback,
)
from services.senders.sent import SentMessage

# Message ids are stored a moment after the send. A recent report that arrives earlier waits for its row, for these
# seconds; not too many may wait.
_WAITS_S = (0.2, 0.5, 1.0, 1.5)
_RECENT_US = 60_000_000
_MAX_WAITING = 32
# Seconds after which the provider may repeat a report that could not wait.
_RETRY_S = 5
_MAX_DETAIL = 500

_REPORTS = Counter("clarion_reports_total", "Reports of providers by outcome.", ["provider", "outcome"])

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """The numbers of reports about messages that Clarion sent, and about others."""

    applied: int
    unknown: int


class Receiver:
    """Applies reports. A repeated report changes nothing; the provider repeats a report that failed."""

    def __init__(
        self,
        sent: SentMessages,
        suppressor: Suppressor,
        trace: Trace,
        *,
        waits_s: Sequence[float] = _WAITS_S,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._sent = sent
        self._suppressor = suppressor
        self._trace = trace
        self._waits_s = waits_s
        self._waiting = 0
        self._now = now

    async def receive(self, account: Account, callback: ProviderCallback) -> Received:
        """Apply a callback's reports. Raises FORBIDDEN (unverified), INVALID (no report), UNAVAILABLE, OVERLOADED."""
        reports = self._read(account, callback)
        found = await self._match(account, reports)
        matched = [(report, sent) for report, sent in found if sent is not None]
        unnamed = [report for report, sent in found if sent is None and report.is_readable and not report.is_named]
        wanted = self._of_addresses(account, unnamed)
        # Suppressions first: if the trace fails, the provider repeats the report, and suppresses again.
        await self._suppress([*self._of_messages(account, matched), *wanted])
        await self._trace.write_all([self._record(account, report, sent) for report, sent in matched])
        for report, sent in found:
            labelled(_REPORTS, account.kind, _outcome(report) if sent else _unmatched(report)).inc()
        if unnamed:
            _log_unnamed(account, unnamed, suppressed_addresses=len(wanted))
        received = Received(len(matched), len(found) - len(matched))
        log.info(
            "reports_received",
            provider=account.kind,
            provider_id=account.provider_id,
            tenant_id=account.tenant_id,
            applied=received.applied,
            unknown=received.unknown,
            deliveries=[sent.delivery_id for _, sent in matched[:10]],
            outcomes=sorted({_outcome(report) for report, _ in matched}),
        )
        return received

    def _read(self, account: Account, callback: ProviderCallback) -> list[DeliveryReport]:
        try:
            account.report_reader.verify(callback, account.credentials, self._now())
            reports = account.report_reader.parse(callback)
        except UnverifiedCallback as error:
            labelled(_REPORTS, account.kind, "refused").inc()
            log.warning("report_refused", provider=account.kind, provider_id=account.provider_id, error=str(error))
            raise ClarionError(Code.FORBIDDEN, "The signature is missing, wrong or too old.") from error
        except MalformedReport as error:
            labelled(_REPORTS, account.kind, "malformed").inc()
            log.warning("report_malformed", provider=account.kind, provider_id=account.provider_id, error=str(error))
            raise ClarionError(Code.INVALID, "The body is not a report of this provider.") from error
        if odd := [report for report in reports if not report.is_readable]:
            log.warning(
                "report_unreadable",
                provider=account.kind,
                provider_id=account.provider_id,
                events=len(odd),
                error=_shown(odd[0].detail),
            )
        return reports

    async def _match(
        self, account: Account, reports: Sequence[DeliveryReport]
    ) -> list[tuple[DeliveryReport, SentMessage | None]]:
        known = await self._find(account, reports)
        if self._awaited(reports, known):
            if self._waiting >= _MAX_WAITING:
                raise ClarionError(
                    Code.OVERLOADED, "Too many reports arrive before their messages are stored.", retry_after=_RETRY_S
                )
            self._waiting += 1
            try:
                await self._await_rows(account, reports, known)
            finally:
                self._waiting -= 1
        return [(report, known.get(index)) for index, report in enumerate(reports)]

    async def _await_rows(
        self, account: Account, reports: Sequence[DeliveryReport], known: dict[int, SentMessage]
    ) -> None:
        for wait_s in self._waits_s:
            awaited = self._awaited(reports, known)
            if not awaited:
                return
            await asyncio.sleep(wait_s)
            found = await self._find(account, [reports[index] for index in awaited])
            known.update({awaited[position]: sent for position, sent in found.items()})

    def _awaited(self, reports: Sequence[DeliveryReport], known: Mapping[int, SentMessage]) -> list[int]:
        """Return the indexes of recent reports whose row may not be stored yet."""
        now = self._now()
        return [
            index
            for index, one in enumerate(reports)
            if index not in known and one.message_ids and (one.occurred_us or now) > now - _RECENT_US
        ]

    async def _find(self, account: Account, reports: Sequence[DeliveryReport]) -> dict[int, SentMessage]:
        """Return the messages of the reports that match one, by the report's index."""
        ids = list(dict.fromkeys(one for report in reports for one in report.message_ids))
        messages: dict[str, SentMessage] = {}
        for at in range(0, len(ids), MAX_PER_CALL):
            messages.update(await self._sent.find(account.provider_id, ids[at : at + MAX_PER_CALL]))
        found = {}
        for index, report in enumerate(reports):
            sent = next((messages[one] for one in report.message_ids if one in messages), None)
            if sent is not None:
                found[index] = sent
        return found

    async def _suppress(self, wanted: Sequence[suppressions_pb2.NewSuppression]) -> None:
        for at in range(0, len(wanted), MAX_PER_CALL):
            await self._suppressor.suppress(wanted[at : at + MAX_PER_CALL])

    def _of_messages(
        self, account: Account, matched: Sequence[tuple[DeliveryReport, SentMessage]]
    ) -> list[suppressions_pb2.NewSuppression]:
        return [
            suppressions_pb2.NewSuppression(
                tenant_id=sent.tenant_id,
                channel=sent.channel,
                address=sent.recipient,
                reason=report.suppression,
                source=account.kind,
                detail=_shown(report.detail),
                # A report without a time is as old as its message: a suppression lifted since then stays lifted.
                found_at_us=self._occurred(report) or sent.sent_at_us,
            )
            for report, sent in matched
            # The address of an erased recipient is gone.
            if report.suppression != suppression_list.NONE and suppression_list.normalised(sent.channel, sent.recipient)
        ]

    def _of_addresses(
        self, account: Account, unnamed: Sequence[DeliveryReport]
    ) -> list[suppressions_pb2.NewSuppression]:
        """Return suppressions for signed reports that name no message but an address."""
        return [
            suppressions_pb2.NewSuppression(
                tenant_id=account.tenant_id,
                channel=account.channel,
                address=report.address,
                reason=report.suppression,
                source=account.kind,
                detail=_shown(report.detail),
                # A report without a time is the oldest: a suppression that was lifted stays lifted.
                found_at_us=self._occurred(report) or 1,
            )
            for report in unnamed
            if report.suppression != suppression_list.NONE
            and suppression_list.normalised(account.channel, report.address)
        ]

    def _occurred(self, report: DeliveryReport) -> int:
        """Return when it occurred by the provider's clock, but not later than now."""
        return min(report.occurred_us, self._now())

    def _record(self, account: Account, report: DeliveryReport, sent: SentMessage) -> trace_pb2.TraceRecord:
        name = f"{sent.message_id}/{report.status}/{report.reason}"
        return trace_pb2.TraceRecord(
            # A repeated report has the same id, so that the timeline shows it once.
            id=derived_id("report", account.provider_id, name),
            event_id=sent.event_id,
            tenant_id=sent.tenant_id,
            at_us=self._now(),
            reported=trace_pb2.Reported(
                delivery_id=sent.delivery_id,
                channel=sent.channel,
                status=report.status,
                reason=report.reason,
                detail=_shown(report.detail),
                provider=account.kind,
                provider_message_id=sent.message_id,
                attempt=sent.attempt,
                replay=sent.replay,
            ),
        )


def _log_unnamed(account: Account, unnamed: Sequence[DeliveryReport], *, suppressed_addresses: int) -> None:
    log.warning(
        "report_names_no_message",
        provider=account.kind,
        provider_id=account.provider_id,
        tenant_id=account.tenant_id,
        reports=len(unnamed),
        suppressed=suppressed_addresses,
        outcomes=sorted({_outcome(report) for report in unnamed}),
    )


def _outcome(report: DeliveryReport) -> str:
    if report.status == trace_pb2.DELIVERY_STATUS_UNSPECIFIED:
        return report.reason
    return statuses.name(report.status)


def _unmatched(report: DeliveryReport) -> str:
    if not report.is_readable:
        return report.reason
    return "unknown" if report.is_named else "unnamed"


def _shown(detail: str) -> str:
    return printable(detail, _MAX_DETAIL)
