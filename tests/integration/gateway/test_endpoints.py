"""Webhooks by the admin API: a gateway before services that are played here."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import ingest_pb2, ledger_pb2
from clarion.senders.v1 import endpoints_pb2 as parking_pb2
from runtime.ids import new_id
from tests.fakes.servicer_endpoints import NOW_US, SECRET
from tests.integration.gateway.webhook_world import World, webhook_world

_URL = "https://example.com/hooks"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The gateway, two tenants, and what stands behind it."""
    async with webhook_world() as made:
        yield made


async def _create(world: World, **fields: Any) -> dict[str, Any]:
    status, made = await world.admin("POST", f"/tenants/{world.tenant}/endpoints", {"url": _URL, **fields})
    assert status == 201, made
    created: dict[str, Any] = made
    return created


async def test_an_endpoint_from_first_to_last(world: World) -> None:
    """Its secret is in the first response only; what changes says so; deleted it is gone."""
    made = await _create(world, description="Orders", metadata={"team": "a"}, config={"big": 10**20}, rate_per_s=5)
    assert made.pop("secret") == SECRET
    assert made["secrets"] == [{"last4": SECRET[-4:], "created_at": made["created_at"], "valid_until": None}]
    path = f"/tenants/{world.tenant}/endpoints/{made['id']}"
    assert await world.admin("GET", path) == (200, made)
    assert (await world.admin("GET", f"/tenants/{world.tenant}/endpoints"))[1]["data"] == [made]
    _, changed = await world.admin("PATCH", path, {"active": False, "mode": "ordered"})
    assert changed == {**made, "active": False, "mode": "ordered"}
    assert (await world.admin("DELETE", path))[0] == 204
    assert (await world.admin("GET", path))[0] == 404


async def test_what_a_change_does_not_name_is_absent_on_the_wire(world: World) -> None:
    """A PATCH of one field must not empty the others."""
    made = await _create(world)
    await world.admin("PATCH", f"/tenants/{world.tenant}/endpoints/{made['id']}", {"headers": {}})
    wire = world.router.asked[-1]
    assert [field.name for field, _ in wire.ListFields()] == ["tenant_id", "endpoint_id", "headers"]


async def test_a_secret_is_revealed_by_a_call_that_the_audit_log_has_first(world: World) -> None:
    """The entry is begun before; neither it nor the log has the secret."""
    made = await _create(world)
    status, shown = await world.admin("POST", f"/tenants/{world.tenant}/endpoints/{made['id']}/reveal-secret")
    assert (status, shown) == (200, {"secret": SECRET})
    begun, finished = world.ingest.begun[-1], world.ingest.audited[-1]
    assert begun.route.endswith("/endpoints/{endpoint_id}/reveal-secret")
    assert begun.resource == f"{world.tenant}/{made['id']}"
    assert finished.tenant_id == world.tenant
    assert SECRET not in str(begun) + str(finished)


async def test_a_rotation_names_its_overlap(world: World) -> None:
    """A day if the body does not say."""
    made = await _create(world)
    path = f"/tenants/{world.tenant}/endpoints/{made['id']}/rotate-secret"
    assert (await world.admin("POST", path, {}))[1]["secret"] == SECRET
    assert world.router.asked[-1].overlap_s == 86_400
    assert (await world.admin("POST", path, {"overlap_s": 0}))[0] == 201
    assert world.router.asked[-1].HasField("overlap_s")
    assert (await world.admin("POST", path, {"overlap_s": 7 * 86_400 + 1}))[0] == 422


async def test_a_test_event_goes_the_way_of_every_event(world: World) -> None:
    """It names the endpoint, is never a duplicate, and ingest waits for the newest change that this gateway knows."""
    made = await _create(world)
    delivery_id = new_id()
    world.ingest.result.accepted.deliveries.add(endpoint_id=made["id"], delivery_id=delivery_id)
    path = f"/tenants/{world.tenant}/endpoints/{made['id']}/test"
    status, sent = await world.admin("POST", path, {"payload": {"n": 1}})
    assert (status, sent["delivery_id"]) == (202, delivery_id)
    [item] = world.ingest.accepted
    assert item.revision == world.router.revision == 1
    assert (item.tenant_id, item.event.event_type) == (world.tenant, "endpoint.test")
    assert item.event.to_endpoints.endpoint_id == made["id"]
    assert item.event.dedupe.kind == ingest_pb2.DEDUPE_KIND_NONE
    assert json.loads(item.event.variables) == {"n": 1}


