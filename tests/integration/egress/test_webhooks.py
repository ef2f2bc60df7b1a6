"""Webhooks: nothing is connected to that the operator did not allow, however a tenant writes an endpoint's address."""

from collections.abc import AsyncIterator

import pytest

from services.delivery.ports import Verdict
from tests.integration.egress import name_server
from tests.integration.egress.corpus import HARMLESS, MORE_NAMES, NAMES, REDIRECTS
from tests.integration.egress.name_server import Names
from tests.integration.egress.watch import Watch, watching
from tests.integration.egress.webhooks import connecting_nowhere, hostile, is_refused, public_names, sending
from tests.integration.senders.webhooks.receivers import answering, receiving

_PORT = 54_321


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """Whether anything is connected to."""
    async with watching() as watch:
        yield watch


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    """A name server that knows the corpus."""
    async with name_server.serving({**NAMES, **MORE_NAMES}) as names:
        yield names


def test_the_corpus_is_large_enough() -> None:
    """Nobody shortens it unseen."""
    urls = hostile(_PORT)
    assert len(set(urls)) == len(urls) >= 200
    assert len(set(HARMLESS)) == len(HARMLESS) >= 30


@pytest.mark.parametrize("number", range(len(hostile(_PORT))), ids=[ascii(url) for url in hostile(_PORT)])
async def test_an_address_that_is_not_allowed_is_not_called(number: int, watch: Watch, names: Names) -> None:
    """A permanent failure with a plain reason, and no connection of any kind."""
    async with sending(names, watch.port) as attempt:
        result = await attempt(hostile(watch.port)[number])
    assert is_refused(result), result
    assert "internal-secret" not in result.detail
    assert watch.untouched()


@pytest.mark.parametrize("url", HARMLESS, ids=ascii)
async def test_a_public_address_is_called(url: str) -> None:
    """Nothing that is well meant is refused: a connection to a public address is attempted."""
    with connecting_nowhere() as tried:
        async with sending(public_names) as attempt:
            result = await attempt(url)
    assert (result.verdict, result.reason) == (Verdict.TRANSIENT, "endpoint_unreachable"), result
    assert len(tried) == 1


@pytest.mark.parametrize("location", REDIRECTS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int, location: str, watch: Watch, names: Names) -> None:
    """It is an answer that is no success."""
    where = location.format(port=watch.port)
    answer = f"HTTP/1.1 {status} Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()
    async with (
        receiving(answering(answer)) as receiver,
        sending(names, watch.port, allow=(f"127.0.0.1:{receiver.port}",)) as attempt,
    ):
        result = await attempt(receiver.url)
        assert (result.verdict, result.reason) == (Verdict.TRANSIENT, "endpoint_error")
        assert len(receiver.requests) == 1
    assert watch.accepted == []
    assert watch.tried == [("127.0.0.1", receiver.port)]


async def test_a_name_server_that_changes_its_answer_leads_nowhere_else(watch: Watch) -> None:
    """The connection goes to the address that was checked; the next connection is checked again."""
    answers = {"rebinds.test": [["127.0.0.2"], ["127.0.0.3"], ["93.184.215.14", "127.0.0.3"]]}
    async with (
        name_server.serving(answers) as names,
        sending(names, watch.port, allow=(f"127.0.0.2:{watch.port}",)) as attempt,
    ):
        url = f"http://rebinds.test:{watch.port}/"
        assert (await attempt(url)).reason in {"endpoint_error", "endpoint_unreachable"}  # it speaks no HTTP
        assert watch.tried == [("127.0.0.2", watch.port)]
        assert is_refused(await attempt(url))
        assert is_refused(await attempt(url))
        assert watch.tried == [("127.0.0.2", watch.port)]
        assert names.queries["rebinds.test"] == 3


async def test_a_refusal_does_not_tell_where_a_name_leads(watch: Watch, names: Names) -> None:
    """The tenant who chose the name must not learn an internal network by it."""
    async with sending(names, watch.port) as attempt:
        result = await attempt(f"http://private.test:{watch.port}/")
    assert "10.0.0.1" not in result.detail
    assert "CLARION_EGRESS_WEBHOOK_ALLOW" in result.detail
