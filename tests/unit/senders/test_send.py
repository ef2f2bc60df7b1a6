"""One attempt: which provider is asked, and what is said when there is none."""

import json
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime.errors import ClarionError, Code
from runtime.parts import POSTGRES, PartAway
from services.delivery.ports import Verdict
from services.senders.breaker import BreakerPolicy
from services.senders.contents.ports import Captured, ContentRecorder
from services.senders.directory import ConfiguredDirectory
from services.senders.http import HttpClient
from services.senders.ports import ProviderRecord, Resources
from services.senders.send import ProviderSender
from tests.fakes.senders import MemoryOwner, MemoryRecorder
from tests.unit.senders.builders import TENANT, delivery, guard

_CONTENT = render_pb2.Content(subject="Hello", text="text", html="<p>html</p>")


class _Desk:
    """A sender with its directory, owner and memory."""

    def __init__(self, contents: ContentRecorder | None = None) -> None:
        self.memory = MemoryRecorder()
        self.owner = MemoryOwner()
        self.directory = ConfiguredDirectory(self.owner)
        resources = Resources(self.memory, HttpClient(guard()), guard())
        self.sender = ProviderSender(self.directory, resources, _open, contents=contents)
        self.directory.follow(self.sender.forget)

    def publish(self, *records: ProviderRecord, tenant_id: str = TENANT) -> None:
        value = json.dumps([{name: getattr(record, name) for name in record.__struct_fields__} for record in records])
        self.directory.on_change(f"providers.{tenant_id}", value.encode())


def _open(record: ProviderRecord) -> dict[str, str]:
    if record.secrets:
        raise ValueError("no encryption key opens this secret")
    return {}


def _record(channel: str = "SMS", **changes: Any) -> ProviderRecord:
    fields: dict[str, Any] = {"id": "p1", "channel": channel, "kind": "sandbox", "settings": {}, "secrets": ""}
    return ProviderRecord(**{**fields, **changes})


async def test_a_text_message_goes_to_its_provider() -> None:
    """Of the provider that routing chose, whatever others the tenant has."""
    desk = _Desk()
    desk.publish(_record(id="p0", settings={"sender": "OTHER"}), _record(settings={"sender": "ACORN"}))
    order = delivery(event_pb2.CHANNEL_SMS)
    result = await desk.sender.send(order, _CONTENT)
    assert (result.verdict, result.provider) == (Verdict.SENT, "sandbox")
    assert [(text.reference.delivery_id, text.sender) for text in desk.memory.texts] == [(order.id, "ACORN")]


async def test_an_email_carries_its_tenants_name() -> None:
    """As last published."""
    desk = _Desk()
    desk.publish(_record("EMAIL"))
    waiting = await desk.sender.send(delivery(), _CONTENT)
    assert (waiting.verdict, waiting.reason) == (Verdict.POSTPONED, "tenant_unknown")
    desk.directory.on_change(
        f"tenants.{TENANT}", json.dumps({"id": TENANT, "sender_name": "Acorn", "active": True}).encode()
    )
    assert (await desk.sender.send(delivery(), _CONTENT)).verdict is Verdict.SENT
    assert desk.memory.emails[0].sender_name == "Acorn"
    desk.directory.on_change(f"tenants.{TENANT}", None)
    assert (await desk.sender.send(delivery(), _CONTENT)).reason == "tenant_unknown"


async def test_what_is_not_published_yet_is_asked_of_its_owner() -> None:
    """Create, then trigger, works at once."""
    desk = _Desk()
    desk.owner.providers = {(TENANT, "p1"): _record()}
    assert (await desk.sender.send(delivery(event_pb2.CHANNEL_SMS), _CONTENT)).verdict is Verdict.SENT


async def test_a_provider_deleted_meanwhile() -> None:
    """Is final, but only if the database confirms it."""
    desk = _Desk()
    desk.publish(_record())
    order = delivery(event_pb2.CHANNEL_SMS)
    await desk.sender.send(order, _CONTENT)
    desk.publish()
    gone = await desk.sender.send(order, _CONTENT)
    assert (gone.verdict, gone.reason) == (Verdict.PERMANENT, "provider_gone")
    desk.owner.away = True
    with pytest.raises(PartAway):  # no attempt: it is known when the database is back
        await desk.sender.send(order, _CONTENT)


