"""A provider's callback, from the URL's secret to the delivery's new status."""

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
# When the provider may say again what found no place to wait, in seconds.
_RETRY_S = 5
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
        """Return once all is stored. Raises FORBIDDEN (not proven), INVALID (no report), UNAVAILABLE, OVERLOADED."""
        reports = self._read(account, callback)
        found = await self._match(account, reports)
        matched = [(report, sent) for report, sent in found if sent is not None]
        unnamed = [report for report, sent in found if sent is None and report.is_readable and not report.is_named]
        wanted = self._of_addresses(account, unnamed)
        # In this order: a report that is repeated because of a failure here must still suppress.
        await self._suppress([*self._of_messages(account, matched), *wanted])
        await self._trace.write_all([self._record(account, report, sent) for report, sent in matched])
        for report, sent in found:
            labelled(_REPORTS, account.kind, _outcome(report) if sent else _unmatched(report)).inc()
        if unnamed:
            _tell(account, unnamed, suppressed_addresses=len(wanted))
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
        if odd := [report for report in reports if not report.is_readable]:
            log.warning(
                "report_unreadable",
                provider=account.kind,
                provider_id=account.provider_id,
                events=len(odd),
                error=_shown(odd[0].detail),
            )
        return reports

    async def _match(self, account: Account, reports: Sequence[Report]) -> list[tuple[Report, Sent | None]]:
        known = await self._find(account, reports)
        if self._awaited(reports, known):
            if self._waiting >= _MAX_WAITING:
                raise ClarionError(Code.OVERLOADED, "Too many reports wait for their messages.", retry_after=_RETRY_S)
            self._waiting += 1
            try:
                await self._await_rows(account, reports, known)
            finally:
                self._waiting -= 1
        return [(report, known.get(index)) for index, report in enumerate(reports)]

    async def _await_rows(self, account: Account, reports: Sequence[Report], known: dict[int, Sent]) -> None:
        for wait_s in self._waits_s:
            awaited = self._awaited(reports, known)
            if not awaited:
                return
            await asyncio.sleep(wait_s)
            found = await self._find(account, [reports[index] for index in awaited])
            known.update({awaited[position]: sent for position, sent in found.items()})

    def _awaited(self, reports: Sequence[Report], known: Mapping[int, Sent]) -> list[int]:
        """Return the places of those that are about something recent, whose row may not be stored yet."""
        now = self._now()
        return [
            index
            for index, one in enumerate(reports)
            if index not in known and one.message_ids and (one.occurred_us or now) > now - _RECENT_US
        ]

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

    async def _suppress(self, wanted: Sequence[suppressions_pb2.NewSuppression]) -> None:
        for at in range(0, len(wanted), MAX_ASKED):
            await self._suppressor.suppress(wanted[at : at + MAX_ASKED])

    def _of_messages(
        self, account: Account, matched: Sequence[tuple[Report, Sent]]
    ) -> list[suppressions_pb2.NewSuppression]:
        return [
            suppressions_pb2.NewSuppression(
                tenant_id=sent.tenant_id,
                channel=sent.channel,
                address=sent.recipient,
                reason=report.suppression,
                source=account.kind,
                detail=_shown(report.detail),
                # Without a time it counts as old as its message: what an operator lifted since then stays lifted.
                found_at_us=self._occurred(report) or sent.sent_at_us,
            )
            for report, sent in matched
            # Of a person who was forgotten meanwhile there is no address.
            if report.suppression != suppression_list.NONE and suppression_list.normalised(sent.channel, sent.recipient)
        ]

    def _of_addresses(self, account: Account, unnamed: Sequence[Report]) -> list[suppressions_pb2.NewSuppression]:
        """Return what follows from reports that name no message: the provider that signed them is the tenant's."""
        return [
            suppressions_pb2.NewSuppression(
                tenant_id=account.tenant_id,
                channel=account.channel,
                address=report.address,
                reason=report.suppression,
                source=account.kind,
                detail=_shown(report.detail),
                # Without a time it counts as older than anything: what an operator has lifted stays lifted.
                found_at_us=self._occurred(report) or 1,
            )
            for report in unnamed
            if report.suppression != suppression_list.NONE
            and suppression_list.normalised(account.channel, report.address)
        ]

    def _occurred(self, report: Report) -> int:
        """Return when it occurred: by the provider's clock, but not later than now."""
        return min(report.occurred_us, self._now())

    def _record(self, account: Account, report: Report, sent: Sent) -> trace_pb2.TraceRecord:
        name = f"{sent.message_id}/{report.status}/{report.reason}"
        return trace_pb2.TraceRecord(
            # The same when the provider says it again, also under another id of its own: one step on the timeline.
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


def _tell(account: Account, unnamed: Sequence[Report], *, suppressed_addresses: int) -> None:
    log.warning(
        "report_names_no_message",
        provider=account.kind,
        provider_id=account.provider_id,
        tenant_id=account.tenant_id,
        reports=len(unnamed),
        suppressed=suppressed_addresses,
        outcomes=sorted({_outcome(report) for report in unnamed}),
    )


def _outcome(report: Report) -> str:
    if report.status == trace_pb2.DELIVERY_STATUS_UNSPECIFIED:
        return report.reason
    return statuses.name(report.status)


def _unmatched(report: Report) -> str:
    if not report.is_readable:
        return report.reason
    return "unknown" if report.is_named else "unnamed"


def _shown(detail: str) -> str:
    return printable(detail, _MAX_DETAIL)
