"""What a server's replies mean for the connection, the delivery and the provider, on real sockets."""

import asyncio
import time

import pytest

from services.delivery.ports import SendResult, Verdict
from services.senders.breaker import Breaker
from tests.integration.senders.conftest import OpenSmtp
from tests.integration.senders.mail_servers import HANGS_UP, Catcher, conversing, serving
from tests.unit.senders import builders
from tests.waiting import eventually

_STEPS = ["MAIL", "RCPT", "DATA", "CONTENT"]
_ENDS = "421 4.7.0 test Error: too many messages on this connection"
_THROTTLED = (Verdict.THROTTLED, "provider_throttled")
_DEFERRED = (Verdict.TRANSIENT, "provider_deferred")


async def test_a_server_that_takes_one_message_per_connection(open_smtp: OpenSmtp) -> None:
    """421 at the second MAIL FROM of a connection: each of five mails is sent at its first attempt."""
    catcher = Catcher(closes_on_reuse=_ENDS)
    async with serving(catcher) as port:
        smtp = open_smtp(port)
        results = [await smtp.send(builders.email()) for _ in range(5)]
    assert [result.verdict for result in results] == [Verdict.SENT] * 5
    assert (len(catcher.envelopes), len(catcher.sessions)) == (5, 5)


async def test_many_at_once_to_a_server_that_takes_one_message_per_connection(open_smtp: OpenSmtp) -> None:
    """The bound on connections holds meanwhile, and nothing is sent twice."""
    catcher = Catcher(closes_on_reuse=_ENDS)
    async with serving(catcher) as port:
        smtp = open_smtp(port, max_connections=3)
        results = await asyncio.gather(*[smtp.send(builders.email()) for _ in range(30)])
    assert {result.verdict for result in results} == {Verdict.SENT}
    assert len(catcher.envelopes) == 30


@pytest.mark.parametrize(
    "said",
    [
        "421",
        "421 4.4.2 test Error: timeout exceeded",
        "421 4.3.2 Service shutting down",
        "421-4.7.0 test\r\n421-4.7.0 Too many messages, please\r\n421 4.7.0 open another connection",
    ],
)
@pytest.mark.parametrize("step", _STEPS)
async def test_421_on_a_kept_connection(open_smtp: OpenSmtp, step: str, said: str) -> None:
    """At any step, in one line or several: another connection is opened at once, and the mail sent once."""

    def reply(at: str, connection: int, message: int) -> str:
        return said if (at, connection, message) == (step, 1, 2) else ""

    async with conversing(reply) as (port, server):
        smtp = open_smtp(port)
        results = [await smtp.send(builders.email()) for _ in range(3)]
    assert [result.verdict for result in results] == [Verdict.SENT] * 3
    assert server.taken == [1, 2, 2]
    assert (1, "RSET") not in server.steps


@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
async def test_a_kept_connection_closed_without_a_word(open_smtp: OpenSmtp, step: str) -> None:
    """Before the content the server cannot have accepted the mail, so it is sent again at once."""

    def reply(at: str, connection: int, message: int) -> str:
        return HANGS_UP if (at, connection, message) == (step, 1, 2) else ""

    async with conversing(reply) as (port, server):
        smtp = open_smtp(port)
        results = [await smtp.send(builders.email()) for _ in range(2)]
    assert [result.verdict for result in results] == [Verdict.SENT] * 2
    assert server.taken == [1, 2]


async def test_421_between_two_messages(open_smtp: OpenSmtp) -> None:
    """An idle server says 421 before it closes: the next mail gets a new connection."""
    async with conversing(lambda *_: "") as (port, server):
        smtp = open_smtp(port)
        first = await smtp.send(builders.email())
        server.idle[0].write(b"421 4.4.2 test Error: timeout exceeded\r\n")
        server.idle[0].close()
        await eventually(lambda: not any(one.client.is_connected for one in smtp._pool._idle))
        second = await smtp.send(builders.email())
    assert [first.verdict, second.verdict] == [Verdict.SENT] * 2
    assert server.taken == [1, 2]


async def test_421_while_the_next_message_is_on_its_way(open_smtp: OpenSmtp) -> None:
    """Whether or not it is read as the reply to MAIL FROM, that mail is sent."""
    async with conversing(lambda *_: "") as (port, server):
        smtp = open_smtp(port)
        await smtp.send(builders.email())
        server.idle[0].write(b"421 4.4.2 test Error: timeout exceeded\r\n")
        server.idle[0].close()
        second = await smtp.send(builders.email())
    assert second.verdict is Verdict.SENT


