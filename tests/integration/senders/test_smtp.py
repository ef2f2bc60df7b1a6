"""The SMTP provider against real servers, good and bad."""

import asyncio
import socket
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP

from runtime.settings import Secret
from services.delivery.ports import SendResult, Verdict
from services.senders.channels.email import parse
from services.senders.channels.email.smtp import pool
from services.senders.channels.email.smtp.provider import Smtp
from services.senders.ports import Address
from tests.conftest import free_port
from tests.integration.senders.conftest import OpenSmtp
from tests.integration.senders.mail_servers import Catcher, Password, hang_up, hanging, self_signed, serving
from tests.unit.senders import builders
from tests.waiting import eventually


def _outcome(result: SendResult) -> tuple[Verdict, str]:
    return result.verdict, result.reason


async def test_accepted(open_smtp: OpenSmtp) -> None:
    """The mail arrives whole, the envelope is right, and the server's own id is kept."""
    catcher = Catcher()
    message = builders.email(subject="Größe 💚", text=".\n..\n.dots\nend", html="<p>é</p>\n", sender_name="Zoë")
    async with serving(catcher) as port:
        result = await open_smtp(port).send(message)
    assert _outcome(result) == (Verdict.SENT, "")
    assert (result.provider, result.provider_message_id) == ("smtp", "00000001")
    envelope = catcher.envelopes[0]
    assert (envelope.mail_from, envelope.rcpt_tos) == ("orders@acorn.example", ["ada@example.org"])
    assert isinstance(envelope.content, bytes)
    parsed = parse.parse(envelope.content)
    assert (parsed.subject, parsed.sender) == ("Größe 💚", "Zoë <orders@acorn.example>")
    # The server's own line end before the final dot is not part of the content of a multipart.
    assert (parsed.text, parsed.html) == (message.text, message.html)
    assert parsed.delivery_id == message.reference.delivery_id


async def test_one_connection_for_many(open_smtp: OpenSmtp) -> None:
    """One after another share a connection; at once, they open no more than allowed."""
    catcher = Catcher()
    async with serving(catcher) as port:
        smtp = open_smtp(port, max_connections=3)
        for _ in range(5):
            assert (await smtp.send(builders.email())).verdict is Verdict.SENT
        assert len(catcher.sessions) == 1
        results = await asyncio.gather(*[smtp.send(builders.email()) for _ in range(30)])
    assert {result.verdict for result in results} == {Verdict.SENT}
    assert len(catcher.envelopes) == 35
    assert len(catcher.sessions) <= 3


async def test_refused_recipient(open_smtp: OpenSmtp) -> None:
    """550 is final, 451 is not, and the connection stays good for the next message."""
    catcher = Catcher(rcpt="550 5.1.1 No such user")
    async with serving(catcher) as port:
        smtp = open_smtp(port)
        final = await smtp.send(builders.email())
        catcher.rcpt = "451 4.3.0 Try again later"
        later = await smtp.send(builders.email())
        catcher.rcpt = ""
        sent = await smtp.send(builders.email())
    assert _outcome(final) == (Verdict.PERMANENT, "recipient_refused")
    assert "5.1.1 No such user" in final.detail
    assert _outcome(later) == (Verdict.TRANSIENT, "provider_deferred")
    assert sent.verdict is Verdict.SENT
    assert len(catcher.sessions) == 1


async def test_refused_content(open_smtp: OpenSmtp) -> None:
    """554 after the content is final."""

    async def refuse(_server: SMTP) -> str:
        return "554 5.6.0 Looks like spam"

    async with serving(Catcher(data=refuse)) as port:
        result = await open_smtp(port).send(builders.email())
    assert _outcome(result) == (Verdict.PERMANENT, "message_refused")


async def test_hung_up_in_the_middle(open_smtp: OpenSmtp) -> None:
    """A server that dies during the content: retried, but not at once, because it may have accepted the mail."""
    calls: list[SMTP] = []

    async def die(server: SMTP) -> str:
        calls.append(server)
        hang_up(server)
        return "250 never heard"

    catcher = Catcher()
    async with serving(catcher) as port:
        smtp = open_smtp(port)
        assert (await smtp.send(builders.email())).verdict is Verdict.SENT
        catcher.data = die
        result = await smtp.send(builders.email())
    assert _outcome(result) == (Verdict.TRANSIENT, "provider_unreachable")
    assert len(calls) == 1


async def test_nobody_listens(open_smtp: OpenSmtp) -> None:
    """A refused connection is retried."""
    result = await open_smtp(free_port()).send(builders.email())
    assert _outcome(result) == (Verdict.TRANSIENT, "provider_unreachable")