async def test_another_tenants_provider_is_none() -> None:
    """A delivery cannot use it, even with the right id; nor one of another channel."""
    desk = _Desk()
    desk.publish(_record(), tenant_id="other")
    desk.publish(_record("EMAIL", id="p2"))
    foreign = await desk.sender.send(delivery(event_pb2.CHANNEL_SMS), _CONTENT)
    crossed = await desk.sender.send(delivery(event_pb2.CHANNEL_SMS, provider_id="p2"), _CONTENT)
    assert [foreign.reason, crossed.reason] == ["provider_gone", "provider_gone"]
    assert desk.memory.texts == []


async def test_new_settings_are_used_at_once() -> None:
    """The open provider is replaced."""
    desk = _Desk()
    for name in ("ONE", "TWO"):
        desk.publish(_record(settings={"sender": name}))
        await desk.sender.send(delivery(event_pb2.CHANNEL_SMS), _CONTENT)
    assert [text.sender for text in desk.memory.texts] == ["ONE", "TWO"]


async def test_what_cannot_be_opened_is_worth_another_try() -> None:
    """A missing key, settings of another version, an unknown kind: the operator can fix it."""
    results = []
    for record in (_record(secrets="c2VjcmV0"), _record(settings={"colour": 1}), _record(kind="pigeon")):
        desk = _Desk()
        desk.publish(record)
        results.append(await desk.sender.send(delivery(event_pb2.CHANNEL_SMS), _CONTENT))
    assert [result.verdict for result in results] == [Verdict.CREDENTIALS, Verdict.TRANSIENT, Verdict.TRANSIENT]
    assert [result.reason for result in results] == ["provider_credentials", "provider_settings", "provider_settings"]


async def test_no_recipient() -> None:
    """Is final, and the provider is not called."""
    desk = _Desk()
    desk.publish(_record())
    result = await desk.sender.send(delivery(event_pb2.CHANNEL_SMS, phone=""), _CONTENT)
    assert (result.verdict, result.reason) == (Verdict.PERMANENT, "missing_recipient")


async def test_a_sandbox_that_cannot_keep_it() -> None:
    """A refusal is final; a full queue delays the delivery."""
    desk = _Desk()
    desk.publish(_record())
    desk.memory.failure = ClarionError(Code.INVALID, "Not storable.")
    refused = await desk.sender.send(delivery(event_pb2.CHANNEL_SMS), _CONTENT)
    desk.memory.failure = ClarionError(Code.OVERLOADED, "Too much work is waiting.")
    busy = await desk.sender.send(delivery(event_pb2.CHANNEL_SMS), _CONTENT)
    assert (refused.verdict, refused.reason) == (Verdict.PERMANENT, "message_refused")
    assert (busy.verdict, busy.reason) == (Verdict.POSTPONED, "provider_busy")


async def test_our_database_away_opens_no_circuit() -> None:
    """However often the sandbox cannot store a message, it is called again, and stores the first after the outage."""
    desk = _Desk()
    desk.publish(_record())
    desk.memory.failure = PartAway(POSTGRES)
    for _ in range(3 * BreakerPolicy().failures):
        with pytest.raises(PartAway):
            await desk.sender.send(delivery(event_pb2.CHANNEL_SMS), _CONTENT)
    desk.memory.failure = None
    assert (await desk.sender.send(delivery(event_pb2.CHANNEL_SMS), _CONTENT)).verdict is Verdict.SENT


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


async def test_what_was_sent_of_a_secret_is_not_stored() -> None:
    """It is sent all the same."""
    contents = _Contents()
    desk = _Desk(contents)
    desk.publish(_record())
    open_, secret = delivery(event_pb2.CHANNEL_SMS), delivery(event_pb2.CHANNEL_SMS)
    secret.is_secret = True
    for order in (open_, secret):
        assert (await desk.sender.send(order, _CONTENT)).verdict is Verdict.SENT
    assert [captured.delivery_id for captured in contents.kept] == [open_.id]


def test_slots_are_by_tenant_and_provider() -> None:
    """So a provider that hangs delays no other deliveries."""
    sender = _Desk().sender
    assert sender.slot(delivery(provider_id="p9")) == f"{TENANT}/p9"


def test_unreadable_configuration_changes_nothing() -> None:
    """The previous configuration stays."""
    desk = _Desk()
    desk.publish(_record())
    desk.directory.on_change(f"providers.{TENANT}", b"{broken")
    assert desk.directory.known(TENANT, "p1") == _record()
