"""Which kinds of provider report, and how."""

from collections.abc import Mapping

from services.senders.reports import africastalking, resend, sendgrid, twilio
from services.senders.reports.ports import Reporter

REPORTERS: Mapping[str, Reporter] = {
    "africastalking": africastalking.REPORTER,
    "resend": resend.REPORTER,
    "sendgrid": sendgrid.REPORTER,
    "twilio": twilio.REPORTER,
}