async def test_a_test_event_that_cannot_be_sent_says_why(world: World) -> None:
    """A full endpoint is a conflict, in ingest's words."""
    made = await _create(world)
    world.ingest.result.accepted.failures.add(
        endpoint_id=made["id"], reason="endpoint_backlog_full", detail="Too much waits."
    )
    status, problem = await world.admin("POST", f"/tenants/{world.tenant}/endpoints/{made['id']}/test", {})
    assert (status, problem["detail"]) == (409, "Too much waits.")


@pytest.mark.parametrize("target", ["endpoint_id", "subscribers"])
async def test_an_operator_sends_an_event_to_endpoints(world: World, target: str) -> None:
    """To one, or to those that subscribe; with labels; the answer names the deliveries and what failed."""
    made = await _create(world)
    failed, delivery_id = new_id(), new_id()
    world.ingest.result.accepted.deliveries.add(endpoint_id=made["id"], delivery_id=delivery_id)
    world.ingest.result.accepted.failures.add(endpoint_id=failed, reason="secret_unreadable", detail="No key opens it.")
    chosen = {"endpoint_id": made["id"]} if target == "endpoint_id" else {"subscribers": True}
    body = {"event_type": "a", "endpoints": chosen, "metadata": {"order": "7"}, "variables": {"n": 1}}
    status, sent = await world.admin("POST", f"/tenants/{world.tenant}/events", body)
    assert (status, sent["deliveries"]) == (202, [{"id": delivery_id, "endpoint_id": made["id"]}])
    assert sent["failures"] == [{"endpoint_id": failed, "reason": "secret_unreadable", "detail": "No key opens it."}]
    [item] = world.ingest.accepted
    assert item.revision == world.router.revision
    assert (item.event.to_endpoints.WhichOneof("to"), dict(item.event.metadata)) == (target, {"order": "7"})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"endpoints": {}}, "endpoints"),
        ({"endpoints": {"endpoint_id": new_id(), "subscribers": True}}, "endpoints"),
        ({"endpoints": {"subscribers": True}, "audience": [{"everybody": True}]}, "audience"),
        ({}, "audience"),
        ({"endpoints": {"subscribers": True}, "metadata": {str(n): "" for n in range(6)}}, "metadata"),
    ],
)
async def test_an_event_has_people_or_endpoints(world: World, fields: dict[str, Any], field: str) -> None:
    """Not both, and not none."""
    status, problem = await world.admin("POST", f"/tenants/{world.tenant}/events", {"event_type": "a", **fields})
    assert (status, problem["errors"][0]["field"]) == (422, field)
    assert not world.ingest.accepted


async def test_subscriptions_are_made_by_the_names_of_types(world: World) -> None:
    """With a filter; null removes it; without the field it stays."""
    made = await _create(world)
    types = f"/tenants/{world.tenant}/event-types"
    _, kind = await world.admin("POST", types, {"name": "order.shipped", "description": "It left."})
    assert (await world.admin("POST", types, {"name": "order.shipped"}))[0] == 409
    path = f"/tenants/{world.tenant}/endpoints/{made['id']}/subscriptions"
    rule = {">": [{"var": "payload.total"}, 10**20]}
    status, told = await world.admin("POST", path, {"event_types": ["order.shipped"], "filter": rule})
    assert (status, told["subscribed"], told["data"][0]["filter"]) == (200, 1, rule)
    assert told["data"][0]["event_type_id"] == kind["id"]
    _, told = await world.admin("POST", path, {"event_types": ["order.shipped"]})
    assert (told["subscribed"], told["data"][0]["filter"]) == (0, rule)
    _, told = await world.admin("POST", path, {"event_types": ["order.shipped"], "filter": None})
    assert told["data"][0]["filter"] is None
    assert (await world.admin("POST", path, {"event_types": ["order.lost"]}))[0] == 404
    assert (await world.admin("DELETE", f"{path}/{kind['id']}"))[0] == 204
    assert (await world.admin("GET", path))[1]["data"] == []


