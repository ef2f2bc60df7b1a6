"""Events for an audience, and runs: a real gateway before the router's RunService on a real database.

The other services behind it are played here: ingest answers what a test wants.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import error_pb2, event_pb2
from clarion.ingest.v1 import audit_pb2_grpc, ingest_pb2, ingest_pb2_grpc, ledger_pb2_grpc, tenants_pb2_grpc
from clarion.router.v1 import runs_pb2_grpc
from runtime import grpc, nats, postgres
from runtime.configuration import ConfigurationOutbox
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.domain.trace import TraceWriter
from services.router.ports import NewRun
from services.router.runs.servicer import RUN_SERVICE, RunServicer
from services.router.runs.store import RunStore
from services.router.workflow_runs.store import WorkflowRunStore
from tests.conftest import free_port
from tests.exchanges import described
from tests.fakes.servicer_ingest import Ingest
from tests.integration.gateway.alone import alone
from tests.streams import Streams

TENANT, OTHER = new_id(), new_id()
NOW_US = 1_800_000_000_000_000
HEADERS = {"Authorization": "Bearer an-admin-token-of-tests"}

Call = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
def ingest() -> Ingest:
    """Accepts everything."""
    accepted = ingest_pb2.Accepted(event_id=new_id())
    return Ingest(  # type: ignore[abstract]  # the other methods are never called
        tenants={TENANT, OTHER}, result=ingest_pb2.AcceptResult(accepted=accepted)
    )


@pytest.fixture
async def pool(postgres_url: str) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    """The router's."""
    made = await postgres.connect(postgres_url, name="test", size=4, bitmap_scans=False)
    yield made
    await made.close()


@pytest.fixture
def store(pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, streams: Streams) -> RunStore:
    """The router's."""
    return RunStore(pool, ConfigurationOutbox(pool, "router", connection))


@pytest.fixture
async def call(
    ingest: Ingest, pool: "asyncpg.Pool[asyncpg.Record]", store: RunStore, connection: Client, tmp_path: Path
) -> AsyncIterator[Call]:
    """Return what calls the admin API, and returns status and body."""
    address = f"127.0.0.1:{free_port()}"
    server = grpc.GrpcServer(address, token="a-service-token-of-tests")
    for add, service in (
        (ingest_pb2_grpc.add_IngestServiceServicer_to_server, "clarion.ingest.v1.IngestService"),
        (ledger_pb2_grpc.add_LedgerServiceServicer_to_server, "clarion.ingest.v1.LedgerService"),
        (tenants_pb2_grpc.add_TenantServiceServicer_to_server, "clarion.ingest.v1.TenantService"),
        (audit_pb2_grpc.add_AuditServiceServicer_to_server, "clarion.ingest.v1.AuditService"),
    ):
        server.add(add, ingest, service)
    trace = TraceWriter(nats.StreamPublisher(connection))
    runs = RunServicer(store, WorkflowRunStore(pool), lambda: None, trace, now=lambda: NOW_US)
    server.add(runs_pb2_grpc.add_RunServiceServicer_to_server, runs, RUN_SERVICE)
    await server.start()
    addresses = {"CLARION_INGEST_ADDRESS": address, "CLARION_ROUTER_ADDRESS": address}
    try:
        async with (
            alone(tmp_path, **addresses) as gateway,
            aiohttp.ClientSession(gateway.url, headers=HEADERS, middlewares=(described,)) as session,
        ):

            async def send(method: str, path: str, body: object = None) -> tuple[int, Any]:
                async with session.request(method, f"/api/v1/admin{path}", json=body) as answer:
                    return answer.status, await answer.json(content_type=None)

            yield send
    finally:
        await server.stop(0)


async def _begin(store: RunStore, *, tenant_id: str = TENANT, due_in_s: int = 60) -> str:
    """Store a run for a group; return its event's id."""
    event = event_pb2.Event(
        id=new_id(),
        tenant_id=tenant_id,
        event_type="news",
        audience=[event_pb2.Target(group="g")],
        due_at_us=NOW_US + due_in_s * 1_000_000,
    )
    await store.begin([NewRun(event, 1)], NOW_US)
    return event.id


