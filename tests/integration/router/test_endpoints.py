"""EndpointService and CatalogService on a router process: what is stored, shown, hidden and refused."""

from typing import Any

import pytest
from google.protobuf.message import Message
from nats.aio.client import Client

from clarion.router.v1 import catalogs_pb2, endpoints_pb2
from runtime.bucket import ConfigurationBucket
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.domain.endpoints import Endpoint, decode_endpoint, event_type_id
from tests.integration.ingest.processes import ENCRYPTION_KEY, Service, StartService

TENANT, OTHER = new_id(), new_id()
URL = "https://shop.example/hook?v=1"
WANTED = "whsec_dGVzdF93ZWJob29rX3NpZ25pbmdfa2V5XzMyYnl0ZXMh"
POLLED, ORDERED = endpoints_pb2.ENDPOINT_MODE_POLLED, endpoints_pb2.ENDPOINT_MODE_ORDERED
SLACK = endpoints_pb2.ENDPOINT_KIND_SLACK


class RouterClient:
    """Calls a router for one tenant."""

    def __init__(self, router: Service, connection: Client) -> None:
        self.router = router
        self._bucket = ConfigurationBucket(connection)

    async def endpoints(self, method: str, tenant_id: str = TENANT, **fields: Any) -> Any:
        """Call a method of EndpointService."""
        request = getattr(endpoints_pb2, f"{method}Request")(tenant_id=tenant_id, **fields)
        return await self.router.call(f"EndpointService.{method}", request)

    async def catalogs(self, method: str, tenant_id: str = TENANT, **fields: Any) -> Any:
        """Call a method of CatalogService."""
        request = getattr(catalogs_pb2, f"{method}Request")(tenant_id=tenant_id, **fields)
        return await self.router.call(f"CatalogService.{method}", request)

    async def create(self, tenant_id: str = TENANT, *, secret: str = "", password: str = "", **fields: Any) -> Any:
        """Create an endpoint; return the whole answer."""
        wanted = endpoints_pb2.Endpoint(**{"url": URL, **fields})
        return await self.endpoints("CreateEndpoint", tenant_id, endpoint=wanted, secret=secret, auth_password=password)

    async def application(self, tenant_id: str = TENANT, **fields: Any) -> Any:
        """Create an application; return it."""
        wanted = catalogs_pb2.Application(**{"tenant_id": tenant_id, "name": "Acme", **fields})
        request = catalogs_pb2.CreateApplicationRequest(application=wanted)
        return (await self.router.call("CatalogService.CreateApplication", request)).application

    async def event_type(self, name: str, tenant_id: str = TENANT) -> str:
        """Create an event type; return its id."""
        return str((await self.catalogs("CreateEventType", tenant_id, name=name)).event_type.id)

    async def published(self, endpoint_id: str) -> tuple[Endpoint, int]:
        """Return an endpoint as published, and the revision of its key."""
        entry = await self._bucket.newest(topology.endpoint_key(TENANT, endpoint_id))
        return decode_endpoint(entry.value or b""), entry.revision


@pytest.fixture
async def client(start: StartService, connection: Client) -> RouterClient:
    """Calls one router."""
    return RouterClient(await start("services.router"), connection)


async def _refused(call: Any, code: Code, *fields: str) -> ClarionError:
    with pytest.raises(ClarionError) as fault:
        await call
    assert fault.value.code is code, fault.value
    assert [field for field, _ in fault.value.fields] == list(fields)
    return fault.value


