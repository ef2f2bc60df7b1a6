"""Sending Events, "Prerequisites", "Step 1" and "Step 3"."""

from collections.abc import Sequence

import pytest

from tests.conformance.orqestra.conftest import BODIES, MJML, RENDERED, Shop, event


async def test_tenant_api_key(shop: Shop) -> None:
    """The operator provides it: it authenticates, and is shown this once."""
    assert (await shop.tenant.trigger(event())).status == 200
    shown = await shop.operator.must("GET", f"/tenants/{shop.tenant.id}")
    assert shown["key_last4"] == shop.tenant.api_key[-4:]
    assert shop.tenant.api_key not in str(shown)


async def test_active_provider(bare_shop: Shop) -> None:
    """Without one the event is accepted and nothing delivered; with one it is delivered."""
    await bare_shop.templates("order.confirmed", ["EMAIL", "SMS"])
    answer = await bare_shop.tenant.trigger(event())
    assert await bare_shop.decisions(answer) == {"EMAIL": "no_provider", "SMS": "no_provider"}
    body = {"tenant_id": bare_shop.tenant.id, "channel": "SMS", "kind": "sandbox", "settings": {}}
    await bare_shop.operator.must("POST", "/providers", json=body)
    assert await bare_shop.decisions(await bare_shop.tenant.trigger(event())) == {"EMAIL": "no_provider", "SMS": "sent"}


async def test_active_template(shop: Shop) -> None:
    """Without one that matches the event type: accepted, nothing delivered, and the timeline says why."""
    await shop.template("another.type", "SMS")
    answer = await shop.tenant.trigger(event())
    done = await shop.end(answer)
    assert done["deliveries"] == []
    assert [step["reason"] for step in done["timeline"] if step["step"] == "routed"] == ["no_active_template"]
    assert await shop.messages(answer) == {}


async def test_accepted_but_nothing_delivered(bare_shop: Shop) -> None:
    """A tenant with nothing at all: the same answer as for any other."""
    answer = await bare_shop.tenant.trigger(event())
    assert (answer.status, answer.body["success"]) == (200, True)
    assert await bare_shop.messages(answer) == {}


@pytest.mark.parametrize("channels", [["EMAIL"], ["SMS"], ["PUSH"]], ids=["Email", "SMS", "Push"])
async def test_template_channel(shop: Shop, channels: Sequence[str]) -> None:
    """A template is of one channel, and that channel alone is used."""
    await shop.templates("order.confirmed", channels)
    assert await shop.decisions(await shop.tenant.trigger(event())) == {channels[0]: "sent"}


async def test_template_event_type(shop: Shop) -> None:
    """The event type that is triggered, and no other."""
    await shop.template("order.confirmed", "SMS")
    assert "SMS" in await shop.messages(await shop.tenant.trigger(event("order.confirmed")))
    assert await shop.messages(await shop.tenant.trigger(event("order.confirmed.late"))) == {}


async def test_template_handlebars_variables(shop: Shop) -> None:
    """Any field of variables, as {{fieldName}}."""
    await shop.templates("order.confirmed", ["EMAIL", "SMS"])
    sent = await shop.messages(await shop.tenant.trigger(event()))
    assert sent["SMS"].text == RENDERED
    assert RENDERED in sent["EMAIL"].html


async def test_template_mjml(shop: Shop) -> None:
    """MJML becomes HTML that mail programs show on any width."""
    await shop.template("order.confirmed", "EMAIL", MJML.format("Hello"))
    html = (await shop.messages(await shop.tenant.trigger(event())))["EMAIL"].html
    assert "<mj" not in html
    assert "@media" in html
    assert 'name="viewport"' in html


async def test_template_activation(shop: Shop) -> None:
    """Inactive: ignored. Activated: used. Deactivated: ignored again."""
    body = {"tenant_id": shop.tenant.id, "event_type": "order.confirmed", "channel": "SMS", "body": BODIES["SMS"]}
    made = await shop.operator.must("POST", "/templates", json=body)
    assert await shop.decisions(await shop.tenant.trigger(event())) == {}
    await shop.operator.must("POST", f"/templates/{made['id']}/activate")
    assert await shop.decisions(await shop.tenant.trigger(event())) == {"SMS": "sent"}
    await shop.operator.must("POST", f"/templates/{made['id']}/deactivate")
    await shop.until_routed("order.confirmed", {})
    assert await shop.decisions(await shop.tenant.trigger(event())) == {}