async def test_every_change_raises_the_revision_that_events_carry(world: World) -> None:
    """Also a subscription and a deleted type: the next event waits for them."""
    made = await _create(world)
    type_id = world.router.add_type(world.tenant, "a")
    subscriptions = f"/tenants/{world.tenant}/endpoints/{made['id']}/subscriptions"
    for method, path, body in (
        ("POST", subscriptions, {"event_types": ["a"]}),
        ("DELETE", f"{subscriptions}/{type_id}", None),
        ("DELETE", f"/tenants/{world.tenant}/event-types/{type_id}", None),
        ("PATCH", f"/tenants/{world.tenant}/endpoints/{made['id']}", {"active": True}),
        ("POST", f"/tenants/{world.tenant}/endpoints/{made['id']}/rotate-secret", {}),
    ):
        assert (await world.admin(method, path, body))[0] < 300
        await world.admin("POST", f"/tenants/{world.tenant}/endpoints/{made['id']}/test", {})
        assert world.ingest.accepted[-1].revision == world.router.revision


async def test_environments_and_applications(world: World) -> None:
    """As the tenant's own servers manage them."""
    environments = f"/tenants/{world.tenant}/environments"
    _, staging = await world.admin("POST", environments, {"name": "Staging", "slug": "staging"})
    assert staging["slug"] == "staging"
    type_id = world.router.add_type(world.tenant, "order.shipped", published=False)
    shown = f"{environments}/{staging['id']}/event-types"
    assert [one["published"] for one in (await world.admin("GET", shown))[1]["data"]] == [False]
    assert (await world.admin("PUT", f"{shown}/{type_id}", {"published": True}))[1]["published"] is True
    assert (await world.admin("DELETE", f"{environments}/{staging['id']}"))[0] == 409

    applications = f"/tenants/{world.tenant}/applications"
    _, walnut = await world.admin("POST", applications, {"name": "Walnut", "max_endpoints": 3})
    assert walnut["max_endpoints"] == 3
    _, changed = await world.admin("PATCH", f"{applications}/{walnut['id']}", {"max_endpoints": None})
    assert changed["max_endpoints"] is None
    await world.admin("POST", applications, {"name": "Oak"})
    _, first = await world.admin("GET", f"{applications}?limit=1")
    _, second = await world.admin("GET", f"{applications}?limit=1&cursor={first['next_cursor']}")
    assert [page["data"][0]["name"] for page in (first, second)] == ["Walnut", "Oak"]
    assert (await world.admin("DELETE", f"{applications}/{walnut['id']}"))[0] == 204


async def test_how_an_endpoint_is_doing(world: World) -> None:
    """Breaker, what waits, skipping, probing."""
    made = await _create(world)
    path = f"/tenants/{world.tenant}/endpoints/{made['id']}"
    world.senders.state.CopyFrom(
        parking_pb2.GetEndpointStateResponse(
            state=parking_pb2.BREAKER_STATE_OPEN, since_us=NOW_US, parked=7, oldest_us=NOW_US
        )
    )
    _, state = await world.admin("GET", path + "/state")
    assert (state["state"], state["parked"], state["next_probe_at"]) == ("open", 7, None)
    world.senders.parked.append(
        parking_pb2.ParkedDelivery(
            delivery_id=new_id(), event_id=new_id(), event_type="a", reason="endpoint_down", attempt=2
        )
    )
    assert (await world.admin("GET", path + "/parked"))[1]["data"][0]["reason"] == "endpoint_down"
    assert (await world.admin("POST", path + "/parked/skip", {"first": True}))[1] == {"skipped": 1}
    for body in ({}, {"first": True, "all": True}, {"delivery_ids": [new_id()], "all": True}):
        assert (await world.admin("POST", path + "/parked/skip", body))[0] == 422
    assert (await world.admin("POST", path + "/probe"))[0] == 204
    assert {one.endpoint_id for one in world.senders.asked} == {made["id"]}


_HTTP = trace_pb2.HttpExchange(
    url="https://user:hidden1@example.com/hooks?token=hidden2&plain",
    status=500,
    headers=[
        trace_pb2.HttpHeader(name="content-type", value="text/html"),
        trace_pb2.HttpHeader(name="Set-Cookie", value="session=hidden3"),
    ],
    body=b"no\xff<script>",
    is_cut=True,
)


