"""Providers changed in place: credentials rotated, and closed anew after a new encryption key."""

import base64
import json
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import senders_pb2
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.senders.servicer import ProviderServicer
from services.senders.store import ProviderStore, SecretBox
from tests.integration.outboxes import PatientOutbox
from tests.integration.senders.conftest import Shop
from tests.integration.senders.test_providers import CONTEXT, create_smtp, dump, published
from tests.unit.senders import builders
from tests.unit.senders.builders import TENANT, encryption_key


async def _change(shop: Shop, provider_id: str, settings: dict[str, Any] | None = None, **fields: Any) -> Any:
    request = senders_pb2.UpdateProviderRequest(
        provider_id=provider_id, settings_json=json.dumps(settings or {}), **fields
    )
    return (await ProviderServicer(shop.store, builders.guard()).UpdateProvider(request, CONTEXT)).provider


async def test_only_what_is_given_changes(shop: Shop) -> None:
    """Name, priority, one setting. The shown form of a secret does not change it."""
    made = await create_smtp(shop)
    shown = json.loads(made.settings_json)
    changed = await _change(shop, made.id, {**shown, "host": "relay.example.org"}, priority=7)
    assert (changed.id, changed.name, changed.priority) == (made.id, "smtp", 7)
    assert json.loads(changed.settings_json) == {**shown, "host": "relay.example.org"}
    assert changed.created_at_us == made.created_at_us
    assert changed.updated_at_us > made.updated_at_us
    [record] = await published(shop)
    assert record["settings"]["host"] == "relay.example.org"
    assert shop.box.open(made.id, (await shop.pool.fetchval("SELECT secrets FROM senders.providers"))) == {
        "password": "correct-horse-battery"
    }


async def test_a_secret_is_rotated(shop: Shop) -> None:
    """The new secret is published, the old one is nowhere any more, and neither is ever shown."""
    made = await create_smtp(shop)
    changed = await _change(shop, made.id, {"password": "another-horse-9876"}, name="main")
    assert (json.loads(changed.settings_json)["password"], changed.name) == ("…9876", "main")
    ciphertext = await shop.pool.fetchval("SELECT secrets FROM senders.providers")
    assert shop.box.open(made.id, ciphertext) == {"password": "another-horse-9876"}
    assert "horse" not in await dump(shop)
    again = await ProviderServicer(shop.store, builders.guard()).GetProvider(
        senders_pb2.GetProviderRequest(provider_id=made.id), CONTEXT
    )
    assert again.provider == changed


async def test_null_takes_a_setting_back_to_its_default(shop: Shop) -> None:
    """A required setting cannot be removed."""
    made = await create_smtp(shop)
    changed = await _change(shop, made.id, {"username": None, "password": None})
    assert {"username", "password"}.isdisjoint(json.loads(changed.settings_json))
    with pytest.raises(ClarionError) as caught:
        await _change(shop, made.id, {"host": None, "colour": 1}, priority=-1)
    assert sorted(name for name, _ in caught.value.fields) == ["priority", "settings.colour", "settings.host"]
    with pytest.raises(ClarionError) as caught:
        await _change(shop, "nobody", {})
    assert caught.value.code is Code.NOT_FOUND


async def test_secrets_are_closed_anew_after_a_new_key(shop: Shop) -> None:
    """After one run the old key can be removed. Secrets that no key decrypts are named and left as they are."""
    first, second = encryption_key(), encryption_key()

    def store(*keys: str) -> ProviderStore:
        return ProviderStore(shop.pool, PatientOutbox(shop.pool, "senders", shop.connection), SecretBox(Vault(*keys)))

    lost = await create_smtp(shop)  # under the shop's own key, which is none of the two
    shop.store = store(first)
    kept = await create_smtp(shop)
    assert await store(second, first).renew_secrets() == (1, [lost.id])
    assert await store(second, first).renew_secrets() == (0, [lost.id])
    box = SecretBox(Vault(second))
    ciphertext = await shop.pool.fetchval("SELECT secrets FROM senders.providers WHERE id = $1", kept.id)
    assert box.open(kept.id, ciphertext) == {"password": "correct-horse-battery"}
    [record] = [one for one in await published(shop) if one["id"] == kept.id]
    assert SecretBox(Vault(second)).open(kept.id, base64.b64decode(record["secrets"]))


async def test_an_address_that_is_not_allowed_is_neither_stored_nor_kept_from_being_put_last(shop: Shop) -> None:
    """New ones are refused. A stored one may change settings other than its address."""
    settings = {
        "host": "127.0.0.1",
        "from_email": "noreply@example.org",
        "username": "ada",
        "password": "correct-horse",
    }
    request = senders_pb2.CreateProviderRequest(
        tenant_id=TENANT, channel=event_pb2.CHANNEL_EMAIL, kind="smtp", settings_json=json.dumps(settings)
    )
    with pytest.raises(ClarionError) as caught:
        await ProviderServicer(shop.store, builders.guard()).CreateProvider(request, CONTEXT)
    assert (caught.value.code, [name for name, _ in caught.value.fields]) == (Code.INVALID, ["settings.host"])
    assert await shop.store.of_tenant(TENANT) == []
    made = (await ProviderServicer(shop.store, builders.guard("127.0.0.1")).CreateProvider(request, CONTEXT)).provider
    assert (await _change(shop, made.id, priority=9)).priority == 9
    assert json.loads((await _change(shop, made.id, {"password": "another-horse-9876"})).settings_json)["host"]
    with pytest.raises(ClarionError) as caught:
        await _change(shop, made.id, {"from_name": "Acorn"})
    assert [name for name, _ in caught.value.fields] == ["settings.host"]
    assert json.loads((await _change(shop, made.id, {"host": "mail.example.org"})).settings_json)["host"]
