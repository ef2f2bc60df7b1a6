"""What an SMTP failure means for the delivery: a pure decision."""

import re
import ssl
from enum import Enum

import aiosmtplib

from runtime.egress import AddressNotAllowed
from runtime.printable import printable
from services.delivery.ports import Result, Verdict
from services.domain.reasons import Reason
from services.senders.ports import ADDRESS_NOT_ALLOWED

PROVIDER = "smtp"

# Longer than what is recorded: a password that stands at that end must be found whole, to be cut out.
_MAX_WORDS = 2_000
# Of a reply that may have 32 KiB: what comes later decides nothing, and costs no time.
_MAX_READ = 1000
# RFC 3463, where RFC 2034 puts it: at the beginning of a line. An IP address further on is none.
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


class Phase(Enum):
    """How far an attempt got."""

    CONNECT = "connecting"
    TLS = "starting TLS"
    LOGIN = "logging in"
    MAIL = "naming the sender"
    RECIPIENT = "naming the recipient"
    DATA = "handing over the message"


_TRANSACTION = (Phase.MAIL, Phase.RECIPIENT, Phase.DATA)
_REFUSED = {
    Phase.MAIL: Reason.SENDER_REFUSED,
    Phase.RECIPIENT: Reason.RECIPIENT_REFUSED,
    Phase.DATA: Reason.MESSAGE_REFUSED,
}


def classify(error: Exception, phase: Phase) -> Result:
    """Return the result of an attempt that ended with error in phase.

    Credentials and connections are the operator's to mend, so they are not PERMANENT: what fails for them ends
    as a dead letter that can be replayed. PERMANENT is only what the server said about this very message, and where
    it may not be asked at all.
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
    verdict = Verdict.CREDENTIALS if phase is Phase.LOGIN else Verdict.TRANSIENT
    reason = {Phase.TLS: Reason.PROVIDER_TLS, Phase.LOGIN: Reason.PROVIDER_CREDENTIALS}.get(
        phase, Reason.PROVIDER_ERROR
    )
    return _result(verdict, reason, str(error))


def ends_connection(error: Exception, phase: Phase) -> bool:
    """Tell whether the server takes no message over this connection, and has not taken this one.

    That says nothing about the next connection: servers end those that carried their fill or lay idle, with 421, with
    another reply that names a limit or the end of the connection, or without a word. Without a word after DATA they
    may have kept the message.
    """
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return phase is not Phase.DATA
    if not isinstance(error, aiosmtplib.SMTPResponseException) or error.code < 400:
        return False
    said = _said(error)
    if _LIMIT.search(said) and _THIS_CONNECTION.search(said):
        return True
    if error.code < 500 and (error.code == _CLOSING or (4, 2) in _enhanced(said) or _CLOSES.search(said)):
        return True
    return phase is Phase.RECIPIENT and _has_too_many_recipients(said)


def _unreachable(error: OSError, phase: Phase) -> Result:
    if isinstance(error, AddressNotAllowed):
        return _result(Verdict.PERMANENT, ADDRESS_NOT_ALLOWED, str(error))
    return _result(Verdict.TRANSIENT, Reason.PROVIDER_UNREACHABLE, f"While {phase.value}: {error}")


def _answered(error: aiosmtplib.SMTPResponseException, phase: Phase) -> Result:
    detail = f"{error.code} {error.message}"
    if error.code in _CREDENTIAL_CODES or (phase is Phase.LOGIN and error.code >= 500):
        return _result(Verdict.CREDENTIALS, Reason.PROVIDER_CREDENTIALS, detail)
    if 400 <= error.code < 500:
        if _asks_to_slow_down(error, phase):
            return _result(Verdict.THROTTLED, Reason.PROVIDER_THROTTLED, detail)
        return _result(Verdict.TRANSIENT, Reason.PROVIDER_DEFERRED, detail)
    if phase is Phase.RECIPIENT and error.code == 552 and _has_too_many_recipients(_said(error)):
        # RFC 5321, 4.5.3.1.10: an old spelling of 452.
        return _result(Verdict.TRANSIENT, Reason.PROVIDER_DEFERRED, detail)
    if error.code >= 500 and phase in _REFUSED:
        return _result(Verdict.PERMANENT, _REFUSED[phase], detail)
    return _result(Verdict.TRANSIENT, Reason.PROVIDER_ERROR, f"While {phase.value}: {detail}")


def _asks_to_slow_down(error: aiosmtplib.SMTPResponseException, phase: Phase) -> bool:
    """Tell whether a 4xx is about all that we send, so that all of it waits, and not about this message alone.

    What is said of the recipient is of the recipient, whatever the words: a rate, a full mailbox, greylisting.
    """
    said = _said(error)
    codes = _enhanced(said)
    if phase in _TRANSACTION:
        if any(subject in _OF_THE_MESSAGE for subject, _ in codes) or _GREYLISTED.search(said):
            return False
        if _has_too_many_recipients(said):  # there is one: the server counts those of the connection
            return False
    if error.code == _CLOSING:
        return True
    if phase is Phase.RECIPIENT:
        return False
    if _SLOW_DOWN.search(_ADDRESS.sub(" ", said)):
        return True
    # Of the content, policy says "later" of a message that it does not know yet.
    return phase is not Phase.DATA and any(subject == 7 or (subject, detail) == (3, 2) for subject, detail in codes)


def _has_too_many_recipients(said: str) -> bool:
    return (5, 3) in _enhanced(said) or bool(_TOO_MANY_RECIPIENTS.search(said))


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return error.message[:_MAX_READ]


def _enhanced(said: str) -> list[tuple[int, int]]:
    """Return subject and detail of the enhanced status codes of a reply, one for each line that has one."""
    return [(int(subject), int(detail)) for subject, detail in _ENHANCED.findall(said)]


def _result(verdict: Verdict, reason: str, detail: str) -> Result:
    return Result(verdict, provider=PROVIDER, reason=reason, detail=printable(detail, _MAX_WORDS))