async def test_an_endpoint_is_stored_published_and_shown_without_its_secrets(client: RouterClient) -> None:
    """The bucket holds ciphertext, which the vault opens in the endpoint's own context only."""
    made = await client.create(
        description="orders",
        metadata={"team": "a"},
        config=b' {"z": 1} ',
        headers={"X-Team": "blue"},
        auth_username="ada",
        password="pa:ss",
        secret=WANTED,
        mode=ORDERED,
        batch_size=10,
        rate_per_s=5,
        retry_delays_s=[1, 60],
    )
    shown = made.endpoint
    assert made.secret == WANTED
    assert (shown.url, shown.active, shown.revision, shown.config) == (URL, True, 1, b'{"z":1}')
    assert dict(shown.headers) == {"X-Team": "***"}
    assert [one.last4 for one in shown.secrets] == ["ZXMh"]
    assert shown == (await client.endpoints("GetEndpoint", endpoint_id=shown.id)).endpoint
    published, revision = await client.published(shown.id)
    assert made.revision == revision
    assert (published.url, published.mode, published.batch_size, published.rate_per_s) == (URL, "ordered", 10, 5)
    assert (published.retry_delays_s, published.config, published.kind) == ((1, 60), {"z": 1}, "webhook")
    vault = Vault(ENCRYPTION_KEY)
    assert published.headers(vault, TENANT) == {"X-Team": "blue"}
    assert published.auth(vault, TENANT) == "ada:pa:ss"
    assert published.secrets[0].open(vault, TENANT, shown.id) == WANTED
    for tenant_id, endpoint_id in ((OTHER, shown.id), (TENANT, new_id())):
        with pytest.raises(ValueError, match="no encryption key"):
            published.secrets[0].open(vault, tenant_id, endpoint_id)


async def test_an_update_changes_what_is_present(client: RouterClient) -> None:
    """Kept headers and passwords stay as they were; a new user name keeps the password."""
    made = (await client.create(headers={"X-A": "1", "X-B": "2"}, auth_username="ada", password="secret")).endpoint
    vault = Vault(ENCRYPTION_KEY)

    async def update(**fields: Any) -> Any:
        answer = await client.endpoints("UpdateEndpoint", endpoint_id=made.id, **fields)
        assert answer.revision == (await client.published(made.id))[1]
        return answer.endpoint

    assert (await update(description="x")).revision == 2
    shown = await update(headers={"values": {"X-A": "***", "X-C": "3"}}, auth_username="eve")
    assert sorted(shown.headers) == ["X-A", "X-C"]
    published, _ = await client.published(made.id)
    assert published.headers(vault, TENANT) == {"X-A": "1", "X-C": "3"}
    assert published.auth(vault, TENANT) == "eve:secret"
    assert (await update(headers={"values": {}}, auth_username="", metadata={"values": {"a": "b"}})).description == "x"
    published, _ = await client.published(made.id)
    assert (published.headers(vault, TENANT), published.auth(vault, TENANT)) == ({}, "")
    disabled = await update(active=False)
    assert (disabled.active, disabled.disabled_reason, disabled.disabled_at_us > 0) == (False, "operator", True)
    assert (await update(url="", mode=POLLED)).mode == POLLED
    enabled = await update(active=True, url=URL, mode=ORDERED)
    assert (enabled.disabled_reason, enabled.disabled_at_us, enabled.metadata["a"]) == ("", 0, "b")
    await _refused(update(headers={"values": {"X-New": "***"}}), Code.INVALID, "headers.X-New")


async def test_addresses_that_are_not_allowed_are_refused(client: RouterClient) -> None:
    """When they are written: of webhooks and of Slack, at creation and later."""
    for url in ("http://127.0.0.1/x", "https://[::1]/", "https://localhost/", "https://shop.example:25/", "ftp://a.b/"):
        for kind in (endpoints_pb2.ENDPOINT_KIND_WEBHOOK, SLACK):
            await _refused(client.create(url=url, kind=kind), Code.INVALID, "url")
    made = (await client.create()).endpoint
    wrong = client.endpoints("UpdateEndpoint", endpoint_id=made.id, url="https://10.0.0.1/")
    await _refused(wrong, Code.INVALID, "url")


async def test_an_operator_can_allow_addresses_and_ports(start: StartService, connection: Client) -> None:
    """With the settings that senders have."""
    router = await start(
        "services.router",
        CLARION_EGRESS_WEBHOOK_ALLOW="127.0.0.1:8080",
        CLARION_EGRESS_DENY="203.1.113.0/24",
        CLARION_EGRESS_WEBHOOK_PORTS="443,8443",
    )
    client = RouterClient(router, connection)
    for url in ("http://127.0.0.1:8080/", "https://shop.example:8443/"):
        assert (await client.create(url=url)).endpoint.url == url
    for url in ("https://203.1.113.7/", "http://shop.example/"):
        await _refused(client.create(url=url), Code.INVALID, "url")