async def test_an_event_for_an_audience(call: Call, ingest: Ingest) -> None:
    """All that its body says reaches ingest; the answer has the receipt; the audit log has the event's tenant."""
    ingest.result.accepted.limits.append(
        error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_SLIDING, window_s=60, bound=100, remaining=99)
    )
    status, body = await call(
        "POST",
        f"/tenants/{TENANT}/events",
        {
            "event_type": "news",
            "audience": [
                {"recipient": {"user_id": "u1", "email": "ada@example.com", "locale": "de", "timezone": "Europe/Rome"}},
                {"recipient_id": "u2"},
                {"group": "readers"},
                {"everybody": True},
            ],
            "exclusions": [{"recipient_id": "u3"}, {"group": "staff"}],
            "due_at": "2027-01-15T08:00:00Z",
            "variables": {"b": 1, "a": 2},
            "payload": {"x": "y"},
            "channels": ["EMAIL"],
            "scope": "test",
            "idempotency_key": "news-17",
        },
    )
    accepted = ingest.result.accepted
    limit = {"kind": "sliding", "scope": None, "window_s": 60, "bound": 100, "remaining": 99, "reset_s": None}
    shown = {"event_id": accepted.event_id, "duplicate": False, "differs": False, "limits": [limit]}
    assert (status, body) == (202, {**shown, "deliveries": [], "failures": []})
    (item,) = ingest.accepted
    ada = event_pb2.Recipient(user_id="u1", email="ada@example.com", locale="de", timezone="Europe/Rome")
    expected = ingest_pb2.NewEvent(
        event_type="news",
        variables=b'{"b":1,"a":2}',
        payload_extra=b'{"x":"y"}',
        channels=[event_pb2.CHANNEL_EMAIL],
        trace_id=item.event.trace_id,
        audience=[
            event_pb2.Target(recipient=ada),
            event_pb2.Target(recipient_id="u2"),
            event_pb2.Target(group="readers"),
            event_pb2.Target(everybody=event_pb2.Everybody()),
        ],
        exclusions=[event_pb2.Target(recipient_id="u3"), event_pb2.Target(group="staff")],
        scope="test",
        due_at_us=1_800_000_000_000_000,
        dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key="news-17"),
    )
    assert (item.tenant_id, item.event) == (TENANT, expected)
    assert [(one.tenant_id, one.status) for one in ingest.audited] == [(TENANT, 202)]


async def test_an_event_without_a_key_is_never_a_duplicate(call: Call, ingest: Ingest) -> None:
    """Two calls are two events."""
    await call("POST", f"/tenants/{TENANT}/events", {"event_type": "news", "audience": [{"everybody": True}]})
    assert ingest.accepted[0].event.dedupe.kind == ingest_pb2.DEDUPE_KIND_NONE


async def test_ingests_refusal_names_the_fields_of_this_api(call: Call, ingest: Ingest) -> None:
    """422 with them; a limit is 429 with the seconds to wait."""
    wrong = ClarionError(Code.INVALID, "due_at_us must be …", fields=[("due_at_us", "must be at most a year ahead")])
    ingest.result.error.CopyFrom(wrong.to_proto())
    body = {"event_type": "news", "audience": [{"group": "g"}]}
    status, problem = await call("POST", f"/tenants/{TENANT}/events", body)
    assert (status, problem["errors"]) == (422, [{"field": "due_at", "detail": "must be at most a year ahead"}])
    assert problem["detail"] == "due_at must be at most a year ahead"
    ingest.result.error.CopyFrom(ClarionError(Code.LIMITED, "Too many.", retry_after=7).to_proto())
    status, problem = await call("POST", f"/tenants/{TENANT}/events", body)
    assert (status, problem["retry_after"]) == (429, 7)


# What is wrong with an event, and the field that the answer names.
_WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"audience": []}, "audience"),
    ({"audience": [{"group": "g"}] * 101}, "audience"),
    ({"audience": [{"group": "g"}, {}]}, "audience[1]"),
    ({"audience": [{"group": "g", "everybody": True}]}, "audience[0]"),
    ({"audience": [{"recipient": {"mail": "x"}}]}, "audience[0].recipient.mail"),
    ({"exclusions": [{}]}, "exclusions[0]"),
    ({"due_at": "tomorrow"}, "due_at"),
    ({"channels": ["FAX"]}, "channels[0]"),
    ({"variables": {"x": "y" * 300_000}}, "body"),
)


async def test_what_is_wrong_is_named(call: Call, ingest: Ingest) -> None:
    """422, and ingest is not asked. One gateway for all: each start of one takes seconds."""
    for change, wrong in _WRONG:
        body = {"event_type": "news", "audience": [{"group": "g"}], **change}
        status, problem = await call("POST", f"/tenants/{TENANT}/events", body)
        assert (status, [fault["field"] for fault in problem["errors"]]) == (422, [wrong]), wrong
        assert ingest.accepted == []