async def test_421_to_rset(open_smtp: OpenSmtp) -> None:
    """After a refused recipient: the result is the refusal, and the next mail gets a new connection."""

    def reply(at: str, connection: int, _: int) -> str:
        if connection > 1:
            return ""
        return {"RCPT": "550 5.1.1 No such user", "RSET": "421 4.7.0 Too many errors"}.get(at, "")

    async with conversing(reply) as (port, server):
        smtp = open_smtp(port)
        results = [await smtp.send(builders.email()) for _ in range(2)]
    assert [result.reason for result in results] == ["recipient_refused", ""]
    assert server.taken == [2]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("MAIL", "450 4.7.0 Maximum number of messages per session exceeded"),
        ("MAIL", "550 5.7.0 Too many mails in one session"),
        ("MAIL", "451 4.4.2 Timeout - closing connection"),
        ("RCPT", "452 4.5.3 Too many recipients"),
        ("RCPT", "552 5.5.3 Too many recipients"),
        ("RCPT", "452 too many recipients"),
    ],
)
async def test_other_words_for_a_connection_that_is_at_its_end(open_smtp: OpenSmtp, step: str, said: str) -> None:
    """A limit or the end of one connection or session says nothing about the next one, even if the reply is not 421."""

    def reply(at: str, connection: int, message: int) -> str:
        return said if (at, connection, message) == (step, 1, 2) else ""

    async with conversing(reply) as (port, server):
        smtp = open_smtp(port)
        results = [await smtp.send(builders.email()) for _ in range(3)]
    assert [result.verdict for result in results] == [Verdict.SENT] * 3
    assert server.taken == [1, 2, 2]


@pytest.mark.parametrize("step", ["GREETING", "EHLO", *_STEPS])
async def test_421_on_a_fresh_connection(open_smtp: OpenSmtp, step: str) -> None:
    """Is about the sender: the provider is paused, and the server was called once."""
    async with conversing(lambda at, *_: "421 4.3.2 Try later" if at == step else "") as (port, server):
        result = await open_smtp(port).send(builders.email())
    assert (result.verdict, result.reason) == _THROTTLED
    assert server.connections == 1
    assert _rests(result)


async def test_421_again_on_the_connection_opened_in_place(open_smtp: OpenSmtp) -> None:
    """Only one new connection is opened: its answer counts."""

    def reply(at: str, connection: int, message: int) -> str:
        return _ENDS if at == "MAIL" and (connection, message) != (1, 1) else ""

    async with conversing(reply) as (port, server):
        smtp = open_smtp(port)
        results = [await smtp.send(builders.email()) for _ in range(2)]
    assert [result.verdict for result in results] == [Verdict.SENT, Verdict.THROTTLED]
    assert (server.connections, server.taken) == (2, [1])


@pytest.mark.parametrize(
    "said",
    [
        "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents more messages",
        "450 4.7.1 Greylisted, too many unknown senders",
        "451 4.7.500 Server busy. Please try again later",
        "452 4.2.2 Mailbox full: too many messages",
        "452 4.5.3 Too many recipients",
        "552 5.5.3 Too many recipients",
        "421 4.2.1 This mailbox is receiving mail too fast",
        "450-4.2.1 The user is receiving mail at a rate\r\n450-4.2.1 that is too high:\r\n450 4.2.1 please wait",
    ],
)
async def test_what_is_said_of_a_recipient(open_smtp: OpenSmtp, said: str) -> None:
    """Only this delivery waits: the provider is not paused, and other mail is sent at once."""

    def reply(at: str, _: int, __: int) -> str:
        return said if at == "RCPT" and not cleared else ""

    cleared: list[bool] = []
    async with conversing(reply) as (port, _):
        smtp = open_smtp(port)
        result = await smtp.send(builders.email())
        cleared.append(True)
        other = await smtp.send(builders.email())
    assert (result.verdict, result.reason) == _DEFERRED
    assert not _rests(result)
    assert other.verdict is Verdict.SENT


def _rests(result: SendResult) -> bool:
    breaker = Breaker()
    breaker.end_call(breaker.start_call(), result, time.monotonic())
    return breaker.pause(time.monotonic()) is not None
