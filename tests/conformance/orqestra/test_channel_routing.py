"""Sending Events, "Channel routing"; and what each channel's absence is called on the timeline."""

from typing import Any

import pytest

from tests.conformance.orqestra.conftest import EMAIL, PHONE, Shop, event

SENT = {"EMAIL": "sent", "SMS": "sent", "PUSH": "sent"}


async def test_default(shop: Shop) -> None:
    """Every active template of the event type, at the same time."""
    await shop.templates("order.confirmed")
    assert await shop.decisions(await shop.tenant.trigger(event())) == SENT


@pytest.mark.parametrize(
    ("policy", "decisions"),
    [
        ([], SENT),
        (["EMAIL"], {"EMAIL": "sent", "SMS": "tenant_policy", "PUSH": "tenant_policy"}),
        (["EMAIL", "PUSH"], {"EMAIL": "sent", "SMS": "tenant_policy", "PUSH": "sent"}),
    ],
    ids=["empty", "EMAIL", "EMAIL and PUSH"],
)
async def test_tenant_policy(shop: Shop, policy: list[str], decisions: dict[str, str]) -> None:
    """Empty: all with matching active templates. Else only those listed."""
    await shop.change(delivery_channels=policy)
    await shop.templates("order.confirmed")
    reasons = {channel: "" if decision == "sent" else decision for channel, decision in decisions.items()}
    await shop.until_routed("order.confirmed", reasons)
    assert await shop.decisions(await shop.tenant.trigger(event())) == decisions


async def test_tenant_policy_at_creation(shop: Shop) -> None:
    """The operator may set it when the tenant is made, and read it back."""
    made = await shop.operator.must("POST", "/tenants", json={"name": "Policy", "delivery_channels": ["EMAIL", "PUSH"]})
    shown = await shop.operator.must("GET", f"/tenants/{made['id']}")
    assert sorted(shown["delivery_channels"]) == ["EMAIL", "PUSH"]


async def test_policy_without_templates(shop: Shop) -> None:
    """A channel that the policy allows is used only where there is a template."""
    await shop.change(delivery_channels=["EMAIL", "PUSH"])
    await shop.template("order.confirmed", "EMAIL")
    await shop.until_routed("order.confirmed", {"EMAIL": ""})
    assert await shop.decisions(await shop.tenant.trigger(event())) == {"EMAIL": "sent"}


async def test_override_example(shop: Shop) -> None:
    """The body as it is printed: by e-mail alone; "..." is no address, which is recorded."""
    body = {
        "eventType": "global.alert",
        "channels": ["EMAIL"],
        "payload": {"userId": "...", "recipientEmail": "..."},
        "variables": {"title": "...", "message": "..."},
    }
    decisions = await shop.decisions(await shop.tenant.trigger(body))
    assert decisions == {"EMAIL": "malformed_email", "SMS": "not_requested", "PUSH": "not_requested"}


@pytest.mark.parametrize(
    ("policy", "channels", "decisions"),
    [
        (["EMAIL", "PUSH"], ["PUSH"], {"EMAIL": "not_requested", "SMS": "tenant_policy", "PUSH": "sent"}),
        (["EMAIL"], ["EMAIL", "SMS"], {"EMAIL": "sent", "SMS": "tenant_policy", "PUSH": "tenant_policy"}),
        (["EMAIL"], ["SMS"], {"EMAIL": "not_requested", "SMS": "tenant_policy", "PUSH": "tenant_policy"}),
    ],
    ids=["narrows", "never widens", "nothing left"],
)
async def test_override_after_policy(
    shop: Shop, policy: list[str], channels: list[str], decisions: dict[str, str]
) -> None:
    """The override narrows what the policy left, and never widens it."""
    await shop.change(delivery_channels=policy)
    await shop.templates("order.confirmed")
    allowed = {name: "" if name in policy else "tenant_policy" for name in decisions}
    await shop.until_routed("order.confirmed", allowed)
    answer = await shop.tenant.trigger(event(channels=channels))
    assert (answer.status, answer.body["success"]) == (200, True)
    assert await shop.decisions(answer) == decisions


@pytest.mark.parametrize(
    ("payload", "decisions"),
    [
        ({}, {"EMAIL": "missing_email", "SMS": "missing_phone", "PUSH": "sent"}),
        ({"recipientEmail": EMAIL}, {"EMAIL": "sent", "SMS": "missing_phone", "PUSH": "sent"}),
        ({"recipientPhone": PHONE}, {"EMAIL": "missing_email", "SMS": "sent", "PUSH": "sent"}),
    ],
    ids=["neither", "no phone", "no e-mail"],
)
async def test_missing_address(shop: Shop, payload: dict[str, str], decisions: dict[str, str]) -> None:
    """Skips its own channel; the others go."""
    await shop.templates("order.confirmed")
    assert await shop.decisions(await shop.tenant.trigger(event(payload={"userId": "u", **payload}))) == decisions


async def test_every_skip_is_a_step(shop: Shop) -> None:
    """Policy, override, address, provider and template: accepted all, each with its reason on the timeline."""
    await shop.change(delivery_channels=["EMAIL", "SMS"])
    await shop.templates("order.confirmed")
    await shop.until_routed("order.confirmed", {"EMAIL": "", "SMS": "", "PUSH": "tenant_policy"})
    answer = await shop.tenant.trigger(event(channels=["EMAIL"], payload={"userId": "u"}))
    skipped = {s["channel"]: s for s in (await shop.end(answer))["timeline"] if s["step"] == "skipped"}
    reasons = {name: step["reason"] for name, step in skipped.items()}
    assert reasons == {"EMAIL": "missing_email", "SMS": "not_requested", "PUSH": "tenant_policy"}
    assert all((step["outcome"], step["service"]) == ("skipped", "router") for step in skipped.values())


async def test_no_provider(bare_shop: Shop) -> None:
    """Skipped with that reason; push needs none."""
    await bare_shop.templates("order.confirmed")
    decisions = await bare_shop.decisions(await bare_shop.tenant.trigger(event()))
    assert decisions == {"EMAIL": "no_provider", "SMS": "no_provider", "PUSH": "sent"}


async def test_inactive_template(shop: Shop) -> None:
    """Of two templates the inactive one is ignored; whoever asks for its channel by name finds the reason."""
    await shop.template("order.confirmed", "PUSH")
    draft: dict[str, Any] = {
        "tenant_id": shop.tenant.id,
        "event_type": "order.confirmed",
        "channel": "SMS",
        "body": "x",
    }
    await shop.operator.must("POST", "/templates", json=draft)
    assert await shop.decisions(await shop.tenant.trigger(event())) == {"PUSH": "sent"}
    answer = await shop.tenant.trigger(event(channels=["SMS"]))
    assert (answer.status, answer.body["success"]) == (200, True)
    assert await shop.decisions(answer) == {"SMS": "no_active_template", "PUSH": "not_requested"}
