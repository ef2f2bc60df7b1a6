"""Sending Events, "Step 2": the providers of each channel, and what each needs."""

from typing import Any

import pytest

from tests.conformance.orqestra.conftest import Shop, event

SECRETS = {
    "resend": {"api_key": "re_0123456789abcdef"},
    "sendgrid": {"api_key": "SG.0123456789abcdef"},
    "twilio": {"account_sid": "AC" + "0" * 32, "auth_token": "0123456789abcdef0123456789abcdef"},
    "africastalking": {"api_key": "atsk_0123456789abcdef"},
}
# Of whom a message comes; no credentials.
IDENTITY: dict[str, dict[str, Any]] = {
    "resend": {"from_email": "us@tenant.example"},
    "sendgrid": {"from_email": "us@tenant.example"},
    "twilio": {"sender": "+254700000000"},
    "africastalking": {"username": "sandbox"},
}


@pytest.mark.parametrize(
    ("channel", "kind"),
    [("EMAIL", "resend"), ("EMAIL", "sendgrid"), ("SMS", "twilio"), ("SMS", "africastalking")],
    ids=["Resend", "SendGrid", "Twilio", "Africa's Talking"],
)
async def test_supported(bare_shop: Shop, channel: str, kind: str) -> None:
    """Made with the credentials that the page names; they go in and only their ends come out; it is chosen."""
    settings = {**IDENTITY[kind], **SECRETS[kind]}
    body = {"tenant_id": bare_shop.tenant.id, "channel": channel, "kind": kind, "settings": settings}
    made = await bare_shop.operator.must("POST", "/providers", json=body)
    assert (made["channel"], made["kind"]) == (channel, kind)
    listed = await bare_shop.operator.must("GET", f"/providers?tenant_id={bare_shop.tenant.id}")
    secret = {"account_sid"}
    for name, value in SECRETS[kind].items():
        if name not in secret:
            assert value not in str(listed)
            assert value[-4:] in str(listed)
    await bare_shop.template("order.confirmed", channel)
    query = f"tenant_id={bare_shop.tenant.id}&event_type=order.confirmed&user_id=u&email=a@example.com"
    explained = await bare_shop.operator.must("GET", f"/route-explain?{query}&phone=%2B254712345678")
    assert [(item["channel"], item["provider_id"]) for item in explained["deliveries"]] == [(channel, made["id"])]


async def test_push_is_built_in(bare_shop: Shop) -> None:
    """No provider, no account: a template is all that it takes."""
    await bare_shop.template("order.confirmed", "PUSH")
    assert await bare_shop.decisions(await bare_shop.tenant.trigger(event())) == {"PUSH": "sent"}