async def test_an_unknown_or_inactive_tenant_sends_nothing(call: Call, ingest: Ingest) -> None:
    """404 and 409, and ingest is not given the event."""
    body = {"event_type": "n", "audience": [{"group": "g"}]}
    assert (await call("POST", f"/tenants/{new_id()}/events", body))[0] == 404
    ingest.inactive.add(TENANT)
    status, problem = await call("POST", f"/tenants/{TENANT}/events", body)
    assert (status, problem["detail"]) == (409, "The tenant is not active. Activate it to send events.")
    assert ingest.accepted == []


async def test_a_time_before_1970_is_at_once(call: Call, ingest: Ingest) -> None:
    """As any time that has passed."""
    for due_at in ("1969-12-31T23:00:00Z", "1970-01-01", "0001-01-01"):
        body = {"event_type": "n", "audience": [{"group": "g"}], "due_at": due_at}
        assert (await call("POST", f"/tenants/{TENANT}/events", body))[0] == 202
        assert ingest.accepted.pop().event.due_at_us == 0


async def test_runs_are_listed_and_shown(call: Call, store: RunStore) -> None:
    """By tenant and state, page by page; one with its progress."""
    mine = [await _begin(store) for _ in range(3)]
    foreign = await _begin(store, tenant_id=OTHER)
    status, first = await call("GET", f"/runs?tenant_id={TENANT}&limit=2")
    _, rest = await call("GET", f"/runs?tenant_id={TENANT}&limit=2&cursor={first['next_cursor']}")
    assert (status, len(first["data"])) == (200, 2)
    assert {one["event_id"] for one in first["data"] + rest["data"]} == set(mine)
    _, waiting = await call("GET", "/runs?state=waiting")
    assert {one["event_id"] for one in waiting["data"]} == {*mine, foreign}
    assert (await call("GET", "/runs?state=done"))[1]["data"] == []
    assert (await call("GET", "/runs?state=asleep"))[0] == 422
    status, run = await call("GET", f"/events/{mine[0]}/run")
    assert status == 200
    assert run == {
        "event_id": mine[0],
        "tenant_id": TENANT,
        "event_type": "news",
        "scope": None,
        "state": "waiting",
        "due_at": "2027-01-15T08:01:00.000000Z",
        "recipients": 0,
        "sends": 0,
        "skips": 0,
        "open_workflow_runs": 0,
        "held_back": None,
        "created_at": "2027-01-15T08:00:00.000000Z",
        "updated_at": "2027-01-15T08:00:00.000000Z",
    }
    for unknown in (new_id(), "x"):
        assert (await call("GET", f"/events/{unknown}/run"))[0] == 404


async def test_a_run_is_paused_and_resumed(call: Call, ingest: Ingest, store: RunStore) -> None:
    """Twice is a conflict; both are in the audit log of the run's tenant."""
    event_id = await _begin(store)
    states = []
    for change in ("pause", "pause", "resume", "resume"):
        status, body = await call("POST", f"/events/{event_id}/run/{change}")
        states.append((status, body.get("state")))
    assert states == [(200, "paused"), (409, None), (200, "waiting"), (409, None)]
    assert [one.tenant_id for one in ingest.audited if one.status == 200] == [TENANT, TENANT]
    assert (await call("POST", f"/events/{new_id()}/run/pause"))[0] == 404


async def test_an_event_is_canceled(call: Call, ingest: Ingest, store: RunStore, streams: Streams) -> None:
    """With a run, without one, and before the ledger knows it; repeated, nothing changes; not another tenant's."""
    with_run, without, foreign = await _begin(store), new_id(), new_id()
    ingest.events = {with_run: TENANT, without: TENANT, foreign: OTHER}
    for _ in range(2):
        status, body = await call("POST", f"/tenants/{TENANT}/events/{with_run}/cancel")
        assert (status, body["event_id"], body["run"]["state"]) == (200, with_run, "canceled")
    for event_id in (without, new_id()):
        assert await call("POST", f"/tenants/{TENANT}/events/{event_id}/cancel") == (
            200,
            {"event_id": event_id, "run": None},
        )
    assert (await call("POST", f"/tenants/{TENANT}/events/{foreign}/cancel"))[0] == 404
    assert (await call("POST", f"/tenants/{OTHER}/events/{with_run}/cancel"))[0] == 404
    assert (await call("POST", f"/tenants/{TENANT}/events/x/cancel"))[0] == 404
    assert len(await streams.messages(topology.TRACE)) == 2