async def test_deliveries_and_their_attempts_show_no_secrets(world: World) -> None:
    """Filtered as asked; the exchange is on the timeline too."""
    made = await _create(world)
    delivery_id = world.ingest.add_delivery(world.tenant, made["id"], metadata={"order": "7"}, parked="endpoint_down")
    world.ingest.attempts.append(
        ledger_pb2.Attempt(
            id=new_id(), attempt=1, status=trace_pb2.DELIVERY_STATUS_DEAD, reason="endpoint_error", http=_HTTP
        )
    )
    query = f"?status=dead&event_type=order.shipped&since=2026-01-01&metadata={quote(json.dumps({'order': '7'}))}"
    _, page = await world.admin("GET", f"/tenants/{world.tenant}/endpoints/{made['id']}/deliveries{query}")
    assert [one["parked"] for one in page["data"]] == ["endpoint_down"]
    wire = world.ingest.asked[-1]
    assert (dict(wire.metadata), list(wire.statuses)) == ({"order": "7"}, [trace_pb2.DELIVERY_STATUS_DEAD])
    assert (await world.admin("GET", f"/tenants/{world.tenant}/deliveries"))[1]["data"] == page["data"]

    _, attempts = await world.admin("GET", f"/tenants/{world.tenant}/deliveries/{delivery_id}/attempts")
    [http] = [one["http"] for one in attempts["data"]]
    assert http == {
        "url": "https://example.com/hooks?token=***&***",
        "status": 500,
        "headers": [{"name": "content-type", "value": "text/html"}, {"name": "Set-Cookie", "value": "***"}],
        "body": "no\ufffd<script>",
        "is_cut": True,
    }
    _, delivery = await world.admin("GET", f"/deliveries/{delivery_id}")
    assert (delivery["endpoint_id"], delivery["timeline"][0]["http"]) == (made["id"], http)


@pytest.mark.parametrize(
    "metadata", ["x", "[]", "{}", '{"a": 1}', json.dumps({str(n): "" for n in range(6)}), "{" * 500]
)
async def test_labels_that_are_none_are_refused(world: World, metadata: str) -> None:
    """They are a JSON object of texts, as many as an event may have."""
    status, problem = await world.admin("GET", f"/tenants/{world.tenant}/deliveries?metadata={quote(metadata)}")
    assert (status, problem["errors"][0]["field"]) == (422, "metadata")


async def test_sending_again(world: World) -> None:
    """One delivery; what ended so since a time; old events to a new subscription."""
    made = await _create(world)
    delivery_id = world.ingest.add_delivery(world.tenant, made["id"])
    path = f"/tenants/{world.tenant}/deliveries/{delivery_id}/retry"
    assert (await world.admin("POST", path))[1]["status"] == "queued"
    assert (await world.admin("POST", path))[0] == 409
    endpoint = f"/tenants/{world.tenant}/endpoints/{made['id']}"
    _, replay = await world.admin("POST", endpoint + "/recover", {"since": "2026-04-22", "status": "failed"})
    assert (replay["endpoint_id"], replay["status"]) == (made["id"], "failed")
    _, replay = await world.admin("POST", endpoint + "/backfill", {"since": "2026-04-22", "event_type": "a"})
    assert (replay["status"], replay["event_type"]) == ("all", "a")
    assert world.ingest.asked[-1].status == trace_pb2.DELIVERY_STATUS_UNSPECIFIED


_RATE = {"window_s": 60, "bound": 10, "kind": "sliding"}


async def test_keys_for_endpoints(world: World) -> None:
    """A kind, a prefix, endpoints and rates; disabled and enabled again."""
    made = await _create(world)
    new = {"name": "k", "kind": "api", "prefix": "whk_", "endpoint_ids": [made["id"]], "rates": [_RATE]}
    status, key = await world.admin("POST", f"/tenants/{world.tenant}/keys", new)
    assert (status, key["api_key"][:4], key["rates"], key["disabled"]) == (201, "whk_", [_RATE], False)
    path = f"/tenants/{world.tenant}/keys/{key['id']}"
    assert (await world.admin("PATCH", path, {"disabled": True}))[1]["disabled"] is True
    assert not world.ingest.asked[-1].HasField("rates")
    for rates in ([], [_RATE]):
        assert (await world.admin("PATCH", path, {"rates": rates}))[0] == 200
        assert len(world.ingest.asked[-1].rates.rates) == len(rates)


@pytest.mark.parametrize("kind", ["poll", "nahook_management"])
async def test_a_key_that_sends_nothing_has_no_rates(world: World, kind: str) -> None:
    """Rates for such a key are refused: no limit would be applied."""
    path = f"/tenants/{world.tenant}/keys"
    status, problem = await world.admin("POST", path, {"name": "k", "kind": kind, "rates": [_RATE]})
    assert (status, [one["field"] for one in problem["errors"]]) == (422, ["rates"])
    assert not world.ingest.asked
    _, key = await world.admin("POST", path, {"name": "k", "kind": kind})
    status, problem = await world.admin("PATCH", f"{path}/{key['id']}", {"rates": [_RATE]})
    assert (status, [one["field"] for one in problem["errors"]]) == (422, ["rates"])
    assert (await world.admin("PATCH", f"{path}/{key['id']}", {"rates": []}))[0] == 200