async def test_secrets_rotate_with_an_overlap(client: RouterClient) -> None:
    """The earlier ones stay for the overlap, never longer than before; ten are valid at most."""
    made = (await client.create(secret=WANTED)).endpoint

    async def rotate(**fields: Any) -> Any:
        return await client.endpoints("RotateSecret", endpoint_id=made.id, **fields)

    first = await rotate()
    newest, earlier = first.endpoint.secrets
    assert first.secret.startswith("whsec_")
    assert newest.valid_until_us == 0
    day_us = 24 * 3600 * 1_000_000
    assert abs(earlier.valid_until_us - newest.created_at_us - day_us) < 10_000_000
    assert (await client.endpoints("RevealSecret", endpoint_id=made.id)).secret == first.secret
    published, revision = await client.published(made.id)
    assert revision == first.revision
    vault = Vault(ENCRYPTION_KEY)
    assert [one.open(vault, TENANT, made.id) for one in published.secrets] == [first.secret, WANTED]
    assert (await rotate(overlap_s=7 * 24 * 3600)).endpoint.secrets[2].valid_until_us == earlier.valid_until_us
    for _ in range(7):
        await rotate()
    await _refused(rotate(), Code.CONFLICT)
    assert len((await rotate(overlap_s=0)).endpoint.secrets) == 1
    assert len((await client.published(made.id))[0].secrets) == 1
    await _refused(rotate(overlap_s=7 * 24 * 3600 + 1), Code.INVALID, "overlap_s")
    await _refused(rotate(secret="whsec_short"), Code.INVALID, "secret")


async def test_slack_has_no_secret(client: RouterClient) -> None:
    """Its messages are not signed."""
    made = await client.create(kind=SLACK)
    assert (made.secret, len(made.endpoint.secrets)) == ("", 0)
    await _refused(client.endpoints("RotateSecret", endpoint_id=made.endpoint.id), Code.INVALID)
    await _refused(client.endpoints("RevealSecret", endpoint_id=made.endpoint.id), Code.INVALID)


async def test_everything_is_encrypted_with_the_first_key_again(
    client: RouterClient, start: StartService, connection: Client
) -> None:
    """What no key decrypts is named; the rest is published with the new key, and works without the old one."""
    fresh = "//////////////////////////////////////////8="
    plain = (await client.create(secret=WANTED)).endpoint
    full = (await client.create(OTHER, headers={"X-A": "1"}, auth_username="ada", password="p")).endpoint
    both = RouterClient(await start("services.router", CLARION_ENCRYPTION_KEYS=f"{fresh},{ENCRYPTION_KEY}"), connection)
    renew = endpoints_pb2.RenewEndpointSecretsRequest()

    async def renewed(router: Service) -> tuple[int, list[str]]:
        answer = await router.call("EndpointService.RenewEndpointSecrets", renew)
        return answer.renewed, list(answer.unreadable_endpoint_ids)

    assert await renewed(both.router) == (2, [])
    assert await renewed(both.router) == (0, [])
    published, _ = await client.published(plain.id)
    assert published.secrets[0].open(Vault(fresh), TENANT, plain.id) == WANTED
    assert published.revision == plain.revision
    assert sorted((await renewed(client.router))[1]) == sorted([plain.id, full.id])
    reveal = client.endpoints("RevealSecret", endpoint_id=plain.id)
    await _refused(reveal, Code.CONFLICT)


async def test_lists_page_and_filter(client: RouterClient) -> None:
    """In the order of creation; by environment, application and event type, which add up."""
    sandbox = (await client.catalogs("CreateEnvironment", name="Sandbox", slug="sandbox")).environment
    app = await client.application()
    paid = await client.event_type("order.paid")
    made = [
        (
            await client.create(
                environment_id=sandbox.id if number % 2 else "", application_id=app.id if number < 3 else ""
            )
        ).endpoint.id
        for number in range(5)
    ]
    for endpoint_id in made[1:]:
        await client.endpoints("Subscribe", endpoint_id=endpoint_id, event_type_ids=[paid])

    async def pages(**filters: Any) -> list[list[int]]:
        found: list[list[int]] = []
        cursor = ""
        while not found or cursor:
            answer = await client.endpoints("ListEndpoints", limit=2, cursor=cursor, **filters)
            found.append([made.index(one.id) for one in answer.endpoints])
            cursor = answer.next_cursor
        return found

    assert await pages() == [[0, 1], [2, 3], [4]]
    assert await pages(environment_id=sandbox.id) == [[1, 3], []]
    assert await pages(application_id=app.id) == [[0, 1], [2]]
    assert await pages(application_id=app.id, environment_id=sandbox.id) == [[1]]
    assert await pages(event_type_id=paid) == [[1, 2], [3, 4], []]
    assert await pages(event_type_id=paid, application_id=app.id, environment_id=sandbox.id) == [[1]]
    assert await pages(event_type_id=new_id()) == [[]]
    assert (await client.endpoints("ListEndpoints", OTHER)).endpoints == []
    await _refused(client.endpoints("ListEndpoints", limit=1001), Code.INVALID, "limit")