async def test_unknown_host(open_smtp: OpenSmtp, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a name that leads nowhere; of what a machine's own resolver makes, and when, the test knows nothing."""

    def no_such_name(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    result = await open_smtp(25, host="nowhere.invalid").send(builders.email())
    assert _outcome(result) == (Verdict.TRANSIENT, "provider_unreachable")


@pytest.mark.parametrize("says", [b"", b"220 hello\r\n", b"220 hello\r\n250-test\r\n"])
async def test_a_hung_server_ends_in_time(open_smtp: OpenSmtp, says: bytes) -> None:
    """Silence before, after and within an answer."""
    async with hanging(says=says) as port:
        smtp = open_smtp(port, deadline_s=0.4, max_connections=2)
        results = await asyncio.gather(*[smtp.send(builders.email()) for _ in range(4)])
    assert {_outcome(result) for result in results} == {(Verdict.TRANSIENT, "provider_timeout")}


async def test_waiting_for_a_connection_takes_nothing_of_the_time_to_send(open_smtp: OpenSmtp) -> None:
    """A message that waited for a connection still has the whole deadline."""
    async with hanging() as port:
        smtp = open_smtp(port, deadline_s=0.3, max_connections=1)
        results = await asyncio.gather(*[smtp.send(builders.email()) for _ in range(3)])
    assert [result.detail for result in results] == ["No answer in time while connecting."] * 3


async def test_no_connection_comes_free(open_smtp: OpenSmtp) -> None:
    """The server was not called: neither an attempt nor a failure. The connection is free again later."""
    taken, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: SMTP) -> str:
        taken.set()
        await go_on.wait()
        return "250 2.0.0 Ok"

    catcher = Catcher(data=wait)
    async with serving(catcher) as port:
        smtp = open_smtp(port, deadline_s=30.0, wait_s=0.05, max_connections=1)
        first = asyncio.create_task(smtp.send(builders.email()))
        await asyncio.wait_for(taken.wait(), 30)
        busy = await smtp.send(builders.email())
        assert len(catcher.sessions) == 1
        go_on.set()
        results = [await first, await smtp.send(builders.email())]
    assert _outcome(busy) == (Verdict.POSTPONED, "provider_busy")
    assert {result.verdict for result in results} == {Verdict.SENT}


async def test_who_gives_up_leaves_the_turn_to_others(open_smtp: OpenSmtp) -> None:
    """Those that were cancelled, waiting or under way, hold no connection."""
    async with hanging() as dead:
        smtp = open_smtp(dead, max_connections=1, deadline_s=0.3)
        tasks = [asyncio.create_task(smtp.send(builders.email())) for _ in range(3)]
        await eventually(_pool(smtp).connections._free.locked, deadline=30)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        result = await smtp.send(builders.email())
    assert _outcome(result) == (Verdict.TRANSIENT, "provider_timeout")


async def test_a_hung_server_holds_nobody_else(open_smtp: OpenSmtp) -> None:
    """Another provider sends while one hangs."""
    async with hanging() as dead, serving(Catcher()) as alive:
        hung = open_smtp(dead)
        stuck = asyncio.gather(*[hung.send(builders.email()) for _ in range(50)])
        result = await open_smtp(alive).send(builders.email())
        assert result.verdict is Verdict.SENT
        assert not stuck.done()
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck


async def test_idle_connection_closed_by_the_server(open_smtp: OpenSmtp) -> None:
    """A connection that the server closed while it was idle is replaced without a failed attempt."""
    taken: list[SMTP] = []

    async def take(server: SMTP) -> str:
        taken.append(server)
        return "250 2.0.0 Ok"

    catcher = Catcher(data=take)
    async with serving(catcher) as port:
        smtp = open_smtp(port)
        assert (await smtp.send(builders.email())).verdict is Verdict.SENT
        cast(asyncio.Transport, taken[0].transport).close()
        await eventually(lambda: not any(one.client.is_connected for one in _pool(smtp)._idle))
        assert (await smtp.send(builders.email())).verdict is Verdict.SENT
    assert (len(taken), len(catcher.sessions)) == (2, 2)


async def test_connection_closed_when_it_is_used_again(open_smtp: OpenSmtp) -> None:
    """If that is noticed with the next message, before its content, the message is sent again at once."""
    catcher = Catcher(hang_up_on_reuse=True)
    async with serving(catcher) as port:
        smtp = open_smtp(port)
        results = [await smtp.send(builders.email()) for _ in range(3)]
    assert {result.verdict for result in results} == {Verdict.SENT}
    assert (len(catcher.envelopes), len(catcher.sessions)) == (3, 3)


async def test_idle_connections_are_closed(open_smtp: OpenSmtp, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is kept for longer than the idle time."""
    monkeypatch.setattr(pool, "IDLE_S", 0.2)
    async with serving(Catcher()) as port:
        smtp = open_smtp(port)
        await asyncio.gather(*[smtp.send(builders.email()) for _ in range(4)])
        assert _pool(smtp).idle > 0
        await eventually(lambda: _pool(smtp).idle == 0)
        assert (await smtp.send(builders.email())).verdict is Verdict.SENT


async def test_closing_says_goodbye(open_smtp: OpenSmtp) -> None:
    """After close no connection is kept, not even of messages that are still sent."""
    catcher = Catcher()
    async with serving(catcher) as port:
        smtp = open_smtp(port)
        await smtp.send(builders.email())
        await smtp.close()
        assert _pool(smtp).idle == 0
        assert (await smtp.send(builders.email())).verdict is Verdict.SENT
        assert _pool(smtp).idle == 0


async def test_starttls_with_a_certificate_of_ones_own(open_smtp: OpenSmtp, tmp_path: Path) -> None:
    """Refused, unless the operator names the certificate; and a server without STARTTLS gets no mail in the clear."""
    context, pem = self_signed(tmp_path)
    catcher = Catcher()
    async with serving(catcher, tls_context=context, require_starttls=True) as port:
        refused = await open_smtp(port, tls="starttls").send(builders.email())
        sent = await open_smtp(port, tls="starttls", ca_certificate=pem).send(builders.email())
    async with serving(catcher) as port:
        without = await open_smtp(port, tls="starttls", ca_certificate=pem).send(builders.email())
    assert _outcome(refused) == (Verdict.TRANSIENT, "provider_tls")
    assert "certificate" in refused.detail
    assert sent.verdict is Verdict.SENT
    assert _outcome(without) == (Verdict.TRANSIENT, "provider_tls")
    assert len(catcher.envelopes) == 1


async def test_tls_from_the_first_byte(open_smtp: OpenSmtp, tmp_path: Path) -> None:
    """The same with TLS at once."""
    context, pem = self_signed(tmp_path)
    async with serving(Catcher(), tls=context) as port:
        refused = await open_smtp(port, tls="tls").send(builders.email())
        sent = await open_smtp(port, tls="tls", ca_certificate=pem).send(builders.email())
    assert _outcome(refused) == (Verdict.TRANSIENT, "provider_tls")
    assert sent.verdict is Verdict.SENT


async def test_login(open_smtp: OpenSmtp, tmp_path: Path) -> None:
    """The correct password sends. A wrong one can be fixed, so it is retried; the password is never shown."""
    context, pem = self_signed(tmp_path)
    options: dict[str, Any] = {"tls_context": context, "require_starttls": True, "auth_required": True}
    async with serving(Catcher(), authenticator=Password("ada", "correct horse"), **options) as port:
        sent = await _login(open_smtp, port, "correct horse", pem)
        wrong = await _login(open_smtp, port, "battery-staple", pem)
        without = await open_smtp(port, tls="starttls", ca_certificate=pem).send(builders.email())
    assert sent.verdict is Verdict.SENT
    assert _outcome(wrong) == (Verdict.CREDENTIALS, "provider_credentials")
    assert "535" in wrong.detail
    assert "battery-staple" not in wrong.detail
    assert _outcome(without) == (Verdict.CREDENTIALS, "provider_credentials")


async def test_addresses_in_another_script(open_smtp: OpenSmtp) -> None:
    """It is sent if the server has SMTPUTF8; otherwise it fails with a clear reason."""
    message = builders.email(recipient=Address("用户", "xn--r8jz45g.jp"))
    catcher = Catcher()
    async with serving(catcher, enable_SMTPUTF8=True) as port:
        sent = await open_smtp(port).send(message)
    async with serving(catcher) as port:
        smtp = open_smtp(port)
        refused = await smtp.send(message)
        plain = await smtp.send(builders.email())
    assert sent.verdict is Verdict.SENT
    assert catcher.envelopes[0].rcpt_tos == ["用户@xn--r8jz45g.jp"]
    assert _outcome(refused) == (Verdict.PERMANENT, "smtputf8_unsupported")
    assert plain.verdict is Verdict.SENT


async def _login(open_smtp: OpenSmtp, port: int, password: str, pem: str) -> SendResult:
    smtp = open_smtp(port, tls="starttls", ca_certificate=pem, username="ada", password=Secret(password))
    return await smtp.send(builders.email())


def _pool(smtp: Smtp) -> pool.SmtpPool:
    return smtp._pool
