"""What an SMTP failure means for the delivery."""

import ssl

import aiosmtplib
import pytest

from runtime.settings import Secret
from services.delivery.ports import MAX_DETAIL, Verdict
from services.senders.channels.email.smtp.classify import SmtpPhase, classify, ends_connection
from services.senders.channels.email.smtp.provider import Smtp
from services.senders.channels.email.smtp.settings import SmtpSettings
from tests.unit.senders.builders import guard


@pytest.mark.parametrize(
    ("code", "words", "phase", "verdict", "reason"),
    [
        (550, "5.1.1 No such user", SmtpPhase.RECIPIENT, Verdict.PERMANENT, "recipient_refused"),
        (553, "5.1.8 Sender refused", SmtpPhase.MAIL, Verdict.PERMANENT, "sender_refused"),
        (554, "5.6.0 Looks like spam", SmtpPhase.DATA, Verdict.PERMANENT, "message_refused"),
        (552, "Too big", SmtpPhase.DATA, Verdict.PERMANENT, "message_refused"),
        (451, "4.3.0 Try again later", SmtpPhase.DATA, Verdict.TRANSIENT, "provider_deferred"),
        (450, "4.2.1 Mailbox busy", SmtpPhase.RECIPIENT, Verdict.TRANSIENT, "provider_deferred"),
        (421, "4.3.2 Shutting down", SmtpPhase.MAIL, Verdict.THROTTLED, "provider_throttled"),
        (450, "4.7.1 Greylisted", SmtpPhase.RECIPIENT, Verdict.TRANSIENT, "provider_deferred"),
        (450, "4.7.0 Not now", SmtpPhase.MAIL, Verdict.THROTTLED, "provider_throttled"),
        (
            454,
            "Throttling failure: Maximum sending rate exceeded.",
            SmtpPhase.DATA,
            Verdict.THROTTLED,
            "provider_throttled",
        ),
        (421, "Too many connections", SmtpPhase.CONNECT, Verdict.THROTTLED, "provider_throttled"),
        (535, "5.7.8 Bad credentials", SmtpPhase.LOGIN, Verdict.CREDENTIALS, "provider_credentials"),
        (534, "5.7.9 Use an application password", SmtpPhase.LOGIN, Verdict.CREDENTIALS, "provider_credentials"),
        (504, "Unknown mechanism", SmtpPhase.LOGIN, Verdict.CREDENTIALS, "provider_credentials"),
        (530, "5.7.0 Authentication required", SmtpPhase.MAIL, Verdict.CREDENTIALS, "provider_credentials"),
        (454, "4.3.0 Temporary authentication failure", SmtpPhase.LOGIN, Verdict.TRANSIENT, "provider_deferred"),
        (554, "No SMTP service here", SmtpPhase.CONNECT, Verdict.TRANSIENT, "provider_error"),
        (-1, "Response too long", SmtpPhase.DATA, Verdict.TRANSIENT, "provider_error"),
        (354, "Odd answer", SmtpPhase.MAIL, Verdict.TRANSIENT, "provider_error"),
    ],
)
def test_answers(code: int, words: str, phase: SmtpPhase, verdict: Verdict, reason: str) -> None:
    """5xx about the message is final; 4xx, connections and credentials are retried."""
    result = classify(aiosmtplib.SMTPResponseException(code, words), phase)
    assert (result.verdict, result.reason, result.provider) == (verdict, reason, "smtp")
    assert words in result.detail