async def test_subscriptions_keep_their_filter(client: RouterClient) -> None:
    """Unless a call has one; unknown types are refused as a whole, and what is repeated is not counted again."""
    paid, sent = await client.event_type("order.paid"), await client.event_type("order.sent")
    made = (await client.create()).endpoint.id
    rule = b'{"==": [{"var": "payload.status"}, "paid"]}'

    async def subscribe(*ids: str, **fields: Any) -> int:
        return int((await client.endpoints("Subscribe", endpoint_id=made, event_type_ids=ids, **fields)).subscribed)

    async def filters() -> dict[str, bytes]:
        answer = await client.endpoints("ListSubscriptions", endpoint_id=made)
        return {one.event_type: one.filter for one in answer.subscriptions}

    await _refused(subscribe(paid, event_type_id(TENANT, "no.such")), Code.NOT_FOUND)
    assert await filters() == {}
    assert await subscribe(paid, paid, filter=rule) == 1
    assert await subscribe(paid, sent) == 1
    assert await filters() == {"order.paid": rule, "order.sent": b""}
    assert await subscribe(sent, filter=rule) == 0
    assert await subscribe(paid, filter=b"") == 0
    assert await filters() == {"order.paid": b"", "order.sent": rule}
    assert (await client.catalogs("GetEventType", event_type_id=paid)).event_type.subscriber_count == 1
    await _refused(subscribe(paid, filter=b"[1]"), Code.INVALID, "filter")
    await _refused(subscribe(), Code.INVALID, "event_type_ids")
    await client.endpoints("Unsubscribe", endpoint_id=made, event_type_id=paid)
    await _refused(client.endpoints("Unsubscribe", endpoint_id=made, event_type_id=paid), Code.NOT_FOUND)
    assert list(await filters()) == ["order.sent"]


async def test_event_types_have_known_ids_and_one_owner(client: RouterClient) -> None:
    """The id is made of tenant and name; lists follow the names."""
    names = ["order.paid", "a", "order-sent", "order.paid.twice", "order_x"]
    for name in names:
        assert await client.event_type(name) == event_type_id(TENANT, name)
    await _refused(client.event_type("a"), Code.CONFLICT)
    listed: list[str] = []
    cursor = ""
    while not listed or cursor:
        answer = await client.catalogs("ListEventTypes", limit=2, cursor=cursor)
        listed += [one.name for one in answer.event_types]
        cursor = answer.next_cursor
    assert listed == sorted(names)
    id_ = event_type_id(TENANT, "a")
    assert (await client.catalogs("UpdateEventType", event_type_id=id_, description="x")).event_type.description == "x"
    assert (await client.catalogs("UpdateEventType", event_type_id=id_)).event_type.description == "x"
    assert (await client.catalogs("DeleteEventType", event_type_id=id_)).revision > 0
    await _refused(client.catalogs("GetEventType", event_type_id=id_), Code.NOT_FOUND)
    for name in ("", "A", "a..b", ".a", "a.", "a b", "é", "x" * 129):
        await _refused(client.event_type(name), Code.INVALID, "name")


