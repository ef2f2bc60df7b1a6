"""The result of an SMTP failure. Pure."""

import re
import ssl
from enum import Enum

import aiosmtplib

from runtime.egress import AddressNotAllowed
from runtime.printable import printable
from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason
from services.senders.ports import ADDRESS_NOT_ALLOWED

PROVIDER = "smtp"

# More than is recorded, so that a password at that end is found whole and removed.
_MAX_WORDS = 2_000
# A reply may have 32 KiB; only its beginning is searched.
_MAX_READ = 1000
# RFC 3463 and 2034: at the beginning of a line. An IP address later in the line is no code.
_ENHANCED = re.compile(r"^#?[245]\.(\d{1,3})\.(\d{1,3})(?![.\d])", re.MULTILINE)
_ADDRESS = re.compile(r"<[^>]*>|\S+@\S+")
_SLOW_DOWN = re.compile(r"throttl|too (?:many|much|fast)|\brate\b", re.IGNORECASE)
_GREYLISTED = re.compile(r"gr[ae]y-?\s?list", re.IGNORECASE)
_TOO_MANY_RECIPIENTS = re.compile(r"too many recipients", re.IGNORECASE)
_LIMIT = re.compile(r"too many|max|limit|exceed", re.IGNORECASE)
_CLOSES = re.compile(r"\bclos(?:ing|es|ed) (?:the |this )?(?:transmission channel|connection|session)\b", re.IGNORECASE)
_THIS_CONNECTION = re.compile(r"\b(?:per|this|one|single|same) (?:smtp )?(?:connection|session)\b", re.IGNORECASE)
_CREDENTIAL_CODES = frozenset({530, 534, 535, 538})
# RFC 5321, 4.2.1: the reply to any command of a server that ends the connection.
_CLOSING = 421
# Subjects of RFC 3463 that are about one message: address, mailbox, content.
_OF_THE_MESSAGE = frozenset({1, 2, 6})


class SmtpPhase(Enum):
    """How far an attempt got, as its error message says it."""

    CONNECT = "connecting"
    TLS = "starting TLS"
    LOGIN = "logging in"
    MAIL = "naming the sender"
    RECIPIENT = "naming the recipient"
    DATA = "handing over the message"


_TRANSACTION = (SmtpPhase.MAIL, SmtpPhase.RECIPIENT, SmtpPhase.DATA)
_REFUSED = {
    SmtpPhase.MAIL: Reason.SENDER_REFUSED,
    SmtpPhase.RECIPIENT: Reason.RECIPIENT_REFUSED,
    SmtpPhase.DATA: Reason.MESSAGE_REFUSED,
}


def classify(error: Exception, phase: SmtpPhase) -> SendResult:
    """Return the result of an attempt that ended with error in phase.

    Credentials and connections can be fixed by the operator, so they are not PERMANENT: such a delivery ends as a dead
    letter, which can be replayed. PERMANENT is only what the server said about this message, and an address that is not
    allowed.
    """
    if isinstance(error, TimeoutError):
        return _result(Verdict.TRANSIENT, Reason.PROVIDER_TIMEOUT, f"No answer in time while {phase.value}.")
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return _result(Verdict.TRANSIENT, Reason.PROVIDER_TLS, str(error))
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _answered(error, phase)
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return _result(Verdict.PERMANENT, Reason.SMTPUTF8_UNSUPPORTED, str(error))
    if isinstance(error, OSError):
        return _unreachable(error, phase)
    verdict = Verdict.CREDENTIALS if phase is SmtpPhase.LOGIN else Verdict.TRANSIENT
    reason = {SmtpPhase.TLS: Reason.PROVIDER_TLS, SmtpPhase.LOGIN: Reason.PROVIDER_CREDENTIALS}.get(
        phase, Reason.PROVIDER_ERROR
    )
    return _result(verdict, reason, str(error))


