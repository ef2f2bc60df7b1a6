"""Africa's Talking's delivery reports: https://developers.africastalking.com/docs/sms/notifications.

They are not signed and carry no time: the secret in the URL is all that proves them.
"""

from clarion.common.v1 import trace_pb2
from services.domain import suppression_list
from services.domain.reasons import Reason
from services.senders.reports.fields import text
from services.senders.reports.forms import read_form
from services.senders.reports.ports import Credentials, DeliveryReport, ProviderCallback, ReportReader

_DELIVERED = frozenset({"success"})
# Final statuses. "Sent", "Submitted" and "Buffered" are on their way.
_BOUNCED = frozenset({"failed", "rejected", "absentsubscriber", "expired"})
_NO_SUCH = frozenset({"userdoesnotexist"})
_STOPPED = frozenset({"userinblacklist"})


def verify(_callback: ProviderCallback, _credentials: Credentials, _now_us: int) -> None:
    """Do nothing: Africa's Talking does not sign; the secret in the URL was checked already."""


def parse(callback: ProviderCallback) -> list[DeliveryReport]:
    """Return the report, or none. Raises MalformedReport."""
    fields = {name: text(values[0]) for name, values in read_form(callback).items()}
    message_id, status = fields.get("id", ""), fields.get("status", "")
    if status.lower() not in _DELIVERED | _BOUNCED:
        return []
    # Without the address: it is used from signed reports only.
    ids = [message_id] if message_id else []
    if status.lower() in _DELIVERED:
        return [DeliveryReport(ids, trace_pb2.DELIVERY_STATUS_DELIVERED)]
    failure = fields.get("failureReason", "")
    reason, suppression = Reason.UNDELIVERED, suppression_list.NONE
    if failure.lower() in _NO_SUCH:
        reason, suppression = Reason.HARD_BOUNCE, suppression_list.BOUNCED
    elif failure.lower() in _STOPPED:
        reason, suppression = Reason.OPTED_OUT, suppression_list.COMPLAINED
    detail = " ".join(filter(None, (status, failure)))
    return [DeliveryReport(ids, trace_pb2.DELIVERY_STATUS_BOUNCED, reason, detail, suppression)]


REPORT_READER = ReportReader(verify, parse)