@pytest.mark.parametrize(
    ("code", "words", "phase", "waits"),
    [
        # Of the recipient or the content, whatever the words.
        (450, "4.2.1 is receiving mail at a rate that prevents", SmtpPhase.RECIPIENT, "delivery"),
        (450, "4.7.1 Error: too much mail", SmtpPhase.RECIPIENT, "delivery"),
        (451, "4.7.1 Try again later", SmtpPhase.RECIPIENT, "delivery"),
        (452, "4.2.2 Mailbox full, too many messages", SmtpPhase.DATA, "delivery"),
        (452, "4.2.2 Over quota", SmtpPhase.RECIPIENT, "delivery"),
        (452, "4.5.3 Too many recipients", SmtpPhase.RECIPIENT, "delivery"),
        (552, "5.5.3 Too many recipients", SmtpPhase.RECIPIENT, "delivery"),
        (552, "Too many recipients", SmtpPhase.RECIPIENT, "delivery"),
        (450, "4.1.8 Domain of the sender not found, checked at a low rate", SmtpPhase.MAIL, "delivery"),
        (421, "4.2.1 Mailbox is receiving mail too fast", SmtpPhase.DATA, "delivery"),
        # Greylisting looks at one sender, one recipient, one address.
        (451, "4.7.1 Greylisting in action, too many new senders", SmtpPhase.RECIPIENT, "delivery"),
        (451, "4.7.1 Grey listed", SmtpPhase.MAIL, "delivery"),
        (421, "4.7.0 Graylisted, come back in 300 seconds", SmtpPhase.DATA, "delivery"),
        # Of the content, "later" (rspamd answers a message that it greylists so, after the content).
        (451, "4.7.1 Try again later", SmtpPhase.DATA, "delivery"),
        (451, "4.3.0 Temporary system problem", SmtpPhase.DATA, "delivery"),
        (452, "4.3.1 Insufficient system storage", SmtpPhase.MAIL, "delivery"),
        (451, "4.3.5 Server configuration problem", SmtpPhase.MAIL, "delivery"),
        # Names and numbers are no words and no codes.
        (450, "<rate@shop.example>: Sender address rejected", SmtpPhase.MAIL, "delivery"),
        (450, "rate@shop.example is not known here", SmtpPhase.MAIL, "delivery"),
        (450, "Client 4.7.1.2 cannot be resolved", SmtpPhase.MAIL, "delivery"),
        # Nor is anything past the first lines read.
        (450, "x" * 2000 + " too many", SmtpPhase.MAIL, "delivery"),
        (450, "x@" * 16_000, SmtpPhase.MAIL, "delivery"),
        # Of all that we send.
        (421, "", SmtpPhase.CONNECT, "provider"),
        (421, "4.3.2 All server ports are busy", SmtpPhase.CONNECT, "provider"),
        (421, "4.7.1 Greylisted", SmtpPhase.CONNECT, "provider"),
        (421, "4.4.2 Timeout", SmtpPhase.RECIPIENT, "provider"),
        (421, "4.7.28 Unusual rate of mail from this address", SmtpPhase.DATA, "provider"),
        (450, "4.7.1 Error: too much mail from 192.0.2.1", SmtpPhase.MAIL, "provider"),
        (450, "4.3.2 Service currently unavailable", SmtpPhase.MAIL, "provider"),
        (450, "#4.7.1 Your reputation is poor", SmtpPhase.MAIL, "provider"),
        (450, "test\n4.7.1 by policy", SmtpPhase.MAIL, "provider"),
        (454, "4.7.0 Temporary authentication failure", SmtpPhase.LOGIN, "provider"),
        (454, "Throttling failure: Maximum sending rate exceeded.", SmtpPhase.DATA, "provider"),
    ],
)
def test_who_waits(code: int, words: str, phase: SmtpPhase, waits: str) -> None:
    """A 4xx delays one delivery, or all deliveries to the provider."""
    result = classify(aiosmtplib.SMTPResponseException(code, words), phase)
    assert result.verdict is {"delivery": Verdict.TRANSIENT, "provider": Verdict.THROTTLED}[waits]


@pytest.mark.parametrize(
    ("code", "words", "phase"),
    [
        (552, "5.2.2 Mailbox full", SmtpPhase.RECIPIENT),
        (552, "5.3.4 Message too big", SmtpPhase.DATA),
        (552, "5.2.2 Over quota, too many recipients of this list", SmtpPhase.DATA),
        (550, "5.5.3 Too many recipients", SmtpPhase.RECIPIENT),
    ],
)
def test_what_is_refused_for_good(code: int, words: str, phase: SmtpPhase) -> None:
    """5xx is final, except for 552 with too many recipients, an old form of 452 (RFC 5321, 4.5.3.1.10)."""
    assert classify(aiosmtplib.SMTPResponseException(code, words), phase).verdict is Verdict.PERMANENT


