"""Attempts at deliveries, from the published endpoint to the receiver that verifies the signature."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import standardwebhooks
import svix

from clarion.common.v1 import event_pb2
from runtime import clock, parts
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.delivery.ports import Attempter, Prepared, SendResult, UnknownDelivery, Verdict
from services.domain.endpoints import ORDERED, POLLED, SLACK
from services.senders.contents.ports import Captured
from services.senders.webhooks.attempter import WebhookAttempter, WebhookMessage
from services.senders.webhooks.client import WebhookClient
from tests.integration.senders.webhooks.conftest import OpenClient
from tests.integration.senders.webhooks.receivers import answering, receiving
from tests.unit.senders.builders import TENANT, encryption_key
from tests.unit.senders.webhooks import builders
from tests.unit.senders.webhooks.builders import OLD_SECRET, SECRET, Published


@dataclass
class MemoryBodies:
    """Implements services.delivery.rendered.EventBodies. bodies: by event; failure: raised where there is none."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    failure: ClarionError = field(default_factory=lambda: ClarionError(Code.NOT_FOUND, "There is no body."))

    async def complete(self, delivery: event_pb2.Delivery) -> event_pb2.Delivery:
        """Return the delivery with its body."""
        if delivery.event_id not in self.bodies:
            raise self.failure
        whole = event_pb2.Delivery()
        whole.CopyFrom(delivery)
        whole.ClearField("body_reference")
        whole.variables = self.bodies[delivery.event_id]
        return whole


@dataclass
class World:
    """An attempter and what it works with. now_us: its clock."""

    client: WebhookClient
    published: Published = field(default_factory=Published)
    bodies: MemoryBodies = field(default_factory=MemoryBodies)
    now_us: int = field(default_factory=clock.now_us)

    def __post_init__(self) -> None:
        self.attempter = WebhookAttempter(self.published.directory, self.bodies, self.client, now=lambda: self.now_us)

    def endpoint(self, url: str, **fields: Any) -> str:
        """Publish an endpoint; return its id."""
        return self.published.put(builders.endpoint(self.published.vault, url, **fields))


@pytest.fixture
def world(open_client: OpenClient) -> World:
    """Nothing is published yet."""
    return World(open_client())


async def attempt(attempter: "Attempter[WebhookMessage]", delivery: event_pb2.Delivery) -> SendResult:
    """Make one attempt as the worker does."""
    prepared = await attempter.prepare(delivery)
    return await attempter.send(delivery, prepared.message) if isinstance(prepared, Prepared) else prepared


def _verify(body: bytes, headers: Mapping[str, str], secret: str = SECRET) -> None:
    assert standardwebhooks.Webhook(secret).verify(body, dict(headers)) == json.loads(body)
    svix.Webhook(secret).verify(body, dict(headers))


