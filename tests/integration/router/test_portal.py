"""Links to the portal and its sessions, on PostgreSQL: each link opens once, and nothing outlives its application."""

import asyncio
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.router.v1 import portal_pb2
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.portal import store as portal_store
from services.router.portal.servicer import PortalServicer
from services.router.portal.store import PortalStore
from tests.integration.ingest.processes import StartService
from tests.integration.router.endpoint_world import EndpointWorld

TENANT, OTHER = new_id(), new_id()
HOUR_S = 3600


class Portal:
    """PortalService of one router, and the applications beside it."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", connection: Client) -> None:
        self.pool = pool
        self.world = EndpointWorld(pool, connection)
        self.servicer = PortalServicer(PortalStore(pool))

    async def link(self, application_id: str, tenant_id: str = TENANT, **fields: Any) -> str:
        """Return the code of a new link."""
        wire = {"tenant_id": tenant_id, "application_id": application_id, "lasts_s": HOUR_S, **fields}
        answer = await self.servicer.CreatePortalLink(portal_pb2.CreatePortalLinkRequest(**wire), None)
        return answer.code

    async def open(self, code: str) -> portal_pb2.OpenPortalSessionResponse:
        """Open a link."""
        return await self.servicer.OpenPortalSession(portal_pb2.OpenPortalSessionRequest(code=code), None)

    async def session(self, token: str) -> portal_pb2.PortalSession:
        """Return the session of a token."""
        wire = portal_pb2.GetPortalSessionRequest(token=token)
        return (await self.servicer.GetPortalSession(wire, None)).session

    async def end_all(self) -> None:
        """Let the time of everything be over."""
        await self.pool.execute("UPDATE router.portal_access SET expires_at = now()")

    async def rows(self) -> int:
        """Return the number of stored links and sessions."""
        return int(await self.pool.fetchval("SELECT count(*) FROM router.portal_access"))


@pytest.fixture
def portal(pool: "asyncpg.Pool[asyncpg.Record]", connection: Client) -> Portal:
    """The service on a database of its own."""
    return Portal(pool, connection)


async def _refused(answer: Any, code: Code) -> None:
    with pytest.raises(ClarionError) as refusal:
        await answer
    assert refusal.value.code is code


async def test_a_link_opens_one_session(portal: Portal) -> None:
    """With its role and its end; the code is no token, and the token no code."""
    application_id = await portal.world.application(TENANT)
    before_us = clock.now_us()
    code = await portal.link(application_id, role=portal_pb2.PORTAL_ROLE_VIEWER)
    await _refused(portal.session(code), Code.UNAUTHENTICATED)
    opened = await portal.open(code)
    session = await portal.session(opened.token)
    assert session == opened.session
    assert (session.tenant_id, session.application_id) == (TENANT, application_id)
    assert session.role == portal_pb2.PORTAL_ROLE_VIEWER
    assert 0 <= session.expires_at_us - before_us - HOUR_S * 1_000_000 < 600 * 1_000_000
    for used in (code, opened.token):
        await _refused(portal.open(used), Code.UNAUTHENTICATED)


async def test_of_many_who_open_a_link_at_once_one_gets_in(portal: Portal) -> None:
    """Whatever the order of their transactions."""
    code = await portal.link(await portal.world.application(TENANT))
    results = await asyncio.gather(*(portal.open(code) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert {result.code for result in results if isinstance(result, ClarionError)} == {Code.UNAUTHENTICATED}


async def test_neither_codes_nor_tokens_are_stored(portal: Portal) -> None:
    """Whoever reads the table opens nothing with it."""
    application_id = await portal.world.application(TENANT)
    code = await portal.link(application_id)
    token = (await portal.open(await portal.link(application_id))).token
    stored = str([dict(row) for row in await portal.pool.fetch("SELECT * FROM router.portal_access")])
    assert code not in stored
    assert token not in stored


async def test_what_has_ended_opens_nothing_and_is_deleted(portal: Portal) -> None:
    """A link and a session; the next link deletes both rows."""
    application_id = await portal.world.application(TENANT)
    code = await portal.link(application_id)
    token = (await portal.open(await portal.link(application_id))).token
    await portal.end_all()
    await _refused(portal.open(code), Code.UNAUTHENTICATED)
    await _refused(portal.session(token), Code.UNAUTHENTICATED)
    await portal.link(application_id)
    assert await portal.rows() == 1


async def test_a_session_ends_when_its_visitor_leaves(portal: Portal) -> None:
    """Leaving twice is leaving."""
    token = (await portal.open(await portal.link(await portal.world.application(TENANT)))).token
    for _ in range(2):
        await portal.servicer.EndPortalSession(portal_pb2.EndPortalSessionRequest(token=token), None)
    await _refused(portal.session(token), Code.UNAUTHENTICATED)


async def test_links_and_sessions_end_with_their_application(portal: Portal) -> None:
    """Those of another application stay."""
    gone, other = await portal.world.application(TENANT), await portal.world.application(TENANT)
    code, token = await portal.link(gone), (await portal.open(await portal.link(gone))).token
    kept = (await portal.open(await portal.link(other))).token
    await portal.world.applications.delete(TENANT, gone)
    await _refused(portal.open(code), Code.UNAUTHENTICATED)
    await _refused(portal.session(token), Code.UNAUTHENTICATED)
    assert (await portal.session(kept)).application_id == other


async def test_another_tenants_application_has_no_links(portal: Portal) -> None:
    """As one that does not exist."""
    application_id = await portal.world.application(OTHER)
    await _refused(portal.link(application_id), Code.NOT_FOUND)
    await _refused(portal.link(new_id()), Code.NOT_FOUND)
    assert await portal.rows() == 0


async def test_an_application_has_a_bounded_number(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links and sessions count, what has ended does not; others are not affected."""
    monkeypatch.setattr(portal_store, "MAX_OPEN", 2)
    one, other = await portal.world.application(TENANT), await portal.world.application(TENANT)
    await portal.open(await portal.link(one))
    await portal.link(one)
    await _refused(portal.link(one), Code.CONFLICT)
    await portal.link(other)
    await portal.end_all()
    await portal.link(one)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"lasts_s": 59}, "lasts_s"),
        ({"lasts_s": 7 * 86_400 + 1}, "lasts_s"),
        ({"role": 3}, "role"),
        ({"tenant_id": "x"}, "tenant_id"),
        ({"application_id": ""}, "application_id"),
    ],
)
async def test_what_is_wrong_is_named(portal: Portal, fields: dict[str, Any], field: str) -> None:
    """The field, in its own words."""
    wire = {"tenant_id": TENANT, "application_id": new_id(), "lasts_s": HOUR_S, **fields}
    with pytest.raises(ClarionError) as refusal:
        await portal.servicer.CreatePortalLink(portal_pb2.CreatePortalLinkRequest(**wire), None)
    assert [name for name, _ in refusal.value.fields] == [field]


async def test_the_router_serves_it(start: StartService) -> None:
    """As a process, with its other services."""
    router = await start("services.router")
    with pytest.raises(ClarionError) as refusal:
        await router.call("PortalService.OpenPortalSession", portal_pb2.OpenPortalSessionRequest(code="x"))
    assert refusal.value.code is Code.UNAUTHENTICATED