async def test_each_tenant_has_a_default_environment(client: RouterClient) -> None:
    """From the first question on; it cannot be deleted, and neither can one that has endpoints."""
    default = (await client.catalogs("GetEnvironment")).environment
    assert (default.is_default, default.slug) == (True, "default")
    assert (await client.create()).endpoint.environment_id == default.id
    await _refused(client.catalogs("CreateEnvironment", name="x", slug="default"), Code.CONFLICT, "slug")
    await _refused(client.catalogs("DeleteEnvironment", environment_id=default.id), Code.CONFLICT)
    sandbox = (await client.catalogs("CreateEnvironment", name="Sandbox", slug="sandbox")).environment
    endpoint = (await client.create(environment_id=sandbox.id)).endpoint
    await _refused(client.catalogs("DeleteEnvironment", environment_id=sandbox.id), Code.CONFLICT)
    await client.endpoints("DeleteEndpoint", endpoint_id=endpoint.id)
    renamed = await client.catalogs("UpdateEnvironment", environment_id=sandbox.id, name="Test")
    assert renamed.environment.name == "Test"
    for number in range(8):
        await client.catalogs("CreateEnvironment", name="x", slug=f"x-{number}")
    await _refused(client.catalogs("CreateEnvironment", name="x", slug="x-8"), Code.CONFLICT)
    await client.catalogs("DeleteEnvironment", environment_id=sandbox.id)
    listed = (await client.catalogs("ListEnvironments")).environments
    assert [one.slug for one in listed] == ["default", *(f"x-{number}" for number in range(8))]
    await _refused(client.create(environment_id=sandbox.id), Code.NOT_FOUND)


async def test_an_environment_shows_what_is_published(client: RouterClient) -> None:
    """Nothing at first; other environments do not change."""
    paid = await client.event_type("order.paid")
    await client.event_type("order.sent")
    default = (await client.catalogs("GetEnvironment")).environment.id
    sandbox = (await client.catalogs("CreateEnvironment", name="x", slug="x")).environment.id

    async def shown(environment_id: str) -> dict[str, bool]:
        answer = await client.catalogs("ListVisibility", environment_id=environment_id)
        return {one.event_type: one.published for one in answer.visibilities}

    async def show(*, published: bool) -> None:
        fields = {"environment_id": default, "event_type_id": paid, "published": published}
        answer = await client.catalogs("SetVisibility", **fields)
        assert (answer.visibility.event_type, answer.visibility.published) == ("order.paid", published)

    await show(published=True)
    await show(published=True)
    assert await shown(default) == {"order.paid": True, "order.sent": False}
    assert await shown(sandbox) == {"order.paid": False, "order.sent": False}
    await show(published=False)
    assert await shown(default) == {"order.paid": False, "order.sent": False}


async def test_applications_have_a_limit_of_three_states(client: RouterClient) -> None:
    """Absent keeps it, present without a value removes it; a deleted application takes its endpoints along."""
    app = await client.application(external_id="acme", metadata={"a": "b"}, max_endpoints=1)
    await _refused(client.application(external_id="acme"), Code.CONFLICT, "external_id")
    assert (await client.application(OTHER, external_id="acme")).id != app.id
    assert not (await client.application()).HasField("max_endpoints")
    await client.application()  # without an external id as often as wanted
    endpoint = (await client.create(application_id=app.id)).endpoint
    await _refused(client.create(application_id=app.id), Code.CONFLICT, "application_id")

    async def update(**fields: Any) -> Any:
        return (await client.catalogs("UpdateApplication", application_id=app.id, **fields)).application

    assert (await update(name="New")).max_endpoints == 1
    assert not (await update(max_endpoints={})).HasField("max_endpoints")
    await client.create(application_id=app.id)
    changed = await update(max_endpoints={"value": 0}, metadata={"values": {}}, show_event_types=True)
    assert (changed.max_endpoints, dict(changed.metadata), changed.show_event_types) == (0, {}, True)
    await _refused(client.create(application_id=app.id), Code.CONFLICT, "application_id")
    listed = (await client.catalogs("ListApplications", limit=2, offset=1)).applications
    assert [one.name for one in listed] == ["Acme", "Acme"]
    assert (await client.catalogs("DeleteApplication", application_id=app.id)).revision > 0
    await _refused(client.endpoints("GetEndpoint", endpoint_id=endpoint.id), Code.NOT_FOUND)
    await _refused(client.catalogs("GetApplication", application_id=app.id), Code.NOT_FOUND)


