"""What an SMTP failure means for the delivery: a pure decision."""

import re
import ssl
from enum import Enum

import aiosmtplib

from runtime.egress import AddressNotAllowed
from runtime.printable import printable
from services.delivery.ports import Result, Verdict
from services.senders.ports import ADDRESS_NOT_ALLOWED

PROVIDER = "smtp"

# Longer than what is recorded: a password that stands at that end must be found whole, to be cut out.
_MAX_WORDS = 2_000
_ENHANCED_POLICY = re.compile(r"\b4\.7\.\d+\b")
_SLOW_DOWN = re.compile(r"throttl|too (?:many|much|fast)|\brate\b", re.IGNORECASE)
_CREDENTIAL_CODES = frozenset({530, 534, 535, 538})


class Phase(Enum):
    """How far an attempt got."""

    CONNECT = "connecting"
    TLS = "starting TLS"
    LOGIN = "logging in"
    MAIL = "naming the sender"
    RECIPIENT = "naming the recipient"
    DATA = "handing over the message"


_REFUSED = {
    Phase.MAIL: "sender_refused",
    Phase.RECIPIENT: "recipient_refused",
    Phase.DATA: "message_refused",
}


def classify(error: Exception, phase: Phase) -> Result:
    """Return the result of an attempt that ended with error in phase.

    Credentials and connections are the operator's to mend, so they are not PERMANENT: what fails for them ends
    as a dead letter that can be replayed. PERMANENT is only what the server said about this very message, and where
    it may not be asked at all.
    """
    if isinstance(error, TimeoutError):
        return _result(Verdict.TRANSIENT, "provider_timeout", f"No answer in time while {phase.value}.")
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return _result(Verdict.TRANSIENT, "provider_tls", str(error))
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _answered(error, phase)
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return _result(Verdict.PERMANENT, "smtputf8_unsupported", str(error))
    if isinstance(error, OSError):
        return _unreachable(error, phase)
    verdict = Verdict.CREDENTIALS if phase is Phase.LOGIN else Verdict.TRANSIENT
    reason = {Phase.TLS: "provider_tls", Phase.LOGIN: "provider_credentials"}.get(phase, "provider_error")
    return _result(verdict, reason, str(error))


def _unreachable(error: OSError, phase: Phase) -> Result:
    if isinstance(error, AddressNotAllowed):
        return _result(Verdict.PERMANENT, ADDRESS_NOT_ALLOWED, str(error))
    return _result(Verdict.TRANSIENT, "provider_unreachable", f"While {phase.value}: {error}")


def _answered(error: aiosmtplib.SMTPResponseException, phase: Phase) -> Result:
    detail = f"{error.code} {error.message}"
    if error.code in _CREDENTIAL_CODES or (phase is Phase.LOGIN and error.code >= 500):
        return _result(Verdict.CREDENTIALS, "provider_credentials", detail)
    if 400 <= error.code < 500:
        # What is deferred at the recipient is deferred for the recipient (greylisting): the others can go on.
        of_policy = phase is not Phase.RECIPIENT and _ENHANCED_POLICY.search(error.message)
        if of_policy or _SLOW_DOWN.search(error.message):
            return _result(Verdict.THROTTLED, "provider_throttled", detail)
        return _result(Verdict.TRANSIENT, "provider_deferred", detail)
    if error.code >= 500 and phase in _REFUSED:
        return _result(Verdict.PERMANENT, _REFUSED[phase], detail)
    return _result(Verdict.TRANSIENT, "provider_error", f"While {phase.value}: {detail}")


def _result(verdict: Verdict, reason: str, detail: str) -> Result:
    return Result(verdict, provider=PROVIDER, reason=reason, detail=printable(detail, _MAX_WORDS))