async def test_a_webhook_is_sent(world: World) -> None:
    """Byte for byte as it was accepted, signed, with the endpoint's own headers; the timeline gets the answer."""
    body = b'{"name": "caf\xc3\xa9",  "n":1.0}'
    async with receiving(answering(b"HTTP/1.1 202 Accepted\r\nX-Id: 7\r\nContent-Length: 4\r\n\r\nfine")) as receiver:
        id_ = world.endpoint(f"{receiver.url}?token=abc", headers={"X-Own": "own"}, auth="ada:secret")
        delivery = builders.delivery(id_, body)
        result = await attempt(world.attempter, delivery)
        received = receiver.requests[0]
    assert (result.verdict, result.provider) == (Verdict.SENT, "webhook")
    assert received.body == body
    _verify(received.body, received.headers)
    assert received.headers["webhook-id"] == f"msg_{delivery.id.replace('-', '')}"
    assert received.headers["webhook-timestamp"] == str(world.now_us // 1_000_000)
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"] == "Clarion/0.1"
    assert received.headers["x-own"] == "own"
    assert received.headers["authorization"] == "Basic YWRhOnNlY3JldA=="
    assert result.http is not None
    assert result.http.url == f"{receiver.url}?token=***"
    assert (result.http.status, result.http.body, result.http.is_cut) == (202, b"fine", False)
    assert [(one.name, one.value) for one in result.http.headers] == [("x-id", "7"), ("content-length", "4")]


async def test_attempts_have_one_id_and_their_own_time(world: World) -> None:
    """Also a replay has the id; the signature is made anew each time."""
    async with receiving() as receiver:
        delivery = builders.delivery(world.endpoint(receiver.url))
        await attempt(world.attempter, delivery)
        delivery.attempt, delivery.replay = 2, 1
        world.now_us += 5_000_000
        await attempt(world.attempter, delivery)
        first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 5
    _verify(second.body, second.headers)


async def test_secrets_rotate(world: World) -> None:
    """While the old one is valid there are two signatures, the newest secret's first; then one."""
    vault, id_ = world.published.vault, new_id()
    until = world.now_us + 1_000_000
    secrets = (builders.sealed(vault, SECRET, id_), builders.sealed(vault, OLD_SECRET, id_, until_us=until))
    async with receiving() as receiver:
        world.endpoint(receiver.url, id=id_, secrets=secrets)
        delivery = builders.delivery(id_)
        await attempt(world.attempter, delivery)
        world.now_us = until
        await attempt(world.attempter, delivery)
        both, one = receiver.requests
    _verify(both.body, both.headers)
    _verify(both.body, both.headers, OLD_SECRET)
    _verify(one.body, one.headers)
    assert both.headers["webhook-signature"].split(" ")[0] != one.headers["webhook-signature"]
    assert (len(both.headers["webhook-signature"].split(" ")), len(one.headers["webhook-signature"].split(" "))) == (
        2,
        1,
    )
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(OLD_SECRET).verify(one.body, one.headers)


async def test_slack(world: World) -> None:
    """The message is Slack's, and not signed."""
    async with receiving() as receiver:
        delivery = builders.delivery(world.endpoint(receiver.url, kind=SLACK, secrets=()), b'{"text":"hi","x":1}')
        result = await attempt(world.attempter, delivery)
        received = receiver.requests[0]
    assert (result.verdict, result.provider) == (Verdict.SENT, "slack")
    assert received.body == b'{"text":"hi"}'
    assert not [name for name in received.headers if name.startswith("webhook-")]


async def test_a_body_that_is_stored_elsewhere(world: World) -> None:
    """It is read for the attempt."""
    async with receiving() as receiver:
        delivery = builders.delivery(world.endpoint(receiver.url), b"")
        delivery.body_reference.CopyFrom(event_pb2.BodyReference(sequence=7, size=5_000))
        world.bodies.bodies[delivery.event_id] = b'{"a":"' + b"a" * 5_000 + b'"}'
        assert (await attempt(world.attempter, delivery)).verdict is Verdict.SENT
        received = receiver.requests[0]
    assert len(received.body) == 5_008
    _verify(received.body, received.headers)


async def test_a_body_that_cannot_be_read(world: World) -> None:
    """It is waited for; where it is deleted, the delivery fails in the end. No slot is taken by a part that is away."""
    delivery = builders.delivery(world.endpoint("https://hooks.example.org/"), b"")
    delivery.body_reference.CopyFrom(event_pb2.BodyReference(sequence=7, size=5_000))
    result = await attempt(world.attempter, delivery)
    assert (result.verdict, result.reason) == (Verdict.POSTPONED, "body_away")
    delivery.deferrals = 20
    result = await attempt(world.attempter, delivery)
    assert (result.verdict, result.reason) == (Verdict.PERMANENT, "content_deleted")
    world.bodies.failure = parts.PartAway(parts.INGEST)
    with pytest.raises(parts.PartAway):
        await attempt(world.attempter, delivery)


async def test_a_body_that_is_gone_is_not_polled_for_ever(world: World) -> None:
    """Its delivery would hold up all behind it: a quarter of an hour after its event it fails."""
    delivery = builders.delivery(world.endpoint("https://hooks.example.org/", mode=POLLED), b"")
    delivery.body_reference.CopyFrom(event_pb2.BodyReference(sequence=7, size=5_000))
    delivery.accepted_at_us = world.now_us
    for failure, age_s, verdict, reason in (
        (Code.NOT_FOUND, 60, Verdict.POSTPONED, "body_away"),
        (Code.OVERLOADED, 900, Verdict.POSTPONED, "body_away"),
        (Code.NOT_FOUND, 900, Verdict.PERMANENT, "content_deleted"),
    ):
        world.now_us = delivery.accepted_at_us + age_s * 1_000_000
        world.bodies.failure = ClarionError(failure, "There is no body.")
        result = await world.attempter.polled(delivery)
        assert isinstance(result, SendResult)
        assert (result.verdict, result.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("fields", "verdict", "reason"),
    [
        ({"active": False}, Verdict.PARKED, "endpoint_disabled"),
        ({"mode": ORDERED}, Verdict.PARKED, "in_order"),
        ({"mode": POLLED}, Verdict.PARKED, "polled"),
        ({"secrets": ()}, Verdict.PARKED, "secret_unreadable"),
        ({"sealed": True}, Verdict.PARKED, "secret_unreadable"),
        ({"url": "https://10.0.0.1/"}, Verdict.PERMANENT, "address_not_allowed"),
        ({"url": "ftp://hooks.example.org/"}, Verdict.PERMANENT, "address_not_allowed"),
    ],
)
async def test_what_is_not_sent(world: World, fields: dict[str, Any], verdict: Verdict, reason: str) -> None:
    """Nothing is called."""
    fields = dict(fields)
    if fields.pop("sealed", False):
        fields["secrets"] = (builders.sealed(Vault(encryption_key()), SECRET, "x"),)
    url = fields.pop("url", "https://127.0.0.1:1/")
    result = await attempt(world.attempter, builders.delivery(world.endpoint(url, **fields)))
    assert (result.verdict, result.reason) == (verdict, reason)
    assert verdict is Verdict.PARKED or result.detail


async def test_one_unreadable_secret_among_those_that_are_valid(world: World) -> None:
    """A receiver that still has it could not verify, so nothing is sent; it is sent once that one has expired."""
    vault, id_ = world.published.vault, new_id()
    until = world.now_us + 1_000_000
    foreign = builders.sealed(Vault(encryption_key()), OLD_SECRET, id_, until_us=until)
    async with receiving() as receiver:
        world.endpoint(receiver.url, id=id_, secrets=(builders.sealed(vault, SECRET, id_), foreign))
        assert (await attempt(world.attempter, builders.delivery(id_))).reason == "secret_unreadable"
        world.now_us = until
        assert (await attempt(world.attempter, builders.delivery(id_))).verdict is Verdict.SENT


async def test_the_drain_sends_in_order(world: World) -> None:
    """What waits its turn is sent by the attempter of the drain; what is polled never is."""
    async with receiving() as receiver:
        drain = world.attempter.of_drain()
        ordered = builders.delivery(world.endpoint(receiver.url, mode=ORDERED))
        assert (await attempt(drain, ordered)).verdict is Verdict.SENT
        polled = builders.delivery(world.endpoint("", mode=POLLED))
        assert (await attempt(drain, polled)).reason == "polled"
        disabled = builders.delivery(world.endpoint(receiver.url, active=False))
        assert (await attempt(drain, disabled)).reason == "endpoint_disabled"
        assert len(receiver.requests) == 1


async def test_polling_reads_what_would_have_been_sent(world: World) -> None:
    """With the signature of now."""
    delivery = builders.delivery(world.endpoint("", mode=POLLED))
    prepared = await world.attempter.polled(delivery)
    assert isinstance(prepared, Prepared)
    assert prepared.message.body == delivery.variables
    _verify(prepared.message.body, prepared.message.signed)
    gone = await world.attempter.polled(builders.delivery(new_id()))
    assert isinstance(gone, SendResult)
    assert gone.reason == "endpoint_gone"


async def test_an_endpoint_that_is_gone(world: World) -> None:
    """Also one of another tenant."""
    for delivery in (
        builders.delivery(new_id()),
        builders.delivery(world.endpoint("https://hooks.example.org/"), tenant_id=new_id()),
    ):
        result = await attempt(world.attempter, delivery)
        assert (result.verdict, result.reason) == (Verdict.SKIPPED, "endpoint_gone")


async def test_an_endpoint_that_is_not_published_yet(open_client: OpenClient) -> None:
    """The delivery waits; that is no attempt."""
    world = World(open_client(), Published(arrival_s=0.001))
    id_ = new_id()
    world.published.owner.endpoints.add((TENANT, id_))
    result = await attempt(world.attempter, builders.delivery(id_))
    assert (result.verdict, result.reason) == (Verdict.POSTPONED, "tenant_unknown")
    world.published.owner.away = True
    with pytest.raises(parts.PartAway):
        await attempt(world.attempter, builders.delivery(new_id()))


class _Contents:
    """Implements services.senders.contents.ports.ContentRecorder: keeps what is to be stored."""

    def __init__(self) -> None:
        self.kept: list[Captured] = []

    def keeps(self, _: str) -> bool:
        """Of every tenant."""
        return True

    def record(self, captured: Captured) -> None:
        """Keep it."""
        self.kept.append(captured)


async def test_what_was_sent_of_a_secret_is_not_stored(world: World) -> None:
    """The endpoint gets it all the same."""
    contents = _Contents()
    attempter = WebhookAttempter(
        world.published.directory, world.bodies, world.client, contents=contents, now=lambda: world.now_us
    )
    async with receiving(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as receiver:
        id_ = world.endpoint(receiver.url)
        usual, secret = builders.delivery(id_, b"{}"), builders.delivery(id_, b'{"code":"482913"}')
        secret.is_secret = True
        for delivery in (usual, secret):
            assert (await attempt(attempter, delivery)).verdict is Verdict.SENT
        assert [request.body for request in receiver.requests] == [b"{}", b'{"code":"482913"}']
    assert [captured.delivery_id for captured in contents.kept] == [usual.id]


async def test_what_a_later_version_made(world: World) -> None:
    """It is left to that version."""
    unknown = [
        world.endpoint("https://hooks.example.org/", kind="pigeon"),
        world.endpoint("https://hooks.example.org/", mode="sideways"),
    ]
    for delivery in (builders.delivery(unknown[0]), builders.delivery(unknown[1])):
        with pytest.raises(UnknownDelivery):
            await attempt(world.attempter, delivery)
    delivery = builders.delivery(unknown[0])
    delivery.ClearField("webhook")
    with pytest.raises(UnknownDelivery):
        await attempt(world.attempter, delivery)


async def test_slots_and_schedules_belong_to_an_endpoint(world: World) -> None:
    """An endpoint has its own slot, and may have its own delays."""
    own = builders.delivery(world.endpoint("https://hooks.example.org/", retry_delays_s=(5, 60)))
    usual = builders.delivery(world.endpoint("https://hooks.example.org/"))
    assert world.attempter.slot(own) != world.attempter.slot(usual)
    assert world.attempter.retry_delays_s(own) == (5.0, 60.0)
    assert world.attempter.retry_delays_s(usual) == ()
    assert world.attempter.retry_delays_s(builders.delivery(new_id())) == ()


async def test_a_changed_endpoint_is_called_with_its_new_settings(world: World) -> None:
    """From the moment at which the change is published."""
    async with receiving() as old, receiving() as new:
        id_ = world.endpoint(old.url, headers={"x-a": "old"})
        await attempt(world.attempter, builders.delivery(id_))
        world.endpoint(new.url, id=id_, headers={"x-a": "new"})
        await attempt(world.attempter, builders.delivery(id_))
        assert [one.headers["x-a"] for one in (*old.requests, *new.requests)] == ["old", "new"]


async def test_many_deliveries_at_once(world: World) -> None:
    """Each receiver gets its own, each once."""
    async with receiving() as first, receiving() as second:
        ids = [world.endpoint(one.url) for one in (first, second)]
        deliveries = [builders.delivery(ids[number % 2], b'{"n":%d}' % number) for number in range(60)]
        results = await asyncio.gather(*(attempt(world.attempter, one) for one in deliveries))
        assert {one.verdict for one in results} == {Verdict.SENT}
        bodies = [sorted(json.loads(one.body)["n"] for one in receiver.requests) for receiver in (first, second)]
    assert bodies == [list(range(0, 60, 2)), list(range(1, 60, 2))]