def _methods() -> list[tuple[str, str]]:
    return [
        (service.name, method.name)
        for service in (
            endpoints_pb2.DESCRIPTOR.services_by_name["EndpointService"],
            catalogs_pb2.DESCRIPTOR.services_by_name["CatalogService"],
        )
        for method in service.methods
    ]


async def test_a_tenant_never_reaches_what_belongs_to_another(client: RouterClient) -> None:
    """Each method with each id of another tenant: not found, and nothing has changed; lists are empty."""
    sandbox = (await client.catalogs("CreateEnvironment", name="x", slug="x")).environment.id
    app = (await client.application()).id
    paid, sent = await client.event_type("order.paid"), await client.event_type("order.sent")
    made = (await client.create(environment_id=sandbox, application_id=app)).endpoint
    await client.endpoints("Subscribe", endpoint_id=made.id, event_type_ids=[paid])
    theirs = (await client.create(OTHER)).endpoint.id
    ids = {"endpoint_id": made.id, "environment_id": sandbox, "application_id": app, "event_type_id": paid}
    more: dict[str, dict[str, Any]] = {
        "DisableEndpoint": {"revision": 1, "reason": "gone"},
        "Subscribe": {"event_type_ids": [sent]},
        "SetVisibility": {"published": True},
    }
    tried = set()
    for service, method in _methods():
        module: Any = endpoints_pb2 if service == "EndpointService" else catalogs_pb2
        request_type = getattr(module, f"{method}Request")
        foreign = {name: value for name, value in ids.items() if name in request_type.DESCRIPTOR.fields_by_name}
        if not foreign or method.startswith("List"):
            continue
        request = request_type(tenant_id=OTHER, **foreign, **more.get(method, {}))
        tried.add(method)
        if method == "DisableEndpoint":
            assert not (await client.router.call(f"{service}.{method}", request)).disabled
            continue
        await _refused(client.router.call(f"{service}.{method}", request), Code.NOT_FOUND)
    assert len(tried) == 18
    for foreign in (
        {"environment_id": sandbox},
        {"application_id": app},
        {"environment_id": sandbox, "application_id": app},
    ):
        await _refused(client.create(OTHER, **foreign), Code.NOT_FOUND)
        assert (await client.endpoints("ListEndpoints", OTHER, **foreign)).endpoints == []
    assert (await client.endpoints("ListEndpoints", OTHER, event_type_id=paid)).endpoints == []
    subscribe = client.endpoints("Subscribe", OTHER, endpoint_id=theirs, event_type_ids=[paid])
    await _refused(subscribe, Code.NOT_FOUND)
    await _refused(client.endpoints("ListSubscriptions", OTHER, endpoint_id=made.id), Code.NOT_FOUND)
    await _refused(client.catalogs("ListVisibility", OTHER, environment_id=sandbox), Code.NOT_FOUND)
    for method in ("ListEventTypes", "ListApplications"):
        answer: Message = await client.catalogs(method, OTHER)
        assert answer.ByteSize() == 0
    assert (await client.endpoints("GetEndpoint", endpoint_id=made.id)).endpoint == made
    assert len((await client.endpoints("ListSubscriptions", endpoint_id=made.id)).subscriptions) == 1


async def test_disabling_needs_the_revision_that_was_seen(client: RouterClient) -> None:
    """A change of the operator in between wins."""
    made = (await client.create()).endpoint

    async def disable(revision: int, reason: str = "failing") -> bool:
        answer = await client.endpoints("DisableEndpoint", endpoint_id=made.id, revision=revision, reason=reason)
        return bool(answer.disabled)

    await client.endpoints("UpdateEndpoint", endpoint_id=made.id, description="x")
    assert not await disable(1)
    assert await disable(2)
    assert not await disable(3)
    shown = (await client.endpoints("GetEndpoint", endpoint_id=made.id)).endpoint
    assert (shown.active, shown.disabled_reason, shown.revision) == (False, "failing", 3)
    await client.endpoints("UpdateEndpoint", endpoint_id=made.id, active=False)
    shown = (await client.endpoints("GetEndpoint", endpoint_id=made.id)).endpoint
    assert shown.disabled_reason == "failing"
    await _refused(disable(4, "bored"), Code.INVALID, "reason")