async def test_scopes_that_are_environments_are_their_ids(world: World) -> None:
    """A key with any other scope would send to nobody."""
    path = f"/tenants/{world.tenant}/keys"
    for scope in ("live", "env_" + "0" * 32, new_id().upper()):
        new = {"name": "k", "kind": "nahook", "scopes": [new_id(), scope]}
        status, problem = await world.admin("POST", path, new)
        assert (status, [one["field"] for one in problem["errors"]]) == (422, ["scopes[1]"])
    for kind, scope in (("nahook", new_id()), ("api", "live")):
        assert (await world.admin("POST", path, {"name": "k", "kind": kind, "scopes": [scope]}))[0] == 201


async def test_renewing_secrets_counts_those_of_endpoints(world: World) -> None:
    """With the ids of those that no key opens."""
    _, renewed = await world.admin("POST", "/encryption/renew")
    assert (renewed["endpoints"]["renewed"], len(renewed["endpoints"]["unreadable"])) == (1, 1)


async def test_another_tenants_ids_are_not_there(world: World) -> None:
    """Whatever is asked of an endpoint, a delivery, a type or an application under another tenant's path is 404."""
    made = await _create(world)
    delivery_id = world.ingest.add_delivery(world.tenant, made["id"])
    type_id = world.router.add_type(world.tenant, "a")
    application_id = world.router.add_application(world.tenant)
    before = len(world.router.asked), len(world.senders.asked)
    for method, path, body in (
        *endpoint_calls(made["id"], type_id),
        ("GET", f"deliveries/{delivery_id}/attempts", None),
        ("POST", f"deliveries/{delivery_id}/retry", None),
        ("GET", f"event-types/{type_id}", None),
        ("PATCH", f"event-types/{type_id}", {"description": "x"}),
        ("DELETE", f"event-types/{type_id}", None),
        ("GET", f"applications/{application_id}", None),
        ("PATCH", f"applications/{application_id}", {}),
        ("DELETE", f"applications/{application_id}", None),
        ("POST", f"applications/{application_id}/portal", {}),
    ):
        status, _ = await world.admin(method, f"/tenants/{world.other}/{path}", body)
        assert status == 404, (method, path)
    assert (len(world.router.asked), len(world.senders.asked)) == before
    _, page = await world.admin("GET", f"/tenants/{world.other}/endpoints/{made['id']}/deliveries")
    assert page["data"] == []
    assert world.router.endpoints[made["id"]].active


async def test_ids_that_cannot_exist_are_not_found(world: World) -> None:
    """Before any service is asked."""
    for path in ("endpoints/x", "endpoints/A%00", "event-types/x", "environments/x", "applications/x"):
        assert (await world.admin("GET", f"/tenants/{world.tenant}/{path}"))[0] == 404
    unknown = f"/tenants/{new_id()}/endpoints"
    assert (await world.admin("POST", unknown, {"url": _URL}))[0] == 404


def endpoint_calls(endpoint_id: str, type_id: str) -> list[tuple[str, str, Any]]:
    """Return method, path and body of the calls of an endpoint. The path begins after that of the tenant."""
    path = f"endpoints/{endpoint_id}"
    return [
        ("GET", path, None),
        ("PATCH", path, {"active": False}),
        ("DELETE", path, None),
        ("POST", f"{path}/rotate-secret", {}),
        ("POST", f"{path}/reveal-secret", None),
        ("GET", f"{path}/subscriptions", None),
        ("POST", f"{path}/subscriptions", {"event_types": ["a"]}),
        ("DELETE", f"{path}/subscriptions/{type_id}", None),
        ("GET", f"{path}/state", None),
        ("GET", f"{path}/parked", None),
        ("POST", f"{path}/parked/skip", {"all": True}),
        ("POST", f"{path}/probe", None),
        ("POST", f"{path}/poll", {}),
        ("POST", f"{path}/recover", {"since": "2026-04-22"}),
        ("POST", f"{path}/backfill", {"since": "2026-04-22"}),
    ]
