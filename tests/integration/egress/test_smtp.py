"""Mail servers: nothing is connected to that the operator did not allow, however its host is written."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.egress import EgressGuard, EgressPolicy, Ports
from services.delivery.ports import SendResult, Verdict
from services.senders.channels.email.smtp.provider import Smtp
from services.senders.channels.email.smtp.settings import SmtpSettings
from tests.integration.egress import name_server
from tests.integration.egress.corpus import LITERALS, NAMES
from tests.integration.egress.name_server import Names
from tests.integration.egress.watch import Watch, watching
from tests.integration.senders.mail_servers import Catcher, self_signed, serving
from tests.unit.senders import builders

_REFUSED = (Verdict.PERMANENT, "address_not_allowed")


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """Whether anything is connected to."""
    async with watching() as watch:
        yield watch


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    """A name server that knows the corpus."""
    async with name_server.serving(NAMES) as names:
        yield names


def _guard(names: Names | None, port: int, *allow: str) -> EgressGuard:
    """One that would let mail go to this port of any public address."""
    return EgressGuard(EgressPolicy(allow), Ports(frozenset({port}), "CLARION_EGRESS_SMTP_PORTS"), lookup=names)


async def _send(guard: EgressGuard, host: str, port: int, **settings: str) -> SendResult:
    given = {"host": host, "port": port, "tls": "none", "from_email": "noreply@relay.example", **settings}
    smtp = Smtp(SmtpSettings(**given), guard, deadline_s=30.0)  # type: ignore[arg-type]  # a dict of several types
    try:
        return await smtp.send(builders.email())
    finally:
        await smtp.close()


@pytest.mark.parametrize("host", LITERALS, ids=ascii)
async def test_a_host_that_is_not_allowed_is_not_connected_to(host: str, watch: Watch, names: Names) -> None:
    """A final failure with a plain reason, and no byte of whoever listens there."""
    result = await _send(_guard(names, watch.port), host, watch.port)
    assert (result.verdict, result.reason) == _REFUSED
    assert "internal-secret" not in result.detail
    assert watch.untouched()


@pytest.mark.parametrize("host", [*NAMES, *(f"{name}." for name in NAMES)])
async def test_a_name_that_leads_there_is_not_connected_to(host: str, watch: Watch, names: Names) -> None:
    """One such address among others is enough. The sentence does not say which address it was."""
    result = await _send(_guard(names, watch.port), host, watch.port)
    assert (result.verdict, result.reason) == _REFUSED
    assert not re.search(r"\d\.\d|:[0-9a-f]", result.detail.replace(host, ""))
    assert "CLARION_EGRESS_ALLOW" in result.detail
    assert watch.untouched()


async def test_a_name_server_that_changes_its_mind_leads_nowhere_else() -> None:
    """The connection goes to the address that was checked; the next connection is checked again."""
    answers = {"rebinds.test": [["127.0.0.2"], ["127.0.0.3"]]}
    async with name_server.serving(answers) as names, watching() as watch:
        guard = _guard(names, watch.port, f"127.0.0.2:{watch.port}")
        first = await _send(guard, "rebinds.test", watch.port)
        assert (first.verdict, first.reason) == (Verdict.TRANSIENT, "provider_unreachable")  # it hangs up at once
        assert names.queries["rebinds.test"] == 1
        assert watch.tried == [("127.0.0.2", watch.port)]
        second = await _send(guard, "rebinds.test", watch.port)
        assert (second.verdict, second.reason) == _REFUSED
        assert names.queries["rebinds.test"] == 2
        assert watch.tried == [("127.0.0.2", watch.port)]


async def test_connections_that_are_kept_cost_no_lookup() -> None:
    """One lookup and one check for a hundred mails."""
    catcher = Catcher()
    async with serving(catcher) as port, name_server.serving({"mail.test": [["127.0.0.1"]]}) as names:
        given = {"host": "mail.test", "port": port, "tls": "none", "from_email": "noreply@relay.example"}
        smtp = Smtp(SmtpSettings(**given), _guard(names, port, "127.0.0.1"))  # type: ignore[arg-type]
        for _ in range(100):
            assert (await smtp.send(builders.email())).verdict is Verdict.SENT
        await smtp.close()
        assert names.queries["mail.test"] == 1
    assert len(catcher.sessions) == 1


async def test_ports(watch: Watch) -> None:
    """Mail goes to the ports of mail, and of an allowed address to those that are allowed with it."""
    other = watch.port - 1
    for guard in (_guard(None, other, "127.0.0.1"), _guard(None, other, f"127.0.0.0/8:{other}")):
        result = await _send(guard, "127.0.0.1", watch.port)
        assert (result.verdict, result.reason) == _REFUSED
    assert watch.untouched()


@pytest.mark.parametrize("allow", ["127.0.0.0/8:{}", "127.0.0.1:{}", "127.0.0.1:*", "127.0.0.1", "127.0.0.1:1-65535"])
async def test_what_the_operator_allows_is_sent(allow: str) -> None:
    """By address and port; but written in the usual way."""
    catcher = Catcher()
    async with serving(catcher) as port:
        guard = _guard(None, port, allow.format(port))
        assert (await _send(guard, "127.0.0.1", port)).verdict is Verdict.SENT
        assert (await _send(guard, "::ffff:127.0.0.1", port)).verdict is Verdict.SENT
        assert (await _send(guard, "127.1", port)).verdict is Verdict.PERMANENT
    assert len(catcher.envelopes) == 2


async def test_the_certificate_is_checked_against_the_name(tmp_path: Path) -> None:
    """Though the connection goes to an address; with a final dot, too."""
    context, pem = self_signed(tmp_path, name="mail.test")
    answers = {"mail.test": [["127.0.0.1"]], "other.test": [["127.0.0.1"]]}
    async with (
        serving(Catcher(), tls=context) as direct,
        serving(Catcher(), tls_context=context) as later,
        name_server.serving(answers) as names,
    ):
        for tls, port in (("tls", direct), ("starttls", later)):
            guard = _guard(names, port, "127.0.0.1")
            for host in ("mail.test", "mail.test."):
                sent = await _send(guard, host, port, tls=tls, ca_certificate=pem)
                assert sent.verdict is Verdict.SENT, sent
            refused = await _send(guard, "other.test", port, tls=tls, ca_certificate=pem)
            assert refused.reason == "provider_tls"


async def test_a_server_that_hangs_up_at_once_is_named() -> None:
    """With its port, which the library does not know of a socket that it is given."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        result = await _send(_guard(None, port, "127.0.0.1"), "127.0.0.1", port)
    assert result.reason == "provider_unreachable"
    assert f"Error connecting to 127.0.0.1 on port {port}: " in result.detail


async def test_a_name_that_has_no_address() -> None:
    """Is worth another try: it may have one later."""
    async with name_server.serving({"empty.test": [[]]}) as names:
        for host in ("empty.test", "unknown.test"):
            result = await _send(_guard(names, 25), host, 25)
            assert (result.verdict, result.reason) == (Verdict.TRANSIENT, "provider_unreachable")


async def test_the_machines_own_resolver(watch: Watch) -> None:
    """Leads localhost to loopback, and is not believed."""
    result = await _send(_guard(None, watch.port), "localhost", watch.port)
    assert (result.verdict, result.reason) == _REFUSED
    assert watch.untouched()