@pytest.mark.parametrize(
    ("error", "phase", "ends"),
    [
        (aiosmtplib.SMTPResponseException(421, ""), SmtpPhase.MAIL, True),
        (aiosmtplib.SMTPResponseException(421, "4.2.1 Mailbox busy"), SmtpPhase.RECIPIENT, True),
        (aiosmtplib.SMTPResponseException(421, "4.3.0 Later"), SmtpPhase.DATA, True),
        (aiosmtplib.SMTPResponseException(450, "4.7.0 Message limit per connection"), SmtpPhase.MAIL, True),
        (aiosmtplib.SMTPResponseException(452, "4.5.3 Too many recipients"), SmtpPhase.RECIPIENT, True),
        (aiosmtplib.SMTPResponseException(451, "4.4.2 Timeout"), SmtpPhase.MAIL, True),
        (aiosmtplib.SMTPResponseException(451, "Idle for too long, closing connection."), SmtpPhase.MAIL, True),
        (aiosmtplib.SMTPResponseException(554, "5.7.1 Spam, closing connection"), SmtpPhase.DATA, False),
        (aiosmtplib.SMTPServerDisconnected("gone"), SmtpPhase.RECIPIENT, True),
        (aiosmtplib.SMTPServerDisconnected("gone"), SmtpPhase.DATA, False),
        (aiosmtplib.SMTPResponseException(450, "4.7.0 Too many connections from here"), SmtpPhase.MAIL, False),
        (aiosmtplib.SMTPResponseException(450, "4.2.1 Mailbox busy"), SmtpPhase.RECIPIENT, False),
        (aiosmtplib.SMTPResponseException(550, "5.1.1 No such user"), SmtpPhase.RECIPIENT, False),
        (aiosmtplib.SMTPResponseException(354, "limit of this session"), SmtpPhase.MAIL, False),
        (aiosmtplib.SMTPReadTimeoutError("late"), SmtpPhase.MAIL, False),
    ],
)
def test_which_replies_end_a_connection(error: Exception, phase: SmtpPhase, *, ends: bool) -> None:
    """Replies that end the connection and show that this message was not accepted."""
    assert ends_connection(error, phase) is ends


@pytest.mark.parametrize(
    ("error", "phase", "reason"),
    [
        (TimeoutError(), SmtpPhase.CONNECT, "provider_timeout"),
        (aiosmtplib.SMTPReadTimeoutError("x"), SmtpPhase.DATA, "provider_timeout"),
        (aiosmtplib.SMTPConnectTimeoutError("x"), SmtpPhase.CONNECT, "provider_timeout"),
        (aiosmtplib.SMTPConnectError("refused"), SmtpPhase.CONNECT, "provider_unreachable"),
        (aiosmtplib.SMTPServerDisconnected("gone"), SmtpPhase.DATA, "provider_unreachable"),
        (ConnectionResetError(), SmtpPhase.MAIL, "provider_unreachable"),
        (ssl.SSLCertVerificationError("self-signed"), SmtpPhase.TLS, "provider_tls"),
        (aiosmtplib.SMTPException("STARTTLS not supported"), SmtpPhase.TLS, "provider_tls"),
    ],
)
def test_connections(error: Exception, phase: SmtpPhase, reason: str) -> None:
    """Every failure of a connection is retried."""
    result = classify(error, phase)
    assert (result.verdict, result.reason) == (Verdict.TRANSIENT, reason)


def test_a_login_that_cannot_be_tried() -> None:
    """Is a fault of the account, which retries do not fix."""
    result = classify(aiosmtplib.SMTPException("AUTH not supported"), SmtpPhase.LOGIN)
    assert (result.verdict, result.reason) == (Verdict.CREDENTIALS, "provider_credentials")


def test_tls_inside_a_connect_error() -> None:
    """With TLS from the first byte, the library hides the reason in the cause."""
    error = aiosmtplib.SMTPConnectError("connecting failed")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed")
    assert classify(error, SmtpPhase.CONNECT).reason == "provider_tls"


def test_detail_is_short_valid_text() -> None:
    """A server's invalid characters, control characters and long texts are not recorded."""
    result = classify(aiosmtplib.SMTPResponseException(550, "no\r\n\udcff\x00" + "x" * 5000), SmtpPhase.RECIPIENT)
    assert result.detail.startswith("550 no xxx")
    assert len(result.detail) == 2000
    result.detail.encode()


def test_a_password_at_the_end_of_what_is_recorded_is_cut_out() -> None:
    """A server may repeat the password anywhere; it is removed whole."""
    password = Secret("correct-horse-battery")
    settings = SmtpSettings(host="mail.example.org", from_email="a@b.example", username="ada", password=password)
    smtp = Smtp(settings, guard())
    error = aiosmtplib.SMTPResponseException(535, "x" * (MAX_DETAIL - 10) + "correct-horse-battery is wrong")
    detail = smtp._without_secrets(classify(error, SmtpPhase.LOGIN)).detail
    assert "correct" not in detail
    assert len(detail) > MAX_DETAIL


@pytest.mark.parametrize("secret", ["hunter  two22", "s3cret\u200bpass", " padded\tonce "])
def test_a_password_is_cut_out_as_it_would_be_shown(secret: str) -> None:
    """The recorded text has no invisible characters and no double blanks, and so has the password in it."""
    settings = SmtpSettings(host="mail.example.org", from_email="a@b.example", username="ada", password=Secret(secret))
    error = aiosmtplib.SMTPResponseException(535, f"5.7.8 bad password {secret} of ada")
    detail = Smtp(settings, guard())._without_secrets(classify(error, SmtpPhase.LOGIN)).detail
    assert detail.replace(" ", "") == "5355.7.8badpassword…ofada"
