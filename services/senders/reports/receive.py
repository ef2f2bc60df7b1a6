"""A provider's callback, from the URL's secret to the delivery's new status."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Counter

from clarion.common.v1 import trace_pb2
from clarion.router.v1 import suppressions_pb2
from runtime import clock, logs
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id
from runtime.telemetry import labelled
from services import suppressed
from services.senders.compose import one_line
from services.senders.reports.accounts import Account
from services.senders.reports.ports import (
    MAX_ASKED,
    Callback,
    MalformedError,
    RefusedError,
    Report,
    SentMessages,
    Suppressor,
    Trace,
)
from services.senders.sent import Sent

# Ids are stored a moment after the send: a report that is faster waits for its row, seconds in all, as long as it is
# about something recent, and not too many wait.
_WAITS_S = (0.2, 0.5, 1.0, 1.5)
_RECENT_US = 60_000_000
_MAX_WAITING = 32
_MAX_DETAIL = 500

_REPORTS = Counter("clarion_reports_total", "Providers' reports, and what they said.", ["provider", "outcome"])

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """How many reports were about messages of ours, and how many were not."""

    applied: int
    unknown: int


class Receiver:
    """Applies reports. What is said twice changes nothing; whatever fails, the provider may say it again."""

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

    async def receive(self, account: Account, callback: Callback) -> Received:
        """Return once all is stored. Raises FORBIDDEN (not proven), INVALID (no report), UNAVAILABLE."""
        reports = self._read(account, callback)
        found = await self._match(account, reports)
        matched = [(report, sent) for report, sent in found if sent is not None]
        # In this order: a report that is repeated because of a failure here must still suppress.
        await self._suppress(account, matched)
        await self._trace.write_all([self._record(account, report, sent) for report, sent in matched])
        for report, sent in found:
            outcome = _outcome(report) if sent or not report.message_ids else "unknown"
            labelled(_REPORTS, account.kind, outcome).inc()
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

    def _read(self, account: Account, callback: Callback) -> list[Report]:
        try:
            account.reporter.verify(callback, account.credentials, self._now())
            reports = account.reporter.parse(callback)
        except RefusedError as error:
            labelled(_REPORTS, account.kind, "refused").inc()
            log.warning("report_refused", provider=account.kind, provider_id=account.provider_id, error=str(error))
            raise ClarionError(Code.FORBIDDEN, "The signature is missing, wrong or too old.") from error
        except MalformedError as error:
            labelled(_REPORTS, account.kind, "malformed").inc()
            log.warning("report_malformed", provider=account.kind, provider_id=account.provider_id, error=str(error))
            raise ClarionError(Code.INVALID, "The body is not a report of this provider.") from error
        if odd := [report for report in reports if not report.message_ids]:
            log.warning(
                "report_unreadable",
                provider=account.kind,
                provider_id=account.provider_id,
                events=len(odd),
                error=odd[0].detail,
            )
        return reports

    async def _match(self, account: Account, reports: Sequence[Report]) -> list[tuple[Report, Sent | None]]:
        known = await self._find(account, reports)
        if len(known) < len(reports) and self._waiting < _MAX_WAITING:
            self._waiting += 1
            try:
                await self._await_rows(account, reports, known)
            finally:
                self._waiting -= 1
        return [(report, known.get(index)) for index, report in enumerate(reports)]

    async def _await_rows(self, account: Account, reports: Sequence[Report], known: dict[int, Sent]) -> None:
        for wait_s in self._waits_s:
            now = self._now()
            recent = now - _RECENT_US
            missing = [
                index
                for index, one in enumerate(reports)
                if index not in known and one.message_ids and (one.occurred_us or now) > recent
            ]
            if not missing:
                return
            await asyncio.sleep(wait_s)
            found = await self._find(account, [reports[index] for index in missing])
            known.update({missing[position]: sent for position, sent in found.items()})

    async def _find(self, account: Account, reports: Sequence[Report]) -> dict[int, Sent]:
        """Return the messages of those reports that are about one of ours, by the report's place."""
        ids = list(dict.fromkeys(one for report in reports for one in report.message_ids))
        messages: dict[str, Sent] = {}
        for at in range(0, len(ids), MAX_ASKED):
            messages.update(await self._sent.find(account.provider_id, ids[at : at + MAX_ASKED]))
        found = {}
        for index, report in enumerate(reports):
            sent = next((messages[one] for one in report.message_ids if one in messages), None)
            if sent is not None:
                found[index] = sent
        return found

    async def _suppress(self, account: Account, matched: Sequence[tuple[Report, Sent]]) -> None:
        wanted = [
            suppressions_pb2.NewSuppression(
                tenant_id=sent.tenant_id,
                channel=sent.channel,
                address=sent.recipient,
                reason=report.suppression,
                source=account.kind,
                detail=_shown(report.detail),
                # Without a time it counts as old as its message: what an operator lifted since then stays lifted.
                found_at_us=report.occurred_us or sent.sent_at_us,
            )
            for report, sent in matched
            # Of a person who was forgotten meanwhile there is no address.
            if report.suppression != suppressed.NONE and suppressed.normalised(sent.channel, sent.recipient)
        ]
        for at in range(0, len(wanted), MAX_ASKED):
            await self._suppressor.suppress(wanted[at : at + MAX_ASKED])

    def _record(self, account: Account, report: Report, sent: Sent) -> trace_pb2.TraceRecord:
        name = report.id or f"{sent.message_id}/{report.status}/{report.reason}"
        return trace_pb2.TraceRecord(
            # The same when the provider says it again: it stands on the timeline once.
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


def _outcome(report: Report) -> str:
    if report.status == trace_pb2.DELIVERY_STATUS_UNSPECIFIED:
        return report.reason
    return trace_pb2.DeliveryStatus.Name(report.status).removeprefix("DELIVERY_STATUS_").lower()


def _shown(detail: str) -> str:
    return one_line(detail)[:_MAX_DETAIL]