def ends_connection(error: Exception, phase: SmtpPhase) -> bool:
    """Return whether the server accepts no more messages over this connection, and did not accept this one.

    That says nothing about the next connection. Servers end connections that were used often or were idle: with 421,
    with another reply that names a limit or the end of the connection, or by closing. If they close after DATA, they
    may have accepted the message.
    """
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return phase is not SmtpPhase.DATA
    if not isinstance(error, aiosmtplib.SMTPResponseException) or error.code < 400:
        return False
    said = _said(error)
    if _LIMIT.search(said) and _THIS_CONNECTION.search(said):
        return True
    if error.code < 500 and (error.code == _CLOSING or (4, 2) in _enhanced(said) or _CLOSES.search(said)):
        return True
    return phase is SmtpPhase.RECIPIENT and _has_too_many_recipients(said)


def _unreachable(error: OSError, phase: SmtpPhase) -> SendResult:
    if isinstance(error, AddressNotAllowed):
        return _result(Verdict.PERMANENT, ADDRESS_NOT_ALLOWED, str(error))
    return _result(Verdict.TRANSIENT, Reason.PROVIDER_UNREACHABLE, f"While {phase.value}: {error}")


def _answered(error: aiosmtplib.SMTPResponseException, phase: SmtpPhase) -> SendResult:
    detail = f"{error.code} {error.message}"
    if error.code in _CREDENTIAL_CODES or (phase is SmtpPhase.LOGIN and error.code >= 500):
        return _result(Verdict.CREDENTIALS, Reason.PROVIDER_CREDENTIALS, detail)
    if 400 <= error.code < 500:
        if _asks_to_slow_down(error, phase):
            return _result(Verdict.THROTTLED, Reason.PROVIDER_THROTTLED, detail)
        return _result(Verdict.TRANSIENT, Reason.PROVIDER_DEFERRED, detail)
    if phase is SmtpPhase.RECIPIENT and error.code == 552 and _has_too_many_recipients(_said(error)):
        # RFC 5321, 4.5.3.1.10: an old spelling of 452.
        return _result(Verdict.TRANSIENT, Reason.PROVIDER_DEFERRED, detail)
    if error.code >= 500 and phase in _REFUSED:
        return _result(Verdict.PERMANENT, _REFUSED[phase], detail)
    return _result(Verdict.TRANSIENT, Reason.PROVIDER_ERROR, f"While {phase.value}: {detail}")


def _asks_to_slow_down(error: aiosmtplib.SMTPResponseException, phase: SmtpPhase) -> bool:
    """Return whether a 4xx asks for fewer messages in general, and is not about this message alone.

    A 4xx to RCPT is about the recipient, whatever its words: a rate, a full mailbox, greylisting.
    """
    said = _said(error)
    codes = _enhanced(said)
    if phase in _TRANSACTION:
        if any(subject in _OF_THE_MESSAGE for subject, _ in codes) or _GREYLISTED.search(said):
            return False
        if _has_too_many_recipients(said):  # the message has one: the server counts those of the connection
            return False
    if error.code == _CLOSING:
        return True
    if phase is SmtpPhase.RECIPIENT:
        return False
    if _SLOW_DOWN.search(_ADDRESS.sub(" ", said)):
        return True
    # After DATA, 4.7.x is about a message that the server's policy does not know yet.
    return phase is not SmtpPhase.DATA and any(subject == 7 or (subject, detail) == (3, 2) for subject, detail in codes)


def _has_too_many_recipients(said: str) -> bool:
    return (5, 3) in _enhanced(said) or bool(_TOO_MANY_RECIPIENTS.search(said))


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return error.message[:_MAX_READ]


def _enhanced(said: str) -> list[tuple[int, int]]:
    """Return subject and detail of the enhanced status codes of a reply, one for each line that has one."""
    return [(int(subject), int(detail)) for subject, detail in _ENHANCED.findall(said)]


def _result(verdict: Verdict, reason: str, detail: str) -> SendResult:
    return SendResult(verdict, provider=PROVIDER, reason=reason, detail=printable(detail, _MAX_WORDS))
