"""The kinds of provider that send reports, and how these are read."""

from collections.abc import Mapping

from services.senders.reports import africastalking, resend, sendgrid, twilio
from services.senders.reports.ports import ReportReader

REPORT_READERS: Mapping[str, ReportReader] = {
    "africastalking": africastalking.REPORT_READER,
    "resend": resend.REPORT_READER,
    "sendgrid": sendgrid.REPORT_READER,
    "twilio": twilio.REPORT_READER,
}
